"""Status of parts only some ESC/POS printers have: slip, ink, cheque reader, peeler, interface.

DLE EOT 5, 7, 8 and 18. Decides what each bit of their one reply byte says and refuses to guess
where makers publish no table (peeler, interface): such a byte is *unknown* with its value. A
printer without the part may take the parameter of these queries for text, so the printer watcher
asks only for the parts named in its configuration. Pure, like `escpos`.

Sources: Epson TM-H5000II (slip, MICR), TM-J2000 (ink); DLE EOT 8 a=3 is the peeler of newer label
printers, not MICR.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from agent.record import dataclass
from agent.watch.drivers.escpos import is_status


class Part(StrEnum):
    """What is asked about."""

    SLIP = "slip"
    INK = "ink"
    INK_SECOND = "ink_second"
    MICR = "micr"
    PEELER = "peeler"
    INTERFACE = "interface"
    DISPLAY = "display"


#: DLE EOT n, or n a.
QUERIES: Mapping[Part, bytes] = MappingProxyType(
    {
        Part.SLIP: b"\x10\x04\x05",
        Part.INK: b"\x10\x04\x07\x01",
        Part.INK_SECOND: b"\x10\x04\x07\x02",
        Part.MICR: b"\x10\x04\x08\x01",
        Part.PEELER: b"\x10\x04\x08\x03",
        Part.INTERFACE: b"\x10\x04\x12\x01",
        Part.DISPLAY: b"\x10\x04\x12\x02",
    }
)

#: What the configuration calls them -> what is asked.
NAMED: Mapping[str, tuple[Part, ...]] = MappingProxyType(
    {"slip": (Part.SLIP,), "ink": (Part.INK, Part.INK_SECOND), "micr": (Part.MICR,)}
)

_SHEET = (
    (0x04, "not_selected"),
    (0x08, "waiting"),
    (0x20, "top_edge_absent"),
    (0x40, "bottom_edge_absent"),
)
_INK = ((0x04, "near_end"), (0x08, "end"), (0x20, "cartridge_absent"))
#: Part -> (mask, word); a part that is not here has no published table.
BITS: Mapping[Part, tuple[tuple[int, str], ...]] = MappingProxyType(
    {Part.SLIP: _SHEET, Part.MICR: _SHEET, Part.INK: _INK, Part.INK_SECOND: _INK}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The words one byte says; `unknown` says why it says nothing."""

    words: frozenset[str] = frozenset()
    unknown: str = ""


def decode(part: Part, byte: int) -> Told:
    """What the reply `byte` says about `part`."""
    if not is_status(byte):
        return Told(unknown=f"{byte:02x} is not a status byte (0xx1xx10)")
    if part not in BITS:
        return Told(unknown=f"{byte:02x}: no table is published for the {part} status")
    return Told(words=frozenset(word for mask, word in BITS[part] if byte & mask))


def ink_out(words: frozenset[str]) -> bool:
    """Whether it can print no more: no ink, or nothing that holds any."""
    return bool(words & {"end", "cartridge_absent"})
