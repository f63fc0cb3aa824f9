"""Honeywell and Metrologic scanners on a serial line: REVINF asked, its text understood.

Decides what stands in a reply to a menu query: the echo of the tag, text, then ACK, ENQ (no such
tag) or NAK (out of range) before the full stop. Sends one query and nothing else: no trigger, no
beep, no setting. Refuses to know ports and time.
"""

from __future__ import annotations

import re

from agent.watch.drivers import scanning
from agent.watch.drivers.scanning import About, Dialect, Judgement, Question, TextCounter, Verdict

#: SYN M CR opens a menu command.
QUERY = b"\x16M\rREVINF."
_TAG = b"REVINF"
#: ACK, ENQ or NAK stands before the punctuation the command ended with.
ENDINGS = {0x06: Verdict.ANSWERED, 0x05: Verdict.REFUSED, 0x15: Verdict.REFUSED}
_END = re.compile(rb"([\x05\x06\x15])\.")
#: The reply to another menu command: a tag of six letters and digits, its value, the ending.
_OTHER = re.compile(rb"(?<![A-Z0-9_])([A-Z_][A-Z0-9_]{5})[^\x05\x06\x15\r\n]*[\x05\x06\x15]\.")
REPLY_MAX_BYTES = 2_048


def judge(received: bytes) -> Judgement:
    """Whether `received`, everything since the query, answers it."""
    # The line's own echo of the query is no reply: it has no ending.
    start = received.find(_TAG)
    ended = (
        _END.search(received, start + len(_TAG), start + REPLY_MAX_BYTES) if start >= 0 else None
    )
    if ended is not None:
        verdict = ENDINGS[ended[1][0]]
        start = received.rfind(_TAG, start, ended.start())
        about = parse(received[start + len(_TAG) : ended.start()])
        counts = scanning.around(received, start, ended.end())
        return Judgement(verdict=verdict, about=about, counts=counts)
    other = _OTHER.search(received)
    if other is not None and other[1] != _TAG:
        counts = scanning.around(received, other.start(), other.end())
        return Judgement(verdict=Verdict.OTHER, counts=counts)
    return Judgement(verdict=Verdict.WAITING, counts=scanning.counted_before(_TAG, received))


def parse(text: bytes) -> About:
    """The lines `Product Name: …`, `Software Revision: …`, `Serial Number: …`."""
    pairs: dict[str, str] = {}
    for line in text.decode("utf-8", "replace").splitlines():
        label, colon, value = line.partition(":")
        if colon:
            pairs.setdefault(label.strip(), value)
    return scanning.about_text(pairs)


DIALECT = Dialect(
    name="honeywell",
    questions=(Question(name="REVINF", sent=QUERY, judge=judge),),
    counter=TextCounter,
)
