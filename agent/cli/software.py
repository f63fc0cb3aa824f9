"""`posagent software show|check|sign` and `posagent update show|apply`.

Showing works on a dead daemon's store too. Checking a manifest asks nobody: it holds the file
against this terminal's configuration and the manifest that is kept. Only `update apply` changes
something, and only the daemon does it. Signing is for operators.
"""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.cli.reason import reason
from agent.cli.session import Exit, Session, UnreachableError
from agent.cli.source import Places, Source, changing, places, readable
from agent.errors import OperatorError

CHANGES_SHOWN = 10
UPDATES_SHOWN = 10


def software(session: Session) -> int:
    """The orders of `posagent software`."""
    match session.args.order:
        case "check":
            return _check(session)
        case "sign":
            return _sign(session)
    told = readable(session).ask("software")
    if session.json:
        session.print_json(told)
        return Exit.OK
    t, screen = session.words, session.screen
    manifest = told["manifest"]
    if manifest is None:
        screen.text(t("software.not_live"), style="warn")
    else:
        text, sequence = manifest[f"text_{t.lang}"], manifest["sequence"]
        name = "software.manifest" if sequence else "software.no_manifest"
        good = manifest["standing"] in ("in_force", "none")
        screen.text(t(name, sequence=sequence or "", text=text), style="" if good else "warn")
    for one in told["components"]:
        _show_component(session, one)
    if told["changes"]:
        screen.line(t("software.changes"), "bold")
    for one in told["changes"][:CHANGES_SHOWN]:
        at = f"{datetime.fromisoformat(one['at']).astimezone():%Y-%m-%d %H:%M}"
        before, after = one["before"] or "-", one["after"] or "-"
        said = t("software.change", at=at, component=one["component"], before=before, after=after)
        screen.text(said, indent="    ", first="  ")
    _show_updates(session, told["updates"][:1])
    return Exit.OK


def update(session: Session) -> int:
    """The orders of `posagent update`."""
    if session.args.order == "show":
        told = readable(session).ask("software")["updates"]
        if session.json:
            session.print_json(told)
            return Exit.OK
        if not told:
            session.screen.text(session.words("update.none"))
        _show_updates(session, told[:UPDATES_SHOWN])
        return Exit.OK
    if session.args.order == "status":
        return _standing(session)
    if session.args.order in ("commit", "rollback"):
        return _end(session)
    asked = _meant(session.args.target) | {"any_time": session.args.any_time}
    if session.args.component:
        asked["component"] = session.args.component
    if session.args.to:
        asked["version"] = session.args.to
    begun = _installer(session).ask("update_begin", **asked)
    if session.json:
        session.print_json(begun)
    else:
        _show_updates(session, [begun])
    return Exit.OK


def _installer(session: Session) -> Source:
    try:
        return changing(session)
    except UnreachableError as down:
        said = session.words("error.update_daemon")
        raise UnreachableError(down.code, said, down.hint) from down


def _standing(session: Session) -> int:
    """The update under way, else the last one; 1 where it failed or was taken back."""
    told = readable(session).ask("software")["updates"]
    last = told[0] if told else None
    if session.json:
        session.print_json(last)
    elif last is None:
        session.screen.text(session.words("update.none"))
    else:
        _show_updates(session, [last])
        said = session.words(f"update.next.{last['phase']}")
        session.screen.text(said, indent="    ", first="  ")
    bad = last is not None and last["phase"] in ("failed", "rolled_back")
    return Exit.FOUND if bad else Exit.OK


def _end(session: Session) -> int:
    asked = {"what": session.args.order, "update": session.args.target}
    ended = _installer(session).ask("update_end", **asked)
    if session.json:
        session.print_json(ended)
    else:
        _show_updates(session, [ended])
    return Exit.OK


def _meant(target: str) -> dict[str, Any]:
    """An update by name, or its file: hashed here, for the daemon has better things to do."""
    path = Path(target)
    if "/" not in target and not path.is_file():
        return {"update": target}
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while some := file.read(1 << 20):
                digest.update(some)
            size = file.tell()
    except OSError as error:
        raise OperatorError("update.file", f"cannot read {path}: {error.strerror}") from error
    return {"file": str(path.resolve()), "sha256": digest.hexdigest(), "size_bytes": size}


def _show_component(session: Session, one: dict[str, Any]) -> None:
    t, screen = session.words, session.screen
    installed = one["installed"] or (f"? ({reason(t, one['why'])})" if one["why"] else "?")
    if not one["required"]:
        screen.text(t("software.line", component=one["component"], installed=installed))
        return
    bad = one["standing"] in ("behind", "failed", "rolled_back")
    said = t(
        "software.asked",
        component=one["component"],
        installed=installed,
        required=one["required"],
        standing=t.word("stands", one["standing"]),
    )
    screen.text(said, style="warn" if bad else "")
    if one["update"] and bad:
        screen.text(t("software.offer", update=one["update"]), indent="    ", first="  ")


def _show_updates(session: Session, updates: list[dict[str, Any]]) -> None:
    t, screen = session.words, session.screen
    for one in updates:
        said = t(
            "update.line",
            update=one["update"],
            component=one["component"],
            before=one["before"] or "?",
            version=one["version"],
            phase=t.word("phase", one["phase"]),
        )
        bad = one["phase"] in ("failed", "rolled_back", "rolling_back")
        screen.text(said, style="warn" if bad else "bold")
        lines = [t("update.held", why=why) for why in one[f"held_{t.lang}"]]
        if one["failed_step"]:
            lines.append(
                t("update.reason", step=one["failed_step"], reason=reason(t, one["reason"]))
            )
        if one["rollback"]:
            lines.append(t("update.rollback", rollback=t.word("taken_back", one["rollback"])))
        for line in lines:
            screen.text(line, indent="    ", first="  ")


# -- manifests ----------------------------------------------------------------------------------


def _check(session: Session) -> int:
    from agent.core.software.manifest import Refusal

    where = places(session)
    given = _read(session.args.file)
    verdict = _verdict(where, given, str(session.args.file))
    if session.json:
        refused = isinstance(verdict, Refusal)
        session.print_json(
            {"standing": verdict.standing, "zh": verdict.sentence("zh"),
             "en": verdict.sentence("en")}
            if isinstance(verdict, Refusal)
            else {"standing": "in_force", "sequence": verdict.sequence,
                  "components": {one.component: one.asked for one in verdict.wanted}}
        )  # fmt: skip
        return Exit.FOUND if refused else Exit.OK
    t, screen = session.words, session.screen
    if isinstance(verdict, Refusal):
        screen.text(t("software.check.no", why=verdict.sentence(t.lang)), style="warn")
        return Exit.FOUND
    screen.text(t("software.check.ok", sequence=verdict.sequence or "-"), style="good")
    for one in verdict.for_channel(where.config.software.channel):
        screen.text(
            t("software.line", component=one.component, installed=one.asked),
            indent="    ", first="  ",
        )  # fmt: skip
    return Exit.OK


def _verdict(where: Places, given: bytes, name: str) -> Any:
    """The manifest, or its Refusal, by this terminal's configuration and what it keeps."""
    from agent.clock import SystemClock
    from agent.core.software.manifest import Refusal, Terminal, refusal
    from agent.core.software.wanted import Manifest
    from agent.identity import own_name
    from agent.watch.software.manifests import KEPT, Opener, known_of

    config = where.config
    opener = Opener(config.software)
    opened = opener.opened(given, name)
    if isinstance(opened, Refusal):
        return opened
    try:
        kept = opener.opened((where.state_dir / KEPT).read_bytes())
    except OSError:  # none is kept
        kept = None
    refused = refusal(
        opened,
        Terminal(
            device_id=own_name(config),
            model=config.software.model,
            tenant=config.agent.tenant,
            groups=config.software.groups,
            channel=config.software.channel,
        ),
        known=known_of({one.name: one for one in config.component}),
        in_force=kept if isinstance(kept, Manifest) else None,
        now=SystemClock().now(),
    )
    return refused or opened


def _sign(session: Session) -> int:
    from agent.crypt import SEED_BYTES, public_of, sign
    from agent.wire.manifest import manifest_from
    from agent.wire.signed import Document, DocumentError, envelope, signed_bytes

    path: Path = session.args.key
    if session.args.keygen:
        seed = os.urandom(SEED_BYTES)
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise OperatorError("key.file", f"cannot make {path}: {error.strerror}") from error
        with os.fdopen(fd, "wb") as file:
            file.write(base64.b64encode(seed) + b"\n")
        session.screen.text(session.words("software.key_made", path=path))
        print(f'keys = {{ {session.args.key_id} = "{public_of(seed).hex()}" }}')
        return Exit.OK
    if session.args.file is None:
        raise OperatorError("manifest.missing", session.words("help.software.file"))
    payload = _read(session.args.file)
    try:
        manifest_from(payload)
        seed = base64.b64decode(_read(path).strip(), validate=True)
        signature = sign(seed, signed_bytes(Document.MANIFEST, payload))
    except DocumentError as error:
        raise OperatorError("manifest.form", f"{session.args.file}: {error}") from error
    except ValueError as error:
        raise OperatorError("key.file", f"{path}: {error}") from error
    sys.stdout.write(
        envelope(Document.MANIFEST, session.args.key_id, signature, payload).decode() + "\n"
    )
    return Exit.OK


def _read(path: Path) -> bytes:
    from agent.core.software.manifest import MAX_BYTES

    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise OperatorError("manifest.file", f"cannot read {path}: {error.strerror}") from error
