"""What the texts of getprop and dumpsys of Android 7 to 14 say, in canonical keys.

Refuses to know more than they say: what Android marks as not available is left out, and names of
networks, operators and cells, numbers and addresses are never passed on. The hooks beside it call
one function each. Plain Python 3.8 or later.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, Tuple

from android_asking import Ask, Untold

Message = Dict[str, Any]
#: Canonical keys, and what Android said, as far as it may leave the dump.
Told = Tuple[Message, str]

LINE_MAX_CHARACTERS = 200
RAW_MAX_CHARACTERS = 400
#: Payment and service apps whose versions belong into the inventory, one a line.
PACKAGES = "packages.txt"
NOT_AVAILABLE = 2147483647


# --- getprop --------------------------------------------------------------------------------------


def properties(text: str) -> dict[str, str]:
    """The lines `[key]: [value]`; a value may run over several lines."""
    found = re.findall(r"^\[([^\]\n]+)\]: \[(.*?)\]\r?$", text, re.MULTILINE | re.DOTALL)
    return {key: value.strip()[:LINE_MAX_CHARACTERS] for key, value in found}


def identity(asking: Ask) -> Message:
    """Make, model, serial and firmware of the terminal."""
    had = properties(asking("getprop"))
    release, sdk = had.get("ro.build.version.release", ""), had.get("ro.build.version.sdk", "")
    patch = had.get("ro.build.version.security_patch", "")
    firmware = had.get("ro.build.display.id", "") or had.get("ro.build.fingerprint", "")
    found = {
        "make": had.get("ro.product.manufacturer", ""),
        "model": had.get("ro.product.model", ""),
        "serial": had.get("ro.serialno", "") or had.get("ro.boot.serialno", ""),
        "firmware": firmware,
        "board": had.get("ro.product.board", "") or had.get("ro.board.platform", ""),
        "os": f"Android {release}, API {sdk}" + (f", patch {patch}" if patch else ""),
    }
    if not found["make"] and not found["model"]:
        raise Untold("getprop tells neither maker nor model", "getprop没有给出厂商和型号")
    if found["serial"].lower() in ("unknown", "0123456789abcdef"):
        found["serial"] = ""
    return {"outcome": "told", "source": "getprop", **{k: v for k, v in found.items() if v}}


def inventory(asking: Ask) -> Message:
    """Android, firmware, modem, and the packages named in packages.txt."""
    had = properties(asking("getprop"))
    items = []
    for name, key in (
        ("android", "ro.build.version.release"),
        ("firmware", "ro.build.fingerprint"),
        ("firmware_incremental", "ro.build.version.incremental"),
        ("security_patch", "ro.build.version.security_patch"),
        ("bootloader", "ro.bootloader"),
        ("modem", "gsm.version.baseband"),
    ):
        if had.get(key, "").lower() not in ("", "unknown"):
            items.append({"kind": "software", "name": name, "version": had[key]})
    source = "getprop"
    for package in _wanted_packages():
        try:
            version = package_version(asking("dumpsys", "package", package), package)
        except Untold as untold:
            source = f"getprop; {untold}"
            break
        if version:
            items.append({"kind": "software", "name": package[:64], "version": version})
    if not items:
        raise Untold("getprop tells no versions", "getprop没有给出任何版本")
    return {"outcome": "told", "items": items, "source": source[:LINE_MAX_CHARACTERS]}


def _wanted_packages() -> list[str]:
    path = Path(__file__).resolve().parent / PACKAGES
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError:
        return []
    names = [line.strip() for line in lines]
    return [name for name in names if re.fullmatch(r"[A-Za-z][A-Za-z0-9_.]{2,127}", name)][:32]


def package_version(text: str, package: str) -> str:
    """`versionName (versionCode)` of an installed package, "" if it is not installed."""
    start = re.search(rf"^\s*Package \[{re.escape(package)}\] ", text, re.MULTILINE)
    if start is None:
        return ""
    # A system app that was updated is listed twice: the first block is the one in use.
    block = text[start.end() :]
    code = re.search(r"\bversionCode=(\d+)", block)
    name = re.search(r"^\s*versionName=(.*?)\s*$", block, re.MULTILINE)
    return "{}{}".format(
        name.group(1)[:100] if name and name.group(1) != "null" else "",
        f" ({code.group(1)})" if code else "",
    ).strip()


# --- probe.system: dumpsys battery ----------------------------------------------------------------

_CHARGING, _DISCHARGING, _NOT_CHARGING, _FULL = 2, 3, 4, 5
_BATTERY_RAW = ("status", "health", "level", "scale", "voltage", "temperature")
_HEALTH = {2: "good", 3: "overheated", 4: "dead", 5: "over_voltage", 6: "failed", 7: "cold"}


def battery(asking: Ask) -> Message:
    """Charge, charger, temperature and health of the battery."""
    return _reading("system", battery_state(asking("dumpsys", "battery")), "dumpsys battery")


def battery_state(text: str) -> Told:
    """Of one dump of the battery service. Raises Untold."""
    if "Current Battery Service state:" not in text:
        raise _unread("dumpsys battery")
    if "UPDATES STOPPED" in text:
        raise Untold(
            "the battery's values are made up: somebody ran `dumpsys battery set`; "
            "`dumpsys battery reset` ends it",
            "电池数据是人为设置的（dumpsys battery set），请执行dumpsys battery reset",
        )
    lines = re.findall(r"^\s*([A-Za-z ]+): *(\S+)\s*$", text, re.MULTILINE)
    had: dict[str, str] = {}
    for key, value in lines:
        had.setdefault(key.strip(), value)
    if had.get("present") == "false":
        return {"battery_fitted": False}, "present: false"
    level, scale = _whole(had.get("level")), _whole(had.get("scale")) or 100
    status = _whole(had.get("status"))
    powered = any(value == "true" for key, value in had.items() if key.endswith(" powered"))
    charging = None
    if powered or status in (_CHARGING, _FULL):
        charging = True
    elif status in (_DISCHARGING, _NOT_CHARGING):
        charging = False
    tenths, volts = _whole(had.get("temperature")), _whole(had.get("voltage"))
    raw = ", ".join(f"{key}: {had[key]}" for key in _BATTERY_RAW if key in had)
    return {
        "battery_percent": None
        if level is None or not 0 <= level <= scale
        else round(100 * level / scale),
        "battery_charging": charging,
        "battery_temperature_c": None if tenths is None else tenths / 10,
        # Some drivers give microvolts.
        "battery_voltage_mv": volts if volts is not None and 2000 <= volts <= 20000 else None,
        "battery_health": _HEALTH.get(_whole(had.get("health")) or 0),
    }, raw


# --- probe.android_network: dumpsys connectivity --------------------------------------------------


def network(asking: Ask) -> Message:
    """Which network Android uses, and whether it found the internet behind it."""
    text = asking("dumpsys", "connectivity")
    return _reading("android_network", network_state(text), "dumpsys connectivity")


def network_state(text: str) -> Told:
    """Of one dump of the connectivity service, by names: some firmwares have other numbers."""
    default = re.search(r"^\s*Active default network: *(\S+)", text, re.MULTILINE)
    if default is None:
        raise _unread("dumpsys connectivity")
    if default.group(1) in ("none", "null"):
        return {"default_network": False}, default.group().strip()
    state: Message = {"default_network": True}
    wanted = f"network{{{default.group(1)}}}"
    raw = [default.group().strip()]
    for line in text[default.end() :].splitlines():
        # Android 7 to 10 put ni{...} before network{...}, later ones after it.
        if "NetworkAgentInfo" not in line or wanted not in line:
            continue
        transports = re.search(r"\bTransports: ([A-Z_|]+)", line)
        named = re.search(r"\bCapabilities: ([A-Z0-9_&]+)", line)
        interface = re.search(r"InterfaceName: ([A-Za-z0-9_.-]+)", line)
        # Addresses and names stand in the same line: only these two are passed on.
        raw += [found.group() for found in (transports, named) if found]
        if transports:
            state["transport"] = transports.group(1).lower().replace("|", "+")
        if named:
            capabilities = named.group(1).split("&")
            state["validated"] = "VALIDATED" in capabilities
            state["captive_portal"] = "CAPTIVE_PORTAL" in capabilities
            state["metered"] = "NOT_METERED" not in capabilities
        if interface:
            state["interface"] = interface.group(1)
        break
    return state, "; ".join(raw)


# --- probe.wifi: dumpsys wifi ---------------------------------------------------------------------

#: Outside is "not known", in the driver's words.
_RSSI_DBM = (-110, -10)


def wifi(asking: Ask) -> Message:
    """Whether Wi-Fi is on and joined, and how strong it is. Never its name."""
    return _reading("wifi", wifi_state(asking("dumpsys", "wifi")), "dumpsys wifi")


def wifi_state(text: str) -> Told:
    """Of one dump of the Wi-Fi service."""
    enabled = re.search(r"^\s*Wi-?[Ff]i is ([a-z]+)\s*$", text, re.MULTILINE)
    info = re.search(r"^\s*mWifiInfo:? ?(.*)$", text, re.MULTILINE)
    if enabled is None and info is None:
        raise _unread("dumpsys wifi")
    state: Message = {}
    if enabled and enabled.group(1) in ("enabled", "disabled"):
        state["enabled"] = enabled.group(1) == "enabled"
    # The network's name comes first and may hold anything: read behind the last thing it can fake.
    _, mark, rest = (info.group(1) if info else "").rpartition("Supplicant state: ")
    if mark:
        state["connected"] = rest.startswith("COMPLETED")
    if state.get("enabled") is False:
        state["connected"] = False
    if state.get("connected"):
        low, high = _RSSI_DBM
        rssi = _after(rest, "RSSI: ")
        state["rssi_dbm"] = rssi if rssi is not None and low <= rssi <= high else None
        state["link_speed_mbps"] = _positive(_after(rest, "Link speed: "))
        state["frequency_mhz"] = _positive(_after(rest, "Frequency: "))
    if not state:
        raise _unread("dumpsys wifi")
    raw = [enabled.group().strip()] if enabled else []
    if mark:
        # Later versions add addresses of access points: only these are passed on.
        fields = re.findall(r"^[A-Z_0-9]+|\b(?:RSSI|Link speed|Frequency): -?\d+", rest)
        raw.append(", ".join(fields[:4]))
    return state, "; ".join(raw)


# --- probe.cellular: dumpsys telephony.registry, getprop ------------------------------------------

_SERVICE = {0: "in_service", 1: "out_of_service", 2: "emergency_only", 3: "off"}
#: Places in the flat list of Android 7 to 9.
_FLAT_RSRP, _FLAT_RSRQ = 8, 9
_RSRP_DBM, _RSRQ_DB = (-140, -43), (-34, 3)


def cellular(asking: Ask) -> Message:
    """SIM, registration and signal. Never a number, an operator's name or a cell."""
    state, raw = cellular_state(asking("dumpsys", "telephony.registry"))
    had = properties(asking("getprop"))
    sims = [one for one in had.get("gsm.sim.state", "").lower().split(",") if one]
    if sims:
        state["sim"] = ",".join(sims)
    kind = had.get("gsm.network.type", "").split(",")[0].lower()
    if kind and kind != "unknown":
        state["network_type"] = kind
    return _reading("cellular", (state, raw), "dumpsys telephony.registry, getprop")


def cellular_state(text: str) -> Told:
    """Of one dump of the telephony registry: of the SIM in service, else of the first."""
    if "mServiceState=" not in text:
        raise _unread("dumpsys telephony.registry")
    # What follows the phones is history: no state of today.
    now = re.split(r"^\s*(?:local logs|listen logs|registrations)\b", text, flags=re.MULTILINE)[0]
    blocks = re.split(r"^\s*Phone Id=\d+", now, flags=re.MULTILINE)
    phones = [_phone(block) for block in blocks if "mServiceState=" in block]
    told = [phone for phone in phones if phone[0]]
    if not told:
        raise Untold(
            "dumpsys telephony.registry knows no phone yet: no modem, or still starting",
            "dumpsys telephony.registry中还没有电话状态：没有调制解调器，或仍在启动",
        )
    return next((phone for phone in told if phone[0]["registered"]), told[0])


def _phone(block: str) -> Told:
    service = re.search(r"mServiceState=(.*)", block)
    line = service.group(1) if service else ""
    voice = re.match(r"\{mVoiceRegState=(\d+)", line) or re.match(r"(\d+) \d+ ", line)
    packets = re.search(r"mDataRegState=(\d+)", line) or re.match(r"\d+ (\d+) ", line)
    if voice is None:
        return {}, ""
    codes = [int(voice.group(1))] + ([int(packets.group(1))] if packets else [])
    # A data-only SIM has no voice service and is well.
    best = 0 if 0 in codes else codes[0]
    signal = _signal(block)
    state: Message = {
        "service_state": _SERVICE.get(best, f"code {best}"),
        "registered": best == 0,
        **signal,
    }
    roaming = re.match(r"\d+ \d+ voice (.+?) data (\S+)", line)
    if roaming:
        state["roaming"] = roaming.group(2).lower() != "home"
    elif re.search(r"roamingType=(?!NOT_ROAMING)[A-Z]", line):
        state["roaming"] = True
    elif "roamingType=NOT_ROAMING" in line:
        state["roaming"] = False
    # The whole line names operator and cell: only the codes are passed on.
    return state, f"registration {codes}, signal {list(signal.values())}"


def _signal(block: str) -> Message:
    told = re.search(r"mSignalStrength=SignalStrength: ?(.*)", block)
    line = told.group(1) if told else ""
    nr = re.search(r"ssRsrp = (-?\d+) ssRsrq = (-?\d+)", line)
    lte = re.search(r"CellSignalStrengthLte:.*?\brsrp=(-?\d+) rsrq=(-?\d+)", line)
    flat = re.match(r"-?\d+(?: -?\d+){9,}", line)
    pairs = [match.groups() for match in (nr, lte) if match]
    if flat:
        numbers = flat.group().split(" ")
        pairs.append((numbers[_FLAT_RSRP], numbers[_FLAT_RSRQ]))
    for rsrp, rsrq in pairs:
        if _within(int(rsrp), _RSRP_DBM) is not None:
            return {"rsrp_dbm": int(rsrp), "rsrq_db": _within(int(rsrq), _RSRQ_DB)}
    return {}


# --- small things ---------------------------------------------------------------------------------


def _reading(component: str, told: Told, source: str) -> Message:
    state, raw = told
    return {
        "component": component,
        "outcome": "reading",
        "state": {key: value for key, value in state.items() if value is not None},
        "source": source,
        "raw": raw[:RAW_MAX_CHARACTERS],
    }


def _unread(asked: str) -> Untold:
    return Untold(
        f"{asked} answered in a form that is not known: tell the maintainers the Android version",
        f"{asked}的输出格式未知：请告知维护者Android版本",
    )


def _whole(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"-?\d{1,10}", text) else None


def _after(text: str, mark: str) -> int | None:
    found = re.search(r"\b" + re.escape(mark) + r"(-?\d{1,9})", text)
    return int(found.group(1)) if found else None


def _positive(number: int | None) -> int | None:
    return number if number is not None and number > 0 else None


def _within(number: int, bounds: tuple[int, int]) -> int | None:
    return number if bounds[0] <= number <= bounds[1] and number != NOT_AVAILABLE else None
