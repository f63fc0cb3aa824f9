"""What the table [adapter] and its keys are for; see `config_reference`."""

from __future__ import annotations

from collections.abc import Mapping

TABLES: Mapping[str, str] = {
    "[adapter]": "How a fleet server with rules of its own wants to be spoken to; read where "
    "telemetry.adapter names one. docs/fleet/adapters.md.",
}

MEANINGS: Mapping[str, str] = {
    "telemetry.adapter": "native: docs/contracts/mqtt.md; else the server's own topics and forms.",
    "telemetry.username_file": "File holding the MQTT user, where that is a secret (an access "
    "token); goes before username.",
    "adapter.thingsboard_topics": "v2: the short topics (ThingsBoard 3.3 and later); v1: the long.",
    "adapter.thin_edge_root": "`mqtt.topic_root` of thin-edge.io.",
    "adapter.thin_edge_device": "The device there whose service this agent is.",
    "adapter.thin_edge_service": "This agent's name there.",
}
