"""The tables about what is attached to this terminal: one for each device."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from agent.config.section import Seconds, Section


class Printer(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[printer]: an ESC/POS receipt printer on a serial line. No device: not fitted."""

    device: Annotated[str, Meta(max_length=200)] = ""
    baud: Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200] = 19200
    parity: Literal["none", "even", "odd"] = "none"
    flow: Literal["none", "rtscts", "dsrdtr", "xonxoff"] = "none"
    period_s: Seconds = 10.0
    answer_timeout_s: Seconds = 1.0
