"""`dumpsys package NAME`: which version of an app is installed."""

from __future__ import annotations

import re

from agent.watch.android.asking import Question

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)+")
VERSION_CHARS = 100


def asked_for(package: str) -> Question | None:
    """About one app; None for what is no name of one: it becomes an argument."""
    if not NAME.fullmatch(package) or len(package) > 128:
        return None
    return Question(
        name=f"dumpsys package {package}",
        command=("dumpsys", "package", package),
        keep=re.compile(
            rb"^\s*Package \[|^\s*versionCode=|^\s*versionName=|Unable to find package|"
            rb"^\s*Hidden system packages|DUMP TIMEOUT"
        ),
    )


def version(text: str, package: str) -> str:
    """`versionName`, else the code; "" where it is not installed.

    A system app that was updated is listed twice: the first block is the one in use.
    """
    start = re.search(rf"^\s*Package \[{re.escape(package)}\]", text, re.MULTILINE)
    if start is None:
        return ""
    block = re.split(r"^\s*Package \[", text[start.end() :], maxsplit=1, flags=re.MULTILINE)[0]
    name = re.search(r"^\s*versionName=(.*?)\s*$", block, re.MULTILINE)
    if name and name[1] not in ("", "null"):
        return name[1][:VERSION_CHARS]
    code = re.search(r"\bversionCode=(\d{1,20})", block)
    return code[1] if code else ""
