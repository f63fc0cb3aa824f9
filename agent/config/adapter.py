"""[adapter]: how a fleet server other than our own contract's wants to be spoken to."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from agent.config.section import Section

Level = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class Adapter(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[adapter]: only read where `[telemetry] adapter` names one."""

    thingsboard_topics: Literal["v2", "v1"] = "v2"
    """v2: the short ones, ThingsBoard 3.3 and later; v1: older ones and lookalikes."""
    thin_edge_root: Level = "te"
    """`mqtt.topic_root` of thin-edge.io."""
    thin_edge_device: Level = "main"
    """Whose service this agent is."""
    thin_edge_service: Level = "posagent"
