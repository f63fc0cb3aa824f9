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
from agent.wire.problem import RequestError

if TYPE_CHECKING:
    from agent.actions.ports_slips import Memory
    from agent.core.money.batches import Batch
    from agent.core.money.journal import Record
    from agent.core.slips.paper import Slip

PAGE = 500
#: No batch of a terminal is larger; a day of a busy one is a tenth of it.
MOST = 20_000
#: How far back a batch is looked for of which nobody told when it was opened.
BATCH_DAYS = 7
NOTE = "presettlement"
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


async def make(ports: Ports, key: str, lang: Language) -> Slip:
    """`key`: a day, a batch, or nothing: the open batch, else today."""
    from agent.core.slips import presettlement as paper

    newest = await last_seq(ports.journal)
    page = await ports.journal.page(states=None, after_seq=max(0, newest - 1), limit=1)
    if not page:
        raise RequestError("slip.nothing", "no payment is stored")
    scope, after = await _scope(ports, key, page[0], newest)
    sums = await _summed(ports, scope, max(after, newest - MOST))
    if not sums.cells and key:
        raise RequestError("slip.nothing", f"no payment of {key} is stored")
    if ports.daemon_alive and ports.memory is not None:
        found, last = missing(sums, scope), scope.last
        # It could be made; whether it can be printed is known once it is.
        still = last is not None and last.failed is Failed.PRINTER
        await _note(
            ports.memory,
            LastTime(
                at=last.at if last is not None and still else ports.clock.now().at,
                batch=scope.batch or scope.day,
                failed=Failed.PRINTER if still else None,
                reason=last.reason if last is not None and still else "",
                missing=tuple(one.line for one in found),
                count=sum(one.count or 0 for one in found),
            ),
        )
    return paper.slip(sums, scope, ports.clock.now().at, lang, offset_of(ports))


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


async def _scope(ports: Ports, key: str, newest: Record, last: int) -> tuple[Scope, int]:
    """What it is about, and after which row that begins."""
    t = newest.transaction
    told: Batch | None = None
    batch, day = "", ""
    if _DAY.fullmatch(key):
        day = key
    elif ports.told is not None:
        told = await ports.told.batch(t.terminal_id, key or None)
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
        terminal_id=t.terminal_id,
        merchant_id=t.merchant_id,
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
