"""`posagent backup FILE` and `posagent restore FILE`: a sealed copy of the journal, and its return.

The daemon makes the copy while it works and only hands out sealed pieces; without one the store it
left is read. The file appears under its name once it is whole and on the flash. Restoring is done
here, with no daemon running.
"""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from agent.cli.session import Exit, Session, UnreachableError
from agent.cli.source import Places, changing, places
from agent.clock import SystemClock
from agent.errors import OperatorError

#: Asks for an operation of the API table and gives its document.
Ask = Callable[..., dict[str, Any]]


def backup(session: Session) -> int:
    """Make a copy, or a pair of recovery keys."""
    args, t = session.args, session.words
    if args.keygen:
        from agent.store.recipient import generate

        public = generate(args.file).text
        if session.json:
            session.print_json({"recipient": public, "secret_file": str(args.file)})
            return Exit.OK
        session.screen.line(public, "bold")
        session.screen.text(t("backup.keep_secret", path=args.file))
        return Exit.OK
    where = places(session)
    wanted = {"recipient": args.recipient or "", "hand_over": args.handover}
    with _whole(args.file) as out:
        try:
            records = _copied(changing(session).ask, wanted, out)
        except UnreachableError:
            if args.handover:
                raise
            records = asyncio.run(_copied_offline(where, wanted, out))
    if session.json:
        session.print_json({"file": str(args.file), "records": records, **wanted})
        return Exit.OK
    session.screen.line(t("backup.done", count=records, path=args.file))
    if args.handover:
        session.screen.text(t("backup.handed_over"))
    elif not args.recipient:
        session.screen.text(t("backup.own_ring"))
    return Exit.OK


def restore(session: Session) -> int:
    """Put a copy in the place of the journal."""
    from agent.store.recipient import secret_of
    from agent.store.restore import restore as put_back

    args, t = session.args, session.words
    where = places(session)
    secret = secret_of(args.key) if args.key else None
    done = put_back(where.state_dir, args.file, secret, SystemClock().now(), where.key_file)
    if session.json:
        session.print_json(
            {
                "records": done.records, "unsent": done.unsent, "hand_over": done.hand_over,
                "made_at": done.made_at.isoformat(), "device": done.device_id,
                "put_aside": str(done.aside) if done.aside else None,
            }
        )  # fmt: skip
        return Exit.OK
    made = f"{done.made_at.astimezone():%Y-%m-%d %H:%M}"
    session.screen.line(t("restore.done", count=done.records, unsent=done.unsent, made=made))
    session.screen.text(t("restore.goes_on" if done.hand_over else "restore.held"))
    if done.aside:
        session.screen.text(t("restore.aside", path=done.aside))
    return Exit.OK


def _copied(ask: Ask, wanted: dict[str, Any], out: BinaryIO) -> int:
    begun = ask("backup", **wanted)
    out.write(base64.b64decode(begun["data"]))
    number, last, records = 0, False, 0
    while not last:
        piece = ask("backup_piece", backup=begun["backup"], piece=number)
        out.write(base64.b64decode(piece["data"]))
        number, last, records = number + 1, piece["last"], piece["records"]
    return records


async def _copied_offline(where: Places, wanted: dict[str, Any], out: BinaryIO) -> int:
    from agent.store.backup import Backups
    from agent.store.offline import open_offline

    async with open_offline(where.state_dir, where.key_file) as store:
        backups = Backups(store, SystemClock(), where.config.agent.device_id)
        begun = await backups.begin(wanted["recipient"], hand_over=False)
        out.write(begun.head)
        number, last, records = 0, False, 0
        while not last:
            piece = await backups.piece(begun.backup_id, number)
            out.write(piece.data)
            number, last, records = number + 1, piece.last, piece.records
        return records


@contextmanager
def _whole(file: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name only when it is whole. Raises OperatorError."""
    part = file.with_name(file.name + ".part")
    if file.exists():
        raise OperatorError("backup.file", f"{file} is there already", "name another file")
    try:
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.rename(file)
        folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OperatorError(
            "backup.file", f"cannot write {file}: {(error.strerror or str(error)).lower()}"
        ) from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise
