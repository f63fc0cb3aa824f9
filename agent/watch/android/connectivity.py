"""`dumpsys connectivity`: which network Android uses, and whether it found the internet behind it.

By names: some firmwares have numbers of their own from 18 on, and numbers are what newer versions
print for what they have no name for. Not validated is no fault by itself: the page Android looks
for is not reached from everywhere.
"""

from __future__ import annotations

import re

from agent.record import dataclass
from agent.watch.android.asking import Question

QUESTION = Question(
    name="dumpsys connectivity",
    command=("dumpsys", "connectivity"),
    keep=re.compile(rb"^\s*Active default network|NetworkAgentInfo ?\{|DUMP TIMEOUT"),
)
_DEFAULT = re.compile(r"^\s*Active default network: *(\S+)", re.MULTILINE)
_TRANSPORTS = re.compile(r"\bTransports: ([A-Z_0-9|]+)")
_CAPABILITIES = re.compile(r"\bCapabilities: ([A-Z_0-9&]+)")
_INTERFACE = re.compile(r"\bInterfaceName: ([A-Za-z0-9_.\-]{1,15})\b")
#: The numbers every version agrees on; those from 18 on are left alone.
_NUMBERED = {
    11: "NOT_METERED", 12: "INTERNET", 15: "NOT_VPN", 16: "VALIDATED", 17: "CAPTIVE_PORTAL",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The network Android sends by. None: not told."""

    default: bool  #: False: none at all
    number: str = ""
    transport: str = ""  #: wifi, cellular, ethernet, wifi+vpn …
    interface: str = ""
    validated: bool | None = None
    captive_portal: bool | None = None
    metered: bool | None = None
    vpn: bool | None = None


def network(text: str) -> Network | None:
    """The default network; None where the dump does not say."""
    told = _DEFAULT.search(text)
    if told is None:
        return None
    number = told[1]
    if number in ("none", "null"):
        return Network(default=False)
    for line in text[told.end() :].splitlines():
        # Android 7 to 10 put ni{...} before network{...}, later ones after it.
        if f"network{{{number}}}" not in line:
            continue
        transports, capabilities = _TRANSPORTS.search(line), _CAPABILITIES.search(line)
        interface = _INTERFACE.search(line)
        transport = transports[1].lower().replace("|", "+") if transports else ""
        names = _names(capabilities[1]) if capabilities else None
        return Network(
            default=True,
            number=number,
            transport=transport,
            interface=interface[1] if interface else "",
            validated=None if names is None else "VALIDATED" in names,
            captive_portal=None if names is None else "CAPTIVE_PORTAL" in names,
            metered=None if names is None else "NOT_METERED" not in names,
            vpn=None if not transport else "vpn" in transport.split("+"),
        )
    return Network(default=True, number=number)


def _names(text: str) -> set[str]:
    return {_NUMBERED.get(int(one), "") if one.isdecimal() else one for one in text.split("&")}
