"""A verdict in one short line of ASCII, for a QR code: written on the slip, read by a technician.

    PA1;d=T-0001;t=20261122T060509Z;v=0.6.0;f=printer.paper_out@20261122T0601Z,network.slow;
    b=14;m=CNY:231000;x=2;h=1;c=1a2b3c4d

(one line). Fields, each once, all but d, t and c optional: `d` device, `t` time, `v` version, `k`
key of the payment it is about, `r` may it be taken again, `f` findings in the order of the verdict,
each with the minute it began, `o` findings left out, `b` unsent payments, `m` their amounts in
minor units, `x` in doubt, `h` held, `u` components nothing is known of, `c` CRC-32 of all before
it. Other characters than letters, digits and `._:-@,+` are %XX. Fields a reader does not know are
left aside, so that new ones can be added; another first word is another format. Pure.
"""

from __future__ import annotations

import re
from binascii import crc32
from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime

from agent.record import dataclass

WORD = "PA1"
#: What a code of 58 mm paper holds in dots that a telephone still reads.
MOST_CHARS = 400
MOST_UNKNOWN = 8
_PLAIN = re.compile(r"[^A-Za-z0-9._:@+-]")
_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})")
_FIELD = re.compile(r"([a-z])=([A-Za-z0-9._:@,+%-]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compact:
    """What the line says."""

    device: str
    at: datetime
    version: str = ""
    key: str = ""
    retry: str = ""
    findings: Sequence[tuple[str, datetime | None]] = ()
    omitted: int = 0
    unsent: int | None = None  #: None: not known
    amounts: Mapping[str, int] = field(default_factory=dict)
    in_doubt: int = 0
    held: int = 0
    unknown: Sequence[str] = ()


class NoCompactError(ValueError):
    """It is not such a line; `args[0]` is one of form, sum, field."""


def encode(told: Compact) -> str:
    """The line; findings are left out from the end before it gets too long."""
    findings, omitted = list(told.findings), told.omitted
    while True:
        line = _line(told, findings, omitted)
        if len(line) <= MOST_CHARS or not findings:
            return line
        findings.pop()
        omitted += 1


def _line(told: Compact, findings: Sequence[tuple[str, datetime | None]], omitted: int) -> str:
    at = _escape(f"{told.at.astimezone(UTC):%Y%m%dT%H%M%SZ}")
    amounts = ",".join(f"{_escape(name)}:{sum_}" for name, sum_ in sorted(told.amounts.items()))
    fields = (
        ("d", _escape(told.device[:48])),
        ("t", at),
        ("v", _escape(told.version[:24])),
        ("k", _escape(told.key)),
        ("r", _escape(told.retry)),
        ("f", ",".join(_finding(code, since) for code, since in findings)),
        ("o", str(omitted) if omitted else ""),
        ("b", "" if told.unsent is None else str(told.unsent)),
        ("m", amounts),
        ("x", str(told.in_doubt) if told.in_doubt else ""),
        ("h", str(told.held) if told.held else ""),
        ("u", ",".join(map(_escape, told.unknown[:MOST_UNKNOWN]))),
    )
    body = ";".join([WORD, *(f"{name}={value}" for name, value in fields if value)])
    return f"{body};c={crc32(body.encode()):08x}"


def decode(line: str) -> Compact:
    """Raises NoCompactError; never anything else."""
    body, mark, check = line.strip().rpartition(";c=")
    if not mark or not body.isascii() or body.split(";", 1)[0] != WORD:
        raise NoCompactError("form")
    if f"{crc32(body.encode()):08x}" != check.lower():
        raise NoCompactError("sum")
    told: dict[str, str] = {}
    for part in body.split(";")[1:]:
        found = _FIELD.fullmatch(part)
        if found is None or found[1] in told:
            raise NoCompactError("field")
        told[found[1]] = found[2]
    try:
        return _compact(told)
    except (ValueError, KeyError, OverflowError):
        raise NoCompactError("field") from None


def _compact(told: Mapping[str, str]) -> Compact:
    return Compact(
        device=_plain(told["d"]),
        at=_time(told["t"]),
        version=_plain(told.get("v", "")),
        key=_plain(told.get("k", "")),
        retry=_plain(told.get("r", "")),
        findings=tuple(_found(one) for one in _list(told, "f")),
        omitted=_number(told.get("o", "0")),
        unsent=_number(told["b"]) if "b" in told else None,
        amounts={
            _plain(name): _number(sum_)
            for name, _, sum_ in (one.partition(":") for one in _list(told, "m"))
        },
        in_doubt=_number(told.get("x", "0")),
        held=_number(told.get("h", "0")),
        unknown=tuple(_plain(one) for one in _list(told, "u")),
    )


def _finding(code: str, since: datetime | None) -> str:
    told = _escape(code)
    return told if since is None else f"{told}@{since.astimezone(UTC):%Y%m%dT%H%MZ}"


def _found(told: str) -> tuple[str, datetime | None]:
    code, mark, since = told.partition("@")
    return _plain(code), _time(since) if mark else None


def _list(told: Mapping[str, str], name: str) -> list[str]:
    return [one for one in told.get(name, "").split(",") if one]


def _number(digits: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", digits):
        raise ValueError(digits)
    return int(digits)


def _time(told: str) -> datetime:
    form = "%Y%m%dT%H%M%SZ" if len(told) == 16 else "%Y%m%dT%H%MZ"
    return datetime.strptime(told, form).replace(tzinfo=UTC)


def _escape(text: str) -> str:
    def coded(found: re.Match[str]) -> str:
        return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "replace"))

    return _PLAIN.sub(coded, text)


def _plain(text: str) -> str:
    raw = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    return raw.encode("latin-1", "replace").decode("utf-8", "replace")
