"""`posagent selftest --power-cut`: does this terminal's flash keep what it says is stored?

For a person at a real device. `start` writes numbers the way the journal writes and shows each
only after the sync has returned; the person pulls the plug; `check` holds the last number seen
against the flash. Needs no daemon, touches no money: its files lie in a directory of their own and
are bounded. What a round and all rounds prove is decided in `agent.core.power_cut`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from agent.cli.as_owner import as_owner
from agent.cli.session import Exit, Session
from agent.cli.source import places
from agent.clock import SystemClock
from agent.core import power_cut as core
from agent.durable import replaced, sync_directory
from agent.errors import OperatorError
from agent.wire import selftest as wire
from agent.wire.selftest import MAX_FILE_BYTES, RESULT, Begun, Result, Round

WORK, ROUND = "power-cut-selftest", "round.json"
FREE_MIB = 8
MAX_ROUNDS = 500
SHOW_EVERY_S = 0.2
STEPS = range(1, 8)


def selftest(session: Session) -> int:
    """One step of the procedure."""
    args = session.args
    if args.power_cut == "procedure":
        return _procedure(session)
    directory = args.directory if args.directory is not None else places(session).state_dir
    steps: dict[str, Callable[[Session, Path], int]] = {
        "start": _start, "check": _check, "finish": _finish,
    }  # fmt: skip
    try:
        if not directory.is_dir():
            raise _error(session, "directory", path=directory)
        return steps[args.power_cut](session, directory)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise _error(session, "refused", path=directory, why=why) from error


def procedure(words: Callable[..., str]) -> list[str]:
    """The written procedure, a step a line; docs/selftest.md holds the same."""
    return [words(f"selftest.step.{number}", enough=core.ENOUGH_ROUNDS) for number in STEPS]


def _procedure(session: Session) -> int:
    steps = procedure(session.words)
    if session.json:
        session.print_json({"steps": steps})
        return Exit.OK
    session.screen.line(session.words("selftest.title"), "bold")
    for number, text in zip(STEPS, steps, strict=True):
        session.screen.text(text, indent="   ", first=f"{number}. ")
    return Exit.OK


def _start(session: Session, directory: Path) -> int:
    free = os.statvfs(directory)
    if free.f_bavail * free.f_frsize < FREE_MIB << 20:
        raise _error(session, "room", path=directory, mib=FREE_MIB)
    told = _Told(session, session.args.tell)
    with contextlib.closing(told), _alone(session, directory) as work:
        boot_id, result = SystemClock().now().boot_id, _result(session, directory)
        last = _begun(session, work)
        if last is not None and not (last.ended or last.checked) and last.boot_id != boot_id:
            raise _error(session, "unchecked")
        # Numbers go on from round to round, so that one of yesterday's cannot be given by mistake.
        first = 1 + result.last_number
        if result.finished:
            _written(directory / RESULT, Result(reached=first - 1))
        begun = Begun(run=secrets.token_hex(4), first=first, boot_id=boot_id)
        number = _counted(session, work, begun, told)
    _say(session, "selftest.ended", {"ended_at": number}, number=number)
    return Exit.OK


def _counted(session: Session, work: Path, begun: Begun, told: _Told) -> int:
    """Count until the power goes, or somebody ends it; the last number."""
    from agent.store.power_cut import Counter

    number, shown_at, wanted = begun.first - 1, 0.0, session.args.numbers
    # A shutdown sends both, one right after the other; nohup has the second ignored.
    both = (signal.SIGTERM, signal.SIGHUP)
    ends = [one for one in both if signal.getsignal(one) is not signal.SIG_IGN]
    old = [signal.signal(one, signal.default_int_handler) for one in ends]
    counter = Counter(work, begun.run)
    try:
        _written(work / ROUND, begun)
        if not session.json:
            session.screen.line(session.words("selftest.counting", path=work.parent))
        while wanted is None or number < begun.first - 1 + wanted:
            counter.write(number + 1)
            number += 1
            told.tell(number)
            if (now := time.monotonic()) - shown_at >= SHOW_EVERY_S:
                shown_at = now
                if not session.json:
                    print(number, flush=True)
    except KeyboardInterrupt:
        if not session.json:
            print(flush=True)
    finally:
        # In order, also where the disk refused: that is no power cut, and must not be judged.
        for one in ends:  # the second must not end what the first has begun
            signal.signal(one, signal.SIG_IGN)
        counter.close()
        with contextlib.suppress(OSError):
            _written(work / ROUND, msgspec.structs.replace(begun, ended=True))
        for one, before in zip(ends, old, strict=True):
            signal.signal(one, before)
    return number


def _check(session: Session, directory: Path) -> int:
    from agent.store.power_cut import in_database, in_file

    seen = session.args.seen
    if seen is None or not 1 <= seen <= core.MAX_NUMBER:
        raise _error(session, "seen")
    now = SystemClock().now()
    with _alone(session, directory) as work:
        result, begun = _result(session, directory), _begun(session, work)
        if begun is None and result.finished:
            raise _error(session, "checked")
        if begun is None:
            trace = result.last_number > 0 or any(work.iterdir())
            if not (trace or session.args.started_here):
                raise _error(session, "nothing", path=directory)
            # Seen, and not even the directory's own note is left: all of it is gone.
            begun = Begun(run="", first=1 + result.last_number, boot_id="")
        elif begun.boot_id == now.boot_id:
            raise _error(session, "ended" if begun.ended else "same_boot")
        elif begun.ended or begun.checked:
            raise _error(session, "ended" if begun.ended else "checked")
        if seen < begun.first:
            raise _error(session, "below", first=begun.first)
        copies = [
            core.compared(found, first=begun.first, seen=seen)
            for found in (in_file(work, begun.run), in_database(work, begun.run))
        ]
        if core.compared_nothing(copies, seen=seen):
            highest = max(copy.highest for copy in copies)
            raise _error(session, "behind", seen=seen, highest=highest)
        one = Round(
            at=f"{now.at:%Y-%m-%dT%H:%M:%SZ}", seen=seen, file=copies[0].highest,
            journal=copies[1].highest, lost=max(copy.lost for copy in copies),
            outcome=core.outcome(copies),
        )  # fmt: skip
        rounds = [*result.rounds, one][-MAX_ROUNDS:]
        result = Result(
            verdict=core.verdict([each.outcome for each in rounds]), rounds=rounds,
            reached=result.last_number,
        )  # fmt: skip
        _written(directory / RESULT, result)
        if begun.run:
            _written(work / ROUND, msgspec.structs.replace(begun, checked=True))
    return _shown(session, result, begun.first)


def _finish(session: Session, directory: Path) -> int:
    from agent.store.power_cut import removed

    with _alone(session, directory) as work:
        removed(work)
    path = directory / RESULT
    try:
        result = _result(session, directory)
    except OperatorError:
        path.unlink(missing_ok=True)
        sync_directory(directory)
        raise
    if not result.rounds:
        _say(session, "selftest.no_result", _told_of(result))
        return Exit.OK
    _written(path, msgspec.structs.replace(result, finished=True))
    if not session.json:
        session.screen.text(session.words("selftest.finished", path=path))
    return _shown(session, result, None)


def _shown(session: Session, result: Result, first: int | None) -> int:
    """The last round (with `first`) and the verdict; 1 where the flash does not keep its word."""
    bad = result.bad
    code = Exit.FOUND if bad else Exit.OK
    if session.json:
        session.print_json(_told_of(result))
        return code
    t, screen, count = session.words, session.screen, len(result.rounds)
    last = result.rounds[-1]
    if first is not None:
        screen.text(
            t(
                f"selftest.round.{last.outcome}", number=count, seen=last.seen, file=last.file,
                journal=last.journal, lost=last.lost,
            )
        )  # fmt: skip
        if max(last.file, last.journal) < first or last.lost > last.file:
            screen.text(t("selftest.typo"))
    share = f"{core.unnoticed_share(count) * 100:.0f}"
    said = t(
        f"selftest.verdict.{result.verdict}", rounds=count, bad=bad, share=share,
        enough=core.ENOUGH_ROUNDS,
    )  # fmt: skip
    screen.text(said, style="bad" if bad else "bold")
    if bad:
        screen.text(t(f"selftest.next.{result.verdict}"))
    return code


def _told_of(result: Result) -> dict[str, object]:
    rounds = msgspec.to_builtins(result)
    share = None
    if result.verdict in (core.Verdict.HONEST, core.Verdict.UNDECIDED):
        share = round(core.unnoticed_share(len(result.rounds)), 4)
    return {**rounds, "enough": core.ENOUGH_ROUNDS, "unnoticed_share_at_most": share}


@contextlib.contextmanager
def _alone(session: Session, directory: Path) -> Iterator[Path]:
    """The counter's own directory, for one process at a time, with its owner's rights."""
    with as_owner(directory):
        work = directory / WORK
        if not work.is_dir() or work.is_symlink():
            with contextlib.suppress(FileExistsError):
                work.mkdir(mode=0o700)
            if work.is_symlink() or not work.is_dir():
                raise _error(session, "kept", path=work)
            _owned(work)
            sync_directory(directory)
        fd = os.open(work, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise _error(session, "busy", path=directory) from None
            yield work
        finally:
            os.close(fd)


def _begun(session: Session, work: Path) -> Begun | None:
    raw = _read(session, work / ROUND)
    try:
        return None if raw is None else wire.begun(raw)
    except ValueError:
        raise _error(session, "kept", path=work / ROUND) from None


def _result(session: Session, directory: Path) -> Result:
    raw = _read(session, directory / RESULT)
    try:
        return Result() if raw is None else wire.result(raw)
    except ValueError:
        raise _error(session, "kept", path=directory / RESULT) from None


def _read(session: Session, path: Path) -> bytes | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError:
        raise _error(session, "kept", path=path) from None
    with os.fdopen(fd, "rb") as file:
        try:
            raw = file.read(MAX_FILE_BYTES + 1)
        except OSError:
            raise _error(session, "kept", path=path) from None
    if len(raw) > MAX_FILE_BYTES:
        raise _error(session, "kept", path=path)
    return raw


def _written(path: Path, what: msgspec.Struct) -> None:
    replaced(path, msgspec.json.encode(what))
    _owned(path)


def _owned(path: Path) -> None:
    """Root's files would be in the way of the user the agent runs as."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


class _Told:
    """A second place that sees each number; losing it ends nothing."""

    def __init__(self, session: Session, where: str | None) -> None:
        self._session, self._where = session, where or ""
        self._fd = -1
        if not where:
            return
        try:
            self._fd = _opened(where)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise _error(session, "tell", where=where, why=why) from None

    def tell(self, number: int) -> None:
        if self._fd < 0:
            return
        try:
            os.write(self._fd, b"%d\n" % number)
        except OSError as error:
            said = self._session.words("selftest.untold", where=self._where, why=error.strerror)
            print(said, file=sys.stderr)
            self.close()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _opened(where: str) -> int:
    if where.startswith("tcp:"):
        host, _, port = where.removeprefix("tcp:").rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError("tcp:HOST:PORT")
        line = socket.create_connection((host.strip("[]"), int(port)), timeout=10.0)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.settimeout(None)
        return line.detach()
    path = Path(where.removeprefix("file:"))
    # A file on a stick is written through, as its last number must outlive the cut as well.
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_SYNC | os.O_NOCTTY | os.O_CLOEXEC
    if not path.parent.is_dir():
        raise ValueError("no such directory")
    # Where others may write, a link could lead root to any file; in /dev they are the system's own.
    with as_owner(path.parent):
        shared = bool(path.parent.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH))
        return os.open(path, flags | (os.O_NOFOLLOW if shared else 0), 0o600)


def _say(session: Session, name: str, answer: dict[str, object], **args: object) -> None:
    if session.json:
        session.print_json(answer)
    else:
        session.screen.text(session.words(name, **args))


def _error(session: Session, code: str, **args: object) -> OperatorError:
    words = session.words
    return OperatorError(
        f"selftest.{code}", words(f"selftest.error.{code}", **args),
        words(f"selftest.error.{code}.hint"),
    )  # fmt: skip
