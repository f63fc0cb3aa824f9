"""`dumpsys activity processes`: which apps have a process.

/proc hides the processes of others on Android; this list does not. An app that is cached or in the
background has a process too: that it shows itself is not asked here.
"""

from __future__ import annotations

import re

from agent.watch.android.asking import Question

QUESTION = Question(
    name="dumpsys activity processes",
    command=("dumpsys", "activity", "processes"),
    keep=re.compile(
        rb"ACTIVITY MANAGER|\*(?:APP|PERS)\* UID |Proc ?#|ProcessRecord\{|PID #|DUMP TIMEOUT"
    ),
)
_RECORD = re.compile(r"ProcessRecord\{[0-9a-f]+ (\d+):([A-Za-z0-9_.]+)(?::[A-Za-z0-9_.]+)?/")


def running(text: str, package: str) -> bool | None:
    """Whether the app has a process; None where the text is no such list."""
    records = _RECORD.findall(text)
    if not records and "ACTIVITY MANAGER" not in text:
        return None
    # Pid 0: it is remembered, and dead.
    return any(name == package and pid != "0" for pid, name in records)
