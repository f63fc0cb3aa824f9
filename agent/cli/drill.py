"""`posagent drill`: exercise an outage now, a line for each step; or read old reports.

Making one needs the daemon; it may go away in the middle, when it was asked to restart itself, and
is waited for. Reports are read from a dead daemon's store too. Exit code 0 also for bad news.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from agent.cli.screen import local_time, pad
from agent.cli.session import Exit, NotThereError, Session, UnreachableError
from agent.cli.source import Source, changing, readable
from agent.cli.status import say_offline
from agent.errors import AgentError, OperatorError

WAIT_S = 15.0
#: How long the daemon may be away while it restarts.
AWAY_S = 90.0
LOOK_S = 0.5
LISTED = 30
TITLE_COLUMNS, VERDICT_COLUMNS = 22, 8
_STYLES = {"pass": "good", "fail": "bad", "passed": "good", "failed": "bad", "broken_off": "warn"}


def drill(session: Session) -> int:
    """Make one, show one, or list them."""
    args = session.args
    if args.list:
        return _list(session)
    if args.last or args.number is not None:
        return _show(session, "last" if args.number is None else _number(session))
    return _make(session)


def _make(session: Session) -> int:
    t, args = session.words, session.args
    try:
        source: Source = changing(session)
    except UnreachableError as down:
        raise UnreachableError(down.code, t("error.drill_daemon"), down.hint) from down
    report = source.ask("drill", records=args.records, restart=args.restart)
    if not session.json:
        begins = t("drill.begins", number=report["number"], count=report["records"])
        session.screen.text(begins, style="bold")
    told, number = 0, str(report["number"])
    while True:
        if not session.json:
            for step in report["steps"][told:]:
                _line(session, step)
        told = len(report["steps"])
        if report["state"] == "done":
            break
        report = _next(session, number, told, patient=bool(args.restart))
    return _end(session, report)


def _next(session: Session, number: str, told: int, *, patient: bool) -> dict[str, Any]:
    """The report with more steps; a daemon that restarts itself is waited for."""
    ends_s = time.monotonic() + (AWAY_S if patient else 0.0)
    while True:
        try:
            report: dict[str, Any] = changing(session).ask(
                "drill_show", number=number, after=told, wait_s=WAIT_S
            )
            return report
        except (AgentError, OSError) as error:
            if time.monotonic() > ends_s:
                said = session.words("error.drill_gone")
                raise UnreachableError("daemon.down", said) from error
            time.sleep(LOOK_S)


def _show(session: Session, number: str) -> int:
    source = readable(session)
    try:
        report = source.ask("drill_show", number=number)
    except AgentError as error:
        if error.code == "drill.unknown":
            raise NotThereError(error.code, error.what, error.hint) from error
        raise
    if not session.json:
        now = datetime.now().astimezone()
        say_offline(session, source, now)
        at = local_time(datetime.fromisoformat(report["started_at"]), now)
        headline = session.words("drill.headline", number=report["number"], at=at)
        session.screen.line(headline, "bold")
        for step in report["steps"]:
            _line(session, step)
    return _end(session, report)


def _end(session: Session, report: dict[str, Any]) -> int:
    if session.json:
        session.print_json(report)
    else:
        style = _STYLES.get(report["result"], "warn")
        session.screen.text(report["said"][session.words.lang], style=style)
    return Exit.OK


def _line(session: Session, step: dict[str, Any]) -> None:
    t, screen = session.words, session.screen
    verdict = pad(t.word("drill_verdict", step["verdict"]), VERDICT_COLUMNS)
    title = pad(step["title"][t.lang], TITLE_COLUMNS)
    took = t("inspect.took", seconds=f"{step['duration_ms'] / 1000:.1f}")
    screen.line(f"{title}  {verdict}  {took}", _STYLES.get(step["verdict"], "dim"))
    screen.text(step["said"][t.lang], indent="    ", first="    ")


def _list(session: Session) -> int:
    source = readable(session)
    told = source.ask("drills", limit=LISTED)
    if session.json:
        session.print_json(told)
        return Exit.OK
    t, now = session.words, datetime.now().astimezone()
    say_offline(session, source, now)
    if not told["drills"]:
        session.screen.line(t("drill.none"))
        return Exit.OK
    rows = [
        [
            str(one["number"]),
            local_time(datetime.fromisoformat(one["started_at"]), now),
            t.word("trigger", one["trigger"]),
            str(one["records"]),
            t.word("drill_result", one["result"]) if one["ended_at"] else t("drill.running"),
        ]
        for one in told["drills"]
    ]
    names = ("drill.number", "drill.began", "drill.by", "drill.records", "drill.result")
    session.screen.table([t(name) for name in names], rows)
    return Exit.OK


def _number(session: Session) -> str:
    number = str(session.args.number)
    if not number.isascii() or not number.isdecimal() or len(number) > 9:
        raise OperatorError("drill.number", session.words("error.drill_number", number=number))
    return number
