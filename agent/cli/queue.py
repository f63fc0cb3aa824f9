"""`posagent queue …`: the payments, and decisions about them.

Looking works without a daemon; deciding does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from agent.cli.screen import age, local_time, pad, width
from agent.cli.session import Exit, NotThereError, Session
from agent.cli.source import Source, changing, readable
from agent.cli.status import say_offline
from agent.core.why.causes import CATALOGUE
from agent.core.why.text import Money, format_money
from agent.errors import CallerError

#: What the API hands out at once.
_PAGE = 500


def queue(session: Session) -> int:
    """Carry out one of the orders."""
    match session.args.order:
        case "list":
            return _list(session)
        case "show":
            return _show(session)
        case "resolve":
            return _resolve(session)
        case "abandon":
            return _abandon(session)
        case _:
            return _move(session)


def _list(session: Session) -> int:
    source = readable(session)
    items, more = _pages(source, session.args.limit, everything=session.args.all)
    if session.json:
        session.print_json({"items": items, "more": more})
        return Exit.OK
    t, now = session.words, datetime.now().astimezone()
    say_offline(session, source, now)
    if not items:
        session.screen.line(t("queue.none_all") if session.args.all else t("queue.none"))
        return Exit.OK
    headers = [t(f"queue.{name}") for name in ("key", "amount", "state", "age", "cause")]
    session.screen.table(headers, [_row(session, item, now) for item in items])
    if more:
        session.screen.line(t("queue.more", limit=session.args.limit))
    return Exit.OK


def _pages(source: Source, limit: int, *, everything: bool) -> tuple[list[Any], bool]:
    items: list[Any] = []
    wanted: dict[str, Any] = {"state": "all"} if everything else {}
    after: int | None = 0
    while after is not None and len(items) < limit:
        size = min(_PAGE, limit - len(items))
        page = source.ask("queue_list", after=after, limit=size, **wanted)
        items += page["items"]
        after = page["next_after"]
    return items, after is not None and bool(
        source.ask("queue_list", after=after, limit=1, **wanted)["items"]
    )


def _row(session: Session, item: Mapping[str, Any], now: datetime) -> list[str]:
    t = session.words
    state = t.word("state", item["state"])
    if item["in_doubt"]:
        state += f" ({t('word.in_doubt')})"
    since = (now - datetime.fromisoformat(item["stored_at"])).total_seconds()
    return [item["key"], _amount(item), state, age(since, t.lang), item["cause"]]


def _show(session: Session) -> int:
    source = readable(session)
    try:
        item = source.ask("queue_show", key=session.args.key, history=True)
    except CallerError as error:
        if error.code == "transaction.unknown":
            raise NotThereError(error.code, error.what, error.hint) from error
        raise
    if session.json:
        session.print_json(item)
        return Exit.OK
    now = datetime.now().astimezone()
    say_offline(session, source, now)
    _details(session, item, now)
    _history(session, item, now)
    return Exit.OK


def _details(session: Session, item: Mapping[str, Any], now: datetime) -> None:
    t, screen = session.words, session.screen
    state = t.word("state", item["state"])
    if item["in_doubt"]:
        state += f" · {t('queue.doubt')}"
    cause = CATALOGUE.get(item["cause"])
    trouble = f"{cause.title.render(t.lang)} ({item['cause']})" if cause else item["cause"]
    due = item["next_attempt_at"]
    result = item["result"] or {}
    card = item["card"] or {}
    rows = [
        ("queue.key", item["key"]),
        ("queue.state", state),
        ("queue.amount", _amount(item)),
        ("queue.kind", f"{item['kind']} · {item['posting']}"),
        ("queue.terminal", f"{item['terminal_id']} · {item['merchant_id']}"),
        ("queue.occurred", _at(item["occurred_at"], now)),
        ("queue.stored", _at(item["stored_at"], now)),
        ("queue.uplink", item["uplink"]),
        ("queue.tries", t("queue.tries_of", tried=item["tried"], sent=item["sent"])),
        ("queue.next", _at(due, now) if due else ""),
        ("queue.cause", trouble),
        ("queue.note", item["note"]),
        ("queue.trace", " · ".join(filter(None, (item["stan"], item["batch"], item["rrn"])))),
        ("queue.card", " ".join(filter(None, (card.get("scheme"), card.get("masked"))))),
        ("queue.refers_to", item["refers_to"] or ""),
        ("queue.reference", result.get("reference") or ""),
        ("queue.response", result.get("response_code") or ""),
        ("queue.host_text", result.get("text") or ""),
    ]
    label_width = max(width(t(name)) for name, value in rows if value) + 2
    for name, value in rows:
        if value:
            screen.text(value, indent=" " * label_width, first=pad(t(name), label_width))


def _history(session: Session, item: Mapping[str, Any], now: datetime) -> None:
    t, screen = session.words, session.screen
    if not item.get("history"):
        return
    screen.line()
    screen.line(t("queue.history"), "bold")
    for step in item["history"]:
        parts = [_at(step["last_at"], now), t.word("state", step["state"]), step["event"]]
        if step["count"] > 1:
            parts.append(t("queue.times", count=step["count"], first=_at(step["first_at"], now)))
        if step["actor"] != "agent":
            parts.append(step["actor"])
        parts += [part for part in (step["cause"], step["note"]) if part]
        screen.text(" · ".join(parts), indent="    ", first="  ")


def _move(session: Session) -> int:
    args = session.args
    order: dict[str, Any] = {}
    for name in ("key", "cause", "uplink", "reason"):
        if value := getattr(args, name, None):
            order[name] = value
    source = changing(session)
    total = {"moved": 0, "skipped": 0}
    items: list[Any] = []
    while True:
        try:
            answer = source.ask(f"queue_{args.order}", **order)
        except CallerError as error:
            if error.code == "transaction.unknown":
                raise NotThereError(error.code, error.what, error.hint) from error
            raise
        for name in total:
            total[name] += answer[name]
        items += answer["items"]
        if not answer["more"] or not answer["moved"]:
            break
    if session.json:
        session.print_json({**total, "items": items})
        return Exit.OK
    session.screen.line(session.words(f"queue.moved_{args.order}", count=total["moved"]))
    if total["skipped"]:
        session.screen.line(session.words("queue.skipped", count=total["skipped"]))
    return Exit.OK


def _resolve(session: Session) -> int:
    """A person's word about a payment the app sent; only a running daemon takes it."""
    args = session.args
    return _ended(session, "resolve", outcome=args.outcome, evidence=args.evidence)


def _abandon(session: Session) -> int:
    """A held payment given up; only a running daemon does it."""
    args = session.args
    word = {"outcome": args.outcome, "reference": args.reference, "said_by": args.said_by}
    return _ended(session, "queue_abandon", confirmation=word)


def _ended(session: Session, name: str, **word: Any) -> int:
    try:
        item = changing(session).ask(name, key=session.args.key, **word)
    except CallerError as error:
        if error.code == "transaction.unknown":
            raise NotThereError(error.code, error.what, error.hint) from error
        raise
    if session.json:
        session.print_json(item)
    else:
        state = session.words.word("state", item["state"])
        session.screen.line(session.words("pair", name=item["key"], value=state))
    return Exit.OK


def _amount(item: Mapping[str, Any]) -> str:
    if item["amount_minor"] is None:
        return "-"
    return format_money(Money(item["amount_minor"], item["currency"]))


def _at(at: str, now: datetime) -> str:
    return local_time(datetime.fromisoformat(at), now)
