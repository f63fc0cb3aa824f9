"""posagent-actions against those who share its socket's group, its log directory, its full disk."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.actions_service import audit as record
from agent.actions_service.audit import Audit, AuditError, broken_at
from agent.actions_service.service import REFUSALS_MAX, REFUSALS_WITHIN_S, Refusals
from agent.wire.hooks import ActionDone, ActionRefused
from tests.actions_service.test_service import DONE, Running, service
from tests.process.test_roles import NOBODY, as_user

__all__ = ["service"]


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@pytest.mark.parametrize("fails", ["write", "fsync"])
def test_half_a_line_swallows_no_other(
    fails: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be written whole is not there; the next line is, and the chain holds."""
    audit = Audit(tmp_path / "audit")
    audit.write("begun", hook="print")
    real = os.write

    def half(fd: int, line: bytes) -> int:
        return real(fd, line[: len(line) // 2])

    def sync(_fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(record.os, fails, half if fails == "write" else sync)
        with pytest.raises(AuditError):
            audit.write("begun", hook="app.restart")
    audit.write("ended", hook="print")
    audit.close()
    assert [line["what"] for line in lines(tmp_path / "audit")] == ["begun", "ended"]
    assert broken_at((tmp_path / "audit").read_bytes(), record.FIRST) is None


def test_a_turn_that_fails_writes_to_nobody_elses_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a descriptor for the new file the old one stays; later the turn is made up for."""
    audit = Audit(tmp_path / "audit", 300)
    audit.write("begun", hook="print")
    real = record._opened

    def full(path: Path) -> int:
        del path
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(record, "_opened", full)
    for _ in range(2):
        with pytest.raises(AuditError, match="Too many open"):
            audit.write("ended", hook="print", note="x" * 200)
    with (tmp_path / "other").open("w") as other:  # would get the number of a closed one
        with pytest.raises(AuditError):
            audit.write("ended", hook="print", note="x" * 200)
        assert other.tell() == 0
    assert (tmp_path / "other").read_bytes() == b""
    monkeypatch.setattr(record, "_opened", real)
    audit.write("ended", hook="print", note="x" * 200)
    audit.close()
    both = (tmp_path / "audit.1").read_bytes() + (tmp_path / "audit").read_bytes()
    assert len(both.splitlines()) == 2
    assert broken_at(both, record.FIRST) is None


def linked(path: Path, target: Path) -> None:
    path.symlink_to(target)


def named_twice(path: Path, target: Path) -> None:
    path.hardlink_to(target)


def open_to_all(path: Path, target: Path) -> None:
    path.write_bytes(target.read_bytes())
    path.chmod(0o666)


def a_pipe(path: Path, target: Path) -> None:
    del target
    os.mkfifo(path)


def somebody_elses(path: Path, target: Path) -> None:
    path.write_bytes(target.read_bytes())
    os.chown(path, NOBODY, NOBODY)


@pytest.mark.parametrize("prepare", [linked, named_twice, open_to_all, a_pipe, somebody_elses])
@pytest.mark.parametrize("name", ["audit", "audit.1"])
def test_a_record_prepared_by_others_is_not_used(
    prepare: Callable[[Path, Path], None], name: str, tmp_path: Path
) -> None:
    """Whoever could write beside it gets no line of root's into a file of his choice."""
    if prepare is somebody_elses and os.geteuid() != 0:
        pytest.skip("not root: another user's file was NOT tried")
    target = tmp_path / "shadow"
    target.write_bytes(b"root:*:no line end")
    prepare(tmp_path / name, target)
    with pytest.raises(AuditError, match="cannot keep"):
        Audit(tmp_path / "audit")
    assert target.read_bytes() == b"root:*:no line end"


def test_a_long_last_line_is_found_whole(tmp_path: Path) -> None:
    """The end of the chain is found from the end, in pieces, whatever lies before."""
    for size in (10, record.CHUNK_BYTES - 30, record.CHUNK_BYTES, 3 * record.CHUNK_BYTES):
        path = tmp_path / f"audit{size}"
        for _ in range(3):
            audit = Audit(path)
            audit.write("begun", note="x" * size)
            audit.close()
        assert broken_at(path.read_bytes(), record.FIRST) is None


def test_refusals_are_counted_when_they_are_not_recorded() -> None:
    """So many within the time; then none; the next one says how many there were."""
    refusals = Refusals(REFUSALS_MAX)
    told = [refusals.recorded(100.0) for _ in range(REFUSALS_MAX + 5)]
    assert told == [0] * REFUSALS_MAX + [None] * 5
    assert refusals.recorded(99.0 + REFUSALS_WITHIN_S) is None
    assert refusals.recorded(100.0 + REFUSALS_WITHIN_S) == 6
    assert refusals.recorded(100.0 + REFUSALS_WITHIN_S) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: other users were NOT tried")
def test_strangers_neither_fill_the_record_nor_take_the_agents_turn(service: Running) -> None:
    """A member of the group that asks for ever: a few lines, and the agent is served beside it."""
    service.write("app.restart", DONE)
    service.start()
    service.socket.chmod(0o666)

    def pester() -> int:
        held = []
        for _ in range(100):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(str(service.socket))
            held.append(sock)
        for sock in held:
            sock.close()
        return len(held)

    assert as_user(NOBODY, pester) == 100
    assert service.act("app.restart", app="x") == ActionDone(contract=1)
    refused = [line for line in service.recorded() if line["uid"] == NOBODY]
    assert 1 <= len(refused) <= REFUSALS_MAX


def test_too_many_at_once_are_told_that_nothing_was_done(service: Running) -> None:
    """Nine that say nothing: whoever comes then is refused in words, not hung up on."""
    service.write("app.restart", DONE)
    service.start()
    with contextlib.ExitStack() as mute:
        for _ in range(9):
            sock = mute.enter_context(socket.socket(socket.AF_UNIX))
            sock.connect(str(service.socket))
        answer = service.act("app.restart", app="x")
    assert isinstance(answer, ActionRefused)
    assert "too many" in answer.reason


def test_a_hook_is_told_the_time_it_has(service: Running) -> None:
    """The service's own limit is in the request, not what was asked for."""
    service.write("app.restart", f"cat > {service.home}/request; {DONE}")
    service.start()
    assert service.act("app.restart", deadline_s=600.0, app="x") == ActionDone(contract=1)
    assert json.loads((service.home / "request").read_text())["deadline_ms"] == 60_000
