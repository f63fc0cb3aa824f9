"""The table about the terminal's own inspection of itself."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from agent.config.section import Section


class Inspection(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[inspection]: all active checks at once, every day and when somebody asks."""

    hour: Annotated[int, Meta(ge=-1, le=23)] = 4
    """Hour of the terminal's own day; -1: only when asked."""
    jitter_s: Annotated[int, Meta(ge=0, le=21_600)] = 3_600
    """Spread over this much after the hour, so that a fleet does not do it at once."""
    overdue_days: Annotated[int, Meta(ge=0, le=365)] = 7
    """Without one for so long: inspection.overdue; 0: never."""
    keep: Annotated[int, Meta(ge=1, le=1_000)] = 30
    """Reports kept on this terminal."""
