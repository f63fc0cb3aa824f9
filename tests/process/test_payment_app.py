"""The payment app as a real process: it dies, hangs, crashes; and a terminal set up wrongly.

The app is a program of its own name; posagent-actions is the real service with a hook that asks
this test to start the program, as a vendor's hook asks its own service manager.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.process.daemon import ROOT, Daemon, wait_until
from tests.process.fleet import at_once, said_by

pytestmark = pytest.mark.process

STOPPED, CRASHING = "software.app_stopped", "software.app_crashing"
WRONG = ("config.merchant_mismatch", "config.limit_wrong", "network.config_invalid")


class App:
    """A program that does nothing, under a name nobody else has."""

    def __init__(self, home: Path) -> None:
        self.name = f"pay{uuid.uuid4().hex[:8]}"
        self.program = home / self.name
        shutil.copy(shutil.which("sleep") or "/bin/sleep", self.program)
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    def start(self) -> None:
        self.process = subprocess.Popen([str(self.program), "600"], stdin=subprocess.DEVNULL)
        self.starts += 1

    def die(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class Restarter:
    """posagent-actions with a hook `app.restart` that leaves a note for whoever starts the app."""

    def __init__(self, home: Path) -> None:
        self.notes = home / "notes"
        self.socket = home / "actions.sock"
        directory = home / "actions.d"
        directory.mkdir(0o755)
        hook = directory / "app.restart"
        hook.write_text(
            "#!/bin/sh\ncat >/dev/null\n"
            f"echo restart >> {self.notes}\n"
            'echo \'{"contract":1,"outcome":"done","note":"started"}\'\n'
        )
        hook.chmod(0o755)
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "agent.actions_service", "--directory", str(directory),
                "--audit", str(home / "audit"), "--peer", str(os.getuid()),
                "--socket", str(self.socket),
            ],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_until(self.socket.exists, "the socket of posagent-actions")

    @property
    def asked(self) -> int:
        return self.notes.read_text().count("restart") if self.notes.exists() else 0

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


PROFILE = {
    "profile": "P-7",
    "sequence": 7,
    "settings": {
        "merchant_id": "898110000000001",
        "terminal_id": "T0000001",
        "mode": "live",
        "limit_single_cny": "500.00",
        "apn_password": {"expected": "hunter2", "cause": "network.config_invalid"},
    },
}
RIGHT = {
    "mid": "898110000000001", "tid": "T0000001", "env": "生产", "single": 50_000, "pw": "hunter2",
}  # fmt: skip
PLACES = {
    "merchant_id": "mid", "terminal_id": "tid", "mode": "env", "limit_single_cny": "single",
    "apn_password": "pw",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """One terminal for all tests here: they look at different components of it."""

    daemon: Daemon
    app: App
    restarter: Restarter

    def exports(self, **changes: Any) -> None:
        """The app writes its settings anew, as an app should: a new file in place of the old."""
        path = self.daemon.home / "export.json"
        beside = path.with_suffix(".new")
        beside.write_text(json.dumps({**RIGHT, **changes}, ensure_ascii=False), "gb18030")
        beside.replace(path)

    def values(self, component: str) -> dict[str, Any]:
        found: dict[str, Any] = self.daemon.components().get(component, {}).get("values", {})
        return found


def rows(**keys: Any) -> str:
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())


@pytest.fixture(scope="module")
def terminal() -> Iterator[Terminal]:
    with Daemon() as daemon:
        app, restarter = App(daemon.home), Restarter(daemon.home)
        terminal = Terminal(daemon=daemon, app=app, restarter=restarter)
        profile = daemon.home / "profile.json"
        profile.write_text(json.dumps(PROFILE))
        terminal.exports(mid="898110000000002", single=60_000, pw="hunter3")
        places = ", ".join(f'{name} = "{place}"' for name, place in PLACES.items())
        daemon.configure(
            "[payment_app]\n"
            + rows(
                name=app.name, process=app.name, period_s=5, restart=["stopped"],
                restart_wait_s=0, quiet_s=0, restart_daily=2, crash_limit=3,
            )
            + "[hooks]\n" + rows(actions_socket=str(restarter.socket))
            + "[configuration]\n" + rows(profile=str(profile), period_s=5)
            + "[[settings_file]]\n" + rows(path=str(daemon.home / "export.json"))
            + f"settings = {{ {places} }}\n"
            + at_once(STOPPED, CRASHING, *WRONG)
        )  # fmt: skip
        app.start()
        try:
            daemon.start()
            yield terminal
            assert daemon.stop() == 0
            assert "Traceback" not in daemon.log()
            assert "hunter" not in daemon.log()
        finally:
            app.die()
            restarter.stop()


def test_settings_that_are_not_as_issued_are_named_and_cleared(terminal: Terminal) -> None:
    """Expected and found for people in health and `why`; of a secret neither."""
    daemon = terminal.daemon
    alarm = wait_until(lambda: daemon.alarms().get(WRONG[0]), "the wrong merchant")
    assert (alarm["args"]["expected"], alarm["args"]["found"]) == (
        "898110000000001", "898110000000002",
    )  # fmt: skip
    assert daemon.alarms().keys() >= set(WRONG)
    assert "config.wrong_mode" not in daemon.alarms()
    reason = "expected 898110000000001, found 898110000000002"
    assert reason in said_by(daemon, "why")
    status = str(daemon.get("/v1/health").json)
    assert "expected 500.00 CNY, found 600.00 CNY (export.json)" in status
    assert "hunter" not in status

    terminal.exports()
    wait_until(lambda: not daemon.alarms().keys() & set(WRONG), "all as issued")
    assert terminal.values("configuration")["compared"] == len(PLACES)


def test_a_dead_app_is_told_at_once_restarted_by_the_hook_and_well_again(
    terminal: Terminal,
) -> None:
    """The kernel tells the end; a crash loop is named and the day's restarts are not exceeded."""
    daemon, app, restarter = terminal.daemon, terminal.app, terminal.restarter
    wait_until(lambda: terminal.values("payment_app").get("running"), "the app found")
    assert terminal.values("payment_app")["pid"] == app.process.pid  # type: ignore[union-attr]

    # Its own word of itself, through the API: a sign of life, and what runs when it crashes.
    said = daemon.post("/v1/app/alive", {"version": "9.1", "busy": True})
    assert (said.status, said.json) == (200, {"taken": True})

    for restart in (1, 2):
        app.die()
        alarm = wait_until(lambda: daemon.alarms().get(STOPPED), "the end of it")
        assert alarm["args"]["app"] == app.name
        wait_until(lambda count=restart: restarter.asked == count, "the hook asked")
        app.start()
        wait_until(lambda: STOPPED not in daemon.alarms(), "well again")

    app.die()
    crashing = wait_until(lambda: daemon.alarms().get(CRASHING), "the crash loop")
    assert crashing["args"]["count"] == 3
    wait_until(lambda: terminal.values("payment_app").get("restart") == "capped", "the cap")
    assert restarter.asked == 2
    reason = "payment app keeps crashing: 3 times in 24 h, since version 9.1"
    assert reason in said_by(daemon, "why")
