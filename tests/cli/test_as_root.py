"""What root runs in directories the agent's user owns: nothing planted there is followed or run."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from agent.cli import provision_steps as steps
from agent.cli.app import main
from agent.cli.as_owner import as_owner
from agent.cli.deeds import written
from agent.cli.provision_machine import _begun_place, _locked, _set_aside
from agent.core.money.guarding import forced
from agent.store.power_cut import Counter
from agent.store.schema import SCHEMA
from tests.core.money.payments import submission
from tests.fakes import FakeClock
from tests.store.stores import opened

OWNER = 54_321
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user: wants root")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory of somebody who is not root."""
    top = Path(tempfile.gettempdir())
    for place in (tmp_path, *tmp_path.parents):
        if place.is_relative_to(top) and place != top:
            place.chmod(0o755)
    directory = tmp_path / "state"
    directory.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(directory, OWNER, OWNER)
    return directory


def test_no_code_is_taken_from_where_a_person_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`posagent provision`, typed as root on a stranger's stick, runs nothing that lies there."""
    pytest.importorskip("cryptography")
    stick, ran = tmp_path / "stick", tmp_path / "ran"
    (stick / "agent").mkdir(parents=True)
    (stick / "agent/__init__.py").write_text(f"open({str(ran)!r}, 'w').close()\n")
    monkeypatch.chdir(stick)
    pair = {f"{name}_file": str(tmp_path / f"{name}.pem") for name in ("cert", "key", "ca")}
    told = {"tenant": "t", "device_id": "d", "owner": None, "now_ms": None, **pair}
    assert steps.child("prepare", told)["state"] == "made"
    assert not ran.exists()


@root_only
def test_the_owners_rights_and_no_more(state: Path) -> None:
    """Inside, what root alone may write is refused; afterwards all is as before."""
    before = (os.geteuid(), os.getegid(), os.getgroups())
    protected = state.parent / "protected"
    protected.mkdir(mode=0o755)
    with as_owner(state):
        assert (os.geteuid(), os.getegid(), os.getgroups()) == (OWNER, OWNER, [])
        with pytest.raises(PermissionError):
            (protected / "x").touch()
    assert (os.geteuid(), os.getegid(), os.getgroups()) == before


@root_only
def test_a_link_planted_in_quarantine_moves_nothing_out(state: Path) -> None:
    """The rest of a store is not renamed into a directory only root may write."""
    protected = state.parent / "protected"
    protected.mkdir(mode=0o755)
    (protected / "passwd").write_text("root's")
    place = state / "quarantine" / "0000000000001-abcdef-journal.db"
    place.parent.mkdir()
    place.with_name(place.name + ".rest").symlink_to(protected)
    (state / "passwd").write_text("mine")
    for one in (place.parent, state / "passwd"):
        os.chown(one, OWNER, OWNER)
    with pytest.raises(PermissionError):
        _set_aside(state, place)
    assert (protected / "passwd").read_text() == "root's"


@pytest.mark.parametrize("planted", ["/etc/passwd", "../x-journal.db", "", 7])
def test_a_planted_note_names_no_other_place(state: Path, planted: object) -> None:
    """Where a journal goes is a place in quarantine, whatever the note says."""
    note = state / "fresh"
    note.write_text(json.dumps({"was": "a", "place": planted}))
    assert _begun_place(state, planted).parent == state / "quarantine"


@root_only
def test_what_root_makes_there_is_the_owners(state: Path) -> None:
    """The daemon can take its lock after a person has run a command as root."""
    with _locked(state):
        pass
    assert (state / "lock").stat().st_uid == OWNER


@root_only
def test_a_journal_stepped_down_by_root_stays_the_owners(state: Path) -> None:
    """The older agent, as its own user, can take the lock and write the journal and its log."""

    async def left() -> None:
        async with opened(state.parent, FakeClock()) as store:
            await store.append(submission("p-1"))
            shutil.copytree(state, state.parent / "killed" / "state")

    asyncio.run(left())
    killed = state.parent / "killed" / "state"
    (killed / "lock").unlink()
    for one in (killed.parent, killed, *killed.iterdir()):
        os.chown(one, OWNER, OWNER)
    order = ["journal", "step-down", "--state-dir", str(killed), "--to", str(SCHEMA - 1)]
    file = state.parent / "posagent.toml"
    file.touch(mode=0o600)
    assert main([*order, "--config", str(file)]) == 0
    assert {one.name: one.stat().st_uid for one in killed.iterdir() if one.stat().st_uid == 0} == {}
    assert (killed / "lock").exists()


@root_only
def test_the_counter_gives_away_only_what_it_made(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link put in the place of a counter's file at the worst moment changes no other's owner."""
    victim = state.parent / "victim"
    victim.touch(mode=0o600)
    real = os.close

    def swapped(fd: int) -> None:
        real(fd)
        ring = state / "counter.ring"
        if ring.exists() and not ring.is_symlink():
            ring.unlink()
            ring.symlink_to(victim)

    monkeypatch.setattr("agent.store.power_cut.os.close", swapped)
    with pytest.raises(OSError, match="symbolic links"):
        Counter(state, "r")
    assert victim.stat().st_uid == 0


def test_a_pipe_in_the_place_of_the_record_stops_no_removal(state: Path) -> None:
    """Opening it would wait for ever for somebody who reads."""
    os.mkfifo(state / "guard.forced")
    with pytest.raises(OSError, match="No such device"):
        written(state / "guard.forced", forced("uid:0", "removal", "Li: scrapped", 1))
    assert stat.S_ISFIFO((state / "guard.forced").stat().st_mode)


@root_only
def test_the_seal_of_a_removal_is_written_through_no_link(state: Path) -> None:
    """prerm runs as root over the agent's directory: a link planted there changes nobody's file."""
    scripts = Path(__file__).resolve().parents[2] / "packaging/debian/scripts"
    victim = state.parent / "victim"
    victim.write_text("root's")
    (state / "journal.db").write_bytes(b"x")
    for name in (".clear", ".clear.new"):
        (state / name).symlink_to(victim)
    seal = "seal() {" + (scripts / "prerm").read_text().partition("seal() {")[2].partition("\n}")[0]
    script = (scripts / "guard.sh").read_text() + seal + "\n}\nset -eu\nseal\n"
    script = script.replace("/var/lib/posagent", str(state)).replace("/etc/", f"{state.parent}/")
    subprocess.run(["sh", "-c", script], check=True, capture_output=True)
    assert victim.read_text() == "root's"
    assert "journal.db" in (state.parent / "state.clear").read_text()
