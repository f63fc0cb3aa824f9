"""packaging/fleet/mosquitto as shipped: who may say and hear what."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.sim.fleet import Fleet, FleetOptions
from agent.sim.fleet_story import Troubles
from tests.fleet_rig import certificates
from tests.fleet_rig.brokers import Mosquitto
from tests.fleet_rig.talker import Talker

pytestmark = [
    pytest.mark.broker,
    pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl: no certificates"),
]
UPLINK = ("state", "info", "health", "backlog", "event", "hist", "res/c1")


@dataclass
class Site:
    """The broker, and the certificates of those around it."""

    broker: Mosquitto
    certs: Path

    def talker(self, name: str, client_id: str = "") -> Talker:
        return Talker(self.broker.port, self.certs, name, client_id=client_id)

    def refused(self, name: str, *topics: str) -> bool:
        """Whether none is taken, each on a connection of its own: 2.0.11 hangs up after a no."""
        said = []
        for topic in topics:
            with self.talker(name) as talker:
                assert talker.connected.is_set()
                said.append(talker.publish(topic))
        return set(said) <= {"refused", "hung up"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    scratch = tmp_path_factory.mktemp("mosquitto")
    certs = certificates.make(scratch / "certs", "T-1", "T-2", "T-3", "operator", "operator-reader")
    broker = Mosquitto(scratch, certs, f"crlfile {_crl(certs)}")
    broker.start()
    yield Site(broker, certs)
    broker.stop()


def _crl(certs: Path) -> Path:
    certificates.certify(certs, "terminal", "acme", "T-stolen")
    certificates.certify(certs, "revoke", "T-stolen")
    return certs / "crl.pem"


@pytest.mark.parametrize("tail", UPLINK)
def test_a_terminal_writes_its_own_branch_only(site: Site, tail: str) -> None:
    """Every kind under its own name is taken, under another name or tenant refused."""
    with site.talker("T-1") as terminal:
        assert terminal.publish(f"pos/1/acme/T-1/{tail}") == "taken"
    assert site.refused("T-1", f"pos/1/acme/T-2/{tail}", f"pos/1/other/T-1/{tail}")


def test_a_terminal_cannot_order_itself_or_others(site: Site) -> None:
    """cmd and desired come down, nobody with a terminal's certificate writes them."""
    for topic in ("T-1/cmd/c1", "T-1/desired", "T-2/cmd/c1", "T-2/desired", "T-1/other"):
        assert site.refused("T-1", f"pos/1/acme/{topic}"), topic


def test_a_terminal_hears_its_own_orders_and_nothing_else(site: Site) -> None:
    """Even with `#` it hears its own commands and wish; not its neighbour's, not the uplink."""
    with site.talker("T-1") as terminal, site.talker("operator") as operator:
        terminal.subscribe("#")
        terminal.subscribe("pos/1/acme/+/#")
        for name in ("T-2", "T-1"):
            assert operator.publish(f"pos/1/acme/{name}/cmd/c9", b"order") == "taken"
            assert operator.publish(f"pos/1/acme/{name}/desired", b"wish") == "taken"
        with site.talker("T-2") as other:
            assert other.publish("pos/1/acme/T-2/event", b"secret") == "taken"
        assert operator.publish("pos/1/acme/T-1/cmd/last", b"order") == "taken"
        assert terminal.settle(lambda: "pos/1/acme/T-1/cmd/last" in terminal.topics())
        assert set(terminal.topics()) == {
            "pos/1/acme/T-1/cmd/c9",
            "pos/1/acme/T-1/desired",
            "pos/1/acme/T-1/cmd/last",
        }


def test_a_terminal_hears_what_is_kept_as_its_own_state(site: Site) -> None:
    """A twin's last word, by which it is found out; never its neighbour's."""
    for name in ("T-1", "T-2"):
        with site.talker(name) as twin:
            assert twin.publish(f"pos/1/acme/{name}/state", b"twin", retained=True) == "taken"
    with site.talker("T-1") as terminal, site.talker("operator") as operator:
        terminal.subscribe("pos/1/acme/+/state")
        assert terminal.settle(lambda: terminal.heard)
        terminal.subscribe("pos/1/acme/T-1/cmd/+")
        assert operator.publish("pos/1/acme/T-1/cmd/last", b"order") == "taken"
        assert terminal.settle(lambda: "pos/1/acme/T-1/cmd/last" in terminal.topics())
        assert terminal.heard[0] == ("pos/1/acme/T-1/state", b"twin", True)
        assert "pos/1/acme/T-2/state" not in terminal.topics()


def test_the_certificate_says_who_connects(site: Site) -> None:
    """With another's client id a terminal stays itself and does not push the other one out."""
    with site.talker("T-2") as victim, site.talker("T-1", client_id="T-2") as impostor:
        assert impostor.publish("pos/1/acme/T-1/event") == "taken"
        assert impostor.publish("pos/1/acme/T-2/event") != "taken"
        assert victim.publish("pos/1/acme/T-2/event") == "taken"
        assert not victim.gone.is_set()


@pytest.mark.parametrize("name", ["", "T-stolen"])
def test_without_a_good_certificate_nobody_gets_in(site: Site, name: str) -> None:
    """None shown, or a revoked one: no connection."""
    with site.talker(name) as nobody:
        assert nobody.settle(nobody.gone.is_set)
        assert not nobody.connected.is_set()


def test_an_operator_reads_all_and_writes_orders_only(site: Site) -> None:
    """The operator hears every branch; may write cmd and desired, never in a terminal's name."""
    with site.talker("operator") as operator, site.talker("T-3") as terminal:
        assert operator.subscribe("pos/1/acme/#") == "taken"
        assert terminal.publish("pos/1/acme/T-3/event", b"out of paper") == "taken"
        assert operator.settle(lambda: "pos/1/acme/T-3/event" in operator.topics())
    assert site.refused("operator", *(f"pos/1/acme/T-3/{tail}" for tail in UPLINK))
    assert site.refused("operator", "pos/1/other/T-3/cmd/c1")


def test_a_reader_writes_nothing(site: Site) -> None:
    """What Telegraf and Kafka connect as cannot give orders."""
    assert site.refused("operator-reader", "pos/1/acme/T-3/cmd/c1", "pos/1/acme/T-3/desired")


def test_a_simulated_fleet_passes(site: Site) -> None:
    """Terminals of `posagent sim fleet`, each with its certificate, get through what they send."""
    options = FleetOptions(
        count=2,
        broker=f"mqtts://localhost:{site.broker.port}",
        tenant="acme",
        prefix="T-",
        certs=site.certs,
        ramp_s=0.1,
        troubles=Troubles(offline=0.0),
        settings={"health_period_s": 0.3},
    )
    for name in options.names():
        certificates.certify(site.certs, "terminal", "acme", name)

    async def story() -> None:
        async with Fleet(options) as fleet, asyncio.timeout(60):
            while fleet.figures.acked < 4:
                await asyncio.sleep(0.05)

    asyncio.run(story())


def test_keys_are_private_and_names_are_checked(tmp_path: Path) -> None:
    """No key is readable by others; a name that would become another topic is refused."""
    certs = certificates.make(tmp_path / "certs", "T-1")
    for key in certs.glob("*.key"):
        assert not key.stat().st_mode & 0o077, key
    script = str(certificates.FLEET / "certificates.sh")
    for name in ("a/b", "+", "#", "..", "operator-x", "server", "", "T 1", "x" * 65):
        done = subprocess.run(
            ["sh", script, "terminal", str(certs), "acme", name],
            capture_output=True, check=False, timeout=60, env={"PATH": os.environ["PATH"]},
        )  # fmt: skip
        assert done.returncode, name
