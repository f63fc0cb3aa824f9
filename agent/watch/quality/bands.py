"""What a signal is called: excellent, good, fair, weak; and when the name changes.

Pure. A figure on the edge does not flap: leaving a band takes `MARGIN` more than entering it did.
Which figure is believed, in this order: RSRP (LTE, NR), RSSI, the source's own bars, its percent.
What the modem only made of another figure (`mapped`) is never judged: no two makers agree on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from agent.record import dataclass
from agent.watch.quality.facts import Kind, RadioFacts


class Band(StrEnum):
    """How good a signal is, best first."""

    EXCELLENT = "excellent"
    GOOD = "good"
    FAIR = "fair"
    WEAK = "weak"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """From which value on a signal is fair, good, excellent. `margin` keeps it from flapping."""

    fair: float
    good: float
    excellent: float
    margin: float

    def band(self, value: float, before: Band | None = None) -> Band:
        """The band of `value`; `before` is kept while it is left by less than the margin."""
        if before is not None and self._holds(value, before):
            return before
        if value >= self.excellent:
            return Band.EXCELLENT
        if value >= self.good:
            return Band.GOOD
        return Band.FAIR if value >= self.fair else Band.WEAK

    def _holds(self, value: float, band: Band) -> bool:
        least, most = {
            Band.EXCELLENT: (self.excellent, None),
            Band.GOOD: (self.good, self.excellent),
            Band.FAIR: (self.fair, self.good),
            Band.WEAK: (None, self.fair),
        }[band]
        above = least is None or value >= least - self.margin
        return above and (most is None or value < most + self.margin)

    def weak_below(self, value: float) -> Scale:
        """The same with another edge to weak; the other edges give way to it."""
        return Scale(
            fair=value,
            good=max(self.good, value),
            excellent=max(self.excellent, value),
            margin=self.margin,
        )


#: -67 dBm is what access points are planned for where voice is carried; below -75 frames are
#: repeated so often that answers come late.
WIFI = Scale(fair=-75, good=-67, excellent=-55, margin=3)
#: NimbeLink's and Teltonika's tables: below -100 dBm marginal.
RSRP = Scale(fair=-100, good=-90, excellent=-80, margin=3)
#: CSQ 10, 15, 20: the usual table for 2G and 3G.
RSSI = Scale(fair=-93, good=-83, excellent=-73, margin=3)
#: ModemManager's percent is each modem's own; only its lower end means something everywhere.
PERCENT = Scale(fair=20, good=45, excellent=70, margin=5)
#: Android's bars: 0 none or unknown, 1 poor, 2 moderate, 3 good, 4 great.
_BARS: Mapping[int, Band] = {1: Band.WEAK, 2: Band.FAIR, 3: Band.GOOD, 4: Band.EXCELLENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """Where weak begins, as configured."""

    wifi_dbm: float = WIFI.fair
    rsrp_dbm: float = RSRP.fair
    rssi_dbm: float = RSSI.fair


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a radio's signal amounts to; both None where its source does not tell enough."""

    signal_dbm: float | None = None
    band: Band | None = None


def judged(facts: RadioFacts, before: Band | None, edges: Edges | None = None) -> Judged:
    """The figure believed and its band. Without a connection there is no signal to judge."""
    edge = edges or Edges()
    if facts.kind is Kind.WIFI:
        if facts.associated is False:
            return Judged()
        return _in_dbm(facts.rssi_dbm, WIFI.weak_below(edge.wifi_dbm), facts, before)
    if facts.rsrp_dbm is not None:
        return _in_dbm(facts.rsrp_dbm, RSRP.weak_below(edge.rsrp_dbm), facts, before)
    if facts.rssi_dbm is not None and not facts.mapped:
        return _in_dbm(facts.rssi_dbm, RSSI.weak_below(edge.rssi_dbm), facts, before)
    return _bars_or_percent(facts, before)


def _in_dbm(value: float | None, scale: Scale, facts: RadioFacts, before: Band | None) -> Judged:
    if value is None:
        return _bars_or_percent(facts, before)
    return Judged(signal_dbm=value, band=scale.band(value, before))


def _bars_or_percent(facts: RadioFacts, before: Band | None) -> Judged:
    if facts.level is not None and facts.level in _BARS:
        return Judged(band=_BARS[facts.level])
    # Nothing at all is what a modem says that has not measured yet.
    if facts.quality_percent is not None and facts.quality_percent > 0:
        return Judged(band=PERCENT.band(facts.quality_percent, before))
    return Judged()
