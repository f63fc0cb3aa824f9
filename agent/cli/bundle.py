"""`posagent bundle [FILE] [--usb]`: one file for whoever has to find out what is wrong here.

The daemon makes it and hands it out in pieces; where none runs, or it does not answer, it is made
here from what it left behind, and says so. On a USB stick it is synced before anybody is told that
the stick may be pulled.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from agent.cli.client import DaemonSilentError
from agent.cli.session import Exit, Session, UnreachableError
from agent.cli.source import Places, Source, changing, places
from agent.cli.texts_bundle import TEXTS
from agent.errors import AgentError, OperatorError


def bundle(session: Session) -> int:
    """Make one and put it where it was asked for."""
    from agent.removable import chosen, copied, mounted

    args, t = session.args, session.words
    where = places(session)
    # Before anything is made: is there a place for it?
    medium = None
    if args.usb:
        with _in_words(session):
            medium = chosen(mounted(where.config.system.root.rstrip("/")))
    if args.file is not None and args.file.exists():
        raise OperatorError(
            "bundle.there", t("bundle.there", file=args.file), t("bundle.there.hint")
        )
    with tempfile.TemporaryDirectory(prefix="posagent-") as scratch:
        made, file = _made(session, where, Path(scratch))
        name = args.file or Path(made["file"])
        if medium is not None:
            with _in_words(session):
                target = copied(file, medium, Path(name).name)
        else:
            target = _placed(session, file, Path(name))
    document = made | {"file": str(target)}
    if medium is not None:
        document["left_bytes"] = max(0, medium.free_bytes - made["size_bytes"])
    _told(session, document)
    return Exit.OK


@contextmanager
def _in_words(session: Session) -> Iterator[None]:
    """What is wrong with the stick, in the language of whoever holds it."""
    try:
        yield
    except OperatorError as error:
        if session.words.lang == "en" or f"{error.code}.hint" not in TEXTS:
            raise
        t, what = session.words, error.code.removeprefix("usb.")
        raise OperatorError(error.code, t(f"usb.{what}"), t(f"usb.{what}.hint")) from error


def _made(session: Session, where: Places, scratch: Path) -> tuple[dict[str, Any], Path]:
    """What is in it, and the file itself."""
    try:
        source = changing(session)
    except (UnreachableError, DaemonSilentError):
        made = asyncio.run(_here(where, scratch))
        return made, scratch / "bundles" / f"{made['bundle_id']}.tar.gz"
    made = source.ask("bundle") | {"daemon_alive": True}
    return made, _fetched(session, source, made, scratch / "bundle.tar.gz")


def _fetched(session: Session, source: Source, made: dict[str, Any], file: Path) -> Path:
    digest = hashlib.sha256()
    with file.open("wb") as out:
        for number in range(made["pieces"]):
            told = source.ask("bundle_piece", bundle_id=made["bundle_id"], number=str(number))
            piece = base64.b64decode(told["data"])
            digest.update(piece)
            out.write(piece)
    if digest.hexdigest() != made["sha256"]:
        raise OperatorError("bundle.broken", session.words("bundle.broken"))
    return file


async def _here(where: Places, scratch: Path) -> dict[str, Any]:
    """Without a daemon; where not even its store can be read, without that too."""
    from agent.actions.bundle import begin
    from agent.cli import offline, storeless
    from agent.main.bundles import surroundings
    from agent.offload import HereOffload
    from agent.offloaded import program
    from agent.store.offline import open_offline
    from agent.wire.api import Nothing

    around = surroundings(where.config, where.state_dir, None, scratch / "bundles")
    more: dict[str, Any] = {"offload": HereOffload(program), "bundling": lambda: around}
    try:
        async with open_offline(where.state_dir, where.key_file) as store:
            ports = await offline.ports(store, where.config)
            answer = await begin(replace(ports, **more), Nothing())
    except AgentError as error:
        ports = storeless.ports(where.config, error)
        answer = await begin(replace(ports, **more), Nothing())
    told: dict[str, Any] = json.loads(msgspec.json.encode(answer))
    return told | {"daemon_alive": False}


def _placed(session: Session, file: Path, target: Path) -> Path:
    """Under its name once it is whole and on the disk."""
    part = target.with_name(target.name + ".part")
    try:
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as out:
            out.write(file.read_bytes())
            out.flush()
            os.fsync(out.fileno())
        part.rename(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        why = (error.strerror or str(error)).lower()
        raise OperatorError(
            "bundle.cannot", session.words("bundle.cannot", file=target, why=why)
        ) from error
    return target


def _told(session: Session, made: dict[str, Any]) -> None:
    if session.json:
        session.print_json(made)
        return
    t, screen = session.words, session.screen
    if not made["daemon_alive"]:
        screen.text(t("bundle.offline"))
    kb = -(-made["size_bytes"] // 1000)
    screen.line(t("bundle.made", file=made["file"], kb=kb, count=len(made["members"])), "bold")
    if made["removed_cards"] or made["removed_secrets"]:
        screen.text(
            t("bundle.removed", cards=made["removed_cards"], secrets=made["removed_secrets"])
        )
    for one in made["failed"]:
        screen.text(t("bundle.failed", **one), indent="  ", first="- ")
    if "left_bytes" in made:
        screen.line(t("bundle.pull", left=made["left_bytes"] // 1_000_000))
