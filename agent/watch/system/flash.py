"""How far flash is used up, as far as the kernel says it without asking the device.

eMMC: `life_time` and `pre_eol_info` of the card in sysfs, else EXT_CSD in debugfs (bytes 267 to
269, JESD84-B51). UFS: the health descriptor. SATA and NVMe tell it only to commands that need
rights this daemon does not have; it is not told for them. An SD card has no such figure.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agent.record import dataclass
from agent.watch.kernel_files import inside, text, whole

#: EXT_CSD and the UFS descriptor count in tenths: 1 is up to 10 %, 11 is more than rated.
_STEPS = range(1, 12)
PRE_EOL = {1: "normal", 2: "warning", 3: "urgent"}
_PRE_EOL_AT, _TYPE_A_AT, _TYPE_B_AT = 267, 268, 269
_EXT_CSD_BYTES = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Wear:
    """One flash device."""

    device: str
    percent: int | None  #: of its rated life used up, at most; 110: more than all
    reserve: str  #: normal, warning (80 % of the spare blocks gone), urgent, "" not told


def wear(root: Path) -> Wear | None:
    """The flash device that is worn most; None where none tells."""
    found = [*_emmc(root), *_ufs(root)]
    order = ("", "normal", "warning", "urgent")
    return max(
        (one for one in found if one.percent is not None or one.reserve),
        key=lambda one: (order.index(one.reserve), one.percent or 0),
        default=None,
    )


def life_time(said: str) -> int | None:
    """`0x01 0x02`: the worse of the two areas in percent. 0 is "not defined"."""
    steps = [whole(part) or 0 for part in said.split()]
    return max((step * 10 for step in steps if step in _STEPS), default=None)


def ext_csd(said: str) -> tuple[int | None, str]:
    """The register as debugfs prints it, 1024 hexadecimal digits: percent and reserve."""
    try:
        register = bytes.fromhex(said.strip())
    except ValueError:
        return None, ""
    if len(register) != _EXT_CSD_BYTES:
        return None, ""
    steps = [step for at in (_TYPE_A_AT, _TYPE_B_AT) if (step := register[at]) in _STEPS]
    return (max(steps) * 10 if steps else None), PRE_EOL.get(register[_PRE_EOL_AT], "")


def _emmc(root: Path) -> Iterator[Wear]:
    for block in inside(root / "sys/block", "mmcblk*"):
        device = block / "device"
        if not block.name.removeprefix("mmcblk").isdigit() or text(device / "type") == "SD":
            continue
        percent = life_time(text(device / "life_time"))
        reserve = PRE_EOL.get(whole(text(device / "pre_eol_info")) or 0, "")
        if percent is None and not reserve:
            number = block.name.removeprefix("mmcblk")
            for file in inside(root / "sys/kernel/debug" / f"mmc{number}", "*/ext_csd"):
                percent, reserve = ext_csd(text(file))
        yield Wear(device=block.name, percent=percent, reserve=reserve)


def _ufs(root: Path) -> Iterator[Wear]:
    for folder in inside(root / "sys/bus/platform/drivers/ufshcd", "*/health_descriptor"):
        said = " ".join(
            text(folder / f"life_time_estimation_{area}") for area in ("a", "b")
        )  # each 0x01 to 0x0B
        reserve = PRE_EOL.get(whole(text(folder / "eol_info")) or 0, "")
        yield Wear(device=folder.parent.name, percent=life_time(said), reserve=reserve)
