"""What a vendor's program, or whoever wrote the configuration, tries to get out by the fleet line.

The real daemon with a real hook and the real broker; the reader holds every message against the
generated schemas as well.
"""

from __future__ import annotations

import json

import pytest

from tests.process.daemon import Daemon
from tests.process.fleet import TENANT, BrokerThread, Reader, telemetry

pytestmark = [pytest.mark.process, pytest.mark.broker]

CARD = "4111111111111111"
STATE = {
    "state": "ready",
    "level_percent": 40,
    "note": f"card {CARD} declined",
    "number": int(CARD),
    "last_key": 5,
    "person": "Zhang San",
    "paper": "ACME STORE  TOTAL 12.50  THANK YOU",
    "cardholder": "ZHANG",
}


def test_a_hooks_canaries_reach_no_subscriber() -> None:
    """Its harmless readings are told, the others withheld and counted, and the site's card too."""
    with (
        BrokerThread() as broker,
        Reader(broker.port, components=("till",)) as reader,
        Daemon() as daemon,
    ):
        hooks = daemon.home / "hooks.d"
        hooks.mkdir(0o755)
        answer = {"contract": 1, "outcome": "reading", "component": "till", "state": STATE}
        probe = hooks / "probe.till"
        probe.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n", "utf-8")
        probe.chmod(0o755)
        daemon.configure(
            telemetry(broker.url)
            + f'[hooks]\ndirectory = "{hooks}"\n[[hook]]\ncomponent = "till"\nperiod_s = 1\n',
            agent=f'tenant = "{TENANT}"\nsite = "shop of {CARD}"',
        )
        daemon.start()
        reader.until(lambda: reader.last("info").get("agent_version"), "who it is")
        reader.until(lambda: _told(reader).get("till_state") == "ready", "the hook's reading")
        reader.until(lambda: _told(reader).get("fleet_withheld", 0) > 4, "how much was withheld")
        assert "site" not in reader.last("info")
        names = {name for name in _told(reader) if name.startswith("till")}
        assert names == {"till", "till_state", "till_level_percent"}
        assert daemon.stop() == 0
        everything = b"".join(each.payload for each in reader.heard)
        for word in (CARD, "Zhang", "ZHANG", "ACME", "last_key"):
            assert word.encode() not in everything, word
        log = daemon.log()
        assert "event=withheld kind=" in log
        assert CARD not in log


def _told(reader: Reader) -> dict[str, object]:
    told: dict[str, object] = {}
    for each in reader.of("health"):
        told = told | each
    return told
