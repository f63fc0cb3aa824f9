"""Fails when more tests failed than a noisy machine explains, or none were run at all.

Usage: few.py JUNIT_XML. A second look at hundreds of failures takes as long as the first and says
no more.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET

FEW = 40


def main(path: str) -> int:
    suites = list(ET.parse(path).iter("testsuite"))
    tests = sum(int(suite.get("tests", "0")) for suite in suites)
    failed = sum(int(suite.get(kind, "0")) for suite in suites for kind in ("failures", "errors"))
    print(f"{failed} of {tests} tests failed")
    return 0 if tests > FEW >= failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
