"""What goes wrong on a simulated day, and what ought to be shown for it.

A seeded generator of episodes for each dialect and connection. What each *means* is written down
here by hand from the printers' documents, never taken from the watcher's tables: that is what
makes comparing the two worth something.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Codes = frozenset[str]

PAPER_OUT, PAPER_LOW = "printer.paper_out", "printer.paper_low"
COVER, CUTTER, HOT = "printer.cover_open", "printer.cutter_fault", "printer.overheated"
HARDWARE, JAM, VOLTAGE = "printer.hardware_fault", "printer.paper_jam", "printer.low_voltage"
OFFLINE, SILENT = "printer.offline", "printer.not_answering"
MISMATCH = "device.interface_mismatch"
NOTHING: Codes = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One thing that can happen. `codes`: any one of these tells it rightly; none: stay quiet."""

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    codes: Codes
    cable_out: bool = False
    stale_byte: bool = False
    #: Waiting for a noisy line to be quiet costs real time.
    at_most_s: float = 0.0


def _one(name: str, code: str, **changes: Any) -> Kind:
    return Kind(name=name, changes=changes, codes=frozenset({code}))


def _quiet(name: str, **changes: Any) -> Kind:
    return Kind(name=name, changes=changes, codes=NOTHING)


_EVERYWHERE = (
    _one("paper out", PAPER_OUT, paper="out"),
    _one("paper low", PAPER_LOW, paper="low"),
    _one("cover open", COVER, cover_open=True),
    # The sensor under an open cover sees no paper, whatever the roll holds.
    _one("paper out, cover open", COVER, paper="out", cover_open=True),
    _one("overheated", HOT, overheated=True),
    _one("unrecoverable", HARDWARE, unrecoverable=True),
    _one("power off", SILENT, silent=True),
    _one("answers too late", SILENT, slow_s=4.0),
    Kind(name="cable out", codes=frozenset({SILENT}), cable_out=True),
    _quiet("answers slow", slow_s=0.3),
    _quiet("drawer open", drawer_pin_high=True),
    _quiet("an old byte with the answer", stale="next"),
    Kind(name="an old byte on the line", codes=NOTHING, stale_byte=True),
)
_BY_DIALECT: Mapping[str, tuple[Kind, ...]] = {
    "escpos": (
        _one("cutter", CUTTER, cutter_fault=True),
        _one("jam", HARDWARE, jam=True),
        _one("low voltage", HARDWARE, low_voltage=True),
        _one("mechanical", HARDWARE, mechanical_fault=True),
        _one("switched off-line", OFFLINE, switched_off_line=True),
        _one("feed held", OFFLINE, feed_button=True),
        _one("waiting for recovery", OFFLINE, waiting_recovery=True),
        # While all is well every answer is the same, and one late is as good as one in time.
        _quiet("answers one query late", stale="lag"),
        # Otherwise the answers give themselves away; in the first reading they may not be late yet.
        Kind(
            name="paper low, answers one query late",
            changes={"stale": "lag", "paper": "low"},
            codes=frozenset({SILENT, PAPER_LOW}),
        ),
        Kind(
            name="drawer open, answers one query late",
            changes={"stale": "lag", "drawer_pin_high": True},
            codes=frozenset({SILENT}),
        ),
        Kind(
            name="paper low, drawer open, answers one query late",
            changes={"stale": "lag", "paper": "low", "drawer_pin_high": True},
            codes=frozenset({SILENT, PAPER_LOW}),
        ),
    ),
    "star": (
        _one("cutter", CUTTER, cutter_fault=True),
        _one("jam", JAM, jam=True),
        _one("low voltage", HARDWARE, low_voltage=True),
        _one("mechanical", HARDWARE, mechanical_fault=True),
        _one("switched off-line", OFFLINE, switched_off_line=True),
    ),
    # FULL status does not say whether the printer is on-line, and has one group for what only a
    # technician can mend.
    "custom": (
        _one("cutter", HARDWARE, cutter_fault=True),
        _one("jam", HARDWARE, jam=True),
        _one("low voltage", VOLTAGE, low_voltage=True),
    ),
}
#: Not on a pseudo terminal: how long the kernel takes to hand noise over cannot be told from quiet.
_NOISE = (
    Kind(name="noise", changes={"garbage": True}, codes=frozenset({MISMATCH}), at_most_s=240.0),
)


def kinds(dialect: str, connection: str) -> tuple[Kind, ...]:
    """Everything that can happen to such a printer."""
    more = () if connection == "pty" else _NOISE
    return _EVERYWHERE + _BY_DIALECT[dialect] + more


def episodes(
    seed: str, possible: Sequence[Kind], total_s: float
) -> Iterator[tuple[float, Kind, float]]:
    """(quiet seconds before, what happens, for how long), until `total_s` is used up.

    Every kind comes up once before any comes up again.
    """
    chance = random.Random(seed)
    bag: list[Kind] = []
    used_s = 0.0
    while True:
        if not bag:
            bag = list(possible)
            chance.shuffle(bag)
        kind = bag.pop()
        before_s = chance.uniform(100.0, 400.0)
        # Some are over before anybody looks, some before they need be shown, some last.
        lasting_s = chance.choice((chance.uniform(0.5, 8.0), chance.uniform(120.0, 900.0)))
        if kind.at_most_s:
            lasting_s = min(lasting_s, kind.at_most_s)
        used_s += before_s + lasting_s
        if used_s > total_s:
            return
        yield before_s, kind, lasting_s
