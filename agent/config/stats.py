"""The table about statistics of payments."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from agent.config.section import Section


class Stats(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[stats]: what counts as late."""

    late_after_s: Annotated[float, Meta(ge=1, le=604_800)] = 60.0
    """From capture to confirmation."""
