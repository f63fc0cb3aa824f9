"""Fails when a test that needs a real part (broker, root, compiler) was skipped.

Usage: skipped.py JUNIT_XML. On a developer's machine such tests are counted and named; where
changes are judged they must run.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET

#: What only a machine with that kernel device can do; `make rig` does it in one that has it.
IN_THE_RIG = frozenset({"test_uinput_makes_a_device"})


def main(path: str) -> int:
    skipped = [
        (f"{case.get('classname')}.{case.get('name')}", (reason.get("message") or "").strip())
        for case in ET.parse(path).iter("testcase")
        for reason in case.findall("skipped")
    ]
    for name, reason in skipped:
        print(f"not run: {name}: {reason}")
    print(f"{len(skipped)} tests were not run")
    return 1 if any(name.rsplit(".", 1)[-1] not in IN_THE_RIG for name, _ in skipped) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
