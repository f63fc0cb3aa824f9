"""A self-inspection on receipt paper: lines of at most so many columns, in Chinese or English.

What is on it is `agent.core.slips.inspection`'s, how it is laid out every slip's; this is the door
of `inspection_slip`.
"""

from __future__ import annotations

from datetime import timedelta

from agent.core.inspection.report import Report
from agent.core.slips import inspection, layout
from agent.core.slips.layout import NARROW, WIDE
from agent.core.why.text import Language

__all__ = ["NARROW", "WIDE", "lines"]


def lines(report: Report, who: str, lang: Language, columns: int, offset: timedelta) -> list[str]:
    """The whole report; `who` names the terminal, `offset` is its time zone's."""
    return layout.lines(inspection.slip(report, who, lang, offset), columns)
