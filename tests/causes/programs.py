"""Scenes of software and settings: the payment app, the issued profile, manifests and updates."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from agent.sim.host import HostThread
from agent.sim.host_faults import Fault
from tests.actions_service.test_service import Running
from tests.causes.bench import AT_ONCE, QUIET, Bench
from tests.process.daemon import Daemon, payment, wait_until
from tests.process.test_payment_app import App
from tests.process.test_update import Scene, manifest, put, signed

PROFILE: dict[str, Any] = {
    "merchant_id": "898110000000001",
    "mode": "live",
    "limit_single_cny": "500.00",
    "apn": "cmpos",
    "account_class": "I",
    "payout_mode": "instant",
}
#: Setting as the terminal has it, and the cause of its being otherwise.
WRONG: tuple[tuple[str, Any, str], ...] = (
    ("merchant_id", "898110000000002", "config.merchant_mismatch"),
    ("mode", "training", "config.wrong_mode"),
    ("limit_single_cny", 60_000, "config.limit_wrong"),
    ("apn", "cmnet", "network.config_invalid"),
    ("account_class", "II", "settlement.account_limit"),
    ("payout_mode", "next_day", "settlement.not_realtime_mode"),
)
RIGHT: dict[str, Any] = {**PROFILE, "limit_single_cny": 50_000}


def settings(bench: Bench) -> None:
    """The app's settings file against the issued profile, one setting wrong at a time."""
    with HostThread() as host, Daemon() as daemon:
        profile, export = daemon.home / "profile.json", daemon.home / "export.json"
        profile.write_text(json.dumps({"profile": "P", "sequence": 1, "settings": PROFILE}))
        put(export, json.dumps(RIGHT).encode())
        daemon.configure(
            QUIET
            + f'[configuration]\nprofile = "{profile}"\nperiod_s = 5\n'
            + f'[[settings_file]]\npath = "{export}"\n'
            + AT_ONCE,
            url=host.host.url,
        )
        daemon.start()
        for name, wrong, code in WRONG:
            put(export, json.dumps({**RIGHT, name: wrong}).encode())
            bench.proved(
                daemon,
                code,
                f"settings file: {name} is {wrong}, issued {PROFILE[name]}",
                undo=lambda: put(export, json.dumps(RIGHT).encode()),
            )


def app(bench: Bench) -> None:
    """The payment app ends, and ends again."""
    with HostThread() as host, Daemon() as daemon:
        program = App(daemon.home)
        daemon.configure(
            QUIET
            + f'[payment_app]\nname = "{program.name}"\nprocess = "{program.name}"\n'
            + "period_s = 5\ncrash_limit = 2\nstart_grace_s = 0\n"
            + AT_ONCE,
            url=host.host.url,
        )
        program.start()
        try:
            daemon.start()

            def running(is_up: bool) -> None:
                wait_until(
                    lambda: (
                        daemon.components().get("payment_app", {}).get("values", {}).get("running")
                        is is_up
                    ),
                    "the app's state is known",
                )

            running(True)
            program.die()
            bench.proved(
                daemon, "software.app_stopped", "payment app's process killed", undo=program.start
            )
            running(True)
            program.die()
            bench.proved(daemon, "software.app_crashing", "payment app killed twice, limit two")
        finally:
            program.die()


def updates(bench: Bench) -> None:
    """Behind, held back by unsent money, installed; and trouble that begins right after it."""
    with HostThread() as host, _updating(host) as scene:
        daemon = scene.daemon
        bench.proved(daemon, "software.outdated", "manifest wants 2.0, installed is 1.0")
        host.apply(Fault.named("refuse"))
        assert daemon.submit(payment("k-1")).status == 201
        assert scene.begin("acme-pay-1")[0] == 200
        bench.proved(daemon, "software.update_pending", "update held back by an unsent payment")
        host.apply(Fault())
        daemon.post("/v1/queue/retry", {})
        daemon.wait_drained()
        scene.phase("committed")
        wait_until(lambda: scene.told()["changes"], "the change is known")
        host.apply(Fault.named("bad_request"))
        daemon.submit(payment("k-2"))
        bench.proved(
            daemon,
            "software.recently_changed",
            "acme-pay 1.0 → 2.0, then the host answers 400",
            key="k-2",
        )


def broken_update(bench: Bench) -> None:
    """The hook that installs fails half-way; what was changed is taken back."""
    with HostThread() as host, _updating(host) as scene:
        failed = '{"contract":1,"outcome":"failed","reason":"flash full","changed":true}'
        scene.hook("apply", f"echo 1.5 > {scene.version}", f"echo '{failed}'")
        assert scene.begin("acme-pay-1")[0] == 200
        bench.proved(scene.daemon, "software.update_failed", "hook update.apply fails half-way")


@contextlib.contextmanager
def _updating(host: HostThread) -> Iterator[Scene]:
    """A terminal whose payment app is behind, with posagent-actions beside it, running."""
    with Daemon() as daemon:
        service = Running(daemon.home)
        scene = Scene(daemon, service)
        service.start()
        try:
            scene.manifest.write_bytes(signed(manifest(1)))
            scene.configure(url=host.host.url)
            with daemon.config_file.open("a") as file:
                file.write(QUIET + AT_ONCE)
            daemon.start()
            yield scene
        finally:
            service.stop()


SCENES = (updates, broken_update, settings, app)
