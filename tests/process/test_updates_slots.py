"""A terminal with two slots takes a really newer agent and goes back, with every payment.

The vendor's side is the example (firmware_hooks/examples/ab_slots); the newer version has another
journal, whose rows this version cannot read. Killing at every step, and a version that
never comes up, are `python -m tests.updates`.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import __version__
from agent.sim.host import HostOptions, HostThread
from agent.store.schema import SCHEMA
from tests.process.fleet import said_by
from tests.updates.terminal import Slots, Terminal
from tests.updates.versions import NEWER, image, laid_out

pytestmark = pytest.mark.process


def rows_of(journal: Path, scratch: Path) -> list[str]:
    """All that is in a journal, with what its log holds."""
    for suffix in ("", "-wal"):
        if journal.with_name(journal.name + suffix).exists():
            shutil.copyfile(journal.with_name(journal.name + suffix), scratch / f"copy.db{suffix}")
    db = sqlite3.connect(scratch / "copy.db")
    try:
        return list(db.iterdump())
    finally:
        db.close()
        for left in scratch.glob("copy.db*"):
            left.unlink()


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with Slots() as daemon, HostThread(HostOptions(sync=False)) as host:
        terminal = Terminal(daemon, host)
        try:
            laid_out(daemon.slots / "a")
            yield terminal
        finally:
            terminal.close()


def test_forward_and_back_with_every_payment(terminal: Terminal, tmp_path: Path) -> None:
    """Unsent before, taken under the newer version, taken after going back: each posted once."""
    daemon = terminal.daemon
    terminal.config(commit_after_s=3600)
    terminal.host_away()
    terminal.boots_until_it_runs()
    terminal.pays(5, "before")
    newer = image(tmp_path / "next.img", "9.9.9", newer=True)
    said = said_by(
        daemon, "update", "start", str(newer.file), "--component", "agent", "--to", "9.9.9"
    )
    assert f"agent {__version__} → 9.9.9" in said
    assert terminal.lives_until("waiting")["carried"] == "1-5|CNY:570"
    terminal.reboots("b")
    assert daemon.get("/v1/status").json["version"] == "9.9.9"
    terminal.pays(5, "newer")
    assert "in force, proving itself" in said_by(daemon, "update", "status")
    assert f"this version knows schema {NEWER}" in said_by(daemon, "journal", "show")
    assert "event=update_money count=5 found=5" in daemon.log()
    # Put in force by hand, the older version refuses in both languages and touches nothing.
    journal = daemon.state_dir / "journal.db"
    daemon.kill()
    before = rows_of(journal, tmp_path)
    for lang, says in (
        ("en", f"written by a newer agent (version 9.9.9, schema {NEWER}"),
        ("zh", f"由较新版本（9.9.9，格式 {NEWER}）写成"),
    ):
        refused = subprocess.run(
            [daemon.slots / "a/bin/posagent", "--lang", lang, "run", "--config",
             daemon.config_file],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert refused.returncode == 2
        assert says in refused.stderr
        assert f"journal step-down --to {SCHEMA}" in refused.stderr
    assert rows_of(journal, tmp_path) == before
    terminal.boots_until_it_runs()
    # Taken back by a technician; the payments of the newer version go out from the older one.
    assert said_by(daemon, "update", "rollback")
    assert terminal.lives_until("rolled_back")["reason"].startswith("taken back by ")
    terminal.reboots("a")
    assert daemon.get("/v1/status").json["version"] == __version__
    terminal.pays(5, "older")
    assert daemon.unsent() == 15
    terminal.host_back()
    assert terminal.wrong() == []
    assert len(terminal.host.host.ledger.postings()) == 15
    assert daemon.get("/v1/status").json["store"]["schema"] == SCHEMA
