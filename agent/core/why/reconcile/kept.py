"""A list and a finding as they are kept, and what a kept finding says in a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from agent.core.moment import at_ms
from agent.core.why.case import Said, Settled
from agent.core.why.reconcile.classes import MEANINGS, SETTLED, Class
from agent.core.why.text import Arg, Line, Money, Text


class KeptList(NamedTuple):
    """One list that was read, is being read or was refused."""

    number: int
    profile: str
    name: str
    digest: str
    state: str
    actor: str
    started_ms: int
    ended_ms: int | None
    body: Mapping[str, Any]


class KeptFinding(NamedTuple):
    """One finding of a list."""

    number: int
    n: int
    result: str
    line: int
    seq: int
    key: str
    how: str
    amount_minor: int | None
    listed_minor: int | None
    fee_minor: int | None
    currency: str
    settled_day: int
    due_day: int
    occurred_ms: int
    rrn: str
    stan: str
    batch: str
    terminal_id: str
    detail: str
    mark: int
    superseded: int = 0


_LISTED = Text(
    "清单{number}[（{name}）]，{read_at}读入：{what}[，第{line}行]",
    "list {number}[ ({name})], read {read_at}: {what}[, line {line}]",
)
_AMOUNTS = Text(
    "应到{expected}，清单{found}[，手续费{fee}]", "expected {expected}, listed {found}[, fee {fee}]"
)
_DUE = Text("应到账日：{day}", "due on {day}")
_DO_NOT = Text(
    "清单证明主机已收这笔：不要重新收款；等主机应答，或由技术人员查询",
    "the list proves that the host has it: do not take it again; wait for the host's answer or "
    "have a technician ask it (posagent queue retry)",
)
_OPEN = Text("还有{count}笔：{what}", "{count} payments or lines: {what}")


def day_text(day: int) -> str:
    """An ordinal as people write it; "" where there is none."""
    return date.fromordinal(day).isoformat() if 0 < day <= 3_652_059 else ""


def stan_text(stan: str) -> str:
    """A trace number as terminals and hosts print it: six digits."""
    return stan.zfill(6) if stan.isascii() and stan.isdigit() else stan


def said_of(found: KeptFinding, of: KeptList | None) -> Said | None:
    """What a verdict about one payment says of it; None: there is nothing to act on."""
    result = class_of(found.result)
    if result is None or not MEANINGS[result].code:
        return None
    meaning = MEANINGS[result]
    read_at = None if of is None or of.ended_ms is None else at_ms(of.ended_ms)
    evidence = [Line(_LISTED, _listed(found, of, meaning.text))]
    amounts = _amounts(found)
    if amounts:
        evidence.append(Line(_AMOUNTS, amounts))
    if found.due_day and result is not Class.AMOUNT_DIFFERS:
        evidence.append(Line(_DUE, {"day": day_text(found.due_day)}))
    if result is Class.OPEN_HERE:
        evidence.append(Line(_DO_NOT))
    return Said(
        code=meaning.code, since_at=read_at, args=_args(found, result), evidence=tuple(evidence)
    )


def compared_of(found: KeptFinding, of: KeptList | None) -> Line | None:
    """What the list says of it; None for one of another version of this program."""
    result = class_of(found.result)
    if result is None:
        return None
    return Line(_LISTED, _listed(found, of, MEANINGS[result].text))


def settled_of(found: KeptFinding, of: KeptList | None) -> Settled | None:
    """The proof that a payment is settled; None: the list does not say so."""
    if class_of(found.result) not in SETTLED:
        return None
    on = day_text(found.settled_day)
    return Settled(
        number=found.number,
        name="" if of is None else of.name,
        on=on,
        read_at=None if of is None or of.ended_ms is None else at_ms(of.ended_ms),
        sure=found.how not in ("amount", "amount_card"),
    )


def said_of_all(counts: Mapping[str, int], some: Mapping[str, KeptFinding]) -> list[Said]:
    """What a verdict about the terminal says of everything no later list took back."""
    told: list[Said] = []
    for result in Class:
        meaning, count = MEANINGS[result], counts.get(result.value, 0)
        if not count or not meaning.alarm:
            continue
        found = some.get(result.value)
        args: dict[str, Arg] = {"count": count}
        if found is not None and count == 1:
            args |= _args(found, result)
        line = Line(_OPEN, {"count": count, "what": meaning.text})
        told.append(Said(code=meaning.code, args=args, evidence=(line,)))
    return told


def class_of(word: str) -> Class | None:
    """The class; None for one of another version of this program."""
    try:
        return Class(word)
    except ValueError:
        return None


def _listed(found: KeptFinding, of: KeptList | None, what: Text) -> dict[str, Arg]:
    return {
        "number": found.number,
        "name": None if of is None else of.name,
        "read_at": None if of is None or of.ended_ms is None else at_ms(of.ended_ms),
        "what": what,
        "line": found.line or None,
    }


def _args(found: KeptFinding, result: Class) -> dict[str, Arg]:
    args: dict[str, Arg] = {
        "rrn": found.rrn or None,
        "batch": found.batch or None,
        "terminal_id": found.terminal_id or None,
    }
    if found.due_day and result in (Class.NOT_DUE, Class.NOT_REALTIME, Class.LATE):
        args["expected_at"] = day_text(found.due_day)
    if result is Class.AMOUNT_DIFFERS:
        args |= _amounts(found)
    return args


def _amounts(found: KeptFinding) -> dict[str, Arg]:
    if found.amount_minor is None or found.listed_minor is None:
        return {}
    told: dict[str, Arg] = {
        "expected": Money(found.amount_minor, found.currency),
        "found": Money(found.listed_minor, found.currency),
    }
    if found.fee_minor:
        told["fee"] = Money(found.fee_minor, found.currency)
    return told


def shown_at(ms: int) -> str:
    """A moment as the API tells it; "" where there is none."""
    return at_ms(ms).isoformat() if ms else ""
