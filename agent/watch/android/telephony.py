"""`dumpsys telephony.registry`: registration and signal of every SIM slot.

Android 7 to 9 print a flat list of numbers, later versions names; 2147483647 is "not available" in
all of them. Never passed on: numbers, operators' names, cells.
"""

from __future__ import annotations

import re

from agent.record import dataclass
from agent.watch.android.asking import Question

QUESTION = Question(
    name="dumpsys telephony.registry",
    command=("dumpsys", "telephony.registry"),
    keep=re.compile(
        rb"^\s*Phone Id=|^\s*mServiceState=|^\s*mSignalStrength=|"
        rb"^\s*(?:local logs|listen logs|registrations)\b|DUMP TIMEOUT"
    ),
)
_HISTORY = re.compile(r"^\s*(?:local logs|listen logs|registrations)\b", re.MULTILINE)
_PHONE = re.compile(r"^\s*Phone Id=\d+.*$", re.MULTILINE)
_SERVICE = {0: "in_service", 1: "out_of_service", 2: "emergency_only", 3: "off"}
#: Places in the flat list: LTE's rsrp, rsrq and, in tenths of a decibel, snr.
_FLAT_RSRP, _FLAT_RSRQ, _FLAT_SNR = 8, 9, 10
_RSRP_DBM, _RSRQ_DB, _SNR_DB, _RSSI_DBM = (-140, -43), (-34, 3), (-30, 40), (-120, -20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """One SIM slot. None and "": not told."""

    service: str = ""  #: in_service, out_of_service, emergency_only, off
    roaming: bool | None = None
    technology: str = ""  #: as Android calls it: lte, nr, umts …
    rsrp_dbm: int | None = None
    rsrq_db: int | None = None
    sinr_db: float | None = None
    rssi_dbm: int | None = None
    level: int | None = None  #: bars, 0 to 4


def phones(text: str) -> list[Phone] | None:
    """The slots in their order; None where the dump has none of their lines."""
    if "mServiceState=" not in text:
        return None
    # What follows the phones is history: no state of today.
    now = _HISTORY.split(text)[0]
    blocks = [block for block in _PHONE.split(now) if "mServiceState=" in block]
    return [_phone(block) for block in blocks]


def _phone(block: str) -> Phone:
    found = re.search(r"mServiceState=(.*)", block)
    line = found[1] if found else ""
    voice = re.match(r"\{mVoiceRegState=(\d)", line) or re.match(r"(\d) \d ", line)
    packets = re.search(r"mDataRegState=(\d)", line) or re.match(r"\d (\d) ", line)
    if voice is None:
        return Phone()
    codes = [int(voice[1]), *([int(packets[1])] if packets else [])]
    # A data-only SIM has no voice service and is well.
    best = 0 if 0 in codes else codes[0]
    signal = re.search(r"mSignalStrength=SignalStrength: ?(.*)", block)
    return _signal(
        signal[1] if signal else "",
        Phone(service=_SERVICE.get(best, ""), roaming=_roaming(line), technology=_technology(line)),
    )


def _roaming(line: str) -> bool | None:
    flat = re.match(r"\d \d voice (\S+) data (\S+)", line)
    if flat:
        return flat[2].lower() != "home"
    if re.search(r"roamingType=(?!NOT_ROAMING|UNKNOWN)[A-Z]", line):
        return True
    return False if "roamingType=NOT_ROAMING" in line else None


def _technology(line: str) -> str:
    named = re.search(r"getRilDataRadioTechnology=\d+\(([A-Za-z0-9_+ \-]{1,20})\)", line)
    if named is None:
        # The flat form names operators before it; behind them stand voice's and data's.
        named = re.search(r" (\S+) CSS (?:not )?supported", line)
    told = named[1].lower() if named else ""
    return "" if told in ("unknown", "0") else told


def _signal(line: str, phone: Phone) -> Phone:
    nr = re.search(r"ssRsrp = (-?\d+) ssRsrq = (-?\d+) ssSinr = (-?\d+)", line)
    lte = re.search(r"CellSignalStrengthLte:[^,}]*", line)
    flat = re.match(r"-?\d+(?: -?\d+){10,}", line)
    level = None
    primary = re.search(r"primary=(CellSignalStrength\w+)", line)
    if primary:
        levelled = re.search(primary[1] + r":.*?\b(?:level|mLevel) ?= ?(\d)", line)
        level = int(levelled[1]) if levelled else None
    told: list[tuple[int | None, int | None, float | None, int | None]] = []
    if nr:
        told.append((int(nr[1]), int(nr[2]), int(nr[3]), None))
    if lte:
        had = {name: int(value) for name, value in re.findall(r"(\w+)=(-?\d{1,10})", lte[0])}
        told.append((had.get("rsrp"), had.get("rsrq"), had.get("rssnr"), had.get("rssi")))
        level = had.get("level") if level is None and "level" in had else level
    if flat:
        numbers = [int(one) for one in flat[0].split(" ")]
        tenths = numbers[_FLAT_SNR]
        told.append((numbers[_FLAT_RSRP], numbers[_FLAT_RSRQ], tenths / 10, None))
    for rsrp, rsrq, snr, rssi in told:
        if _within(rsrp, _RSRP_DBM) is None:
            continue
        # Up to Android 9, and in some firmwares later, tenths of a decibel.
        if snr is not None and not flat and snr > _SNR_DB[1]:
            snr /= 10
        return Phone(
            service=phone.service,
            roaming=phone.roaming,
            technology=phone.technology,
            rsrp_dbm=rsrp,
            rsrq_db=_within(rsrq, _RSRQ_DB),
            sinr_db=snr if snr is not None and _SNR_DB[0] <= snr <= _SNR_DB[1] else None,
            rssi_dbm=_within(rssi, _RSSI_DBM),
            level=level if level is not None and level <= 4 else None,
        )
    return phone


def _within(number: int | None, bounds: tuple[int, int]) -> int | None:
    return number if number is not None and bounds[0] <= number <= bounds[1] else None
