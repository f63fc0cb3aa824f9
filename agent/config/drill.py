"""The table about outage drills."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from agent.config.section import Section


class Drill(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[drill]: an outage exercised on this terminal with records that cannot reach a host."""

    every_days: Annotated[int, Meta(ge=0, le=3_650)] = 90
    """Without a passed one for so long: drill.overdue; 0: never."""
    scheduled: bool = False
    """Also make one by itself when it is overdue, in a quiet moment; never with a restart."""
    records: Annotated[int, Meta(ge=1, le=200)] = 20
    """Of a scheduled one."""
    keep: Annotated[int, Meta(ge=1, le=1_000)] = 30
    """Reports kept on this terminal."""
