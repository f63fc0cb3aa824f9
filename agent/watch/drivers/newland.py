"""Newland scanners on a serial line, in both of their languages.

The unified one (`newland_v2`) frames commands `~ SOH 0000 … ; ETX` and replies `STX SOH 0000 … ;
ETX` with ACK, NAK or ENQ before each punctuation mark. The old one (`newland_v1`, HR15 and its
time) has to be brought into its setting mode with `$$$$` and out of it with `%%%%`; it leaves by
itself after five seconds and says `^^^^` then, asked or not. Decides what is a reply and what it
says; sends queries only. Refuses to know ports and time.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from agent.watch.drivers import scanning
from agent.watch.drivers.scanning import About, Dialect, Judgement, Question, TextCounter, Verdict

#: @: the query's storage type; queries may use either. QRYSYS: what the scanner is.
UNIFIED_QUERY = b"~\x010000@QRYSYS;\x03"
ENDINGS = {0x06: Verdict.ANSWERED, 0x15: Verdict.REFUSED, 0x05: Verdict.REFUSED}
_UNIFIED = re.compile(rb"\x02\x010000[@#]([^\x02\x03]{0,2048}?)([\x05\x06\x15]);\x03", re.DOTALL)
_UNIFIED_TAG = b"QRYSYS"

CLASSIC_ENTER = b"$$$$"
CLASSIC_INFO = b"#99900301;"
CLASSIC_LEAVE = b"%%%%"
_ENTERED = b"@@@@"
_LEFT = b"^^^^"
#: `!NUMBER;&{…}` or `?…;`. The number alone may be the first half of a reply still coming in.
_CLASSIC = re.compile(rb"!(\d{8});&\{([^{}]{0,1024})\}|!(?!99900301)(\d{8});|(\?)[0-9]{0,8};")
_INFO_NUMBER = b"99900301"
_PAIR = re.compile(r"[\r\n;,&]+")
#: Without a colon the value begins with the first word that has a digit: `Firmware v1.2`.
_WORDED = re.compile(r"(\D*?)\s+(\S*\d.*)")


def judge_unified(received: bytes) -> Judgement:
    """Whether `received`, everything since the query, answers it."""
    found = _UNIFIED.search(received)
    if found is None:
        counts = scanning.counted_before(b"\x02\x01", received)
        return Judgement(verdict=Verdict.WAITING, counts=counts)
    counts = scanning.around(received, found.start(), found.end())
    told = found[1]
    if not told.startswith(_UNIFIED_TAG):
        return Judgement(verdict=Verdict.OTHER, counts=counts)
    about = parse(told[len(_UNIFIED_TAG) :].replace(b"\x06", b""))
    return Judgement(verdict=ENDINGS[found[2][0]], about=about, counts=counts)


def parse(text: bytes) -> About:
    """`label: value` lines (unified), or `Firmware v1.2;Decoder v3.4;…` (old)."""
    pairs: dict[str, str] = {}
    for line in _PAIR.split(text.decode("utf-8", "replace").strip("{}&")):
        label, colon, value = line.partition(":")
        if not colon:
            worded = _WORDED.match(line.strip(" {}"))
            label, value = worded.groups() if worded else (line, "")
        if value:
            pairs.setdefault(label.strip(" {}"), value)
    return scanning.about_text(pairs)


def _expect(word: bytes) -> Callable[[bytes], Judgement]:
    """Waits for one of the old language's four-letter words."""

    def judge(received: bytes) -> Judgement:
        at = received.find(word)
        if at < 0:
            return Judgement(verdict=Verdict.WAITING, counts=_counted_classic(received))
        counts = scanning.around(received.replace(_LEFT, b"    "), at, at + len(word))
        return Judgement(verdict=Verdict.ANSWERED, counts=counts)

    return judge


def judge_info(received: bytes) -> Judgement:
    """Whether `received` answers the old language's question for its versions."""
    found = _CLASSIC.search(received)
    if found is None:
        return Judgement(verdict=Verdict.WAITING, counts=_counted_classic(received))
    counts = scanning.around(received, found.start(), found.end())
    if found[4] is not None:
        return Judgement(verdict=Verdict.REFUSED, counts=counts)
    if found[1] != _INFO_NUMBER:
        return Judgement(verdict=Verdict.OTHER, counts=counts)
    return Judgement(verdict=Verdict.ANSWERED, about=parse(found[2]), counts=counts)


def _counted_classic(received: bytes) -> scanning.Counts:
    # Its leaving the setting mode by itself is no code.
    codes = received.replace(_LEFT, b"").replace(_ENTERED, b"")
    return scanning.counted_before(b"!" + _INFO_NUMBER, codes)


UNIFIED = Dialect(
    name="newland_v2",
    questions=(Question(name="QRYSYS", sent=UNIFIED_QUERY, judge=judge_unified),),
    counter=TextCounter,
)
CLASSIC = Dialect(
    name="newland_v1",
    questions=(
        Question(name="enter", sent=CLASSIC_ENTER, judge=_expect(_ENTERED)),
        Question(name="99900301", sent=CLASSIC_INFO, judge=judge_info),
        Question(name="leave", sent=CLASSIC_LEAVE, judge=_expect(_LEFT), always=True),
    ),
    counter=TextCounter,
)
