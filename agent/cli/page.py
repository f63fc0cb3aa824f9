"""`posagent page`: the address of the technician's page and a way in that counts once.

Needs the running daemon, which serves it and writes down who asked. Codes are shown here and on
slips only; whoever looks over the shoulder has one try less than the person who types faster.
"""

from __future__ import annotations

from typing import Any

from agent.cli.session import Exit, Session
from agent.cli.source import changing
from agent.errors import OperatorError


def page(session: Session) -> int:
    """One order about the page."""
    args, t = session.args, session.words
    if args.minutes is not None and args.order != "open":
        raise OperatorError("page.minutes", t("page.minutes_elsewhere"))
    source = changing(session)
    match args.order:
        case "open":
            told = source.ask("page_open", **({"minutes": args.minutes} if args.minutes else {}))
        case "close":
            told = source.ask("page_close")
        case "show":
            told = source.ask("page")
        case _:
            told = source.ask("page_code")
    if session.json:
        session.print_json(told)
    elif args.order in ("open", "code"):
        _way_in(session, told)
    else:
        _shown(session, told, closed=args.order == "close")
    return Exit.OK


def _way_in(session: Session, told: dict[str, Any]) -> None:
    t, screen = session.words, session.screen
    code, minutes = told["code"], max(1, told["expires_in_s"] // 60)
    screen.line(t("page.address", address=told["address"]))
    screen.line(t("page.code", code=f"{code[:4]} {code[4:]}", minutes=minutes))
    if told["closes_in_s"]:
        screen.line(t("page.closes", minutes=max(1, told["closes_in_s"] // 60)))
    else:
        # Behind the # nothing is sent to anybody; the page takes it from there.
        screen.line(t("page.link", link=f"{told['address']}in.html#{code}"))
    if told["fingerprint"]:
        screen.text(t("page.fingerprint"))
        shown = told["fingerprint"].upper()
        pairs = [shown[at : at + 2] for at in range(0, len(shown), 2)]
        screen.line("  " + ":".join(pairs[:16]))
        screen.line("  " + ":".join(pairs[16:]))
    if told["printed"]:
        screen.line(t("page.printed"))


def _shown(session: Session, told: dict[str, Any], *, closed: bool) -> None:
    t, screen = session.words, session.screen
    if closed:
        screen.line(t("page.closed"))
    elif not told["listeners"]:
        screen.line(t("page.none"))
    for one in told["listeners"]:
        where = t("page.here" if one["listener"] == "loopback" else "page.there")
        screen.line(t("page.shown", where=where, **one))
        if one["closes_in_s"]:
            minutes = max(1, one["closes_in_s"] // 60)
            screen.line(t("page.opened_by", by=one["opened_by"], minutes=minutes))
