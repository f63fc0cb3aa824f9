"""Numbers that are no cards: what a till prints and stores all day, drawn by a seed.

Each line is (whether it stands in a field for identifiers, text).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

Line = tuple[bool, str]


def _day(draw: random.Random) -> str:
    return f"20{draw.randrange(22, 46)}{draw.randrange(1, 13):02}{draw.randrange(1, 29):02}"


def _time(draw: random.Random) -> str:
    return f"{draw.randrange(24):02}{draw.randrange(60):02}{draw.randrange(60):02}"


def _stan(draw: random.Random) -> Line:
    return True, f"{draw.randrange(1_000_000):06}"


def _rrn(draw: random.Random) -> Line:
    """YDDDHH and the STAN, as ISO 8583 field 37 is filled."""
    day = draw.randrange(1, 366)
    return True, (
        f"{draw.randrange(10)}{day:03}{draw.randrange(24):02}{draw.randrange(1_000_000):06}"
    )


def _trace(draw: random.Random) -> Line:
    """Batch, STAN and RRN side by side, as on a slip."""
    return False, f"{draw.randrange(10**6):06} {draw.randrange(10**6):06}  {_rrn(draw)[1]}"


def _epoch(draw: random.Random) -> Line:
    """Seconds, milliseconds, microseconds, nanoseconds."""
    seconds = draw.randrange(1_600_000_000, 2_150_000_000)
    places = draw.choice((0, 3, 6, 9))
    fraction = f"{draw.randrange(10**places):0{places}}" if places else ""
    return False, f"{seconds}{fraction}"


def _float(draw: random.Random) -> Line:
    return False, repr(draw.uniform(0, 2e9))


def _stamp(draw: random.Random) -> Line:
    day, time = _day(draw), _time(draw)
    return False, draw.choice(
        (
            f"{day}{time}",
            f"{day}{time}{draw.randrange(1000):03}",
            f"{day} {time}",
            f"{day[:4]}-{day[4:6]}-{day[6:]} {time[:2]}:{time[2:4]}:{time[4:]}",
            f"{day[:4]}-{day[4:6]}-{day[6:]}T{time[:2]}:{time[2:4]}:{time[4:]}.{draw.randrange(10**6):06}",
        )
    )


def _order(draw: random.Random) -> Line:
    """Dated order numbers of shops and platforms, 14 to 28 digits."""
    day, time = _day(draw), _time(draw)
    return False, draw.choice(
        (
            f"{day}{draw.randrange(10**8):08}",
            f"{day}{draw.randrange(10**10):010}",
            f"{day}{time}{draw.randrange(10**4):04}",
            f"{day}{time}{draw.randrange(10**6):06}",
            f"42000{draw.randrange(10**5):05}{day}{draw.randrange(10**10):010}",  # WeChat, 28
            f"{day}22001{draw.randrange(10**15):015}",  # Alipay, 28
            f"SO-{day}-{draw.randrange(10**6):06}",
            f"{day}-{draw.randrange(10**8):08}",
        )
    )


def _key(draw: random.Random) -> Line:
    """Keys as payment apps make them: terminal, date, STAN; or a UUID."""
    terminal = f"{draw.randrange(10**8):08}"
    plain = f"{draw.getrandbits(128):032x}"
    return True, draw.choice(
        (
            f"{terminal}-{_day(draw)}-{_stan(draw)[1]}",
            f"T{terminal[1:]}-{_day(draw)}-{_stan(draw)[1]}",
            f"{plain[:8]}-{plain[8:12]}-{plain[12:16]}-{plain[16:20]}-{plain[20:]}",
            plain,
        )
    )


def _opaque(draw: random.Random) -> Line:
    """Ciphertext, cryptograms and digests as text."""
    import base64

    raw = draw.randbytes(draw.choice((16, 20, 32, 48, 64, 96)))
    return False, draw.choice(
        (
            raw.hex(),
            raw.hex(" "),
            base64.b64encode(raw).decode(),
            base64.urlsafe_b64encode(raw).decode(),
        )
    )


KINDS: dict[str, Callable[[random.Random], Line]] = {
    "STAN": _stan,
    "RRN": _rrn,
    "batch, STAN, RRN": _trace,
    "epoch": _epoch,
    "float": _float,
    "timestamp": _stamp,
    "order number": _order,
    "key": _key,
    "ciphertext": _opaque,
}


def lines(kind: str, count: int, seed: int) -> Iterator[Line]:
    """`count` of one kind."""
    draw = random.Random(f"{kind}/{seed}")
    make = KINDS[kind]
    return (make(draw) for _ in range(count))
