"""Files in wrong hands, with the real daemon: told at start, as an alarm and by commands."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.process.daemon import PATIENCE_S, ROOT, Daemon, payment, wait_until

pytestmark = pytest.mark.process

AT_ONCE = '[health."security.exposed_files"]\nvisible_after_s = 0\nclear_after_s = 0\n'


def said(daemon: Daemon, *words: str) -> str:
    """What a command prints."""
    done = subprocess.run(
        daemon.command(*words, "--config", str(daemon.config_file)),
        capture_output=True,
        text=True,
        env=daemon._environment(),
        cwd=ROOT,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_others_could_write_is_told_and_money_goes_on() -> None:
    """A certificate and a store file open to all: an alarm with the remedy, payments are taken."""
    with Daemon() as daemon:
        anchor = daemon.home / "ca.pem"
        anchor.write_text("")
        daemon.configure(f'[telemetry]\nca_file = "{anchor}"\n' + AT_ONCE)
        anchor.chmod(0o666)
        daemon.start()
        alarm = wait_until(lambda: daemon.alarms().get("security.exposed_files"), "the alarm")
        assert str(anchor) in json.dumps(alarm)
        assert daemon.submit(payment()).status == 201
        assert f"run: chmod go-w {anchor}" in daemon.log()
        checked = said(daemon, "--lang", "en", "config", "check")
        assert f"{anchor}: others can write it (mode 0666); run: chmod go-w {anchor}" in (
            " ".join(checked.split())
        )
        (row,) = json.loads(said(daemon, "verify", "--json"))["exposed"]
        assert row["path"] == str(anchor)
        assert row["sentence"]["zh"].endswith(f"请执行：chmod go-w {anchor}")
        subprocess.run(["sh", "-c", row["command"]], check=True)
        assert not json.loads(said(daemon, "verify", "--json"))["exposed"]
