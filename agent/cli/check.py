"""`posagent check AMOUNT CURRENCY`: would this payment be taken now, and if not, why?

Asks the daemon what a payment app would ask. TID and MID are those issued in [check] unless given.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from agent.cli.session import Exit, Session
from agent.cli.source import changing, places
from agent.core.money.currencies import EXPONENT
from agent.errors import OperatorError


def check(session: Session) -> int:
    """One payment that is not there yet."""
    args = session.args
    issued = places(session).config.check
    asked: dict[str, Any] = {
        "terminal_id": args.tid or next(iter(issued.terminal_ids), ""),
        "merchant_id": args.mid or next(iter(issued.merchant_ids), ""),
        "kind": args.kind,
        "posting": args.posting,
        "currency": args.currency,
        "amount_minor": _minor(session, args.amount, args.currency),
    }
    for option, name in (("--tid", "terminal_id"), ("--mid", "merchant_id")):
        if not asked[name]:
            raise OperatorError("request.missing_field", session.words("check.give", what=option))
    if args.again:
        asked["again_of"] = args.again
    if args.card:
        asked["card"] = {"masked": args.card}
    answer = changing(session).ask("check", **asked)
    if session.json:
        session.print_json(answer)
        return Exit.OK
    t, screen = session.words, session.screen
    screen.line(t(f"check.{answer['answer']}"), "bold")
    if answer.get("again"):
        screen.text(t(f"check.{answer['again']['retry']}", key=answer["again"]["key"]))
        screen.text(answer["again"]["advice"][t.lang], indent="  ")
    for one in answer["findings"]:
        screen.text(f"{one['reason'][t.lang]} ({one['code']})", indent="  ", first="- ")
        owner = t.word("owner", one["owner"])
        screen.text(f"{owner}: {one['step'][t.lang]}", indent="    ", first="  ")
    return Exit.OK


def _minor(session: Session, amount: str, currency: str) -> int:
    """The amount in the currency's minor unit; no digit is dropped and none is made up."""
    places_after = EXPONENT.get(currency)
    if places_after is not None:
        try:
            minor = Decimal(amount).scaleb(places_after)
        except InvalidOperation:
            minor = Decimal("NaN")
        if minor.is_finite() and minor == minor.to_integral_value() and minor >= 0:
            return int(minor)
    raise OperatorError("amount.bad", session.words("check.bad", what=f"{amount} {currency}"))
