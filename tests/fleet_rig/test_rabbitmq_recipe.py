"""packaging/fleet/rabbitmq as shipped, with Debian's RabbitMQ, and the agent's way through it.

One test, because a node takes ten seconds to start: everything is tried on the same one.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.fleet_rig import certificates
from tests.fleet_rig.brokers import RabbitMq
from tests.fleet_rig.talker import Talker
from tests.telemetry.rig import Rig, quick, rigged, running

pytestmark = [pytest.mark.rabbitmq, pytest.mark.process]
UPLINK = ("state", "info", "health", "backlog", "event", "hist", "res/c1")


def test_rabbitmq_keeps_what_the_recipe_promises(tmp_path: Path) -> None:
    """Rights by certificate, retained state, no MQTT 5, and all the agent's messages."""
    certs = certificates.make(tmp_path / "certs", "T-1", "T-2", "T-9", "operator")
    (tmp_path / "node").mkdir()
    broker = RabbitMq(tmp_path / "node", certs)
    try:
        broker.start()
        broker.add_terminals("T-1", "T-2")
        terminals_keep_to_themselves(broker, certs)
        operators_read_all_and_order(broker, certs)
        strangers_stay_outside(broker, certs)
        what_rabbitmq_does_differently(broker, certs)
        asyncio.run(the_agent_gets_through(broker, certs))
    finally:
        broker.stop()


def talker(broker: RabbitMq, certs: Path, name: str, client_id: str = "") -> Talker:
    return Talker(broker.port, certs, name, client_id=client_id, v5=False)


def terminals_keep_to_themselves(broker: RabbitMq, certs: Path) -> None:
    """RabbitMQ hangs up on who publishes where he may not; 3.1.1 has no other answer."""
    with talker(broker, certs, "T-1") as terminal:
        for tail in UPLINK:
            assert terminal.publish(f"pos/1/acme/T-1/{tail}") == "taken", tail
        assert terminal.subscribe("pos/1/acme/T-1/cmd/+") == "taken"
        assert terminal.subscribe("pos/1/acme/T-1/desired") == "taken"
        assert terminal.subscribe("pos/1/acme/T-1/state") == "taken"
    for topic in ("acme/T-2/event", "acme/T-1/cmd/c1", "acme/T-1/desired", "other/T-1/event"):
        with talker(broker, certs, "T-1") as terminal:
            assert terminal.publish(f"pos/1/{topic}") == "hung up", topic
    for topic in ("#", "pos/1/acme/#", "pos/1/acme/T-2/cmd/+", "pos/1/acme/T-2/state"):
        with talker(broker, certs, "T-1") as terminal:
            assert terminal.subscribe(topic) in ("refused", "hung up"), topic


def operators_read_all_and_order(broker: RabbitMq, certs: Path) -> None:
    with talker(broker, certs, "operator") as operator, talker(broker, certs, "T-1") as terminal:
        assert operator.subscribe("pos/1/acme/#") == "taken"
        assert terminal.subscribe("pos/1/acme/T-1/cmd/+") == "taken"
        assert terminal.publish("pos/1/acme/T-1/event", b"out") == "taken"
        assert operator.settle(lambda: "pos/1/acme/T-1/event" in operator.topics())
        assert operator.publish("pos/1/acme/T-1/cmd/c1", b"order") == "taken"
        assert terminal.settle(lambda: terminal.topics() == ["pos/1/acme/T-1/cmd/c1"])
    with talker(broker, certs, "operator") as operator:
        assert operator.publish("pos/1/acme/T-1/event") == "hung up"
    with talker(broker, certs, "operator") as operator:
        assert operator.subscribe("pos/1/+/+/state") == "hung up", "`fleet watch` without --tenant"


def strangers_stay_outside(broker: RabbitMq, certs: Path) -> None:
    """A certificate of the authority without a user, and nobody at all."""
    for name in ("T-9", ""):
        with talker(broker, certs, name) as stranger:
            assert stranger.settle(lambda: stranger.gone.is_set() or stranger.refused)
            assert not stranger.connected.is_set(), name


def what_rabbitmq_does_differently(broker: RabbitMq, certs: Path) -> None:
    """As docs/fleet/recipes.md says: these are limits of 3.10, not wishes of ours."""
    with Talker(broker.port, certs, "T-1") as five:
        assert five.settle(lambda: five.refused or five.gone.is_set())
        assert not five.connected.is_set()
    with (
        talker(broker, certs, "T-2") as victim,
        talker(broker, certs, "T-1", client_id="T-2") as impostor,
    ):
        assert impostor.connected.is_set()
        assert victim.settle(victim.gone.is_set), "another's client id pushes him out"
        assert impostor.publish("pos/1/acme/T-2/event") == "hung up"
    with talker(broker, certs, "T-1") as terminal:
        assert terminal.publish("pos/1/acme/T-1/state", b"kept", retained=True) == "taken"
    with talker(broker, certs, "operator", client_id="operator") as operator:
        assert operator.subscribe("pos/1/acme/+/state") == "taken"
        assert operator.subscribe("pos/1/acme/T-1/state") == "taken"
        assert operator.settle(lambda: operator.heard)
        # Retained messages come for an exact topic only, never for a wildcard.
        assert operator.heard == [("pos/1/acme/T-1/state", b"kept", True)]


async def the_agent_gets_through(broker: RabbitMq, certs: Path) -> None:
    """The agent finds 3.1.1 out by itself, and its messages arrive with their numbers."""
    url = f"mqtts://localhost:{broker.port}"
    with talker(broker, certs, "operator") as operator:
        operator.subscribe("pos/1/acme/#")
        rig = rigged(
            quick([url], reconnect_cap_s=1),
            tls=lambda: certificates.context(certs, "T-2"),
            device_id="T-2",
        )
        async with running(rig):
            rig.events(20)
            await rig.until(lambda: rig.part.view().connected, 30)
            await rig.until(lambda: not rig.part.view().queued, 30)
            assert rig.part.view().protocol == "3.1.1"
            await a_twin_pushes_out_and_it_comes_back(rig, broker, certs)
        heard = [topic for topic in operator.topics() if topic.endswith("T-2/event")]
        assert operator.settle(lambda: operator.topics().count("pos/1/acme/T-2/event") >= 21), heard


async def a_twin_pushes_out_and_it_comes_back(rig: Rig, broker: RabbitMq, certs: Path) -> None:
    """Then it asks for its own state: RabbitMQ hangs up on who may not read what he asks for."""
    before = rig.part.view().connects
    with talker(broker, certs, "T-2"):
        await rig.until(lambda: rig.part.view().connects > before, 30)
    rig.events(1)
    await rig.until(lambda: rig.part.view().connected and not rig.part.view().queued, 60)
