"""What ModemManager says of its modems, as facts; the bus itself is `bus`'s.

Pure: a tree of objects, interfaces and properties in, `RadioFacts` out. The tree also holds IMEI,
the SIM's number and telephone numbers; none of them is read. Numbers are those of
ModemManager-enums.h; what it adds later is unknown, not a fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.record import dataclass
from agent.watch.drivers.at import rsrp_of, rssi_of
from agent.watch.quality.facts import Kind, RadioFacts, Registration, SimState

MODEM = "org.freedesktop.ModemManager1.Modem"
MODEM_3GPP = "org.freedesktop.ModemManager1.Modem.Modem3gpp"
SIGNAL = "org.freedesktop.ModemManager1.Modem.Signal"

#: Object path -> interface -> property -> value, variants taken off.
Tree = Mapping[str, Mapping[str, Mapping[str, Any]]]

_FAILED, _LOCKED, _DISABLED = -1, 2, 3
_PORT_NET = 2
_FAILED_SIM: Mapping[int, SimState] = {
    2: SimState.ABSENT,
    3: SimState.FAILED,
    5: SimState.ABSENT,  # an eSIM without a profile
}
#: MMModemLock. The second codes (3, 5) and "none" (1) leave the SIM usable.
_LOCKS: Mapping[int, SimState] = {
    1: SimState.READY,
    2: SimState.PIN_REQUIRED,
    3: SimState.READY,
    4: SimState.PUK_REQUIRED,
    5: SimState.READY,
    **dict.fromkeys(range(6, 18), SimState.LOCKED),
}
_REGISTRATIONS: Mapping[int, Registration] = {
    0: Registration.IDLE,
    1: Registration.HOME,
    2: Registration.SEARCHING,
    3: Registration.DENIED,
    5: Registration.ROAMING,
    6: Registration.HOME,
    7: Registration.ROAMING,
    8: Registration.EMERGENCY,
    9: Registration.HOME,
    10: Registration.ROAMING,
    11: Registration.EMERGENCY,
}
#: MMModemAccessTechnology, the best first: a bit each.
_ACCESS: tuple[tuple[int, str], ...] = (
    (15, "nr"), (14, "lte"), (16, "lte_m"), (17, "nb_iot"), (9, "hspa"), (8, "hspa"), (7, "hsupa"),
    (6, "hsdpa"), (5, "umts"), (4, "edge"), (3, "gsm"), (2, "gsm"), (1, "gsm"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Modem:
    """One modem of the tree."""

    path: str
    facts: RadioFacts
    #: Seconds between its measurements; 0: it measures nothing until it is asked to; None: it
    #: has no such interface.
    signal_rate_s: int | None


def modems(tree: Tree, now_ms: int) -> list[Modem]:
    """All modems, by path."""
    return [_modem(path, tree[path], now_ms) for path in sorted(tree) if MODEM in tree[path]]


def _modem(path: str, interfaces: Mapping[str, Mapping[str, Any]], now_ms: int) -> Modem:
    modem, network = interfaces[MODEM], interfaces.get(MODEM_3GPP, {})
    signal = interfaces.get(SIGNAL, {})
    state = _whole(modem.get("State"))
    technology = _technology(modem.get("AccessTechnologies"))
    nr, lte = _figures(signal, "Nr5g"), _figures(signal, "Lte")
    best = nr if "rsrp" in nr else lte
    old = {**_figures(signal, "Gsm"), **_figures(signal, "Umts")}
    facts = RadioFacts(
        kind=Kind.CELLULAR,
        source="modemmanager",
        interface=_interface(modem.get("Ports")),
        updated_ms=now_ms,
        technology=technology,
        rssi_dbm=rssi_of(old.get("rssi", best.get("rssi"))),
        rsrp_dbm=rsrp_of(best.get("rsrp")),
        rsrq_db=best.get("rsrq"),
        sinr_db=best.get("snr"),
        # On LTE the RSSI beside it covers the whole channel: no table for 2G fits it.
        mapped="rssi" not in old,
        quality_percent=_quality(modem.get("SignalQuality")),
        registration=_registration(state, network),
        sim_state=_sim(state, modem),
        operator=_operator(network),
    )
    rate = _whole(signal.get("Rate")) if SIGNAL in interfaces else None
    return Modem(path=path, facts=facts, signal_rate_s=rate)


def _sim(state: int | None, modem: Mapping[str, Any]) -> SimState:
    if state == _FAILED:
        reason = _whole(modem.get("StateFailedReason"))
        return _FAILED_SIM.get(reason, SimState.UNKNOWN) if reason is not None else SimState.UNKNOWN
    lock = _whole(modem.get("UnlockRequired"))
    told = _LOCKS.get(lock, SimState.UNKNOWN) if lock is not None else SimState.UNKNOWN
    if state == _LOCKED and told in (SimState.UNKNOWN, SimState.READY):
        return SimState.LOCKED
    # "/" is D-Bus for no object. A modem still starting has not looked yet.
    no_card = modem.get("Sim") == "/" and state is not None and state >= _DISABLED
    return SimState.ABSENT if no_card and told is not SimState.READY else told


def _registration(state: int | None, network: Mapping[str, Any]) -> Registration:
    if state == _DISABLED:
        return Registration.OFF
    told = _whole(network.get("RegistrationState"))
    return (
        _REGISTRATIONS.get(told, Registration.UNKNOWN)
        if told is not None
        else (Registration.UNKNOWN)
    )


def _operator(network: Mapping[str, Any]) -> str:
    """MCC and MNC; what a network calls itself is left to those who show it."""
    code = network.get("OperatorCode")
    return code if isinstance(code, str) and code.isdecimal() and len(code) in (5, 6) else ""


def _technology(told: object) -> str:
    bits = _whole(told)
    if bits is None or bits >= 0xFFFFFFFF:
        return ""
    return next((name for bit, name in _ACCESS if bits >> bit & 1), "")


def _quality(told: object) -> int | None:
    match told:
        case (int(percent), _) if not isinstance(percent, bool) and 0 <= percent <= 100:
            return percent
        case _:
            return None


def _interface(ports: object) -> str:
    """The network interface among its ports."""
    if not isinstance(ports, list | tuple):
        return ""
    for port in ports:
        match port:
            case (str(name), int(kind)) if kind == _PORT_NET:
                return name[:15]
    return ""


def _figures(signal: Mapping[str, Any], name: str) -> dict[str, float]:
    """The figures of one technology. One it does not measure is empty, or far out of range."""
    told = signal.get(name)
    if not isinstance(told, Mapping):
        return {}
    return {
        key: float(value)
        for key, value in told.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 200
    }


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
