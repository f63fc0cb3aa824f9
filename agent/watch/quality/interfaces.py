"""What the kernel counts on each network interface, and which of them are radios.

Reads files below an injectable root and says what they say; whether it amounts to anything is the
watcher's. A file that is missing or may not be read is left out, never an error: interfaces vanish
while they are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.link.carrier import CELLULAR_NAMES
from agent.record import dataclass
from agent.watch import layers
from agent.watch.kernel_files import text

#: Counters of trouble in /sys/class/net/IF/statistics; the rest is traffic.
TROUBLES = ("rx_errors", "tx_errors", "rx_dropped", "tx_dropped")
DROPS = "drops"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One interface."""

    name: str
    wifi: bool
    cellular: bool
    up: bool
    counts: Mapping[str, int]  #: `drops`, and those of TROUBLES that can be read


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """All interfaces but loopback, and the one with the default route ("" for none)."""

    seen: Sequence[Seen]
    default: str

    def named(self, name: str) -> Seen | None:
        """The interface of that name."""
        return next((one for one in self.seen if one.name == name), None)

    @property
    def wifi(self) -> list[str]:
        """Interfaces of the wireless stack."""
        return [one.name for one in self.seen if one.wifi]

    @property
    def cellular(self) -> list[str]:
        """Interfaces of modems."""
        return [one.name for one in self.seen if one.cellular]


def look(root: Path) -> Surroundings:
    """Everything as it is now. Blocks for as long as a few small files take."""
    net = root / "sys/class/net"
    try:
        names = sorted(path.name for path in net.iterdir())
    except OSError:
        names = []
    route = layers.default_route(root)
    seen = [_seen(net / name) for name in names if name != "lo" and (net / name).is_dir()]
    return Surroundings(seen=seen, default=route.interface if route else "")


def _seen(folder: Path) -> Seen:
    counts = {
        name: count
        for name in TROUBLES
        if (count := _number(folder / "statistics" / name)) is not None
    }
    drops = _number(folder / "carrier_down_count")
    if drops is None:
        # Before Linux 4.16: every loss is two changes, down and up.
        changes = _number(folder / "carrier_changes")
        drops = None if changes is None else changes // 2
    if drops is not None:
        counts[DROPS] = drops
    name = folder.name
    wifi = (folder / "phy80211").exists() or (folder / "wireless").exists()
    typed = "DEVTYPE=wwan" in text(folder / "uevent")
    return Seen(
        name=name,
        wifi=wifi,
        cellular=not wifi and (typed or name.startswith(CELLULAR_NAMES)),
        up=text(folder / "operstate") in ("up", "unknown"),
        counts=counts,
    )


def _number(path: Path) -> int | None:
    told = text(path)
    return int(told) if told.isascii() and told.isdecimal() and len(told) < 20 else None
