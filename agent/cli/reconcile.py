"""`posagent reconcile FILE`: send a settlement list to the daemon and show what came of it.

With the daemon dead the list is held against the store it left, and nothing is kept. Exit code 0
also where something is missing: a list that was read is no failure of the command.
"""

from __future__ import annotations

import asyncio
import base64
import csv
import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.cli.screen import local_time
from agent.cli.session import Exit, NotThereError, Session, UnreachableError
from agent.cli.source import Source, changing, places, readable
from agent.core.why.reconcile.classes import MEANINGS, Class
from agent.core.why.text import Money, format_money
from agent.errors import AgentError, CallerError, OperatorError

READ_BYTES = 256 * 1024
WAIT_S = 15.0
PAGE = 500
SHOWN = 40
SLIP_COLUMNS = 32
LISTED = 30
#: What a spreadsheet takes for a formula; one set to Chinese takes the wide ones, too.
_FORMULA = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")
COLUMNS = (
    "result", "code", "owner", "line", "key", "matched_by", "confidence", "amount_minor",
    "listed_minor", "fee_minor", "currency", "settled_on", "due_on", "occurred_at", "rrn", "stan",
    "batch", "terminal_id", "detail",
)  # fmt: skip


class ListRefusedError(CallerError):
    """The list cannot be believed; says where in the file."""


def reconcile(session: Session) -> int:
    """Read one, show one, or list them."""
    args = session.args
    _checked_class(session)
    if args.file == "list" and args.number is None:
        return _list(session)
    if args.file == "show":
        return _show(session)
    if args.file == "pull":
        return _pull(session)
    path = Path(args.file)
    try:
        source: Source = changing(session)
    except UnreachableError:
        return _offline(session, path)
    number, known = _sent(session, source, path)
    if known and not session.json:
        session.screen.line(session.words("reconcile.known", number=number), "dim")
    return _result(session, source, str(number))


def _pull(session: Session) -> int:
    wanted = {"profile": session.args.number or session.args.profile}
    if session.args.settled_on:
        wanted["settled_on"] = session.args.settled_on
    source = changing(session)
    return _result(session, source, str(source.ask("reconcile_pull", **wanted)["number"]))


def _sent(session: Session, source: Source, path: Path) -> tuple[int, bool]:
    """Send it in pieces; its number, and whether it was read before."""
    digest, size = hashlib.sha256(), 0
    for piece in _pieces(session, path):
        digest.update(piece)
        size += len(piece)
    wanted = {"profile": session.args.profile, "file_name": path.name[:128]}
    wanted["sha256"] = digest.hexdigest()
    if session.args.settled_on:
        wanted["settled_on"] = session.args.settled_on
    begun = source.ask("reconcile_begin", size_bytes=size, **wanted)
    if not begun["import_id"]:
        return begun["number"], True
    for number, piece in enumerate(_pieces(session, path)):
        data = base64.b64encode(piece).decode()
        source.ask("reconcile_piece", import_id=begun["import_id"], number=str(number), data=data)
    told = source.ask("reconcile_end", import_id=begun["import_id"])
    return told["reconciliation"]["number"], False


def _pieces(session: Session, path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while piece := file.read(READ_BYTES):
                yield piece
    except OSError as error:
        said = session.words("error.reconcile.file", path=path, why=error.strerror)
        raise OperatorError("reconcile.file", said) from error


def _show(session: Session) -> int:
    number = session.args.number
    if number is None:
        raise OperatorError("reconcile.show", session.words("error.reconcile.show"))
    if number != "last" and not (number.isascii() and number.isdigit() and len(number) < 10):
        raise OperatorError("reconcile.show", session.words("error.reconcile.number"))
    return _result(session, readable(session), number)


def _result(session: Session, source: Source, number: str) -> int:
    """Wait until it is done, then show it."""
    try:
        told = source.ask("reconciliation", number=number, limit=0, wait_s=WAIT_S)
        while told["reconciliation"]["state"] == "running":
            told = source.ask("reconciliation", number=number, limit=0, wait_s=WAIT_S)
    except AgentError as error:
        if error.code == "reconcile.unknown":
            raise NotThereError(error.code, error.what, error.hint) from error
        raise
    of = told["reconciliation"]
    if of["state"] == "refused":
        raise _refused(session, of)
    return _told(session, of, _all(source, str(of["number"]), session.args.only))


def _all(source: Source, number: str, only: str) -> Iterator[dict[str, Any]]:
    """The findings, a page at a time."""
    after: int | None = 0
    while after is not None:
        page = source.ask("reconciliation", number=number, only=only, after=after, limit=PAGE)
        yield from page["findings"]
        after = page["after"]


def _told(session: Session, of: Mapping[str, Any], findings: Iterator[dict[str, Any]]) -> int:
    if session.args.csv is not None:
        return _csv(session, findings)
    if session.json:
        session.print_json({"reconciliation": of, "findings": list(findings)})
        return Exit.OK
    if session.args.slip:
        from agent.core.slips.layout import lines
        from agent.core.slips.reconcile import slip

        for line in lines(slip(of, list(findings), session.words.lang), SLIP_COLUMNS):
            session.screen.line(line)
        return Exit.OK
    t, screen = session.words, session.screen
    days = " – ".join(dict.fromkeys(of["days"]))
    headline = {**of, "days": days, "name": of["name"] or "-"}
    kept = "reconcile.headline" if of["number"] else "reconcile.headline_unkept"
    screen.line(t(kept, **headline), "bold")
    if note := of.get("note_zh" if t.lang == "zh" else "note"):
        screen.text(note, style="warn")
    screen.table(
        [t("reconcile.count"), t("reconcile.class"), t("reconcile.who"), t("reconcile.code")],
        [_class_row(session, name, count) for name, count in of["counts"].items()],
    )
    rows: list[list[str]] = []
    more = 0
    for one in findings:
        if len(rows) < SHOWN:
            rows.append(_row(session, one))
        else:
            more += 1
    if not rows and session.args.only not in (None, "", "all"):
        screen.line(t("reconcile.none_of", name=session.args.only))
    if rows:
        screen.line()
        headers = ("line", "class", "payment", "amount", "listed", "due", "by")
        screen.table([t(f"reconcile.{name}") for name in headers], rows)
    if more:
        screen.line(t("reconcile.more", count=more), "dim")
    return Exit.OK


def _class_row(session: Session, name: str, count: int) -> list[str]:
    from agent.core.why.causes import CATALOGUE

    t = session.words
    meaning = MEANINGS[Class(name)] if name in list(Class) else None
    code = "" if meaning is None else meaning.code
    who = t.word("owner", CATALOGUE[code].owner.value) if code else ""
    text = name if meaning is None else f"{meaning.text.render(t.lang)} ({name})"
    return [str(count), text, who, code]


def _row(session: Session, one: Mapping[str, Any]) -> list[str]:
    currency = one.get("currency", "")
    by = one.get("matched_by", "")
    confidence = one.get("confidence", "")
    t = session.words
    result = one["result"]
    detail = one.get("detail", "")
    text = MEANINGS[Class(result)].text.render(t.lang) if result in list(Class) else ""
    return [
        str(one.get("line") or ""),
        f"{text or result} ({_detail(detail, session)})" if detail else text or result,
        one.get("key") or one.get("rrn") or one.get("stan") or "",
        _money(one.get("amount_minor"), currency),
        _money(one.get("listed_minor"), currency),
        one.get("due_on", ""),
        f"{t.word('matched', by)} ({t.word('sure', confidence)})" if by else "",
    ]


def _detail(detail: str, session: Session) -> str:
    """`sale KEY` and `partial` in words; what no table knows stays as it is."""
    word, _, rest = detail.partition(" ")
    return f"{session.words.word('listed', word)} {rest}".rstrip()


def _money(minor: int | None, currency: str) -> str:
    return "" if minor is None else format_money(Money(minor, currency))


def _csv(session: Session, findings: Iterator[dict[str, Any]]) -> int:
    """UTF-8 with a byte order mark: spreadsheets take Chinese for something else without."""
    path: Path = session.args.csv
    count = 0
    try:
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", restval="")
            writer.writeheader()
            for one in findings:
                # A text that begins like a formula must not be one.
                writer.writerow({name: _harmless(value) for name, value in one.items()})
                count += 1
    except OSError as error:
        said = session.words("error.reconcile.file", path=path, why=error.strerror)
        raise OperatorError("reconcile.file", said) from error
    if session.json:
        session.print_json({"file": str(path), "findings": count})
    else:
        session.screen.line(session.words("reconcile.written", count=count, path=path))
    return Exit.OK


def _harmless(value: Any) -> Any:
    if isinstance(value, str) and (value[:1] in ("\t", "\r") or value.lstrip()[:1] in _FORMULA):
        return f"'{value}"
    return value


def _list(session: Session) -> int:
    source = readable(session)
    told = source.ask("reconciliations", limit=LISTED)
    if session.json:
        session.print_json(told)
        return Exit.OK
    t, now = session.words, datetime.now().astimezone()
    if not told["reconciliations"]:
        session.screen.line(t("reconcile.none"))
        return Exit.OK
    rows = [
        [
            str(one["number"]),
            one["name"],
            local_time(datetime.fromisoformat(one["started_at"]), now),
            _summary(session, one),
        ]
        for one in told["reconciliations"]
    ]
    headers = ("number", "name", "read", "result")
    session.screen.table([t(f"reconcile.{name}") for name in headers], rows)
    return Exit.OK


def _summary(session: Session, one: Mapping[str, Any]) -> str:
    if one["state"] != "done":
        why = _problem(session, one)
        return session.words(f"reconcile.{one['state']}", why=why)
    lang = session.words.lang
    return " · ".join(
        f"{MEANINGS[Class(name)].text.render(lang)} {count}"
        for name, count in one["counts"].items()
        if name in list(Class)
    )


def _problem(session: Session, of: Mapping[str, Any]) -> str:
    return str(of["problem_zh"] if session.words.lang == "zh" else of["problem"])


def _refused(session: Session, of: Mapping[str, Any]) -> ListRefusedError:
    t = session.words
    said = t("error.reconcile.refused", name=of["name"] or "-", why=_problem(session, of))
    return ListRefusedError("reconcile.refused", said, t("error.reconcile.refused.hint"))


def _checked_class(session: Session) -> None:
    only = session.args.only
    for name in only.split(",") if only and only != "all" else ():
        if name not in list(Class):
            known = ", ".join(Class)
            said = session.words("error.reconcile.class", name=name[:32])
            raise OperatorError("reconcile.class", said, known)


# -- with the daemon dead ----------------------------------------------------------------------


def _offline(session: Session, path: Path) -> int:
    from agent.cli.reconcile_offline import reconciled

    where = places(session)
    pieces = list(_pieces(session, path))
    of, findings = asyncio.run(
        reconciled(where, pieces, path.name, session.args.profile, session.args.settled_on)
    )
    if of["state"] == "refused":
        raise _refused(session, of)
    only = session.args.only
    wanted = set(only.split(",")) if only and only != "all" else set()
    picked = (
        one
        for one in findings
        if only == "all" or (one["result"] in wanted if wanted else one["result"] != "matched")
    )
    code = _told(session, of, picked)
    if not session.json:
        session.screen.line(session.words("reconcile.not_kept"), "warn")
    return code
