"""`posagent audit [--verify]`: who did what on this terminal, and whether the trail of it is whole.

Reads the running daemon, or the store a dead one left. Exit code 0 also when there are findings:
they are the answer.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from agent.cli.screen import local_time
from agent.cli.session import Exit, Session
from agent.cli.source import readable
from agent.cli.status import say_offline
from agent.cli.texts import Words
from agent.errors import OperatorError

_SPAN = re.compile(r"^(\d{1,5})([mhd])$")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def audit(session: Session) -> int:
    """The newest lines, the newest last, as one reads a log."""
    t, now = session.words, datetime.now().astimezone()
    source = readable(session)
    asked: dict[str, Any] = {"limit": session.args.limit, "verify": session.args.verify}
    if session.args.since:
        asked["since_ms"] = max(0, round(_since(session, now).timestamp() * 1000))
    told = source.ask("audit", **asked)
    if session.json:
        session.print_json(told)
        return Exit.OK
    say_offline(session, source, now)
    rows = [
        [
            str(one["number"]),
            local_time(datetime.fromisoformat(one["at"]), now),
            one["actor"],
            one["op"],
            one["target"],
            _outcome(t, one["outcome"]) + (f" ×{one['count']}" if one["count"] > 1 else ""),
        ]
        for one in reversed(told["lines"])
    ]
    if rows:
        names = ("number", "at", "actor", "op", "target", "outcome")
        session.screen.table([t(f"audit.{name}") for name in names], rows)
    else:
        session.screen.line(t("audit.none"))
    if told["next_before"] is not None:
        session.screen.text(t("audit.more"))
    if told["check"] is not None:
        _verified(session, told["check"])
    return Exit.OK


def _outcome(t: Words, told: str) -> str:
    """`failed:transaction.unknown`; what is a code stays one."""
    word, colon, code = told.partition(":")
    return t.word("outcome", word) + (f"{t('audit.colon')}{code}" if colon else "")


def _verified(session: Session, check: dict[str, Any]) -> None:
    t, screen = session.words, session.screen
    faults = check["faults"]
    if not faults:
        screen.text(t("audit.whole", lines=check["lines"], first=check["first"],
                      last=check["last"]))  # fmt: skip
        return
    screen.text(t("audit.broken", lines=check["lines"]), style="bad")
    for one in faults:
        several = one["until"] > one["number"] and one["what"] in ("missing", "cut")
        name = f"audit.{one['what']}" + (".several" if several else "")
        screen.text(t(name, number=one["number"], until=one["until"]), indent="    ", first="  ")


def _since(session: Session, now: datetime) -> datetime:
    """`24h`, `7d`, `30m`, or a date with or without a time, in the terminal's own zone."""
    given = session.args.since
    span = _SPAN.match(given)
    if span is not None:
        return now - timedelta(**{_UNITS[span[2]]: int(span[1])})
    try:
        return datetime.fromisoformat(given).astimezone()
    except (ValueError, OverflowError):
        raise OperatorError("audit.since", session.words("audit.bad_since", given=given)) from None
