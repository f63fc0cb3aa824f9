"""What the keys of [fleet] are for. A part of `agent.cli.config_reference`."""

from __future__ import annotations

from collections.abc import Mapping

TABLES: Mapping[str, str] = {
    "[fleet]": "Signed commands and wishes from the fleet, and the trail of who did what. Without "
    "a key none is taken. docs/fleet/commands.md.",
    "[[fleet_key]]": "A key whose signature counts. An administrator's may teach and revoke keys.",
}

MEANINGS: Mapping[str, str] = {
    "fleet.group": "Terminals that are meant to be alike: whose `desired` this one takes.",
    "fleet.commands_per_hour": "Commands of all keys together; one key may send half of them.",
    "fleet.idle_s": "A disruptive command is refused when the payment app called within this.",
    "fleet.audit_days": "How long the trail of who did what is kept, 50,000 lines at most.",
    "fleet_key.id": "Its name in signed messages, histories and the trail.",
    "fleet_key.public_key": "Ed25519 public key in hexadecimal.",
    "fleet_key.roles": "read: look. operate: that, and move what waits. administer: that, and "
    "software, configuration, keys and restarts.",
}

EXAMPLES: Mapping[str, str] = {
    "fleet_key.id": '"operations-1"',
    "fleet_key.public_key": '"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"',
}
