"""`posagent alarm acknowledge CODE` and `release CODE`: somebody has an open alarm in hand, or not.

Needs the running daemon, which writes down who did it; nothing is hidden by it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.cli.screen import local_time
from agent.cli.session import Exit, Session
from agent.cli.source import changing
from agent.cli.texts import Words
from agent.errors import OperatorError

_SPAN = re.compile(r"([1-9][0-9]{0,3})(m|h|d)")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def alarm(session: Session) -> int:
    """One order about one alarm."""
    args = session.args
    now = datetime.now(UTC)
    if args.order == "release":
        told = changing(session).ask("alarm_release", code=args.code)
    else:
        said: dict[str, Any] = {"note": args.note, "to": args.to}
        if args.until:
            said["until"] = _until(session, now).isoformat(timespec="milliseconds")
        wished = {name: value for name, value in said.items() if value}
        told = changing(session).ask("alarm_acknowledge", code=args.code, **wished)
    if session.json:
        session.print_json(told)
        return Exit.OK
    t = session.words
    named = {"title": told["title"][t.lang], "code": told["code"]}
    if args.order == "release":
        session.screen.text(t("alarm.released", **named))
    else:
        session.screen.text(t("alarm.noted", by=noted(t, told, now), **named))
    return Exit.OK


def noted(t: Words, told: Mapping[str, Any], now: datetime) -> str:
    """Who has it in hand, until when, and what they said: one line."""
    text = str(told["acknowledged_by"])
    if told.get("acknowledged_to"):
        text = t("alarm.handed", by=text, to=told["acknowledged_to"])
    if told.get("acknowledged_until"):
        until = local_time(datetime.fromisoformat(told["acknowledged_until"]), now)
        text += t("alarm.until", until=until)
    if told.get("acknowledged_note"):
        text += t("alarm.note", note=told["acknowledged_note"])
    return text


def _until(session: Session, now: datetime) -> datetime:
    """`2h`, `3d`, `18:00` (the next one) or a date with time. Raises OperatorError."""
    given = session.args.until
    if span := _SPAN.fullmatch(given):
        return now + timedelta(**{_UNITS[span[2]]: int(span[1])})
    try:
        if re.fullmatch(r"[0-9]{1,2}:[0-9]{2}", given):
            clock = datetime.strptime(given, "%H:%M")  # noqa: DTZ007 - hours only, local below
            here = now.astimezone()
            at = here.replace(hour=clock.hour, minute=clock.minute, second=0, microsecond=0)
            return at if at > here else at + timedelta(days=1)
        return datetime.fromisoformat(given).astimezone()
    except ValueError:
        raise OperatorError(
            "alarm.until",
            session.words("alarm.bad_until", given=given),
            session.words("alarm.bad_until.hint"),
        ) from None
