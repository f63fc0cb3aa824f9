"""What can be wrong with a simulated printer, whatever language it speaks.

Says which conditions there are and which of them put the printer off-line; the brains turn them
into bytes. What is wrong with the cable or the answers (`silent`, `slow_s`, `stale` …) stands here
too, so that one switch serves all; `agent.sim.printers.printer` carries those out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Everything that can be wrong with the printer, its cable or its answers."""

    paper: Literal["ok", "low", "out"] = "ok"
    cover_open: bool = False
    cutter_fault: bool = False
    overheated: bool = False
    unrecoverable: bool = False
    mechanical_fault: bool = False  #: n=3 bit 2: black-mark error at some makers
    jam: bool = False
    low_voltage: bool = False
    feed_button: bool = False
    switched_off_line: bool = False  #: by its panel
    waiting_recovery: bool = False
    drawer_pin_high: bool = False
    one_bit_sensors: bool = False
    near_end_sensor: bool = True
    #: Stations most printers lack; without one its query is not answered.
    slip: Literal["none", "idle", "waiting", "no_paper"] = "none"
    ink: Literal["none", "ok", "low", "out", "absent"] = "none"
    cheque_reader: Literal["none", "idle", "waiting"] = "none"
    silent: bool = False  #: as if powered off
    garbage: bool = False
    slow_s: float = 0.0  #: delay of every answer
    stale: Literal["off", "next", "lag"] = "off"
    """next: one old status byte comes with the next answer; lag: every answer is the one before."""
    baud: int = 0
    """The printer's own speed, where the line has one; 0: whatever the other side has set."""

    @property
    def error(self) -> bool:
        return (
            self.cutter_fault
            or self.overheated
            or self.unrecoverable
            or self.mechanical_fault
            or self.jam
            or self.low_voltage
        )

    @property
    def off_line(self) -> bool:
        return (
            self.paper == "out"
            or self.cover_open
            or self.error
            or self.feed_button
            or self.switched_off_line
            or self.waiting_recovery
        )

    @property
    def sees_paper(self) -> bool:
        """What the end sensor says. With the cover open it hangs in the air and sees none."""
        return self.paper != "out" and not self.cover_open

    @property
    def sees_plenty(self) -> bool:
        """What the near-end sensor says, where there is one."""
        return not self.near_end_sensor or (self.paper == "ok" and not self.cover_open)
