"""What a USB printer tells without being spoken to: its IEEE-1284 id and its port status.

Decides what of the id text is maker, model, serial and language, and what the three status bits of
a printer port say; refuses a status with bits no port has. The id comes from sysfs without opening
the device. Many receipt printers send a fixed port status whatever happens to them, so it counts
only where nothing better answers. Pure.

Sources: Linux drivers/usb/class/usblp.c; USB printing class 1.1 (GET_PORT_STATUS).
"""

from __future__ import annotations

from agent.record import dataclass
from agent.watch.drivers.identity import clean

#: LPGETSTATUS, which asks the printer over the control pipe: no byte enters its buffer.
LPGETSTATUS = 0x060B
ID_MAX_BYTES = 1_024

_NO_ERROR, _SELECTED, _PAPER_OUT = 0x08, 0x10, 0x20
_RESERVED = 0x07

#: Both spellings of each key.
_KEYS = {
    "MFG": "maker",
    "MANUFACTURER": "maker",
    "MDL": "model",
    "MODEL": "model",
    "CMD": "commands",
    "COMMAND SET": "commands",
    "SN": "serial",
    "SERN": "serial",
    "SERIALNUMBER": "serial",
    "CLS": "kind",
    "CLASS": "kind",
    "DES": "description",
    "DESCRIPTION": "description",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceId:
    """The id as far as it was understood; "" for what it does not say."""

    maker: str = ""
    model: str = ""
    commands: tuple[str, ...] = ()
    serial: str = ""
    kind: str = ""
    description: str = ""

    @property
    def is_printer(self) -> bool:
        """Class PRINTER, or none given: many receipt printers leave it out."""
        return self.kind.upper() in {"", "PRINTER"}


def parse_id(raw: bytes) -> DeviceId:
    """`MFG:EPSON;CMD:ESC/POS;MDL:TM-T88V;CLS:PRINTER;`, with or without its two length bytes."""
    found: dict[str, str] = {}
    for part in _without_length(raw[:ID_MAX_BYTES]).split(b";"):
        key, colon, value = part.partition(b":")
        name = _KEYS.get(clean(key).upper())
        if colon and name is not None:
            found.setdefault(name, clean(value))
    commands = tuple(one.strip() for one in found.pop("commands", "").split(",") if one.strip())
    return DeviceId(commands=commands, **found)


def _without_length(raw: bytes) -> bytes:
    """The length counts itself, big-endian; some printers forget that, some swap it."""
    if len(raw) < 2 or raw[0] >= 0x20:
        return raw
    return raw[2:]


@dataclass(frozen=True, slots=True, kw_only=True)
class PortStatus:
    """The three lines of a printer port; `unknown` says why they cannot be told."""

    online: bool | None = None
    paper_out: bool | None = None
    error: bool | None = None
    unknown: str = ""


def decode_status(status: int) -> PortStatus:
    """What LPGETSTATUS returned. Bits 6 and 7 (ack, busy) say nothing on USB."""
    if not 0 <= status <= 0xFF or status & _RESERVED:
        return PortStatus(unknown=f"{status:#04x} is not the status of a printer port")
    return PortStatus(
        online=bool(status & _SELECTED),
        paper_out=bool(status & _PAPER_OUT),
        error=not status & _NO_ERROR,
    )
