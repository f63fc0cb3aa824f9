"""Whether two machines are one, from whatever could be read of both."""

from __future__ import annotations

import pytest

from agent.core.terminal.hardware import FLASH, Verdict, compared


def marks(**kinds: str) -> dict[str, frozenset[str]]:
    return {kind: frozenset(told.split()) for kind, told in kinds.items()}


FULL = marks(case="c1", board="b1", processor="p1", interface="m1 m2", flash="f1")


@pytest.mark.parametrize(
    ("now", "verdict"),
    [
        (FULL, Verdict.SAME),
        (marks(case="c1"), Verdict.SAME),  # the rest could not be read this time
        (FULL | marks(interface="m1 m9"), Verdict.PARTLY),
        (FULL | marks(board="b9"), Verdict.PARTLY),
        (marks(case="c1", board="b1", flash="f9"), Verdict.PARTLY),  # new flash, own backup image
        (marks(case="c9", board="b9", processor="p9", interface="m9", flash="f9"), Verdict.COPIED),
        (marks(case="c9", board="b9", processor="p9", interface="m9", flash="f1"), Verdict.MOVED),
        # A serial number the maker never set is the same in all of them.
        (marks(case="c1", board="b9", processor="p9", interface="m9", flash="f9"), Verdict.COPIED),
        (marks(flash="f9"), Verdict.COPIED),
        (marks(flash="f1"), Verdict.SAME),
        (marks(), Verdict.UNKNOWN),
        (marks(tpm="t1"), Verdict.UNKNOWN),
    ],
)  # fmt: skip
def test_machines_are_compared_by_what_is_known_of_both(
    now: dict[str, frozenset[str]], verdict: Verdict
) -> None:
    """A repair is no alarm, a stranger is one, and nothing readable is neither."""
    assert compared(FULL, now).verdict is verdict


def test_only_kinds_are_told() -> None:
    """What leaves this function names kinds of marks, no mark."""
    told = compared(FULL, marks(case="c1", board="b9", flash="f1"))
    assert (told.equal, told.other) == (("case", FLASH), ("board",))
