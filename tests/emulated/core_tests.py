"""Inside the root: tests/core against the installed agent, by the installed interpreter's rules.

Run as a plain script by /opt/posagent/bin/python. The checkout comes last in the search for
modules, so that `agent` is the package that was installed, and only `tests` is the checkout's.
"""

from __future__ import annotations

import hashlib
import sys
import time
from typing import Any

CHECKOUT, TOOLS, WITHIN_S, EXAMPLES, *ARGUMENTS = sys.argv[1:]


def fewer_examples(items: list[Any], most: int) -> None:
    """No property is tried with more than `most` examples: emulated, one takes seconds."""
    from hypothesis import settings

    name = "_hypothesis_internal_use_settings"
    for item in items:
        test = getattr(item.obj, "__func__", item.obj)
        own = getattr(test, name, None)
        if own is not None and own.max_examples > most:
            setattr(test, name, settings(own, max_examples=most))


class Share:
    """Stops after WITHIN_S, with the tests in an order that takes from every file alike; says how
    many of how many were run."""

    def __init__(self, within_s: float) -> None:
        self.within_s = within_s
        self.began = 0.0
        self.there = self.ran = 0

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        self.there = len(items)
        self.began = time.monotonic()
        if int(EXAMPLES):
            fewer_examples(items, int(EXAMPLES))
        if self.within_s:
            items.sort(key=lambda item: hashlib.sha256(item.nodeid.encode()).digest())

    def pytest_runtest_protocol(self, item: Any) -> None:
        late = self.within_s and time.monotonic() > self.began + self.within_s
        if late:
            item.session.shouldstop = "the time is over"
        self.ran += 1

    def pytest_unconfigure(self) -> None:
        print(f"share: {self.ran} of {self.there}")


def main() -> int:
    import agent

    # What a Debian of two years ago has of the test tools; the installed agent stays in front.
    sys.path += [TOOLS, CHECKOUT]
    import pytest

    if not agent.__file__.startswith("/opt/posagent/"):
        print(f"not the installed agent: {agent.__file__}")
        return 90
    options = ["-p", "no:cacheprovider", "--rootdir", CHECKOUT]
    return int(pytest.main([*options, *ARGUMENTS], plugins=[Share(float(WITHIN_S))]))


if __name__ == "__main__":
    sys.exit(main())
