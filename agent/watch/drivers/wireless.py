"""The lines of /proc/net/wireless, which old drivers have in place of nl80211.

    IF: status link. level. noise. nwid crypt frag retry misc beacon

A dot behind a figure only says that it was updated since the last look. `level` is dBm where the
driver says so and anything else where it does not; the file does not tell which. So what is no
possible signal in dBm (-110..-10) is not known: a positive number may be percent or a raw register,
0 is an interface that is not associated, -256 is the driver's word for "unknown".
"""

from __future__ import annotations

from agent.record import dataclass

#: What a receiver can hear, and what one beside the access point hears.
LEAST_DBM, MOST_DBM = -110.0, -10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One interface."""

    interface: str
    level_dbm: float | None
    noise_dbm: float | None
    retries: int | None
    beacon_losses: int | None


def parse(text: str) -> list[Line]:
    """The interfaces with wireless extensions. Lines that make no sense are left out."""
    found: list[Line] = []
    for line in text.splitlines():
        name, colon, rest = line.partition(":")
        fields = rest.split()
        # The two head lines have bars in place of a colon, or no number behind it.
        if not colon or "|" in line or len(fields) < 4 or not name.strip():
            continue
        found.append(
            Line(
                interface=name.strip(),
                level_dbm=dbm(_number(fields[2])),
                noise_dbm=dbm(_number(fields[3])),
                retries=_count(fields, 7),
                beacon_losses=_count(fields, 9),
            )
        )
    return found


def dbm(value: float | None) -> float | None:
    """`value` where it can be a received signal in dBm."""
    return value if value is not None and LEAST_DBM <= value <= MOST_DBM else None


def _number(word: str) -> float | None:
    # float() would also take "inf", "nan" and "1_0".
    digits = word.rstrip(".").removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 6:
        return None
    return float(word.rstrip("."))


def _count(fields: list[str], place: int) -> int | None:
    number = _number(fields[place]) if place < len(fields) else None
    return int(number) if number is not None and number >= 0 else None
