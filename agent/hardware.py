"""The machine under the agent: its marks, read, hashed and kept beside the store.

Decides which marks count (serial numbers of case, board, processor and flash, addresses of built-in
interfaces; never what can be plugged) and keeps their hashes in `hardware` in the state directory,
under a salt of its own: the raw numbers stand nowhere. What a difference means decides
`agent.core.terminal.hardware`; what happens to the money, `agent.store.inherited`. Called by
`agent.main` at the start and by `posagent provision`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from agent.core.terminal.hardware import ELSEWHERE, FLASH, Compared, Verdict, compared
from agent.durable import replaced
from agent.record import dataclass, replace

log = logging.getLogger(__name__)

Marks = Mapping[str, frozenset[str]]

FILE = "hardware"
_MAX_BYTES = 16_384
#: Kind -> where its number stands, below [system] root.
_NUMBERS: Mapping[str, tuple[str, ...]] = {
    "case": ("sys/class/dmi/id/product_serial", "sys/class/dmi/id/product_uuid"),
    "board": ("sys/class/dmi/id/board_serial", "sys/firmware/devicetree/base/serial-number"),
    "processor": ("sys/devices/soc0/serial_number",),
}
_CPUINFO = re.compile(r"^Serial\s*:\s*([0-9A-Fa-f]{8,32})\s*$", re.MULTILINE)
#: What makers leave where a number should be.
_NONE = re.compile(
    r"^(?:[0x-]+|[f-]+|1234567890*|123456789|none|n/?a|unknown|invalid|serial|sernum.*"
    r"|not (?:specified|applicable|available|set).*|default string|system serial number"
    r"|to be filled.*|0123456789.*|o\.?e\.?m.*|empty|chassis.*|base board.*|12345678-1234-.*"
    r"|(?:03000200-0400-0500|00020003-0004-0005)-0006-000700080009"  # AMI's, in both byte orders
    r"|.*serial ?num.*|.*1234567.*|123456|.*\bsample\b.*|invalid.*|.{0,3})$",
    re.IGNORECASE,
)
#: One sign, or a pair of them, over and over: 11111111, fefefefe-fefe-…
_REPEATED = re.compile(r"(..?)\1*")
#: Marks kept of one kind: more than a terminal is repaired in its life, and the file stays small.
MOST_OF_A_KIND = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the start found out about the machine."""

    verdict: Verdict
    equal: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    since_ms: int = 0  #: since when the store is known to be on this other machine; 0: it is not
    release: bool = False  #: a person said it is the same terminal, and money still waits for it

    @property
    def elsewhere(self) -> bool:
        return self.verdict in ELSEWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What stands in the file."""

    salt: bytes
    marks: Marks
    elsewhere: Marks = field(default_factory=dict)  #: of a machine it was found on, not its own
    since_ms: int = 0
    adopted: bool = False  #: a person said this machine is its own now; the money waits to hear it


def marks(root: str, serial: str = "") -> dict[str, frozenset[str]]:
    """The raw numbers of this machine by kind. `serial`: what the firmware hook told."""
    base = Path(root)
    found: dict[str, set[str]] = {}

    def add(kind: str, raw: str) -> None:
        value = raw.replace("\0", "").strip()
        if _tells(value):
            found.setdefault(kind, set()).add(value.lower())

    add("case", serial)
    for kind, names in _NUMBERS.items():
        for name in names:
            add(kind, _text(base / name))
    if told := _CPUINFO.search(_text(base / "proc/cpuinfo")):
        add("processor", told[1])
    for device in _listed(base / "sys/block", "mmcblk*"):
        if _text(device / "device/type") == "MMC":  # a card ("SD") can be taken out
            add(FLASH, _text(device / "device/cid"))
    for interface in _listed(base / "sys/class/net", "*"):
        add("interface", _address(interface))
    return {kind: frozenset(values) for kind, values in found.items()}


def number(root: str) -> str:
    """The serial number this machine tells of itself, as it is written there; "": none."""
    base = Path(root)
    for name in (_NUMBERS["case"][0], _NUMBERS["board"][1]):
        value = _text(base / name).replace("\0", "").strip()
        if _tells(value):
            return value
    return ""


def _tells(value: str) -> bool:
    """Whether it is a number of this one machine: no words, and no stopgap of its maker."""
    plain = re.sub(r"[^0-9a-z]", "", value.lower())
    if not any(sign.isdigit() for sign in plain) or _REPEATED.fullmatch(plain):
        return False
    return not _NONE.match(value)


def _address(interface: Path) -> str:
    """The address burnt into a built-in interface, or "": made up, or on a plug."""
    device = interface / "device"
    if not device.exists() or _text(interface / "addr_assign_type") not in ("", "0"):
        return ""
    if "/usb" in str(device.resolve()):
        return ""
    address = _text(interface / "address").lower()
    if not re.fullmatch(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", address):
        return ""
    first = int(address[:2], 16)
    none = address in ("00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff")
    return "" if first & 0b11 or none else address


def kept(state_dir: Path) -> Kept | None:
    """What the file says; None: there is none that can be read."""
    try:
        told: dict[str, Any] = json.loads((state_dir / FILE).read_bytes()[:_MAX_BYTES])
        return Kept(
            salt=bytes.fromhex(told["salt"]),
            marks=_marks(told["marks"]),
            elsewhere=_marks(told.get("elsewhere", {})),
            since_ms=int(told.get("since_ms", 0)),
            adopted=bool(told.get("adopted", False)),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("event=hardware_unreadable error=%s", type(error).__name__)
        return None


def seen(state_dir: Path, now: Marks) -> Compared | None:
    """This machine beside the one the store knows, nothing written. None: it knows none."""
    known = kept(state_dir)
    return None if known is None else compared(known.marks, _hashed(known.salt, now))


def examined(state_dir: Path, now: Marks, wall_ms: int) -> Standing:
    """Compare this machine with the one the store knows; a first start keeps it. Blocking."""
    known = kept(state_dir)
    if known is None or not known.marks:
        salt = secrets.token_bytes(16)
        hashed = _hashed(salt, now)
        if hashed:
            _noted(state_dir, Kept(salt=salt, marks=hashed))
        verdict = Verdict.SAME if hashed else Verdict.UNKNOWN
        return Standing(verdict=verdict, equal=tuple(sorted(hashed)))
    hashed = _hashed(known.salt, now)
    found = compared(known.marks, hashed)
    after = _after(known, hashed, found, wall_ms)
    if after != known:
        _noted(state_dir, after)
    return Standing(
        verdict=found.verdict, equal=found.equal, other=found.other,
        since_ms=after.since_ms if found.verdict in ELSEWHERE else 0, release=after.adopted,
    )  # fmt: skip


def _after(known: Kept, hashed: Marks, found: Compared, wall_ms: int) -> Kept:
    if found.verdict is Verdict.UNKNOWN:
        return known
    if found.verdict in ELSEWHERE:
        # A copy of the copy is on a third machine: its payments are inherited, too.
        again = not known.elsewhere or compared(known.elsewhere, hashed).verdict in ELSEWHERE
        if not again:
            return known
        since_ms = max(wall_ms, known.since_ms + 1)
        return replace(known, elsewhere=hashed, since_ms=since_ms, adopted=False)
    # What is new in a repaired machine is its own from now on; what is missing may come back.
    more = {kind: _with(known.marks.get(kind, frozenset()), ones) for kind, ones in hashed.items()}
    return replace(known, marks={**known.marks, **more}, elsewhere={}, since_ms=0)


def _with(known: frozenset[str], ones: frozenset[str]) -> frozenset[str]:
    """An interface with a new address at every start must not make the file one nobody reads."""
    both = known | ones
    return both if len(both) <= MOST_OF_A_KIND else ones


def adopt(state_dir: Path, now: Marks) -> Compared | None:
    """A person says this machine is the store's own now. None: the store knows no machine.

    Changes nothing where it is the store's own. Raises OSError.
    """
    known = kept(state_dir)
    if known is None:
        return None
    hashed = _hashed(known.salt, now)
    found = compared(known.marks, hashed)
    if found.verdict in ELSEWHERE:
        _write(state_dir, Kept(salt=known.salt, marks=hashed, adopted=True))
    return found


def settled(state_dir: Path) -> None:
    """What waited for that word goes on. Raises OSError."""
    known = kept(state_dir)
    if known is not None and known.adopted:
        _write(state_dir, replace(known, adopted=False))


def _hashed(salt: bytes, raw: Marks) -> dict[str, frozenset[str]]:
    def one(kind: str, value: str) -> str:
        told = f"{kind}\0{value}".encode()
        return hashlib.blake2b(told, key=salt, digest_size=12, person=b"pos/hardware").hexdigest()

    return {kind: frozenset(one(kind, value) for value in ones) for kind, ones in raw.items()}


def _marks(told: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    return {str(kind): frozenset(map(str, ones)) for kind, ones in told.items()}


def _noted(state_dir: Path, one: Kept) -> None:
    """A full flash takes payments all the same; the next start finds out again."""
    try:
        _write(state_dir, one)
    except OSError as error:
        log.warning("event=hardware_not_kept reason=%s", error.strerror)


def _write(state_dir: Path, one: Kept) -> None:
    told = {
        "salt": one.salt.hex(),
        "marks": {kind: sorted(ones) for kind, ones in sorted(one.marks.items())},
        "elsewhere": {kind: sorted(ones) for kind, ones in sorted(one.elsewhere.items())},
        "since_ms": one.since_ms,
        "adopted": one.adopted,
    }
    replaced(state_dir / FILE, json.dumps(told).encode())


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(65_536).decode("ascii", "replace").strip()
    except OSError:
        return ""


def _listed(folder: Path, pattern: str) -> Iterable[Path]:
    return sorted(folder.glob(pattern))
