"""`dumpsys wifi` and `cmd wifi status` (Android 11 and later): on, joined, how strong.

The network's own name stands before the fields and may hold anything, even text that looks like
them: it is read past, never passed on. Addresses of access points are not passed on either.
"""

from __future__ import annotations

import re
from dataclasses import replace

from agent.record import dataclass
from agent.watch.android.asking import Question

DUMP = Question(
    name="dumpsys wifi",
    command=("dumpsys", "wifi"),
    keep=re.compile(rb"^\s*Wi-?[Ff]i is [a-z]+\s*$|^\s*mWifiInfo|DUMP TIMEOUT"),
)
STATUS = Question(
    name="cmd wifi status",
    command=("cmd", "wifi", "status"),
    keep=re.compile(rb"^\s*Wifi is |^\s*WifiInfo:"),
)
#: Outside is "not known" in the driver's words.
_RSSI_DBM = (-110, -10)
_ENABLED = re.compile(r"^\s*Wi-?[Ff]i is (enabled|disabled)\s*$", re.MULTILINE)
_INFO = re.compile(r"^\s*m?WifiInfo:? ?(.*)$", re.MULTILINE)
_JOINED = re.compile(r"^\s*Wifi is (not connected|connected to )", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wifi:
    """Wi-Fi as Android sees it. None: not told."""

    enabled: bool | None = None
    joined: bool | None = None
    rssi_dbm: int | None = None
    link_speed_mbps: int | None = None
    frequency_mhz: int | None = None


def wifi(text: str) -> Wifi | None:
    """Of either command; None where neither line is there."""
    enabled, joined = _ENABLED.search(text), _JOINED.search(text)
    infos = [found[1] for found in _INFO.finditer(text)]
    # Several stand below each other while it changes access points: the joined one counts.
    told = [state for line in infos if (state := _info(line)) is not None]
    best = next((one for one in told if one.joined), told[0] if told else None)
    if enabled is None and joined is None and best is None:
        return None
    found = best or Wifi()
    if joined is not None and best is None:
        found = replace(found, joined=joined[1] != "not connected")
    if enabled is not None:
        found = replace(found, enabled=enabled[1] == "enabled")
        if not found.enabled:
            found = Wifi(enabled=False, joined=False)
    return found


def _info(line: str) -> Wifi | None:
    """Behind the last thing the network's name can fake."""
    _, mark, rest = line.rpartition("Supplicant state: ")
    if not mark:
        return None
    if not rest.startswith("COMPLETED"):
        return Wifi(joined=False)
    rssi = _after(rest, "RSSI: ")
    low, high = _RSSI_DBM
    return Wifi(
        joined=True,
        rssi_dbm=rssi if rssi is not None and low <= rssi <= high else None,
        link_speed_mbps=_positive(_after(rest, "Link speed: ")),
        frequency_mhz=_positive(_after(rest, "Frequency: ")),
    )


def _after(text: str, mark: str) -> int | None:
    found = re.search(r"(?:^|, )" + re.escape(mark) + r"(-?\d{1,6})(?!\d)", text)
    return int(found[1]) if found else None


def _positive(number: int | None) -> int | None:
    return number if number is not None and number > 0 else None
