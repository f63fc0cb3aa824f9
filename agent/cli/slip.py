"""`posagent slip`: what can be put on paper, shown, saved or printed.

Showing works over a dead daemon's store too; printing needs the daemon, which alone has the
printer. `decode` reads the line of a diagnostic slip's QR code and needs neither.
"""

from __future__ import annotations

import base64
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.cli.screen import local_time
from agent.cli.session import Exit, NotThereError, Session, UnreachableError
from agent.cli.source import changing, readable
from agent.cli.status import say_offline
from agent.errors import AgentError, OperatorError

_NOT_THERE = ("slip.nothing", "slip.unknown_kind", "transaction.unknown")


def slip(session: Session) -> int:
    """List, show, print or decode."""
    match session.args.order:
        case "show":
            return _show(session)
        case "print":
            return _print(session)
        case "decode":
            return _decode(session)
    return _list(session)


def _list(session: Session) -> int:
    source = readable(session)
    told = source.ask("slips")
    if session.json:
        session.print_json(told)
        return Exit.OK
    t = session.words
    rows = [
        (one["kind"], one["title"][t.lang], t.word("slip.about", one["about"]))
        for one in told["slips"]
    ]
    session.screen.table((t("slip.kind"), t("slip.title"), t("slip.key")), rows)
    if told["printing"]:
        session.screen.line(t.word("slip.printing", told["printing"]))
    return Exit.OK


def _show(session: Session) -> int:
    args = session.args
    source = readable(session)
    about = {"kind": args.kind, "key": args.key or "", "columns": args.columns}
    about["lang"] = session.words.lang
    wanted = [(form, file) for form in ("png", "escpos") if (file := getattr(args, form))]
    try:
        for form, file in wanted:
            told = source.ask("slip_show", form=form, **about)
            _save(session, Path(file), base64.b64decode(told["data"]))
        if wanted:
            return Exit.OK
        told = source.ask("slip_show", **about)
    except AgentError as error:
        raise _missing(error) from error
    if session.json:
        session.print_json(told)
        return Exit.OK
    say_offline(session, source, datetime.now().astimezone())
    for line in told["lines"]:
        session.screen.line(line)
    return Exit.OK


def _save(session: Session, file: Path, content: bytes) -> None:
    t = session.words
    try:
        file.write_bytes(content)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise OperatorError("slip.cannot", t("slip.cannot", file=file, why=why)) from error
    if session.json:
        session.print_json({"file": str(file), "size_bytes": len(content)})
    else:
        session.screen.line(t("slip.saved", file=file))


def _print(session: Session) -> int:
    args, t = session.args, session.words
    try:
        source = changing(session)
    except UnreachableError as down:
        raise UnreachableError(down.code, t("slip.daemon"), t("slip.daemon.hint")) from down
    try:
        told = source.ask("slip_print", kind=args.kind, key=args.key or "", lang=t.lang)
    except AgentError as error:
        raise _missing(error) from error
    if session.json:
        session.print_json(told)
    else:
        session.screen.line(t("slip.printed" if told["confirmed"] else "slip.sent"))
    return Exit.OK


def _missing(error: AgentError) -> AgentError:
    if error.code in _NOT_THERE:
        return NotThereError(error.code, error.what, error.hint)
    return error


def _decode(session: Session) -> int:
    from agent.core.slips.compact import NoCompactError, decode

    t = session.words
    try:
        told = decode(session.args.text)
    except NoCompactError as error:
        raise OperatorError(
            "slip.code", t(f"slip.code.{error.args[0]}"), t("slip.code.hint")
        ) from None
    if session.json:
        session.print_json(_document(told))
    else:
        _tell(session, told)
    return Exit.OK


def _document(told: Any) -> dict[str, Any]:
    return {
        "device_id": told.device,
        "at": told.at.isoformat(),
        "version": told.version,
        "key": told.key,
        "retry": told.retry,
        "findings": [
            {"code": code, "since_at": None if since is None else since.isoformat()}
            for code, since in told.findings
        ],
        "omitted": told.omitted,
        "unsent": told.unsent,
        "amounts_minor": dict(told.amounts),
        "in_doubt": told.in_doubt,
        "held": told.held,
        "unknown": list(told.unknown),
    }


def _tell(session: Session, told: Any) -> None:
    from agent.core.why.causes import CATALOGUE
    from agent.core.why.text import Money, format_money

    t, screen, now = session.words, session.screen, datetime.now().astimezone()
    screen.line(f"{told.device}  {local_time(told.at, now)}  posagent {told.version}", "bold")
    if told.key:
        screen.line(t("pair", name=t("slip.payment"), value=f"{told.key} {told.retry}".strip()))
    for code, since in told.findings:
        cause = CATALOGUE.get(code)
        title = code if cause is None else f"{cause.title.render(t.lang)} ({code})"
        began = "" if since is None else f"  {local_time(since, now)}"
        screen.text(f"{title}{began}", "    ", "  - ")
    if not told.findings:
        screen.line(t("slip.well"))
    if told.omitted:
        screen.line(t("slip.more", count=told.omitted))
    if told.unsent is None:
        screen.line(t("slip.unread"))
    else:
        money = [format_money(Money(minor, name)) for name, minor in sorted(told.amounts.items())]
        counted = t("slip.unsent", count=told.unsent, doubt=told.in_doubt, held=told.held)
        screen.line("  ".join([counted, *money]))
    if told.unknown:
        screen.line(t("pair", name=t("slip.unknown"), value=", ".join(told.unknown)))
