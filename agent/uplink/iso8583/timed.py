"""The host's own time in an answer: fields 13 (MMDD) and 12 (hhmmss), local and without a year.

Hosts that are asked with these fields send them back as they came; that is no second opinion on
this terminal's clock, so only what the question did not say counts.
"""

from __future__ import annotations

from collections.abc import Callable

from agent.core.money.iso8583 import Message

#: Hears MMDD, hhmmss and how long the question took.
Timed = Callable[[str, str, float], None]


def own_time(sent: Message, got: Message) -> tuple[str, str] | None:
    """MMDD and hhmmss as the host says them of its own accord."""
    told = got.get("13"), got.get("12")
    if not all(told) or told == (sent.get("13"), sent.get("12")):
        return None
    return told


def hear(timed: Timed | None, sent: Message, got: Message | None, took_s: float) -> None:
    """Hand on what an answer says about the time."""
    if timed is None or got is None:
        return
    if (told := own_time(sent, got)) is not None:
        timed(*told, took_s)
