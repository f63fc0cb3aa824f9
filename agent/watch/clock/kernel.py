"""The kernel's word on its own clock: is it disciplined, and how far off can it be?

`adjtimex` with no mode set changes nothing and needs no right. A sandbox may forbid it, some C
libraries lack it: then there is no such witness, and the reason is told. The time in the answer is
the kernel's own at that instant, so this witness needs nobody else's clock. State files of chrony
and systemd-timesyncd only say when somebody last set it; no program is started for any of this.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

from agent import libc
from agent.record import dataclass

#: struct timex up to the time: modes, offset, freq, maxerror, esterror, status, constant,
#: precision, tolerance, seconds, fraction. Native sizes and padding.
_TIMEX = "@Illllilllll"
_TIMEX_BYTES = 512  # the real one has 208 bytes on 64 bits; the kernel writes no further
_AT_STATUS, _AT_MAXERROR, _AT_SECONDS, _AT_FRACTION = 5, 3, 9, 10
STA_UNSYNC = 0x0040
STA_NANO = 0x2000
TIME_ERROR = 5
#: The kernel lets it grow by 0.5 ms each second without news; from here on it says 16 s: unknown.
MOST_ERROR_MS = 8_000

#: Asks for the answer's bytes: (return value, struct).
Ask = Callable[[], tuple[int, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """What the kernel says."""

    synchronised: bool | None  #: None: it does not say
    max_error_ms: int | None = None
    utc_ms: int | None = None
    reason: str = ""  #: why it does not say


def adjtimex() -> tuple[int, bytes]:
    """The real call. Raises OSError or AttributeError."""
    return libc.adjtimex(_TIMEX_BYTES)


def kernel(ask: Ask = adjtimex) -> Kernel:
    """The kernel's word."""
    try:
        result, raw = ask()
    except AttributeError:
        return Kernel(synchronised=None, reason="this C library has no adjtimex")
    except OSError as error:
        return Kernel(synchronised=None, reason=f"adjtimex is not allowed here ({error.strerror})")
    return understood(result, raw)


def understood(result: int, raw: bytes) -> Kernel:
    """The answer's bytes; whatever makes no sense is "does not say"."""
    if len(raw) < struct.calcsize(_TIMEX):
        return Kernel(synchronised=None, reason="adjtimex answered too little")
    fields = struct.unpack_from(_TIMEX, raw)
    status = fields[_AT_STATUS]
    error_ms = -(-fields[_AT_MAXERROR] // 1000)
    fraction = fields[_AT_FRACTION]
    utc_ms = fields[_AT_SECONDS] * 1000 + fraction // (1_000_000 if status & STA_NANO else 1000)
    synchronised = (
        result != TIME_ERROR and not status & STA_UNSYNC and 0 <= error_ms <= MOST_ERROR_MS
    )
    return Kernel(
        synchronised=synchronised,
        max_error_ms=max(0, error_ms),
        utc_ms=utc_ms if utc_ms > 0 else None,
    )


#: Written by whoever sets the clock, each time it does.
_TRACES = (
    ("run/systemd/timesync/synchronized", "systemd-timesyncd"),
    ("var/lib/systemd/timesync/clock", "systemd-timesyncd"),
    ("var/lib/chrony/drift", "chrony"),
    ("var/lib/chrony/chrony.drift", "chrony"),
    ("var/lib/ntp/ntp.drift", "ntpd"),
    ("var/lib/ntpsec/ntp.drift", "ntpsec"),
)


def keeper(root: Path) -> str:
    """Who sets this clock, by the traces it leaves; "" where nobody does or it cannot be seen."""
    for path, name in _TRACES:
        try:
            if (root / path).exists():
                return name
        except OSError:
            continue
    return ""
