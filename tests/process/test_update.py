"""Updates through the real daemon, the real posagent-actions and real hooks; and bad manifests.

The daemon is killed while each hook runs; whatever it finds when it comes back, the new version is
put in force once. Manifests of every bad kind are refused, each with its own word, and the last
good one stays in force.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.core.software.manifest import MAX_BYTES
from agent.crypt import public_of, sign
from agent.sim.host import HostOptions, HostThread
from agent.sim.host_faults import Fault, Kind
from agent.wire.signed import Document, envelope, signed_bytes
from tests.actions_service.test_service import Running
from tests.process.daemon import Daemon, payment, wait_until
from tests.process.fleet import said_by

pytestmark = pytest.mark.process

SEED, OTHER = bytes(range(32)), bytes(32)
KEY = base64.b64encode(public_of(SEED)).decode()
DONE = """echo '{"contract":1,"outcome":"done"}'"""


def manifest(sequence: int, **more: Any) -> bytes:
    """The payload of one that wants acme-pay 2.0."""
    component = {
        "component": "acme-pay",
        "required": "2.0",
        "update": {
            "update": f"acme-pay-{sequence}",
            "file": "/tmp/acme-pay.bin",
            "sha256": "0" * 64,
            "size_bytes": 7,
        },
    }
    return json.dumps(
        {"format": 1, "sequence": sequence, "components": [component], **more}
    ).encode()


def signed(payload: bytes, seed: bytes = SEED, key_id: str = "fleet") -> bytes:
    return envelope(
        Document.MANIFEST, key_id, sign(seed, signed_bytes(Document.MANIFEST, payload)), payload
    )


class Scene:
    """A terminal with a payment app in version 1.0, its hooks, and gates they wait at."""

    def __init__(self, daemon: Daemon, service: Running) -> None:
        self.daemon, self.service = daemon, service
        self.home = daemon.home
        self.version = self.home / "VERSION"
        self.version.write_text("1.0\n")
        self.manifest = self.home / "manifest.json"
        self.steps = self.home / "steps"
        for verb, work in (
            ("prepare", ":"),
            ("apply", f"echo 2.0 > {self.version}"),
            ("commit", ":"),
            ("rollback", f"echo 1.0 > {self.version}"),
        ):
            self.hook(verb, work)

    def hook(self, verb: str, work: str, answer: str = DONE) -> None:
        gate, steps = self.home / f"gate.{verb}", self.steps
        self.service.write(
            f"update.{verb}",
            f"cat >/dev/null; echo begun.{verb} >> {steps}\n"
            f"while [ -e {gate} ]; do sleep 0.02; done\n"
            f"{work}; echo {verb} >> {steps}\n{answer}",
        )

    def configure(self, more: str = "", url: str = "") -> None:
        self.daemon.configure(
            f'[software]\nmanifest = "{self.manifest}"\ncommit_after_s = 0.2\n'
            f'rollback_after_s = 0.2\nkeys = {{ fleet = "{KEY}" }}\n{more}\n'
            f'[[component]]\nname = "acme-pay"\ninstalled_by = "file"\npath = "{self.version}"\n'
            f'[hooks]\nactions_socket = "{self.service.socket}"\n',
            url=url,
        )

    def told(self) -> dict[str, Any]:
        return self.daemon.get("/v1/software").json

    def update(self) -> dict[str, Any]:
        return (self.told()["updates"] or [{"phase": "none"}])[0]

    def phase(self, *phases: str) -> dict[str, Any]:
        found: dict[str, Any] = wait_until(
            lambda: (one := self.update())["phase"] in phases and one, f"{phases}"
        )
        return found

    def begin(self, name: str) -> tuple[int, str]:
        """Ask for an update; the status and the problem's code."""
        answer = self.daemon.post("/v1/updates", {"update": name})
        return answer.status, answer.code

    def ended(self, verb: str) -> list[str]:
        """Steps that were done, once this one is among them."""
        return wait_until(
            lambda: verb in (done := self.steps.read_text().split()) and done, f"end of {verb}"
        )

    def kill_during(self, verb: str) -> None:
        """The daemon dies while the hook works, and starts again when it has done its work."""
        wait_until(lambda: self.steps.exists() and f"begun.{verb}" in self.steps.read_text(), verb)
        self.daemon.kill()
        (self.home / f"gate.{verb}").unlink()
        self.ended(verb)
        self.daemon.start()


@pytest.fixture
def scene() -> Iterator[Scene]:
    with Daemon() as daemon:
        service = Running(daemon.home)
        yield Scene(daemon, service)
        if service.process is not None:
            service.stop()


def test_killed_at_every_step_and_applied_once(scene: Scene) -> None:
    """Held while money is unsent, killed there and while each hook works: in force, once."""
    scene.service.start()
    scene.manifest.write_bytes(signed(manifest(1)))
    for verb in ("prepare", "apply", "commit"):
        (scene.home / f"gate.{verb}").touch()
    daemon = scene.daemon
    with HostThread(HostOptions(sync=False)) as host:
        scene.configure(url=host.host.url)
        host.apply(Fault(kind=Kind.REFUSE))
        daemon.start()
        assert daemon.submit(payment()).status == 201
        assert scene.begin("acme-pay-9") == (404, "update.unknown")
        assert scene.begin("acme-pay-1") == (200, "")
        held = wait_until(lambda: scene.update().get("held_en"), "held")
        assert held == ["payments not yet sent: 1"]
        assert scene.begin("acme-pay-1") == (409, "update.busy")
        daemon.kill()
        daemon.start()
        scene.phase("pending")
        assert not scene.steps.exists()
        host.apply(Fault())
        daemon.post("/v1/queue/retry", {})
        daemon.wait_drained()
        for verb in ("prepare", "apply", "commit"):
            scene.kill_during(verb)
        scene.phase("committed")
    steps = scene.steps.read_text().split()
    assert (steps.count("apply"), steps.count("rollback")) == (1, 0)
    assert scene.version.read_text() == "2.0\n"
    assert scene.begin("acme-pay-1") == (409, "update.known")
    change = scene.told()["changes"][0]
    assert (change["component"], change["before"], change["after"]) == ("acme-pay", "1.0", "2.0")
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.log()


def test_what_breaks_is_taken_back_and_told(scene: Scene) -> None:
    """The apply hook fails half-way, the daemon dies while it is taken back: rolled back, told."""
    scene.service.start()
    failed = """echo '{"contract":1,"outcome":"failed","reason":"flash full","changed":true}'"""
    scene.hook("apply", f"echo 1.5 > {scene.version}", failed)
    (scene.home / "gate.rollback").touch()
    scene.manifest.write_bytes(signed(manifest(1)))
    scene.configure()
    daemon = scene.daemon.start()
    assert scene.begin("acme-pay-1") == (200, "")
    scene.kill_during("rollback")
    told = scene.phase("rolled_back")
    assert (told["failed_step"], told["rollback"], told["reason"]) == (
        "apply",
        "done",
        "flash full",
    )
    assert scene.version.read_text() == "1.0\n"
    values = wait_until(
        lambda: (
            (one := daemon.components()["software"]["values"])["update_state"] == "rolled_back"
            and one
        ),
        "the reading that raises software.update_failed",
    )
    assert values["failed_step"] == "apply"
    item = next(one for one in scene.told()["components"] if one["component"] == "acme-pay")
    assert (item["standing"], item["installed"]) == ("rolled_back", "1.0")
    assert daemon.stop() == 0
    # Without a daemon the store tells the same.
    assert "acme-pay-1: acme-pay 1.0 → 2.0: taken back" in said_by(daemon, "update", "show")


def test_bad_manifests_change_nothing(scene: Scene) -> None:
    """Each kind has its own word; the good one stays in force, over a restart too."""
    daemon = scene.daemon
    scene.manifest.write_bytes(signed(manifest(5)))
    scene.configure()
    daemon.start()
    body = signed(manifest(6))
    altered = json.loads(body) | {"payload": json.loads(signed(manifest(7)))["payload"]}
    ghost = {"format": 1, "sequence": 6, "components": [{"component": "ghost", "required": "1"}]}
    bad = {
        "unsigned": manifest(6),
        "unknown_key": signed(manifest(6), OTHER, "nobody"),
        "bad_signature": json.dumps(altered).encode(),
        "other_terminal": signed(manifest(6, address={"devices": ["another"]})),
        "older": signed(manifest(4)),
        "unknown_component": signed(json.dumps(ghost).encode()),
        "expired": signed(manifest(6, expires="2026-11-02T00:00:00Z")),
        "not_yet_valid": signed(manifest(6, valid_from="2040-01-01T00:00:00Z")),
        "oversized": b"{" + b" " * MAX_BYTES,
        "garbage": b"\xff\x00 not a manifest",
    }

    def standing() -> tuple[str, int, str]:
        assert scene.begin("none")[1] == "update.unknown"  # has it read now
        said = scene.told()["manifest"]
        return said["standing"], said["sequence"], said["text_en"]

    assert standing()[:2] == ("in_force", 5)
    sentences = set()
    for word, given in bad.items():
        put(scene.manifest, given)
        found = standing()
        assert found[:2] == (word, 5)
        sentences.add(found[2])
    assert len(sentences) == len(bad)
    scene.manifest.unlink()
    assert daemon.stop() == 0
    daemon.start()
    assert standing()[:2] == ("unreadable", 5)
    item = next(one for one in scene.told()["components"] if one["component"] == "acme-pay")
    assert (item["standing"], item["required"]) == ("behind", "2.0")
    put(scene.manifest, signed(manifest(6)))
    assert standing()[:2] == ("in_force", 6)
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.log()


def put(path: Path, given: bytes) -> None:
    """As any careful program replaces a file."""
    beside = path.with_suffix(".new")
    beside.write_bytes(given)
    beside.replace(path)
