"""Datalogic Magellan and PowerScan on RS-232: identification and the scanner's own health.

Decides what the framed replies to `i` and `h` say: SOH, then frames STX … ETX that each begin with
a letter naming their content, then EOT. Sends these two letters and no other: R would reset the
scanner, D switch it off, E switch it on. Refuses to know ports and time.
"""

from __future__ import annotations

import re

from agent.watch.drivers import scanning
from agent.watch.drivers.scanning import About, Dialect, Judgement, Question, TextCounter, Verdict

IDENTIFY = b"i"
HEALTH = b"h"
#: Letter of the identification -> field. A: program, R: its revision.
IDENTITY_FRAMES = {"M": "model", "X": "model", "S": "serial", "A": "program", "R": "revision"}
#: Letter of the health reply -> the part of the scanner it speaks of.
HEALTH_FRAMES = {"m": "motor", "h": "laser", "v": "vertical_laser", "s": "scale"}
_FINE, _FAILED, _UNTOLD = "OK", "FAIL", "NA"
_WORDS = frozenset({_FINE, _FAILED, _UNTOLD})
_REPLY = re.compile(rb"\x01((?:[\r\n]*\x02[^\x01-\x04]{1,128}\x03[\r\n]*){1,40})\x04")
_FRAME = re.compile(rb"\x02([^\x03])([^\x03]*)\x03")


def judge_identity(received: bytes) -> Judgement:
    """Whether `received` answers `i`."""
    return _judge(received, health=False)


def judge_health(received: bytes) -> Judgement:
    """Whether `received` answers `h`."""
    return _judge(received, health=True)


def _judge(received: bytes, *, health: bool) -> Judgement:
    found = _REPLY.search(received)
    if found is None:
        return Judgement(verdict=Verdict.WAITING, counts=scanning.counted_before(b"\x01", received))
    counts = scanning.around(received, found.start(), found.end())
    told = frames(found[1])
    if health != is_health(told):
        return Judgement(verdict=Verdict.OTHER, counts=counts)
    about = parse_health(told) if health else parse_identity(told)
    return Judgement(verdict=Verdict.ANSWERED, about=about, counts=counts)


def frames(body: bytes) -> list[tuple[str, str]]:
    """Letter and content of each frame."""
    return [
        (letter.decode("latin-1"), scanning.plain(content))
        for letter, content in _FRAME.findall(body)
    ]


def is_health(told: list[tuple[str, str]]) -> bool:
    """Only the health reply is made of OK, FAIL and NA alone."""
    return bool(told) and all(content in _WORDS for _, content in told)


def parse_identity(told: list[tuple[str, str]]) -> About:
    """Model, program with revision, serial number."""
    found: dict[str, str] = {}
    for letter, content in told:
        field = IDENTITY_FRAMES.get(letter)
        if field and content:
            found.setdefault(field, content)
    firmware = " ".join(found[name] for name in ("program", "revision") if name in found)
    return About(model=found.get("model", ""), firmware=firmware, serial=found.get("serial", ""))


def parse_health(told: list[tuple[str, str]]) -> About:
    """The parts that failed their own test. A letter nobody documents is shown as it is."""
    failed = tuple(
        HEALTH_FRAMES.get(letter, f"part {letter}".strip())
        for letter, content in told
        if content == _FAILED
    )
    return About(failed=failed, tested=any(content != _UNTOLD for _, content in told))


DIALECT = Dialect(
    name="datalogic",
    questions=(
        Question(name="i", sent=IDENTIFY, judge=judge_identity),
        Question(name="h", sent=HEALTH, judge=judge_health),
    ),
    counter=TextCounter,
)
