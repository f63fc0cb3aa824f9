"""`posagent alarm acknowledge CODE`: somebody takes note of an open alarm.

Needs the running daemon, which writes down who did it; nothing is hidden by it.
"""

from __future__ import annotations

from agent.cli.session import Exit, Session
from agent.cli.source import changing


def alarm(session: Session) -> int:
    """The one order there is."""
    told = changing(session).ask("alarm_acknowledge", code=session.args.code)
    if session.json:
        session.print_json(told)
        return Exit.OK
    t = session.words
    title = told["title"][t.lang]
    session.screen.text(
        t("alarm.noted", title=title, code=told["code"], by=told["acknowledged_by"])
    )
    return Exit.OK
