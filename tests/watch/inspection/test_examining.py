"""What an inspection looks at beside the watchers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent.config import Agent, Config, Iso8583Uplink, Telemetry, Uplink
from agent.core.health.reading import NotFitted
from agent.core.health.standard import STANDARD
from agent.core.health.tracker import ComponentState
from agent.core.inspection.report import Check, Trigger, Verdict, judged
from agent.errors import OperatorError
from agent.link.dial import Dialer
from agent.link.tls import client_context
from agent.watch.inspection.examining import World, checks
from tests.fakes import FakeClock

T = TypeVar("T")


class AtOnce:
    """Runs what blocks right away."""

    async def call(self, name: str, function: Callable[[], T], deadline_s: float) -> T:
        return function()


class Health:
    """Two components."""

    def watched(self) -> Mapping[str, float]:
        return {"printer": 3.0, "scanner": 4.0, "inspection": 1.0}

    async def ask(self, component: str) -> ComponentState | None:
        if component == "scanner":
            return None
        return ComponentState(
            component=component, outcome=NotFitted(), at=datetime.now(UTC), duration_ms=1,
            success=True,
        )  # fmt: skip


@dataclass
class Verified:
    permille: int = 420
    checked: dict[str, int] = field(default_factory=lambda: {"record": 12})
    found: dict[str, int] = field(default_factory=dict)


@dataclass
class Facts:
    clean_start: bool = True
    damage: str = ""


@dataclass
class View:
    configured: bool = False
    connected: bool = False
    endpoint: str = "mqtts://b:8883"
    queued: int = 3
    last_error: str = ""
    last_reason: str = ""


class Place:
    """A terminal's files, and a World around them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.verified, self.facts, self.view = Verified(), Facts(), View()
        self.config = Config(agent=Agent(state_dir=str(folder), run_dir=str(folder)))

    def uplinks(self, *profiles: Uplink | Iso8583Uplink) -> None:
        agent = self.config.agent
        self.config = Config(agent=agent, uplink=profiles, telemetry=Telemetry())

    def names(self, trigger: Trigger) -> list[str]:
        return [one.name for one in checks(self._world(), trigger)]

    def check(self, name: str) -> Check:
        """This one check, made and judged."""
        (one,) = [one for one in checks(self._world(), Trigger.ASKED) if one.name == name]
        return judged(name, asyncio.run(one.look()), 1, STANDARD)

    def _world(self) -> World:
        async def verify(after: str, for_s: float) -> Verified:
            return self.verified

        async def facts() -> Facts:
            return self.facts

        return World(
            config=self.config, clock=self.clock, blocking=AtOnce(), dial=Dialer(AtOnce()),
            trust=client_context, health=Health(), verify=verify, facts=facts,
            telemetry=lambda: self.view,
        )  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def certificate(path: Path, begins: datetime, days: float, name: str = "T-1") -> str:
    """A self-signed certificate that lasts so long."""
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(called).issuer_name(called).public_key(key.public_key())
        .serial_number(1).not_valid_before(begins - timedelta(days=400))
        .not_valid_after(begins + timedelta(days=days)).sign(key, hashes.SHA256())
    )  # fmt: skip
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return str(path)


def test_every_watcher_and_for_a_person_every_host(place: Place) -> None:
    """By itself a terminal dials nobody: the network watcher has its own budget of bytes."""
    place.uplinks(Uplink(name="main", url="https://h.example/x"))
    own = ["store", "certificates", "files", "fleet"]
    assert place.names(Trigger.ASKED) == ["printer", "scanner", "reach:main", *own]
    assert place.names(Trigger.SCHEDULE) == ["printer", "scanner", *own]
    assert place.check("printer").verdict is Verdict.NOT_FITTED
    assert place.check("scanner").verdict is Verdict.UNKNOWN


def test_stored_payments(place: Place) -> None:
    """Passes with what was counted; anything altered, or a journal put aside, fails."""
    well = place.check("store")
    assert (well.verdict, well.evidence["checked_record"]) == (Verdict.PASS, 12)
    assert well.evidence["checked_percent"] == 42
    place.verified.found = {"payload": 1}
    assert place.check("store").code == "software.data_error"
    place.verified.found = {}
    place.facts = Facts(clean_start=False, damage="torn log")
    assert place.check("store").args["reason"] == "torn log"


@pytest.mark.parametrize(
    ("own_days", "authority_days", "verdict", "code"),
    [
        (300, 3_000, Verdict.PASS, ""),
        (20, 3_000, Verdict.WARN, "tls.certificate_expiring"),
        (-1, 3_000, Verdict.FAIL, "tls.client_certificate_expired"),
        (300, -1, Verdict.FAIL, "tls.ca_expired"),
    ],
)
def test_certificates(
    place: Place, own_days: float, authority_days: float, verdict: Verdict, code: str
) -> None:
    """What ends first is named with its days, before a host refuses us for it."""
    now = place.clock.now().at
    own = certificate(place.folder / "own.pem", now, own_days, "T-77")
    ca = certificate(place.folder / "ca.pem", now, authority_days, "Root")
    place.uplinks(Uplink(name="main", url="https://h.example/x", ca_file=ca, cert_file=own))
    found = place.check("certificates")
    assert (found.verdict, found.code) == (verdict, code)
    least = min(own_days, authority_days)
    assert found.evidence["certificate_days"] == int(least)
    assert found.evidence["subject"] == ("T-77" if own_days < authority_days else "Root")


def test_certificates_that_cannot_be_read_are_unknown(place: Place) -> None:
    """No file, or none with a certificate in it: unknown with its name; none configured: none."""
    assert place.check("certificates").verdict is Verdict.NOT_FITTED
    missing = str(place.folder / "none.pem")
    place.uplinks(Uplink(name="main", url="https://h.example/x", ca_file=missing))
    assert missing in place.check("certificates").reason
    Path(missing).write_text("hello")
    assert place.check("certificates").verdict is Verdict.UNKNOWN


def test_rights(place: Place) -> None:
    """A key others can read fails the check and is named; ours alone passes."""
    key = place.folder / "payload.keys"
    key.write_text("secret")
    key.chmod(0o600)
    assert place.check("files").verdict is Verdict.PASS
    key.chmod(0o644)
    found = place.check("files")
    assert (found.code, found.args["subject"]) == ("config.permission_denied", str(key))


def test_a_directory_we_may_not_write(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state directory without our right to write is a failure that names it."""
    # Denied by name: root, as whom this may run, is refused nothing.
    allowed = os.access
    monkeypatch.setattr(
        os, "access", lambda path, *given: Path(path) != place.folder and allowed(path, *given)
    )
    assert str(place.folder) in str(place.check("files").evidence["denied"])


def test_the_fleet(place: Place) -> None:
    """Not configured, connected, or unknown with what stands in the way."""
    assert place.check("fleet").verdict is Verdict.NOT_FITTED
    place.view = View(configured=True, connected=True)
    assert place.check("fleet").verdict is Verdict.PASS
    place.view = View(configured=True, last_error="network.dns_failed", last_reason="no name")
    found = place.check("fleet")
    assert (found.verdict, found.code, found.reason) == (
        Verdict.UNKNOWN, "network.dns_failed", "no name",
    )  # fmt: skip


async def _reached(place: Place, profile_of: Callable[[int], Uplink | Iso8583Uplink]) -> Check:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    place.uplinks(profile_of(port))
    (one,) = [one for one in checks(place._world(), Trigger.ASKED) if one.name.startswith("reach:")]
    async with server:
        return judged(one.name, await one.look(), 1, STANDARD)


def test_reaching_a_host(place: Place) -> None:
    """A host that takes a connection passes, one that refuses fails with the layer."""
    reached = asyncio.run(
        _reached(place, lambda port: Uplink(name="main", url=f"http://127.0.0.1:{port}/x"))
    )
    assert reached.verdict is Verdict.PASS
    assert str(reached.evidence["host"]).startswith("127.0.0.1:")
    place.uplinks(Iso8583Uplink(name="bank", host="127.0.0.1", port=9, tls=False))
    refused = place.check("reach:bank")
    assert (refused.code, refused.evidence["layer"]) == ("network.host_unreachable", "tcp")


def test_a_broken_trust_file_is_told_by_its_owner(place: Place) -> None:
    """An authority file that is none raises what the inspection tells as unknown."""
    place.uplinks(Uplink(name="main", url="https://127.0.0.1:9/x", ca_file="/no/such.pem"))
    with pytest.raises(OperatorError):
        place.check("reach:main")
