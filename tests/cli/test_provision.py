"""`posagent provision`: set up in steps, cut off anywhere, run again; refused where it must be."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cryptography")

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from agent import hardware
from agent.cli import provision_machine
from agent.cli import provision_steps as steps
from agent.cli.app import main
from agent.core.money.guarding import FORCED_FILE, deed_of
from agent.provision import factory
from agent.settings import load
from agent.store.files import LockFile
from tests.core.money.payments import submission
from tests.fakes import FakeClock
from tests.process.test_hardware import machine
from tests.store.stores import opened
from tests.telemetry.renewal.authority import NOW, Authority

PUBLIC = "a" * 64


class Terminal:
    """A configuration, a stick, a machine of its own."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str], number: int = 1) -> None:
        self.home, self._capsys = home, capsys
        self.state, self.stick, self.tls = home / "state", home / "stick", home / "tls"
        self.stick.mkdir(parents=True)
        self.root = machine(home / "machine", number)
        self.config = home / "etc" / "posagent.toml"
        self.config.parent.mkdir()
        self.config.write_text(
            f'[agent]\nstate_dir = "{self.state}"\nrun_dir = "{home}/run"\n'
            f'[hooks]\ndirectory = "{home}/hooks"\n[system]\nroot = "{self.root}"\n'
        )
        (self.stick / "profile.toml").write_text(
            '[telemetry]\nendpoints = ["mqtts://broker.example:8883"]\n'
            + "".join(f'{w}_file = "{self.tls}/{w}.pem"\n' for w in ("ca", "cert", "key"))
        )
        (self.stick / "fleet-keys.toml").write_text(
            f'[[fleet_key]]\nid = "ops"\npublic_key = "{PUBLIC}"\nroles = ["read"]\n'
        )

    def run(self, *words: str, code: int = 0) -> dict[str, Any]:
        """The one line a production line reads."""
        self._capsys.readouterr()
        got = main(["provision", *words, "--json", "--config", str(self.config)])
        out = self._capsys.readouterr().out
        assert got == code, out
        assert out.count("\n") == 1
        told: dict[str, Any] = json.loads(out)
        assert told["exit"] == code
        return told

    def all(self, code: int = 0) -> dict[str, Any]:
        return self.run("all", "--stick", str(self.stick), "--prefix", "pos-", code=code)

    def sign(self, authority: Authority, **how: Any) -> None:
        (self.stick / "ca.pem").write_text(authority.pem)
        for csr in sorted(self.stick.glob("*.csr")):
            csr.with_suffix(".pem").write_text(authority.issue(csr.read_text(), **how))

    def files(self) -> dict[str, bytes]:
        """Everything outside the stick, byte for byte."""
        found = [*self.config.parent.rglob("*"), *self.tls.rglob("*")]
        return {str(one): one.read_bytes() for one in sorted(found) if one.is_file()}


def here(what: str, told: dict[str, Any]) -> dict[str, Any]:
    """The child's work without its process."""
    try:
        return {"prepare": factory.prepare, "install": factory.install}[what](told)
    except factory.ProvisionError as error:
        return {"problem": str(error)}


@pytest.fixture
def terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Terminal:
    monkeypatch.setattr(steps, "child", here)
    return Terminal(tmp_path, capsys)


def test_a_terminal_is_set_up_by_one_command_run_twice(terminal: Terminal) -> None:
    """First the request goes out on the stick, then the certificate comes in; once all is there a
    further run changes no byte and says so."""
    first = terminal.all(code=9)
    assert (first["device_id"], first["changed"]) == ("pos-SN-00001", True)
    assert first["steps"]["install"]["state"] == "waiting"
    before = terminal.files()
    assert not terminal.all(code=9)["changed"]
    assert terminal.files() == before
    assert terminal.run("status", code=1)["steps"]["certificate"] == "requested"
    terminal.sign(Authority())
    assert terminal.all()["steps"]["install"]["state"] == "made"
    key = terminal.tls / "key.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    assert sorted(one.name for one in terminal.tls.iterdir()) == ["ca.pem", "cert.pem", "key.pem"]
    assert terminal.run("status")["complete"]
    before = terminal.files()
    assert not terminal.all()["changed"]
    assert terminal.files() == before
    config = load(terminal.config).config
    assert (config.agent.device_id, config.fleet_key[0].id) == ("pos-SN-00001", "ops")


def test_the_key_stays_in_its_own_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither the request, nor what is told, nor any other file has the key in it."""
    terminal = Terminal(tmp_path, capsys)  # with the program itself
    told = json.dumps(terminal.all(code=9))
    pending = terminal.tls / "key.pem.pending"
    assert pending.stat().st_mode & 0o777 == 0o600
    secret = pending.read_text().splitlines()[1]
    found = [one for one in terminal.home.rglob("*") if one.is_file() and secret in
             one.read_text(errors="replace")]  # fmt: skip
    assert found == [pending]
    assert secret not in told
    csr = x509.load_pem_x509_csr((terminal.stick / "pos-SN-00001.csr").read_bytes())
    key = serialization.load_pem_private_key(pending.read_bytes(), None)
    assert csr.public_key() == key.public_key()


def test_cut_off_at_every_file_it_is_run_again(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run gets one file further before the power goes; the same command in the end is done as
    if it never had gone, with the key it began with."""
    left, real = [0], Path.replace

    def cut(self: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return real(self, target)

    monkeypatch.setattr(Path, "replace", cut)
    words = ["provision", "all", "--stick", str(terminal.stick), "--config", str(terminal.config)]
    cuts, keys, authority = 0, set(), Authority()
    for code in (9, 0):
        left[0] = 0
        while (got := main(words)) == 130:
            cuts, left[0] = cuts + 1, 1
            files = terminal.tls.glob("key.pem*") if terminal.tls.exists() else ()
            keys |= {file.read_bytes() for file in files if file.suffix != ".part"}
        assert got == code
        terminal.sign(authority)
    monkeypatch.undo()
    assert terminal.run("status")["complete"]
    assert not [one for one in terminal.files() if one.endswith((".pending", ".new", ".part"))]
    assert keys == {(terminal.tls / "key.pem").read_bytes()}
    assert cuts == 8  # profile, id, keys, key, request; authority, key, certificate


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"name": "pos-other"}, "provision.another_name"),
        ({"ends": NOW - timedelta(hours=1)}, "provision.already_expired"),
        ({"begins": NOW + timedelta(days=2)}, "provision.not_yet_valid"),
        ({"use": x509.oid.ExtendedKeyUsageOID.SERVER_AUTH}, "provision.not_for_clients"),
    ],
)
def test_a_wrong_certificate_is_refused(terminal: Terminal, how: dict[str, Any], code: str) -> None:
    """Another name, another time, another use: nothing is installed, and the right one still is."""
    terminal.all(code=9)
    authority = Authority()
    terminal.sign(authority, **how)
    before = terminal.files()
    assert terminal.all(code=2)["code"] == code
    assert terminal.files() == before
    terminal.sign(authority)
    terminal.all()


def test_another_terminals_certificate_and_a_strangers_are_refused(
    terminal: Terminal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The key must be this terminal's, the chain end at the authority that was named."""
    terminal.all(code=9)
    other = Terminal(tmp_path / "other", capsys)
    other.all(code=9)
    authority = Authority()
    other.sign(authority)
    (terminal.stick / "ca.pem").write_text(authority.pem)
    foreign = (other.stick / "pos-SN-00001.pem").read_text()
    mine = terminal.stick / "pos-SN-00001.pem"
    mine.write_text(foreign)
    assert terminal.all(code=2)["code"] == "provision.another_key"
    csr = (terminal.stick / "pos-SN-00001.csr").read_text()
    mine.write_text(Authority("stranger").issue(csr))
    assert terminal.all(code=2)["code"] == "provision.another_authority"
    mine.write_text("no certificate")
    assert terminal.all(code=2)["code"] == "provision.not_a_certificate"
    assert not (terminal.tls / "cert.pem").exists()


def test_a_readable_key_counts_as_known(terminal: Terminal) -> None:
    """A key others could read is not used, nor silently replaced."""
    terminal.all(code=9)
    (terminal.tls / "key.pem.pending").chmod(0o644)
    assert terminal.all(code=2)["code"] == "provision.key_exposed"


def test_a_pair_in_force_is_left_to_the_daemon(terminal: Terminal) -> None:
    """A newer certificate for a working pair is laid beside it, where the broker is asked first."""
    terminal.all(code=9)
    authority = Authority()
    terminal.sign(authority)
    terminal.all()
    cert = terminal.tls / "cert.pem"
    old = cert.read_bytes()
    terminal.sign(authority, ends=NOW + timedelta(days=200))
    assert terminal.all()["steps"]["install"]["state"] == "laid_beside"
    assert cert.read_bytes() == old
    assert (terminal.tls / "cert.pem.new").read_bytes() != old
    assert (terminal.tls / "key.pem.new").stat().st_mode & 0o777 == 0o600


def test_a_profile_with_an_unknown_key_is_not_installed(terminal: Terminal) -> None:
    """The daemon's own loader judges it; the line is named, and no file appears."""
    (terminal.stick / "profile.toml").write_text('[telemetry]\nendpointz = ["x"]\n')
    told = terminal.all(code=2)
    assert told["code"] == "config.bad"
    assert "endpointz" in told["problems"][0]
    assert not (terminal.config.parent / "conf.d").exists()
    keys = terminal.stick / "fleet-keys.toml"
    keys.write_text('[agent]\nsite = "x"\n' + keys.read_text())
    assert terminal.run("keys", str(keys), code=2)["code"] == "provision.not_keys"


def test_an_id_that_another_file_overrules_is_refused(terminal: Terminal) -> None:
    """What is said is what holds: no file is written that does nothing."""
    (terminal.stick / "profile.toml").write_text('[agent]\ndevice_id = "fixed"\n')
    assert terminal.all(code=2)["code"] == "provision.overruled"
    assert terminal.run("identity", "--serial", "a b", code=2)["code"] == "provision.bad_id"


def test_without_any_serial_number_it_asks_for_one(terminal: Terminal) -> None:
    """Nothing is made up for a terminal that tells no number."""
    shutil.rmtree(terminal.root)
    assert terminal.run("identity", code=2)["code"] == "provision.no_serial"
    assert terminal.run("identity", "--device-id", "T-1")["device_id"] == "T-1"
    assert not terminal.run("identity")["changed"]  # keeps what it has


def test_firmware_names_the_terminal(terminal: Terminal) -> None:
    """The hook `identity` counts more than what the board says."""
    hooks = terminal.home / "hooks"
    hooks.mkdir(mode=0o755)
    hook = hooks / "identity"
    hook.write_text(
        '#!/bin/sh\ncat >/dev/null\necho \'{"outcome":"told","contract":1,"serial":"FW-9"}\'\n'
    )
    hook.chmod(0o755)
    assert terminal.run("identity")["device_id"] == "FW-9"


def test_a_sealed_terminal_has_neither_name_nor_key_nor_store(terminal: Terminal) -> None:
    """What is left is what every terminal of the merchant has; a second run changes nothing."""
    terminal.all(code=9)
    terminal.sign(Authority())
    terminal.all()
    terminal.state.mkdir(mode=0o700)
    (terminal.state / "counters").write_bytes(b"x")
    told = terminal.run("seal")
    assert told["changed"]
    assert sorted(one.name for one in terminal.state.iterdir()) == ["guard.forced", "lock"]
    assert [one.name for one in terminal.tls.iterdir()] == ["ca.pem"]
    kept = sorted(one.name for one in (terminal.config.parent / "conf.d").iterdir())
    assert kept == ["40-profile.toml", "45-fleet-keys.toml"]
    assert not terminal.run("seal")["changed"]


def trail(terminal: Terminal) -> list[tuple[str, str]]:
    """What the next start takes into the trail."""
    lines = (terminal.state / FORCED_FILE).read_text().splitlines()
    deeds = [found[1] for line in lines if (found := deed_of(line))]
    return [(one.op, one.target) for one in deeds]


def lived(terminal: Terminal, *keys: str) -> None:
    """A store with these payments unsent, left by a clean stop."""

    async def story() -> None:
        async with opened(terminal.home, FakeClock()) as store:
            for key in keys:
                await store.append(submission(key))

    terminal.state.mkdir(mode=0o700, exist_ok=True)
    asyncio.run(story())


def test_who_the_terminal_is_changes_with_a_line_in_the_trail(terminal: Terminal) -> None:
    """Name, merchant and whose orders count, each told before it is changed, and never again for
    a run that changes nothing; a seal leaves one line, in place of the sealed terminal's."""
    terminal.state.mkdir(mode=0o700)
    terminal.all(code=9)
    terminal.all(code=9)
    told = trail(terminal)
    assert [op for op, _ in told] == [
        "provision_profile", "provision_identity", "provision_keys",
    ]  # fmt: skip
    assert told[1][1].startswith("pos-SN-00001 ")
    terminal.run("seal")
    assert trail(terminal) == [("provision_seal", "pos-SN-00001")]
    terminal.run("seal")
    assert len(trail(terminal)) == 1


def test_without_a_record_nobody_is_renamed(terminal: Terminal) -> None:
    """A link in the record's place: refused, and no file was written."""
    terminal.state.mkdir(mode=0o700)
    (terminal.state / FORCED_FILE).symlink_to(terminal.home / "elsewhere")
    assert terminal.run("identity", "--device-id", "T-1", code=2)["code"] == "provision.not_kept"
    assert not (terminal.config.parent / "conf.d").exists()


@pytest.mark.parametrize(
    "gone", ["lock", "row.key", "journal.db", "quarantine note", "journal's bytes"]
)
def test_what_cannot_be_told_is_not_sealed_away(terminal: Terminal, gone: str) -> None:
    """The guard of a removal is asked: a store it cannot read keeps every byte."""
    lived(terminal, *(["p-1"] if gone != "quarantine note" else []))
    if gone == "journal.db":
        (terminal.state / "quarantine").mkdir()
        aside = terminal.state / "quarantine" / "0000000000001-abcdef-journal.db"
        (terminal.state / "journal.db").rename(aside)
    elif gone == "quarantine note":
        (terminal.state / "quarantine").mkdir()
        (terminal.state / "quarantine" / "0000000000001-abcdef-journal.db").write_bytes(b"x")
    elif gone == "journal's bytes":
        os.truncate(terminal.state / "journal.db", 0)
    else:
        (terminal.state / gone).unlink()
    before = sorted(str(one) for one in terminal.state.rglob("*"))
    assert terminal.run("seal", code=6)["code"] == "provision.cannot_tell"
    assert sorted(str(one) for one in terminal.state.rglob("*")) == before


def test_a_running_agent_keeps_its_certificate(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing unsent, and refused by the lock: a seal has removed nothing."""
    monkeypatch.setattr(steps.Ground, "no_money", lambda *_: None)
    terminal.all(code=9)
    terminal.sign(Authority())
    terminal.all()
    lived(terminal)
    before = terminal.files()
    with LockFile(terminal.state / "lock") as lock:
        lock.acquire("daemon")
        assert terminal.run("seal", code=5)["code"] == "store.busy"
    assert terminal.files() == before


def test_a_payment_taken_while_it_was_asked_is_not_sealed_away(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that ran between the question and the lock changed the journal."""
    lived(terminal)
    monkeypatch.setattr(steps.Ground, "no_money", lambda *_: lived(terminal, "p-1"))
    assert terminal.run("seal", code=6)["code"] == "provision.cannot_tell"
    assert (terminal.state / "journal.db").exists()


def test_a_seal_cut_off_anywhere_is_run_again(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each file goes it stops once; in the end all are gone."""
    lived(terminal)
    (terminal.state / "quarantine").mkdir()
    real, cuts = provision_machine._deleted, 0

    def cut_off(one: Path) -> None:
        if one.name not in seen:
            seen.add(one.name)
            raise KeyboardInterrupt
        real(one)

    seen: set[str] = set()
    monkeypatch.setattr(provision_machine, "_deleted", cut_off)
    while main(["provision", "seal", "--config", str(terminal.config), "--json"]) == 130:
        cuts += 1
    assert cuts == len(seen) >= 6
    assert sorted(one.name for one in terminal.state.iterdir()) == ["guard.forced", "lock"]


@pytest.mark.parametrize(
    "line", ['[agent]\nstate_dir = "/nowhere"\n', '[store]\nkey_file = "/nowhere/payload.keys"\n']
)
def test_a_profile_leaves_unsent_money_its_store_and_its_keys(
    terminal: Terminal, line: str
) -> None:
    """What would leave it behind, or sealed for ever, waits until it is sent."""
    lived(terminal, "p-1")
    profile = terminal.stick / "profile.toml"
    if line.startswith("[agent]"):
        kept = terminal.config.read_text().partition("\n[hooks]")
        terminal.config.write_text("[hooks]" + kept[2])
        (terminal.config.parent / "conf.d").mkdir()
        (terminal.config.parent / "conf.d/40-profile.toml").write_text(kept[0] + "\n")
    profile.write_text(line)
    assert terminal.run("profile", str(profile), code=6)["code"] == "provision.unsent"


@pytest.mark.parametrize("cut_at", ["row.key", "state.db", "hardware"])
def test_an_agent_that_started_in_between_writes_over_no_money(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, cut_at: str
) -> None:
    """`adopt --fresh`, cut off by a power cut, with a start of the agent before it is run again:
    the copied journal and the one begun since both lie aside, with their keys."""
    terminal.run("identity", "--device-id", "T-1")
    lived(terminal, "p-copied")
    hardware.examined(terminal.state, hardware.marks(str(terminal.root)), 5)
    machine(terminal.root, 2)
    real = Path.rename

    def cut(one: Path, target: Path) -> Path:
        if one.name == cut_at:
            raise KeyboardInterrupt
        return real(one, target)

    def named(*_: object) -> None:
        raise KeyboardInterrupt

    order = ["adopt", "--fresh", "--device-id", "T-2"]
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", cut)
        patch.setattr(provision_machine, "_named", named)
        assert main(["provision", *order, "--json", "--config", str(terminal.config)]) == 130
    lived(terminal, "p-since")
    assert terminal.run("adopt", "--replace", code=2)["code"] == "provision.fresh_begun"
    terminal.run(*order)
    found: list[str] = []
    for journal in sorted((terminal.state / "quarantine").glob("*-journal.db")):
        assert journal.with_name(journal.name + ".row.key").exists()
        db = sqlite3.connect(journal)
        found += [row[0] for row in db.execute("SELECT key FROM tx ORDER BY seq")]
        db.close()
    assert sorted(found) == ["p-copied", "p-since"]


def test_the_agents_user_can_reach_its_key(terminal: Terminal) -> None:
    """The folder made for key and certificate is his who owns the state, and nobody else's."""
    terminal.state.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(terminal.state, 12345, 12345)
    terminal.all(code=9)
    state, folder = terminal.state.stat(), terminal.tls.stat()
    assert (folder.st_uid, folder.st_gid) == (state.st_uid, state.st_gid)
    assert folder.st_mode & 0o777 == 0o750
    assert [one.name for one in terminal.home.glob("tls*")] == ["tls"]
