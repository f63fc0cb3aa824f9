"""The table about support bundles."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from agent.config.section import Identifier, Section


class Bundle(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[bundle]: what goes into a support bundle, and how many are kept."""

    max_kb: Annotated[int, Meta(ge=64, le=2_800)] = 1_024
    """A whole bundle at most, compressed."""
    keep: Annotated[int, Meta(ge=1, le=20)] = 3
    """Bundles kept on this terminal."""
    log_lines: Annotated[int, Meta(ge=100, le=20_000)] = 2_000
    """Newest lines of the agent's log in the journal of the system."""
    unit: Identifier = "posagent"
    """The agent's unit in the journal of the system."""
