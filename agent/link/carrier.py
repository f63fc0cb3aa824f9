"""What carries connections where no channel is configured: the interface of the main route.

Reads two files of the kernel and judges by what they say; asks nobody. `main` hands it to
telemetry, which learns about silence per network.
"""

from __future__ import annotations

from pathlib import Path

#: Names a modem's interface has where the kernel gives no type (ppp, and Android's).
CELLULAR_NAMES = ("wwan", "ppp", "rmnet", "ccmni", "seth_lte", "wwp")
_DEFAULT = "00000000"
_UP = 0x1


def main_interface(root: Path = Path("/")) -> str:
    """The one the preferred IPv4 default route leaves by; "" where there is none."""
    found: list[tuple[int, str]] = []
    for line in _text(root / "proc/net/route").splitlines()[1:]:
        words = line.split()
        if len(words) > 7 and words[1] == _DEFAULT and words[7] == _DEFAULT:
            try:
                if int(words[3], 16) & _UP:
                    found.append((int(words[6]), words[0]))
            except ValueError:
                continue
    return min(found)[1] if found else ""


def is_cellular(interface: str, root: Path = Path("/")) -> bool:
    """Whether a modem is behind it."""
    if not interface or "/" in interface:
        return False
    typed = "DEVTYPE=wwan" in _text(root / "sys/class/net" / interface / "uevent")
    return typed or interface.startswith(CELLULAR_NAMES)


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""
