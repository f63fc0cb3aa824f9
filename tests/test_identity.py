"""Who a terminal says it is."""

from __future__ import annotations

import msgspec

from agent.config import Config
from agent.identity import identity_of


class Counters:
    def outbox_id(self) -> str:
        return "c0ffee"


def test_terminals_configured_alike_have_one_fingerprint() -> None:
    """Name and site make no difference, any setting does: a fleet sees who strays."""
    config = Config()
    agent = msgspec.structs.replace(config.agent, site="S7", device_id="T-1", tenant="acme")
    elsewhere = msgspec.structs.replace(config, agent=agent)
    telemetry = msgspec.structs.replace(config.telemetry, window=3)
    other = msgspec.structs.replace(config, telemetry=telemetry)
    mine, same, strays = (
        identity_of(each, Counters()).config_version for each in (config, elsewhere, other)
    )
    assert mine == same
    assert mine != strays
    assert len(mine) == 12
