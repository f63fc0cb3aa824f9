"""A socket that whoever started this process made for it: Android's init, or systemd.

Decides how it is told (ANDROID_SOCKET_posagent, or LISTEN_PID and LISTEN_FDS) and that it is one
the local API can listen on. What was handed over stays open under its number as long as this
process lives, because the process may replace itself by a new one that looks for it again. Knows
nothing of what is served there. Called by `agent.local` and by `agent.main.restart`.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from agent.errors import OperatorError

#: What the service's `socket` line in init.rc must be called.
ANDROID = "ANDROID_SOCKET_posagent"
#: systemd hands sockets over from this descriptor on.
FIRST = 3


def number(environment: Mapping[str, str] | None = None) -> int | None:
    """The descriptor that was handed over; None: none was. Raises OperatorError: two were."""
    told = os.environ if environment is None else environment
    if (android := told.get(ANDROID, "")).isdecimal():
        return int(android)
    count = told.get("LISTEN_FDS", "")
    # The variables of a parent that was started by its socket are not for its children.
    if told.get("LISTEN_PID") != str(os.getpid()) or not count.isdecimal() or not int(count):
        return None
    if int(count) > 1:
        raise _unfit(f"{count} sockets were handed over, and one is served")
    return FIRST


def listening(environment: Mapping[str, str] | None = None) -> socket.socket | None:
    """A socket of its own over the one handed over. Raises OperatorError: it is of no use."""
    handed = number(environment)
    if handed is None:
        return None
    try:
        sock = socket.socket(fileno=os.dup(handed))
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise _unfit(f"descriptor {handed} cannot be used: {why}") from None
    if sock.family != socket.AF_UNIX or sock.type != socket.SOCK_STREAM:
        sock.close()
        raise _unfit(f"descriptor {handed} is no unix stream socket")
    return sock


def _unfit(what: str) -> OperatorError:
    return OperatorError(
        "http.socket_unusable",
        what,
        "In init.rc: `socket posagent stream …`; in a systemd .socket unit: one ListenStream=PATH.",
    )
