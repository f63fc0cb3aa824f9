"""Fails when a test that needs a real part (broker, root, compiler) was skipped.

Usage: skipped.py JUNIT_XML. On a developer's machine such tests are counted and named; where
changes are judged they must run.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET

#: What only a machine with that kernel device can do; `make rig` does it in one that has it.
IN_THE_RIG = frozenset({"test_uinput_makes_a_device"})
#: What only a kernel that lets us build networks can do: named, counted and not failed.
WITHOUT_NETWORKS = ("no network lab", "no network namespaces", "this machine allows no network")


def main(path: str) -> int:
    skipped = [
        (f"{case.get('classname')}.{case.get('name')}", (reason.get("message") or "").strip())
        for case in ET.parse(path).iter("testcase")
        for reason in case.findall("skipped")
    ]
    for name, reason in skipped:
        print(f"not run: {name}: {reason}")
    print(f"{len(skipped)} tests were not run")
    return 1 if any(not _excused(*one) for one in skipped) else 0


def _excused(name: str, reason: str) -> bool:
    return name.rsplit(".", 1)[-1] in IN_THE_RIG or reason.startswith(WITHOUT_NETWORKS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
