"""`posagent guard` with and without a store: its exit codes are a promise to scripts."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.cli import guard
from agent.cli.app import main
from agent.core.money.guarding import FORCED_FILE, deed_of
from agent.errors import StoreError
from agent.store.schema import SCHEMA
from tests.core.money.payments import submission
from tests.fakes import FakeClock
from tests.store.stores import opened


class Left:
    """The store of a dead daemon, as far as it is asked here."""

    as_of = object()

    def __init__(self, told: Mapping[str, Any]) -> None:
        self.told = told

    def ask(self, name: str, **given: Any) -> dict[str, Any]:
        assert name == "guard"
        return {**self.told, "purpose": given["purpose"]}


TOLD: Mapping[str, Any] = {
    "at": "2026-11-22T10:00:00+00:00", "standing": "unsent",
    "total": {"count": 3, "by_currency": {"CNY": 3750, "USD": 100}},
    "in_doubt": 1, "held": 0, "quarantined": 0, "oldest_at": "2026-11-22T08:00:00+00:00",
    "oldest_age_s": 7200, "cause": "", "reason": "", "aside": [],
}  # fmt: skip
CLEAR = {**TOLD, "standing": "clear", "total": {"count": 0, "by_currency": {}}, "in_doubt": 0}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir(mode=0o700)
    file = tmp_path / "posagent.toml"
    file.write_text(f'[agent]\nstate_dir = "{tmp_path}/state"\nrun_dir = "{tmp_path}"\n')
    file.chmod(0o600)
    return file


def test_without_a_journal_nothing_is_unsent(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither a directory nor a file in it: 0, and it says where it looked."""
    for there in (True, False):
        assert main(["guard", "--config", str(config), "--lang", "en"]) == 0
        assert "no journal at" in capsys.readouterr().out
        if there:
            (config.parent / "state").rmdir()


@pytest.mark.parametrize("left", ["journal.db", "journal.db-wal", "quarantine/1-a-journal.db"])
def test_what_cannot_be_read_counts_as_unsent(
    left: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Garbage for a journal, a log without one, one put aside without a successor: 11."""
    file = config.parent / "state" / left
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"no database")
    assert main(["guard", "--config", str(config), "--lang", "en", "--json"]) == 11
    told = json.loads(capsys.readouterr().out)
    assert (told["standing"], told["exit_code"]) == ("unknown", 11)
    assert told["reason"]
    assert main(["guard", "--config", str(config), "--lang", "zh"]) == 11
    assert "按有未上送处理" in capsys.readouterr().out


@pytest.mark.parametrize(
    "broken", ["x = = 1\n", "[agnet]\n", "[agent]\nstate_dri = 'x'\n", "[agent]\nstate_dir = 7\n"]
)
def test_who_cannot_say_where_the_journal_lies_finds_nothing_clear(
    broken: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A configuration that may name another directory: 11, unless that is given; a mistake in
    another table hides nothing."""
    empty = tmp_path / "empty"
    empty.mkdir()
    file = tmp_path / "posagent.toml"
    asked = ["guard", "--config", str(file), "--json"]
    for gone in (False, True):
        file.write_text(broken)
        file.chmod(0o600)
        if gone:
            file.unlink()
        assert main([*asked, "--lang", "en"]) == 11, capsys.readouterr().out
        assert "says where the journal lies" in json.loads(capsys.readouterr().out)["reason"]
        assert main([*asked, "--state-dir", str(empty)]) == 0
        capsys.readouterr()
    file.write_text(f'[agent]\nstate_dir = "{empty}"\n[store]\nno_such = 1\n')
    file.chmod(0o600)
    assert main(asked) == 0


def test_an_empty_file_and_a_link_to_nowhere_are_no_journal_without_money(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A journal cut to nothing by a damaged file system, and a file system that is not mounted."""
    state = config.parent / "state"
    for name in ("lock", "journal.db", "row.key"):
        (state / name).write_bytes(b"k" * 32 if name == "row.key" else b"")
        (state / name).chmod(0o600)
    assert main(["guard", "--config", str(config), "--lang", "en"]) == 11
    assert "is empty" in capsys.readouterr().out
    state.rename(config.parent / "elsewhere")
    state.symlink_to(config.parent / "nowhere")
    assert main(["guard", "--config", str(config), "--lang", "zh"]) == 11
    assert "是否已挂载" in capsys.readouterr().out


def test_unsent_money_is_told_in_both_languages(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """How many, how much by currency, since when, what is in doubt, and what to do next: 10."""
    monkeypatch.setattr(guard, "readable", lambda _session: Left(TOLD))
    asked = ["guard", "--config", str(config), "--for", "purge", "--lang"]
    assert main([*asked, "en"]) == 10
    said = " ".join(capsys.readouterr().out.split())
    assert "Money is unsent: 3 payments, CNY 37.50 + USD 1.00; purge must wait." in said
    assert "outcome unknown: 1" in said
    assert "next step: posagent why" in said
    assert main([*asked, "zh"]) == 10
    assert "有 3 笔款项未上送，共 CNY 37.50 + USD 1.00；彻底清除须等待。" in capsys.readouterr().out


def test_a_journal_nobody_wrote_down_is_not_clear(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The power went between putting it aside and the new journal's note of it."""
    aside = config.parent / "state" / "quarantine"
    aside.mkdir()
    (aside / "2-b-journal.db").write_bytes(b"")
    monkeypatch.setattr(guard, "readable", lambda _session: Left(CLEAR))
    assert main(["guard", "--config", str(config), "--lang", "en"]) == 11
    assert "2-b-journal.db" in capsys.readouterr().out
    monkeypatch.setattr(
        guard, "readable", lambda _session: Left({**CLEAR, "aside": ["2-b-journal.db"]})
    )
    assert main(["guard", "--config", str(config), "--lang", "en"]) == 0
    (aside / "2-b-journal.db-wal").write_bytes(b"beside its journal")
    assert main(["guard", "--config", str(config), "--lang", "en"]) == 0
    (aside / "3-c-journal.db-wal").write_bytes(b"alone")
    assert main(["guard", "--config", str(config), "--lang", "en"]) == 11


def test_what_is_forced_is_on_disk_first(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """0, and a line for the daemon to take into its trail; its owner alone may read it."""
    monkeypatch.setattr(guard, "readable", lambda _session: Left(TOLD))
    monkeypatch.setenv("SUDO_UID", "1000")
    reason = config.parent / "why"
    reason.write_text("Li: the terminal\nis scrapped\n")
    asked = ["guard", "--config", str(config), "--lang", "en", "--for", "removal", "--force"]
    assert main([*asked, "--reason-file", str(reason)]) == 0
    assert main([*asked, "--reason", "once more", "--json"]) == 0
    file = config.parent / "state" / FORCED_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    deeds = [found[1] for line in file.read_text().splitlines() if (found := deed_of(line))]
    assert [one.target for one in deeds] == [
        "removal: Li: the terminal is scrapped", "removal: once more",
    ]  # fmt: skip
    assert {one.count for one in deeds} == {3}
    assert {one.actor for one in deeds} == {
        "uid:1000" if os.getuid() == 0 else f"uid:{os.getuid()}"
    }
    out = capsys.readouterr().out
    assert "Li: the terminal is scrapped" in out
    assert '"forced": true' in out


def test_nothing_is_forced_without_a_reason_or_a_record(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No reason, an empty file, a card number, a link in the file's place: refused."""
    monkeypatch.setattr(guard, "readable", lambda _session: Left(TOLD))
    asked = ["guard", "--config", str(config), "--lang", "en", "--force"]
    empty = config.parent / "empty"
    empty.write_text("\n")
    for more in (
        [], ["--reason", " "], ["--reason-file", str(empty)], ["--reason-file", "/nowhere"],
        ["--reason", "card 6222021234567890128"],
    ):  # fmt: skip
        assert main([*asked, *more]) == 2, more
    (config.parent / "state" / FORCED_FILE).symlink_to(config.parent / "elsewhere")
    assert main([*asked, "--reason", "Li: scrapped"]) == 2
    assert "nothing is forced without a record" in capsys.readouterr().err
    assert not (config.parent / "elsewhere").exists()


def test_clear_needs_no_force(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing unsent: nothing is written down, whatever was asked."""
    monkeypatch.setattr(guard, "readable", lambda _session: Left(CLEAR))
    asked = ["guard", "--config", str(config), "--force", "--reason", "Li: scrapped"]
    assert main(asked) == 0
    assert not (config.parent / "state" / FORCED_FILE).exists()


def test_a_store_that_is_held_counts_as_unsent(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A daemon that hangs holds the store: 11, with its sentence."""

    def busy(_session: object) -> Left:
        raise StoreError("store.busy", "the store is held by process 7", "")

    (config.parent / "state" / "journal.db").write_bytes(b"")
    monkeypatch.setattr(guard, "readable", busy)
    assert main(["guard", "--config", str(config), "--lang", "en"]) == 11
    assert "held by process 7" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["lock", "row.key", "journal.db", "journal.db-wal", "state.db"])
def test_a_pipe_in_a_files_place_is_not_waited_for(
    name: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever owns the directory can put one there; the guard answers, and not with 0."""

    async def lived() -> None:
        async with opened(config.parent, FakeClock()):
            pass

    asyncio.run(lived())
    (config.parent / "state" / name).unlink(missing_ok=True)
    os.mkfifo(config.parent / "state" / name)
    assert main(["guard", "--config", str(config), "--json"]) == (0 if name == "lock" else 11)
    capsys.readouterr()


def asked(config: Path, purpose: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = main(["guard", "--config", str(config), "--lang", "en", "--for", purpose])
    return code, " ".join(capsys.readouterr().out.split())


def test_an_older_version_takes_over_what_was_stepped_down_for_it(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With money unsent a downgrade waits, until the journal is brought to the older version's
    schema; removal waits all the same, and after one start of the agent the downgrade again."""

    async def lived(key: str) -> None:
        async with opened(config.parent, FakeClock()) as store:
            if key:
                await store.append(submission(key))

    asyncio.run(lived("p-1"))
    code, said = asked(config, "downgrade", capsys)
    assert code == 10
    assert "posagent journal step-down --to N" in said
    for schema in (SCHEMA, SCHEMA - 1):
        order = ["journal", "step-down", "--config", str(config), "--to", str(schema)]
        assert main([*order, "--lang", "en"]) == 0
        capsys.readouterr()
        code, said = asked(config, "downgrade", capsys)
        assert code == 0, said
        assert "1 payment" in said
        assert f"at schema {schema} for an older version" in said
        assert asked(config, "removal", capsys)[0] == 10
        assert asked(config, "update", capsys)[0] == 10
        asyncio.run(lived(""))
        assert asked(config, "downgrade", capsys)[0] == 10
    order = ["journal", "step-down", "--config", str(config), "--to", str(SCHEMA)]
    assert main(order) == 0
    capsys.readouterr()
    told = ["guard", "--config", str(config), "--for", "downgrade"]
    assert main([*told, "--json", "--force", "--reason", "Li: back"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["standing"], found["exit_code"], found["stepped_for"]) == ("unsent", 0, SCHEMA)
    assert found["forced"] is False  # there was nothing to be forced
    assert not (config.parent / "state" / FORCED_FILE).exists()
