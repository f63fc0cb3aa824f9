"""`posagent inspect`: check everything now, a line for each check as it ends; or read old reports.

Making one needs the daemon, which alone reads every device; reports are read from a dead daemon's
store too. What a check came to is not judged here. Exit code 0 also for bad news.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agent.cli.screen import local_time, pad
from agent.cli.session import Exit, NotThereError, Session, UnreachableError
from agent.cli.source import Source, changing, readable
from agent.cli.status import say_offline
from agent.errors import AgentError, OperatorError

#: How long the daemon may keep us waiting for the next check; shorter than it allows a handler.
WAIT_S = 15.0
_STYLES = {"pass": "good", "warn": "warn", "fail": "bad", "unknown": "warn"}
#: What is listed beside the verdict of a check that needs nobody.
_QUIET = ("pass", "not_fitted", "not_observable")
LISTED = 30
TITLE_COLUMNS, VERDICT_COLUMNS = 20, 14


def inspect(session: Session) -> int:
    """Make one, show one, or list them."""
    args = session.args
    if args.list:
        return _list(session)
    if args.last or args.number is not None:
        return _show(session, "last" if args.number is None else _number(session))
    return _make(session)


def _make(session: Session) -> int:
    try:
        source = changing(session)
    except UnreachableError as down:
        said = session.words("error.inspect_daemon")
        raise UnreachableError(down.code, said, down.hint) from down
    report = source.ask("inspect")
    quiet = session.json or session.args.slip
    if not quiet:
        count = len(report["expected"])
        session.screen.line(session.words("inspect.begins", count=count), "bold")
    told = 0
    while True:
        if not quiet:
            for check in report["checks"][told:]:
                line(session, check)
        told = len(report["checks"])
        if report["state"] == "done":
            break
        number = str(report["number"])
        report = source.ask("inspection", number=number, after=told, wait_s=WAIT_S)
        if report["state"] == "done" and len(report["checks"]) < told:
            raise OperatorError("inspect.broke", session.words("error.inspect_broke"))
    if session.args.slip:
        return _slip(session, source, str(report["number"]))
    if session.json:
        session.print_json(report)
        return Exit.OK
    ending(session, report)
    return Exit.OK


def _show(session: Session, number: str) -> int:
    source = readable(session)
    try:
        if session.args.slip:
            return _slip(session, source, number)
        report = source.ask("inspection", number=number)
    except AgentError as error:
        if error.code == "inspection.unknown":
            raise NotThereError(error.code, error.what, error.hint) from error
        raise
    if session.json:
        session.print_json(report)
        return Exit.OK
    now = datetime.now().astimezone()
    say_offline(session, source, now)
    at = local_time(datetime.fromisoformat(report["started_at"]), now)
    session.screen.line(session.words("inspect.headline", number=report["number"], at=at), "bold")
    order = {name: place for place, name in enumerate(report["expected"])}
    for check in sorted(report["checks"], key=lambda one: order.get(one["name"], len(order))):
        line(session, check)
    ending(session, report)
    return Exit.OK


def _slip(session: Session, source: Source, number: str) -> int:
    """The lines as they go to paper: nothing else is written."""
    lang, columns = session.words.lang, session.args.columns
    told = source.ask("inspection_slip", number=number, lang=lang, columns=columns)
    if session.json:
        session.print_json(told)
    else:
        for line in told["lines"]:
            session.screen.line(line)
    return Exit.OK


def _list(session: Session) -> int:
    source = readable(session)
    told = source.ask("inspections", limit=LISTED)
    if session.json:
        session.print_json(told)
        return Exit.OK
    t, now = session.words, datetime.now().astimezone()
    say_offline(session, source, now)
    if not told["inspections"]:
        session.screen.line(t("inspect.none"))
        return Exit.OK
    rows = [
        [
            str(one["number"]),
            local_time(datetime.fromisoformat(one["started_at"]), now),
            t.word("trigger", one["trigger"]),
            _totals(session, one["totals"]) if one["ended_at"] else t("inspect.running"),
        ]
        for one in told["inspections"]
    ]
    headers = [t("inspect.number"), t("inspect.began"), t("inspect.by"), t("inspect.result")]
    session.screen.table(headers, rows)
    return Exit.OK


def line(session: Session, check: dict[str, Any]) -> None:
    """One check: its verdict, and what to do where somebody must."""
    t, screen = session.words, session.screen
    seconds = f"{check['duration_ms'] / 1000:.1f}"
    title = pad(check["title"][t.lang], TITLE_COLUMNS)
    verdict = t.word("verdict", check["verdict"])
    took = t("inspect.took", seconds=seconds)
    screen.line(
        f"{title}  {pad(verdict, VERDICT_COLUMNS)}  {took}", _STYLES.get(check["verdict"], "dim")
    )
    if check["verdict"] in _QUIET:
        return
    why = check["why"][t.lang]
    if check["codes"]:
        screen.text(f"{check['cause'][t.lang]} ({check['codes'][0]})", "    ", "  ", style="bold")
    if why:
        screen.text(why, indent="    ", first="    ")
    if check["follows"]:
        screen.text(t("inspect.follows", code=check["follows"]), indent="    ", first="    ")
    elif check["step"][t.lang]:
        step = t("pair", name=t.word("owner", check["owner"]), value=check["step"][t.lang])
        screen.text(step, indent="       ", first="    -> ")


def ending(session: Session, report: dict[str, Any]) -> None:
    bad = report["totals"]["fail"]
    style = "bad" if bad else "warn" if report["totals"]["warn"] else "good"
    session.screen.line(_totals(session, report["totals"]), style)


def _totals(session: Session, totals: dict[str, int]) -> str:
    t = session.words
    counted = [f"{t.word('verdict', name)} {count}" for name, count in totals.items() if count]
    return " · ".join(counted)


def _number(session: Session) -> str:
    number = str(session.args.number)
    if not number.isascii() or not number.isdecimal() or len(number) > 9:
        raise OperatorError("inspect.number", session.words("error.inspect_number", number=number))
    return number
