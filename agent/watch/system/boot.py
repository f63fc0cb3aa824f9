"""Why this machine started last: the bootloader's word, the watchdog's, and what the kernel kept.

The same event has many names: Android's canonical reasons (`kernel_panic`, `watchdog`, `cold`),
U-Boot's reset causes, flags of the watchdog device, records in pstore. They are sorted into four
kinds; a word nobody knows is shown and judged by nobody.
"""

from __future__ import annotations

import re
from pathlib import Path

from agent.record import dataclass
from agent.watch.kernel_files import inside, text, whole

#: Flags of <linux/watchdog.h> that say why the last reset was.
_WATCHDOG = (
    (0x0020, "watchdog"),
    (0x0001, "overheat"),
    (0x0010, "power_under"),
    (0x0040, "power_over"),
)
#: Parts of a reason -> what it means; the first that is found counts.
_KINDS = (
    (("panic", "oops", "kernel_crash", "lockup", "rcu_stall"), "panic"),
    (("watchdog", "wdog", "wdt", "hung_task", "modem_crash", "subsystem_crash"), "watchdog"),
    (("thermal", "overheat", "over_temp"), "overheated"),
    (("power_loss", "smpl", "undervolt", "uvlo", "brown", "battery", "power_under", "por_"),
     "power"),
)  # fmt: skip
CRASHES = ("panic", "watchdog")
_KEYS = re.compile(r'(?:androidboot\.)?boot_?reason\s*=\s*"?([A-Za-z0-9_,.\-]{1,80})')
#: Where device trees of boards put it.
_CHOSEN = ("bootreason", "boot-reason", "reset-reason", "reset_cause")


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """What is known of the last start."""

    reason: str = ""  #: as it was told
    kind: str = ""  #: panic, watchdog, overheated, power, "" any other
    records: tuple[str, ...] = ()  #: crashes the kernel kept, by name and time

    @property
    def crashed(self) -> bool:
        return self.kind in CRASHES


def boot(root: Path) -> Boot:
    """The last start of this machine."""
    reason = _reason(root)
    return Boot(reason=reason, kind=kind_of(reason), records=_records(root))


def kind_of(reason: str) -> str:
    """What a boot reason means; "" where that is not one of the kinds."""
    plain = reason.lower().replace("-", "_")
    for words, kind in _KINDS:
        if any(word in plain for word in words):
            return kind
    return ""


def named(said: str) -> str:
    """The reason in a kernel command line or a boot configuration."""
    found = _KEYS.search(said)
    return found[1] if found is not None else ""


def watchdog_word(said: str) -> str:
    """The flags of a watchdog's bootstatus; "" for none, or for what only says "it is a reset"."""
    flags = whole(said) or 0
    return next((word for flag, word in _WATCHDOG if flags > 0 and flags & flag), "")


def _reason(root: Path) -> str:
    told = named(text(root / "proc/bootconfig")) or named(text(root / "proc/cmdline"))
    if not told:
        chosen = root / "proc/device-tree/chosen"
        told = next((said for name in _CHOSEN if (said := text(chosen / name, 80))), "")
    if told and kind_of(told):
        return told
    for device in inside(root / "sys/class/watchdog", "watchdog*"):
        if word := watchdog_word(text(device / "bootstatus", 64)):
            return f"{told},{word}" if told else word
    return told


def _records(root: Path) -> tuple[str, ...]:
    """Crashes the kernel kept: a console log is kept of every restart, a dmesg only of a crash."""
    found: list[str] = []
    for folder, pattern in (
        ("sys/fs/pstore", "dmesg-*"),
        ("var/lib/systemd/pstore", "[0-9]*"),
        ("data/vendor/ramdump", "*"),
    ):
        for one in inside(root / folder, pattern):
            try:
                found.append(f"{one.name}@{int(one.stat().st_mtime)}")
            except OSError:
                continue  # vanished while being looked at
    return tuple(found[-32:])
