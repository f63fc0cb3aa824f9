"""Gathers a pre-settlement slip: the payments of a batch or a day, read in small pages.

Nothing is summed by the store and nothing held in memory but the sums. What became of the last one
is kept, so that a verdict can say what was missing and what failed first.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from agent.actions.paging import first_stored_since, last_seq
from agent.actions.ports import Ports
from agent.actions.slip_kinds import offset_of
from agent.core.slips.presettlement import Failed, LastTime, Scope, Sums, missing
from agent.core.why.case import PutAside
from agent.core.why.text import Language, Line, Text
from agent.errors import AgentError, StoreError
from agent.wire.problem import RequestError

if TYPE_CHECKING:
    from agent.actions.ports.slips import Memory
    from agent.core.money.batches import Batch
    from agent.core.money.journal import Record
    from agent.core.slips.paper import Slip

PAGE = 500
#: No batch of a terminal is larger; a day of a busy one is a tenth of it.
MOST = 20_000
#: How far back a batch is looked for of which nobody told when it was opened.
BATCH_DAYS = 7
NOTE = "presettlement"
#: A terminal serves a few merchants at most; each has a TID of its own.
MOST_TERMINALS = 8
MISSING_HERE = "missing_here"
_FORBIDDEN = "permission denied"
#: What a refusal says has failed; the others are the asker's.
_STOPPED = {
    **dict.fromkeys(
        ("slip.off", "slip.not_ready", "slip.not_printed", "slip.owned"), Failed.PRINTER
    ),
    "slip.failed": Failed.SOFTWARE,
}
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


async def make(ports: Ports, key: str, lang: Language) -> Slip:
    """`key`: a day, a batch, or nothing: the open batch, else today."""
    from agent.core.slips import presettlement as paper

    newest = await last_seq(ports.journal)
    page = await ports.journal.page(states=None, after_seq=max(0, newest - 1), limit=1)
    if not page:
        raise RequestError("slip.nothing", "no payment is stored")
    each: list[tuple[Sums, Scope]] = []
    for number, terminal in enumerate(await _terminals(ports, page[0])):
        scope, after = await _scope(ports, key, terminal, newest)
        if not number:  # what nobody can say whose it is stands on the first of them
            scope = replace(scope, listed=await _unknown_here(ports))
        else:
            scope = replace(scope, aside=(), last=None)
        each.append((await _summed(ports, scope, max(after, newest - MOST)), scope))
    if key and not any(sums.cells for sums, _ in each):
        raise RequestError("slip.nothing", f"no payment of {key} is stored")
    each = each[:1] + [one for one in each[1:] if one[0].cells]
    scope = each[0][1]
    if ports.daemon_alive and ports.memory is not None:
        found = [one for sums, about in each for one in missing(sums, about)]
        last = scope.last
        # It could be made; whether it can be printed is known once it is.
        still = last is not None and last.failed in (Failed.PRINTER, Failed.RIGHTS)
        await _note(
            ports.memory,
            LastTime(
                at=last.at if last is not None and still else ports.clock.now().at,
                batch=scope.batch or scope.day,
                failed=last.failed if last is not None and still else None,
                reason=last.reason if last is not None and still else "",
                missing=tuple(one.line for one in found),
                count=sum(one.count or 0 for one in found),
            ),
        )
    now, offset = ports.clock.now().at, offset_of(ports)
    made = [paper.slip(sums, about, now, lang, offset) for sums, about in each]
    return replace(made[0], blocks=tuple(block for one in made for block in one.blocks))


async def _terminals(ports: Ports, newest: Record) -> list[tuple[str, str]]:
    """(TID, MID) of each that takes payments here, that of the newest payment first."""
    t = newest.transaction
    others = [] if ports.kinds is None else await ports.kinds.terminals()
    found = {tid: mid for tid, mid in others if tid != t.terminal_id}
    return [(t.terminal_id, t.merchant_id), *sorted(found.items())[: MOST_TERMINALS - 1]]


async def _unknown_here(ports: Ports) -> int:
    """How many payments the acquirer's list has that this terminal has not."""
    return 0 if ports.lists is None else (await ports.lists.open_counts()).get(MISSING_HERE, 0)


async def stopped(ports: Ports, error: AgentError, key: str) -> None:
    """Keep what stood in the way, if it was no fault of who asked."""
    what = Failed.DATA if isinstance(error, StoreError) else _STOPPED.get(error.code)
    if what is None or not ports.daemon_alive:
        return
    if _FORBIDDEN in error.what.lower():  # of a device or a file: not broken, not allowed
        what = Failed.RIGHTS
    try:
        await failed(ports, what, error.what, key)
    except StoreError:
        return  # state.db is gone as well: the verdict says so by itself


async def failed(ports: Ports, what: Failed, reason: str, key: str) -> None:
    """Keep that it could not be had; the reason is a sentence of ours."""
    if ports.memory is not None:
        at = ports.clock.now().at
        await _note(ports.memory, LastTime(at=at, batch=key, failed=what, reason=reason[:200]))


async def printed(ports: Ports) -> None:
    """It is on paper: nothing failed any more."""
    last = None if ports.memory is None else await last_time(ports.memory)
    if ports.memory is not None and last is not None and last.failed is not None:
        await _note(ports.memory, replace(last, failed=None, reason=""))


async def last_time(memory: Memory) -> LastTime | None:
    """What became of it; None where nothing is kept, or nothing that can be read."""
    told = await memory.load(NOTE)
    try:
        return LastTime(
            at=datetime.fromtimestamp(told["at"], UTC),
            batch=str(told["batch"]),
            failed=Failed(told["failed"]) if told["failed"] else None,
            reason=str(told["reason"]),
            missing=tuple(Line(Text(str(zh), str(en))) for zh, en in told["missing"]),
            count=int(told["count"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None


async def _note(memory: Memory, last: LastTime) -> None:
    kept: dict[str, Any] = {
        "at": last.at.timestamp(),
        "batch": last.batch,
        "failed": last.failed or "",
        "reason": last.reason,
        # As sentences: braces of a template mean nothing in them any more.
        "missing": [[line.render("zh"), line.render("en")] for line in last.missing],
        "count": last.count,
    }
    await memory.save(NOTE, kept)


async def _scope(ports: Ports, key: str, terminal: tuple[str, str], last: int) -> tuple[Scope, int]:
    """What it is about, and after which row that begins."""
    terminal_id, merchant_id = terminal
    told: Batch | None = None
    batch, day = "", ""
    if _DAY.fullmatch(key):
        day = key
    elif ports.told is not None:
        told = await ports.told.batch(terminal_id, key or None)
        if not key and told is not None and told.closed_at is not None:
            told = None
        batch = key or (told.batch if told is not None else "")
    else:
        batch = key
    if not day and not batch:
        day = (ports.clock.now().at + offset_of(ports)).strftime("%Y-%m-%d")
    since = ports.clock.now().at - timedelta(days=BATCH_DAYS)
    if day:
        since = _days_start(ports, day)
    elif told is not None and told.opened_at is not None:
        since = told.opened_at - timedelta(hours=1)
    aside = await ports.journal.quarantined()
    memory = ports.memory
    after = await first_stored_since(ports.journal, since, last)
    return Scope(
        terminal_id=terminal_id,
        merchant_id=merchant_id,
        batch=batch,
        day=day,
        told=told,
        aside=tuple(PutAside(path=one.path, records=one.records) for one in aside),
        cut_short=last - after > MOST,
        last=None if memory is None else await last_time(memory),
    ), after


def _days_start(ports: Ports, day: str) -> datetime:
    try:
        start = datetime.fromisoformat(day)
        return start.replace(tzinfo=timezone(offset_of(ports))).astimezone(UTC)
    except (ValueError, OverflowError):
        raise RequestError("slip.key", f"{day} is not a day", field="key") from None


async def _summed(ports: Ports, scope: Scope, after: int) -> Sums:
    sums, offset = Sums(), offset_of(ports)
    while page := await ports.journal.page(states=None, after_seq=after, limit=PAGE):
        after = page[-1].seq
        for record in page:
            t = record.transaction
            if t.terminal_id != scope.terminal_id:
                continue
            if scope.batch and t.batch != scope.batch:
                continue
            if scope.day and (t.occurred_at + offset).strftime("%Y-%m-%d") != scope.day:
                continue
            sums.take(record)
    return sums
