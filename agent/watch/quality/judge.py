"""What radios' facts amount to: the band of each signal, SIM trouble, and whose it is to worry.

No IO. A radio matters where the default route or the configuration goes through it; a backup slot
without a SIM in a terminal on Ethernet is nobody's alarm. A modem that searches is given time: it
searches after every tunnel. Called by the signal watcher with one round's facts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import field
from fnmatch import fnmatchcase

from agent.config.radio import Cellular, Signal
from agent.core.health.reading import Reading, Value
from agent.record import dataclass
from agent.watch.drivers.nl80211 import frequency_band
from agent.watch.quality.bands import Band, Edges, judged
from agent.watch.quality.facts import Kind, NotReadable, RadioFacts, Registration, SimState

#: A SIM in one of these carries nothing until somebody does something.
_SIM_TROUBLE = frozenset(
    {
        SimState.ABSENT,
        SimState.PIN_REQUIRED,
        SimState.PUK_REQUIRED,
        SimState.LOCKED,
        SimState.FAILED,
    }
)
#: States a modem passes through by itself; trouble only when it stays there.
_ON_ITS_WAY = frozenset({Registration.SEARCHING, Registration.IDLE, Registration.EMERGENCY})
_BANDS = list(Band)


@dataclass(slots=True)
class _Known:
    """What is remembered of one radio."""

    band: Band | None = None
    registered: bool = False  #: has been, since the start
    waiting_since_ms: int | None = None
    retries: tuple[int, int] | None = None  #: (retries, packets) of the round before


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One radio, judged. None: its source does not tell."""

    facts: RadioFacts
    known: _Known
    used: bool  #: traffic goes through it, or would if there were a way out
    needed: bool  #: its SIM is somebody's worry
    signal_dbm: float | None
    band: Band | None
    sim_trouble: bool | None

    @property
    def weak(self) -> bool | None:
        """Whether its signal is weak."""
        return None if self.band is None else self.band is Band.WEAK


@dataclass(slots=True)
class Judge:
    """Judges round after round."""

    signal: Signal
    cellular: Cellular
    needed: frozenset[str]
    #: By kind, source, interface, and which of several with the same: two SIMs in one modem.
    _known: dict[tuple[str, str, str, int], _Known] = field(default_factory=dict)

    def reading(
        self,
        facts: Sequence[RadioFacts],
        doubts: Sequence[NotReadable],
        default: str,
        now_ms: int,
    ) -> Reading:
        """Values of the radio to look at first, and of the SIM; a line of evidence for each."""
        verdicts = self._verdicts(facts, default, now_ms)
        evidence = _lines(verdicts) | {f"{one.source}_unread": one.reason for one in doubts}
        first = min(verdicts, key=_urgency)
        values = _signal_values(first)
        if first.facts.kind is Kind.WIFI:
            values |= _wifi_values(first)
        sims = [one for one in verdicts if one.facts.kind is Kind.CELLULAR]
        if sims:
            values |= _sim_values(min(sims, key=lambda one: (not one.needed, not one.sim_trouble)))
        return Reading({name: told for name, told in values.items() if told is not None}, evidence)

    def _verdicts(self, facts: Sequence[RadioFacts], default: str, now_ms: int) -> list[Verdict]:
        same: Counter[tuple[str, str, str]] = Counter()
        found: list[Verdict] = []
        for one in facts:
            name = (one.kind, one.source, one.interface)
            known = self._known.setdefault((*name, same[name]), _Known())
            same[name] += 1
            found.append(self._verdict(one, known, default, now_ms))
        return found

    def _verdict(self, facts: RadioFacts, known: _Known, default: str, now_ms: int) -> Verdict:
        edges = Edges(
            wifi_dbm=self.signal.wifi_weak_dbm,
            rsrp_dbm=self.cellular.weak_rsrp_dbm,
            rssi_dbm=self.cellular.weak_rssi_dbm,
        )
        told = judged(facts, known.band, edges)
        known.band = told.band
        known.registered = known.registered or facts.registered is True
        return Verdict(
            facts=facts,
            known=known,
            used=self._used(facts, known, default),
            needed=self._needed(facts, known, default),
            signal_dbm=told.signal_dbm,
            band=told.band,
            sim_trouble=self._sim_trouble(facts, known, now_ms),
        )

    def _used(self, facts: RadioFacts, known: _Known, default: str) -> bool:
        name = facts.interface
        if name and (name == default or any(fnmatchcase(name, one) for one in self.needed)):
            return True
        if facts.kind is Kind.WIFI:
            # Without any way out, the one that is joined is the way that fails.
            return not default and facts.associated is True
        # Which interface a modem on a bare AT port has nobody knows: who named the port uses it.
        return (not default and known.registered) or (not name and self._named(facts))

    def _needed(self, facts: RadioFacts, known: _Known, default: str) -> bool:
        if facts.kind is not Kind.CELLULAR:
            return False
        if self.cellular.expected != "auto":
            return self.cellular.expected == "yes"
        return known.registered or self._named(facts) or self._used(facts, known, default)

    def _named(self, facts: RadioFacts) -> bool:
        return bool(self.cellular.device) and facts.source == "at"

    def _sim_trouble(self, facts: RadioFacts, known: _Known, now_ms: int) -> bool | None:
        if facts.kind is not Kind.CELLULAR:
            return None
        waits = facts.registration in _ON_ITS_WAY and facts.sim_state not in _SIM_TROUBLE
        if not waits:
            known.waiting_since_ms = None
        elif known.waiting_since_ms is None:
            known.waiting_since_ms = now_ms
        if facts.sim_state in _SIM_TROUBLE or facts.registration in (
            Registration.DENIED,
            Registration.OFF,
        ):
            return True
        if known.waiting_since_ms is not None:
            return now_ms - known.waiting_since_ms >= self.cellular.search_s * 1000
        return False if facts.registered else None


def _wifi_values(one: Verdict) -> dict[str, Value]:
    facts, known = one.facts, one.known
    before, known.retries = known.retries, None
    if facts.tx_retries is not None and facts.tx_packets is not None:
        known.retries = (facts.tx_retries, facts.tx_packets)
    return {
        "associated": facts.associated,
        "frequency_band": frequency_band(facts.frequency_mhz) or None,
        "bitrate_mbps": None if facts.bitrate_kbps is None else facts.bitrate_kbps / 1000,
        "retried_percent": _retried(before, known.retries),
        "beacon_losses": facts.beacon_losses,
        "ssid": facts.ssid or None,
        "bssid": facts.bssid or None,
    }


def _retried(before: tuple[int, int] | None, now: tuple[int, int] | None) -> float | None:
    """Frames sent again since the last look, of all sent; None after a new association."""
    if before is None or now is None or now[0] < before[0] or now[1] < before[1] + 20:
        return None
    return round(min(100.0, 100 * (now[0] - before[0]) / (now[1] - before[1])), 1)


def _urgency(one: Verdict) -> tuple[bool, bool, int, str]:
    """Those in use first; of these the worse signal."""
    worst = len(_BANDS) - _BANDS.index(one.band) if one.band is not None else len(_BANDS) + 1
    return (not one.used, one.facts.associated is False, worst, one.facts.interface)


def _signal_values(one: Verdict) -> dict[str, Value]:
    facts = one.facts
    return {
        "radio": facts.kind.value,
        "interface": facts.interface or None,
        "source": facts.source,
        "signal_dbm": one.signal_dbm,
        "band": one.band.value if one.band is not None else None,
        # What carries nothing is told, and is no alarm.
        "weak": one.weak if one.used or one.weak is not True else False,
        "technology": facts.technology or None,
        "rsrq_db": facts.rsrq_db,
        "sinr_db": facts.sinr_db,
    }


def _sim_values(one: Verdict) -> dict[str, Value]:
    facts = one.facts
    trouble = one.sim_trouble
    return {
        "sim_state": facts.sim_state.value if facts.sim_state is not SimState.UNKNOWN else None,
        "registration": (
            facts.registration.value if facts.registration is not Registration.UNKNOWN else None
        ),
        "roaming": facts.roaming,
        "operator": facts.operator or None,
        "sim_trouble": trouble if one.needed or trouble is not True else False,
    }


def _lines(verdicts: Sequence[Verdict]) -> dict[str, str]:
    """By interface, else by source; the second of the same has its number."""
    found: dict[str, str] = {}
    for one in verdicts:
        name = one.facts.interface or one.facts.source
        number = 1 + sum(told.partition("#")[0] == name for told in found)
        found[name if number == 1 else f"{name}#{number}"] = _line(one)
    return found


def _line(one: Verdict) -> str:
    facts = one.facts
    words = [
        facts.technology or facts.kind.value,
        "" if one.signal_dbm is None else f"{one.signal_dbm:g} dBm",
        one.band.value if one.band is not None else "signal not told",
        "a figure of the modem's own, not compared" if facts.mapped and facts.rssi_dbm else "",
        "not associated" if facts.associated is False else "",
        facts.sim_state.value if facts.kind is Kind.CELLULAR else "",
        facts.registration.value if facts.kind is Kind.CELLULAR else "",
        "" if one.used else "not in use",
        facts.doubt,
    ]
    return ", ".join(filter(None, words))
