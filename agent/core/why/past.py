"""What was wrong before now: the history of health laid beside one payment's own. Pure.

A condition that is over explains an attempt that failed while it stood, and none that failed
before or after. Attempts of which only first and last are known count where one of those two lies
inside. Called by the actions (`stretches`) and by `explain` (`lines`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from agent.core.health.tracker import HistoryLine, What
from agent.core.money.journal import Event
from agent.core.why import phrases
from agent.core.why.case import Payment, Stretch
from agent.core.why.causes import CATALOGUE
from agent.core.why.text import Arg, Line
from agent.core.why.weigh import FOLLOWS, Tier, tier_of

_ATTEMPTS = frozenset({Event.NOT_SENT, Event.NO_ANSWER, Event.REFUSED})
#: Causes that were over before anybody asked; nobody reads more.
MOST = 6


def stretches(
    lines: Iterable[HistoryLine],
    *,
    since_at: datetime | None = None,
    until_at: datetime | None = None,
) -> tuple[Stretch, ...]:
    """From the history, oldest line first, when each condition held. `since_at`, `until_at`: where
    a history that was cut off begins and ends; nothing is claimed beyond it."""
    open_: dict[str, HistoryLine] = {}
    found: list[Stretch] = []
    for line in lines:
        if line.what in (What.BEGAN, What.SHOWN):
            open_.setdefault(line.code, line)
        elif line.what in (What.CLEARED, What.ENDED):
            began = open_.pop(line.code, None)
            # The end is written when it was certain; a second word for the same end says nothing.
            if began is None and any(one.code == line.code for one in found):
                continue
            found.append(
                Stretch(
                    code=line.code,
                    from_at=began.at if began else since_at,
                    until_at=line.at,
                    args=began.args if began else line.args,
                )
            )
    found += [
        Stretch(code=code, from_at=began.at, until_at=until_at, args=began.args)
        for code, began in open_.items()
    ]
    return tuple(found)


def lines(payment: Payment, past: Sequence[Stretch]) -> list[tuple[str, Line]]:
    """(code, sentence) of what stood at capture or during attempts, nearest to the ground first;
    what moves no money and what only followed from another is left out."""
    record = payment.record
    if record is None:
        return []
    captured_at = record.transaction.occurred_at
    told: list[tuple[str, Line, Stretch]] = []
    for one in past:
        if one.code not in CATALOGUE or tier_of(one.code) is Tier.ASIDE:
            continue
        at_capture = _holds(one, captured_at)
        numbers = _during(payment, one)
        if not at_capture and not numbers:
            continue
        args: dict[str, Arg] = {
            "title": CATALOGUE[one.code].title,
            "from_at": one.from_at,
            "until_at": one.until_at,
            "attempts": _range(numbers),
            "capture": phrases.AT_CAPTURE if at_capture else None,
        }
        text = phrases.STOOD if one.from_at else phrases.STOOD_BEFORE
        told.append((one.code, Line(text, args), one))
    shown = [
        (code, line)
        for code, line, one in told
        if not any(
            root == other and _covers(above, one)
            for other, _, above in told
            for root in FOLLOWS.get(code, ())
        )
    ]
    return shown[-MOST:]


def _covers(above: Stretch, one: Stretch) -> bool:
    """Whether the root stood when `one` began, or began with it."""
    return one.from_at is None or above.from_at is None or _holds(above, one.from_at)


def _holds(one: Stretch, at: datetime) -> bool:
    return (one.from_at is None or one.from_at <= at) and (
        one.until_at is None or at <= one.until_at
    )


def _during(payment: Payment, one: Stretch) -> list[int]:
    """The numbers of the failed attempts that lie in the stretch for certain."""
    numbers: list[int] = []
    before = 0
    for step in payment.steps:
        if step.event not in _ATTEMPTS:
            continue
        first, last = before + 1, before + step.count
        before = last
        inside_first, inside_last = _holds(one, step.first_at), _holds(one, step.last_at)
        if inside_first and inside_last:
            numbers += range(first, last + 1)
        elif inside_first or inside_last:
            numbers.append(first if inside_first else last)
    return numbers


def _range(numbers: Sequence[int]) -> str | None:
    if not numbers:
        return None
    first, last = numbers[0], numbers[-1]
    return str(first) if first == last else f"{first}–{last}"
