"""At which speed a printer probably talks, from the bytes that arrived at the wrong one.

Decides by drawing the line's level over time: each status byte a printer may send, at each usual
speed, is sampled as a receiver at the configured speed would. Only if what arrived fits one speed
and no other is that speed named, and only if it is slower than the configured one; otherwise it is
not known (0). It never tries a speed out: questions at the wrong speed are noise a printer may
print. Pure.
"""

from __future__ import annotations

from typing import Literal

Parity = Literal["none", "even", "odd"]

SPEEDS = (1_200, 2_400, 4_800, 9_600, 19_200, 38_400, 57_600, 115_200)
#: `0xx1xx10`: every byte that may answer DLE EOT.
STATUS_BYTES = tuple(byte for byte in range(256) if byte & 0x93 == 0x12)


def likely_speed(received: bytes, configured: int, parity: Parity = "none") -> int:
    """The one usual speed at which status bytes would have arrived as `received`; 0: not known."""
    others = (speed for speed in SPEEDS if speed != configured)
    fits = [speed for speed in others if _fits(received, speed, configured, parity)]
    # Of a faster sender a receiver hears a pulse or two: too little to tell speeds apart.
    return fits[0] if len(fits) == 1 and fits[0] < configured else 0


def as_received(
    sent: bytes, sent_baud: int, read_baud: int, parity: Parity = "none", broken_nul: bool = False
) -> bytes:
    """What a receiver at `read_baud` makes of bytes sent back to back at `sent_baud`.

    `broken_nul`: its driver hands over NUL for a byte without a stop bit, and then waits for the
    line to be high again; others hand it over as it was sampled.
    """
    line = [level for byte in sent for level in _frame(byte, parity)]
    bits = 8 if parity == "none" else 9
    heard = bytearray()
    at = 0.0  # in sender's bits
    step = sent_baud / read_baud
    while (start := _falling(line, at)) is not None:
        levels = [_level(line, start + step * (index + 0.5)) for index in range(bits + 2)]
        if levels[0]:  # too short to be a start bit
            at = start + step / 2
            continue
        broken = broken_nul and not levels[-1]
        byte = sum(level << index for index, level in enumerate(levels[1:9]))
        heard.append(0 if broken else byte)
        at = start + step * (bits + 1.5)
    return bytes(heard)


def _fits(received: bytes, speed: int, configured: int, parity: Parity) -> bool:
    """Whether `received` is a run of what single status bytes look like when read wrongly."""
    if not received:
        return False
    looks = {
        as_received(bytes((byte,)), speed, configured, parity, broken_nul)
        for byte in STATUS_BYTES
        for broken_nul in (False, True)
    }
    looks.discard(b"")
    reached = {0}
    for at in range(len(received)):
        if at in reached:
            reached |= {at + len(look) for look in looks if received.startswith(look, at)}
    return len(received) in reached


def _frame(byte: int, parity: Parity) -> list[int]:
    """Start bit, eight data bits from the lowest, parity, stop bit."""
    data = [byte >> index & 1 for index in range(8)]
    check = [] if parity == "none" else [(sum(data) + (parity == "odd")) % 2]
    return [0, *data, *check, 1]


def _level(line: list[int], at: float) -> int:
    return line[int(at)] if at < len(line) else 1


def _falling(line: list[int], at: float) -> float | None:
    """When the line next goes low, looking from `at`; at once if it goes low right there."""
    for index in range(int(at), len(line)):
        before = line[index - 1] if index else 1
        if not line[index] and before and index >= at:
            return float(index)
    return None
