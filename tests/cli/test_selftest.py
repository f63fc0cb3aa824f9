"""`posagent selftest --power-cut`: start, check, finish, and what is put in their way."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from agent.cli import app, selftest
from agent.cli.screen import Screen
from agent.cli.session import Exit, Session
from agent.cli.texts import Language, Words
from agent.config import Config
from agent.core.power_cut import ENOUGH_ROUNDS, RECORD_BYTES, SLOTS, record
from agent.main import bundles
from agent.store.power_cut import DATABASE, FILE

ROOT = Path(__file__).parent.parent.parent


class Terminal:
    """A state directory, and a boot that can be changed: that is what a power cut is here."""

    def __init__(self, directory: Path, boots: list[str]) -> None:
        self.directory = directory
        self._boots = boots

    @property
    def work(self) -> Path:
        return self.directory / selftest.WORK

    def start(self, numbers: int = 20, *more: str) -> int:
        return self.run("start", "--numbers", str(numbers), *more)

    def run(self, *argv: str) -> int:
        step = ("selftest", "--power-cut", *argv)
        return app.main([*step, "--directory", str(self.directory), "--lang", "en"])

    def cut(self) -> None:
        """The power went while it counted: nothing was ended in order, and it boots anew."""
        path = self.work / selftest.ROUND
        begun = json.loads(path.read_text())
        path.write_text(json.dumps({**begun, "ended": False}))
        self._boots.append(f"boot-{len(self._boots)}")

    def round(self, seen: int | None = None, numbers: int = 20) -> int:
        """A whole round; `seen` None: the last number."""
        self.start(numbers)
        first = json.loads((self.work / selftest.ROUND).read_text())["first"]
        self.cut()
        return self.run("check", "--seen", str(first + numbers - 1 if seen is None else seen))

    def result(self) -> Any:
        return json.loads((self.directory / selftest.RESULT).read_text())


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    boots = ["boot-0"]
    made = selftest.SystemClock

    class Clock(made):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            file = tmp_path / "boot_id"
            file.write_text(boots[-1])
            super().__init__(boot_id_file=file)

    monkeypatch.setattr(selftest, "SystemClock", Clock)
    directory = tmp_path / "state"
    directory.mkdir()
    return Terminal(directory, boots)


def test_rounds_without_loss_become_honest(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not before the tenth, and with what they leave open."""
    for number in range(1, ENOUGH_ROUNDS + 1):
        assert terminal.round() == Exit.OK
        said = capsys.readouterr().out
        assert ("HONEST" in said) == (number == ENOUGH_ROUNDS)
    assert "at most 26 %" in said
    assert terminal.result()["verdict"] == "honest"
    firsts = [each["seen"] for each in terminal.result()["rounds"]]
    assert firsts == sorted(set(firsts)), "numbers go on from round to round"


def test_a_number_that_was_seen_and_is_gone_is_proof(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    """One lost number ends the question, and the exit code says so to a script."""
    assert terminal.round() == Exit.OK
    assert terminal.round(seen=43) == Exit.FOUND
    said = capsys.readouterr().out
    assert "LYING: 1 of 2" in said
    assert "3 numbers" in said
    assert "Device vendor" in said
    assert terminal.round() == Exit.FOUND, "a good round afterwards makes nothing well"


@pytest.mark.parametrize("copy", [FILE, DATABASE])
def test_a_copy_that_was_lost_is_noticed_though_the_other_is_there(
    terminal: Terminal, copy: str
) -> None:
    """The plain file and the journal are judged each for itself."""
    terminal.start()
    (terminal.work / copy).unlink()
    terminal.cut()
    assert terminal.run("check", "--seen", "20") == Exit.FOUND
    assert terminal.result()["rounds"][0]["lost"] == 20


def test_everything_gone_is_lying_too(terminal: Terminal) -> None:
    """Not even the note of the beginning survived: that is the worst loss, not a usage error."""
    assert terminal.run("check", "--seen", "7", "--started-here", "--json") == Exit.FOUND
    assert terminal.result()["verdict"] == "lying"


def test_no_flash_is_accused_where_nothing_was_started(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another directory is the likelier reason of no trace at all; a person says it was here."""
    for _ in range(2):
        assert terminal.run("check", "--seen", "7") == Exit.USAGE
        said = capsys.readouterr().err
        assert str(terminal.directory) in said
        assert "--directory" in said
        assert "--started-here" in said
        assert not (terminal.directory / selftest.RESULT).exists()


@pytest.mark.parametrize("left", [FILE, DATABASE, "result"])
def test_a_trace_of_the_start_needs_nobodys_word(terminal: Terminal, left: str) -> None:
    """Its note is gone and something else is left: it did count here, and that is a loss."""
    if left == "result":
        terminal.round()
    terminal.start()
    terminal.cut()
    for path in terminal.work.iterdir():
        if path.name != left:
            path.unlink()
    assert terminal.run("check", "--seen", "50") == Exit.FOUND
    assert terminal.result()["verdict"] == "lying"


def test_a_record_damaged_in_the_middle_is_torn(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last number is there and an earlier one is not."""
    terminal.start()
    with (terminal.work / FILE).open("r+b") as file:
        file.seek(5 * RECORD_BYTES)
        file.write(b"\0" * RECORD_BYTES)
    terminal.cut()
    assert terminal.run("check", "--seen", "20") == Exit.FOUND
    assert "TORN" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"not a database" * 100, os.urandom(8192)])
def test_a_database_of_garbage_is_a_loss_and_no_crash(terminal: Terminal, content: bytes) -> None:
    """Hostile content is judged, not obeyed."""
    terminal.start()
    (terminal.work / DATABASE).write_bytes(content)
    terminal.cut()
    assert terminal.run("check", "--seen", "20") == Exit.FOUND
    assert terminal.result()["rounds"][0]["outcome"] == "lost"


def test_a_database_with_another_table_or_types_is_a_loss(terminal: Terminal) -> None:
    """Text where numbers belong, and numbers in places that are not theirs."""
    terminal.start()
    path = terminal.work / DATABASE
    run = json.loads((terminal.work / selftest.ROUND).read_text())["run"]
    path.unlink()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE counter (slot, run, number)")
    db.executemany("INSERT INTO counter VALUES (?, ?, ?)", [(1, run, "x"), (9, run, 20)])
    db.commit()
    db.close()
    terminal.cut()
    assert terminal.run("check", "--seen", "20") == Exit.FOUND


@pytest.mark.parametrize("name", [selftest.ROUND, selftest.RESULT])
@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"\xff\xfe", b"[1]", b'{"run":"x"}', b'{"rounds":[{"seen":"many"}]}',
        b'{"run":"../../et","first":1,"boot_id":"b"}',
        b'{"run":"0a1b2c3d","first":-1,"boot_id":""}',
        b'{"reached":99999999999999}', b'{"verdict":"honest","rounds":7}', b"[" * 300_000,
    ],
)  # fmt: skip
def test_notes_of_garbage_are_named_and_nothing_is_concluded(
    terminal: Terminal, capsys: pytest.CaptureFixture[str], name: str, content: bytes
) -> None:
    """One sentence and a way out; `finish` is that way."""
    terminal.start()
    terminal.cut()
    place = terminal.work if name == selftest.ROUND else terminal.directory
    (place / name).write_bytes(content)
    result = terminal.run("check", "--seen", "20")
    said = capsys.readouterr()
    assert result == Exit.USAGE
    assert "was not written by this command" in said.err
    terminal.run("finish")
    assert not terminal.work.exists()
    assert terminal.start(3) == Exit.OK


def test_a_verdict_is_never_taken_from_the_file(terminal: Terminal) -> None:
    """The rounds say it, whatever somebody wrote above them."""
    terminal.round(seen=23)
    path = terminal.directory / selftest.RESULT
    path.write_text(path.read_text().replace('"lying"', '"honest"'))
    assert terminal.run("finish") == Exit.FOUND
    assert terminal.result()["verdict"] == "lying"


def test_links_are_not_followed(terminal: Terminal, tmp_path: Path) -> None:
    """Neither to a directory nor to a file of somebody else."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    terminal.work.symlink_to(elsewhere)
    assert terminal.start() == Exit.USAGE
    terminal.work.unlink()
    (terminal.directory / selftest.RESULT).symlink_to(elsewhere / "x")
    (elsewhere / "x").write_text("{}")
    assert terminal.start() == Exit.USAGE
    assert (elsewhere / "x").read_text() == "{}"
    assert len(list(elsewhere.iterdir())) == 1


def test_what_is_no_power_cut_is_no_round(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same boot, an end by hand, a round checked twice, a number of an earlier round."""
    said = []
    terminal.start()
    assert terminal.run("check", "--seen", "20") == Exit.USAGE
    said.append(capsys.readouterr().err)
    terminal.cut()
    assert terminal.start() == Exit.USAGE, "a cut that was not checked is not thrown away"
    said.append(capsys.readouterr().err)
    assert terminal.run("check", "--seen", "20") == Exit.OK
    assert terminal.run("check", "--seen", "20") == Exit.USAGE
    said.append(capsys.readouterr().err)
    terminal.start()
    terminal.cut()
    assert terminal.run("check", "--seen", "20") == Exit.USAGE
    said.append(capsys.readouterr().err)
    for text, words in zip(
        said,
        ("ended in order", "not been checked", "checked already", "began with 21"),
        strict=True,
    ):
        assert words in text
        assert "what to do" in text
    assert len(terminal.result()["rounds"]) == 1


@pytest.mark.parametrize("seen", [(), ("--seen", "0"), ("--seen", "-3"), ("--seen", "9" * 11)])
def test_check_wants_the_number_seen(terminal: Terminal, seen: tuple[str, ...]) -> None:
    """Without it nothing can be compared."""
    assert terminal.run("check", *seen) == Exit.USAGE


def test_finish_removes_the_counter_and_keeps_the_result(terminal: Terminal) -> None:
    """A new series begins afterwards, with numbers that go on."""
    terminal.round()
    terminal.round(seen=45)
    assert terminal.run("finish") == Exit.FOUND
    assert [each.name for each in terminal.directory.iterdir()] == [selftest.RESULT]
    assert terminal.run("check", "--seen", "50") == Exit.USAGE, "nothing was started since"
    assert terminal.round() == Exit.OK
    assert terminal.result()["verdict"] == "undecided"
    assert terminal.result()["rounds"][0]["seen"] > 45


def test_finish_where_nothing_was_tested(terminal: Terminal) -> None:
    """Says so, and leaves nothing."""
    assert terminal.run("finish", "--json") == Exit.OK
    assert not list(terminal.directory.iterdir())


def test_files_stay_bounded_and_private(terminal: Terminal) -> None:
    """A ring: as many numbers as one likes, never more than 2 MiB, readable by nobody else."""
    terminal.start(600)
    for file in terminal.work.iterdir():
        assert file.stat().st_size < 2 << 20
        assert file.stat().st_mode & 0o077 == 0
    assert terminal.work.stat().st_mode & 0o077 == 0


def test_numbers_go_to_a_second_machine(terminal: Terminal) -> None:
    """Each number, a line each, over TCP."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        heard: list[bytes] = []

        def listen() -> None:
            line, _ = server.accept()
            with line, line.makefile("rb") as file:
                heard.extend(file)

        thread = threading.Thread(target=listen)
        thread.start()
        terminal.start(5, "--tell", f"tcp:127.0.0.1:{server.getsockname()[1]}")
        thread.join(30)
    assert heard == [b"1\n", b"2\n", b"3\n", b"4\n", b"5\n"]


def test_a_second_machine_that_leaves_does_not_end_the_count(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said once, and the numbers go on here."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def leave() -> None:
            line, _ = server.accept()
            line.recv(1)
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            line.close()

        thread = threading.Thread(target=leave)
        thread.start()
        told = f"tcp:127.0.0.1:{server.getsockname()[1]}"
        assert terminal.start(300, "--tell", told) == Exit.OK
        thread.join(30)
    said = capsys.readouterr()
    assert said.err.count("no longer reach") == 1
    assert "Ended at 300" in said.out


@pytest.mark.parametrize(
    "where", ["tcp:nowhere", "tcp:127.0.0.1:0", "tcp::9", "/nonexistent/directory/file", "file:/"]
)
def test_a_place_that_cannot_be_told_is_refused_before_counting(
    terminal: Terminal, where: str
) -> None:
    """Nothing is written then."""
    assert terminal.start(5, "--tell", where) == Exit.USAGE
    assert not terminal.work.exists()


def test_a_number_long_passed_is_no_round(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    """The ring holds thousands later ones: nothing that was seen can be looked for."""
    terminal.start()
    run = json.loads((terminal.work / selftest.ROUND).read_text())["run"]
    written = b"".join(record(run, number) for number in range(2 * SLOTS, 3 * SLOTS))
    (terminal.work / FILE).write_bytes(written)
    terminal.cut()
    assert terminal.run("check", "--seen", "20") == Exit.USAGE
    assert f"up to {3 * SLOTS - 1}" in capsys.readouterr().err
    assert not (terminal.directory / selftest.RESULT).exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a directory to another user: wants root")
def test_root_tells_its_numbers_to_no_file_behind_a_link(terminal: Terminal) -> None:
    """In a stranger's directory with his rights, in one all can write through no link."""
    victim = terminal.directory / "victim"
    victim.touch(mode=0o600)
    top = Path(tempfile.gettempdir())
    for place in (terminal.directory, *terminal.directory.parents):
        if place.is_relative_to(top) and place != top:
            place.chmod(0o755)
    for number, (mode, owner) in enumerate([(0o755, 54_321), (0o1777, 0)]):
        folder = terminal.directory / f"stick{number}"
        folder.mkdir()
        (folder / "numbers").symlink_to(victim)
        folder.chmod(mode)
        os.chown(folder, owner, owner)
        assert terminal.start(2, "--tell", str(folder / "numbers")) == Exit.USAGE
        assert terminal.start(2, "--tell", str(folder / "own")) == Exit.OK
        assert (folder / "own").stat().st_uid == owner
    assert victim.read_bytes() == b""


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
def test_an_end_in_order_is_no_cut(
    terminal: Terminal, capsys: pytest.CaptureFixture[str], sent: signal.Signals
) -> None:
    """As a shutdown and a line that drops send them: noted as ends, like Ctrl-C."""
    told = terminal.directory / "told"
    os.mkfifo(told)
    fd = os.open(told, os.O_RDWR)

    def end() -> None:
        os.read(fd, 1)
        os.kill(os.getpid(), sent)

    # Whoever runs the tests under nohup has it ignored, which the counter respects.
    before = signal.signal(sent, lambda *_: None)
    thread = threading.Thread(target=end)
    thread.start()
    try:
        assert terminal.run("start", "--tell", str(told)) == Exit.OK
    finally:
        thread.join(30)
        os.close(fd)
        signal.signal(sent, before)
    assert "no round" in capsys.readouterr().out
    assert json.loads((terminal.work / selftest.ROUND).read_text())["ended"] is True


def test_two_counters_do_not_run_on_one_directory(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second is told, and the first goes on."""
    session = Session(args=None, words=Words("en"), screen=Screen())  # type: ignore[arg-type]
    with selftest._alone(session, terminal.directory):
        assert terminal.start() == Exit.USAGE
    assert "A counter is running" in capsys.readouterr().err
    assert terminal.start(2) == Exit.OK


def test_a_directory_that_is_none_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not made by the way: the flash under it would be a guess."""
    step = ["selftest", "--power-cut", "start", "--directory", str(tmp_path / "no")]
    assert app.main(step) == Exit.USAGE
    assert not (tmp_path / "no").exists()
    assert str(tmp_path / "no") in capsys.readouterr().err


def test_a_directory_that_may_not_be_looked_at_is_named(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As for somebody who is neither root nor the agent's user."""

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(selftest.Path, "is_dir", denied)
    assert terminal.start() == Exit.USAGE
    assert "permission denied" in capsys.readouterr().err


def test_a_full_flash_is_not_filled_further(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last megabytes belong to money."""
    real = os.statvfs(terminal.directory)
    values = list(real)
    values[4] = 10  # f_bavail
    monkeypatch.setattr(selftest.os, "statvfs", lambda _: os.statvfs_result(values))
    assert terminal.start() == Exit.USAGE
    assert "8 MiB" in capsys.readouterr().err
    assert not terminal.work.exists()


def test_a_disk_that_refuses_is_one_sentence_and_no_round(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error while counting is no power cut: the round is ended, and not judged."""
    real, left = os.fsync, [40]

    def failing(fd: int) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise OSError(5, "Input/output error")
        real(fd)

    monkeypatch.setattr(os, "fsync", failing)
    assert terminal.start(500) == Exit.USAGE
    assert "input/output error" in capsys.readouterr().err
    assert json.loads((terminal.work / selftest.ROUND).read_text())["ended"] is True


def test_the_bundle_tells_what_was_found(terminal: Terminal) -> None:
    """In words, never the file's own bytes."""
    config = Config()

    def told() -> str:
        return bundles.surroundings(config, terminal.directory, None).facts["power_cut_selftest"]

    assert told() == "not made"
    terminal.round(seen=23)
    assert told() == "lying: 1 of 1 power cuts lost something"
    (terminal.directory / selftest.RESULT).write_bytes(b"<script>")
    assert told() == "unreadable"


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_written_procedure_is_the_printed_one(lang: Language) -> None:
    """docs/selftest.md holds every step, word for word, in both languages."""
    words = Words(lang)
    written = re.sub(r"\s+", " ", (ROOT / "docs" / "selftest.md").read_text("utf-8"))
    for step in selftest.procedure(words):
        assert step in written


def test_the_procedure_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON, and without a directory."""
    assert app.main(["selftest", "--power-cut", "--json"]) == Exit.OK
    assert len(json.loads(capsys.readouterr().out)["steps"]) == 7
