"""How long payments took, and what goes with being late: read in pages, counted beside the daemon.

Reads a few columns in small pages and hands each on at once, so nothing grows with the journal and
no payment waits. A journal too large for this terminal's pace is read evenly as far as the time
goes, and the answer says how much of it. The newest late payments' histories are read after that,
for what was the matter.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

from agent.actions.ports import Ports
from agent.actions.ports.page import Past
from agent.core.moment import to_ms
from agent.core.money.journal import FINAL, State, Step
from agent.core.why.stats import Factor, Timed, Trouble, late, row_of, stood
from agent.errors import OperatorError
from agent.offload import OffloadError
from agent.record import dataclass
from agent.wire.problem import RequestError
from agent.wire.stats import (
    BarOut,
    FactorOut,
    GroupOut,
    LateCauseOut,
    ShareOut,
    StatsArgs,
    StatsOut,
    TimesOut,
)
from agent.wire.views import Both

PAGE = 500
#: Late payments whose histories are read, the newest.
LOOKED_AT = 500
STEPS = 20
#: How far before the first late payment its trouble may have begun, and how much is read of it.
BEFORE_MS = 86_400_000
LINES = 5_000
#: Shorter than the daemon allows a handler.
DEADLINE_S = 25.0
#: Of that, for reading the payments, and for reading the histories of late ones.
READ_S = 12.0
LATE_S = 5.0
#: A journal is read in so many turns, each over all of it, so that time that runs out takes no day.
TURNS = 16
#: Rows in a row of one turn. A journal of few of them is read from end to end.
STRETCH = 500
#: How much earlier than the first payment asked for a row may have been stored: the clock of the
#: till is not this terminal's.
AHEAD_MS = 86_400_000


async def run(ports: Ports, args: StatsArgs) -> StatsOut:
    """Raises RequestError, StoreError."""
    if ports.offload is None:
        raise OperatorError("stats.failed", "nothing can be computed here")
    if args.since is not None and args.until is not None and args.since >= args.until:
        raise RequestError("request.bad_field", "until is not after since", field="until")
    document: dict[str, Any] | None = None
    seen = _Seen()
    try:
        answers = ports.offload.run("stats", _lines(ports, args, seen), DEADLINE_S)
        async with contextlib.aclosing(answers) as told:  # type: ignore[type-var]
            async for line in told:
                document = json.loads(line)
    except OffloadError as error:
        raise RequestError("stats.failed", str(error)) from None
    if document is None:
        raise RequestError("stats.failed", "the program gave no answer")
    return _out(document, ports, args, seen)


@dataclass(slots=True, kw_only=True)
class _Seen:
    """How much of the journal was read."""

    stretches: int = 0
    of: int = 0

    @property
    def part(self) -> float | None:
        """None: all of it."""
        return None if self.stretches == self.of else self.stretches / self.of


def _late_after_s(ports: Ports, args: StatsArgs) -> float:
    return ports.late_after_s if args.late_after_s is None else args.late_after_s


async def _lines(ports: Ports, args: StatsArgs, seen: _Seen) -> AsyncIterator[bytes]:
    """What the program is told; made while it reads."""
    now = ports.clock.now()
    late_after_s = _late_after_s(ports, args)
    offset = now.at.astimezone().utcoffset() or timedelta(0)
    factors = list(Factor) if args.by is None else [Factor(args.by)]
    yield _line(
        "head",
        {"late_after_s": late_after_s, "factors": factors, "zone_s": offset.total_seconds()},
    )
    if ports.arounds is not None:
        born_at, after = (await ports.journal.facts()).born_at, -1
        while spans := await ports.arounds.page(born_at, after):
            after = spans[-1].first_seq
            told = [
                [s.first_seq, s.last_seq, a.network, a.channel, a.signal, a.printer]
                for s in spans
                for a in (s.around,)
            ]
            yield _line("around", told)
    newest: list[tuple[int, Timed]] = []
    since_ms = 0 if args.since is None else to_ms(args.since)
    until_ms = 2**62 if args.until is None else to_ms(args.until)
    async for page in _pages(ports, args, seen):
        rows = []
        for one in page:
            if not since_ms <= one.captured_ms < until_ms:
                continue
            row = row_of(one, now.wall_ms)
            rows.append(
                [one.seq, row.captured_ms, row.took_ms, row.standing, row.amount, row.app_version]
            )
            if late(row, late_after_s * 1000):
                kept = heapq.heappush if len(newest) < LOOKED_AT else heapq.heappushpop
                kept(newest, (one.seq, one))
        yield _line("rows", rows)
    told_late = [one for _, one in sorted(newest, reverse=True)]
    if told_late and ports.past is not None:
        oldest_ms = min(one.captured_ms for one in told_late)
        told_of = await _history(ports.past, oldest_ms - BEFORE_MS, now.wall_ms)
        yield _line("stood", [[t.code, t.from_ms, t.until_ms] for t in told_of])
    ends_s = _now_s() + LATE_S
    for one in told_late:
        if _now_s() > ends_s:
            break
        steps = await ports.journal.steps(one.seq, STEPS)
        ended_ms = one.changed_ms if one.state in FINAL else now.wall_ms
        yield _line("late", [[one.captured_ms, ended_ms, _troubles(one, steps, ended_ms)]])


async def _pages(ports: Ports, args: StatsArgs, seen: _Seen) -> AsyncIterator[list[Timed]]:
    """The payments, all of them or evenly as many as there is time for."""
    if ports.timings is None:
        return
    newest, begin = await ports.timings.newest(), 0
    if args.since is not None:
        begin = await ports.timings.stored_since(to_ms(args.since) - AHEAD_MS, newest)
    stretches = range(begin, newest, STRETCH)
    seen.of = len(stretches)
    ends_s = _now_s() + READ_S
    for first in _evenly(stretches):
        if _now_s() > ends_s:
            return
        after: int | None = first
        while after is not None:
            page, after = await ports.timings.page(after, min(first + STRETCH, newest))
            yield list(page)
        seen.stretches += 1


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _evenly(stretches: range) -> Iterator[int]:
    """In order; where they are many, in turns that each go over all of them."""
    turns = TURNS if len(stretches) > 4 * TURNS else 1
    for turn in sorted(range(turns), key=lambda number: f"{number:04b}"[::-1]):
        yield from stretches[turn::turns]


async def _history(past: Past, since_ms: int, now_ms: int) -> list[Trouble]:
    """What the terminal's own trouble was in that time, from at most so many lines of history."""
    lines: list[tuple[str, str, int]] = []
    until_ms, before = now_ms, 2**62
    while len(lines) < LINES:
        page = await past.page(since_ms, until_ms, before, PAGE)
        if not page:
            break
        before, until_ms = page[-1][0], to_ms(page[-1][1].at)
        lines += [(line.code, line.what, to_ms(line.at)) for _, line in page]
    return stood(lines[::-1], now_ms)


def _troubles(one: Timed, steps: list[Step], ended_ms: int) -> list[list[Any]]:
    """Each cause the history names, from when until the next step or the end."""
    ends = [to_ms(step.first_at) for step in steps[1:]] + [ended_ms]
    found: list[list[Any]] = [
        [step.cause, to_ms(step.first_at), max(to_ms(step.last_at), end_ms)]
        for step, end_ms in zip(steps, ends, strict=True)
        if step.cause
    ]
    if not found and one.cause and one.state is not State.POSTED:
        found.append([one.cause, one.changed_ms, ended_ms])
    return found


def _line(what: str, told: object) -> bytes:
    return json.dumps([what, told], separators=(",", ":")).encode()


def _out(document: dict[str, Any], ports: Ports, args: StatsArgs, seen: _Seen) -> StatsOut:
    from agent.core.why.stats_words import TITLES, label

    standings = document["standings"]

    def factor_out(told: dict[str, Any]) -> FactorOut:
        factor = Factor(told["name"])
        groups = [
            GroupOut(
                value=one["value"],
                label=_label(factor, one["value"]) or Both(*label(factor, one["value"])),
                share=ShareOut(**one["share"]),
                days=one["days"],
                verdict=one["verdict"],
                p=one["p"],
            )
            for one in told["groups"]
        ]
        return FactorOut(
            name=factor, title=Both(*TITLES[factor]), verdict=told["verdict"], groups=groups
        )

    return StatsOut(
        at=ports.clock.now().at,
        since=args.since,
        until=args.until,
        late_after_s=_late_after_s(ports, args),
        payments=sum(standings.values()),
        read=None if seen.part is None else round(seen.part, 4),
        confirmed=standings.get("confirmed", 0),
        waiting=standings.get("waiting", 0),
        ended=standings.get("ended", 0),
        clock=standings.get("clock", 0),
        late=ShareOut(**document["late"]),
        times=None if document["times"] is None else TimesOut(**document["times"]),
        histogram=[BarOut(**one) for one in document["histogram"]],
        late_looked_at=document["late_looked_at"],
        causes=[
            LateCauseOut(
                code=one["code"], title=_cause(one["code"]), share=ShareOut(**one["share"])
            )
            for one in document["causes"]
        ],
        factors=[factor_out(one) for one in document["factors"]],
        comparisons=document["comparisons"],
    )


def _cause(code: str) -> Both:
    from agent.core.why.causes import CATALOGUE
    from agent.core.why.stats_words import NOTHING

    if not code:
        return Both(*NOTHING)
    cause = CATALOGUE.get(code)
    if cause is None:
        return Both(code, code)
    return Both(cause.title.render("zh", {}), cause.title.render("en", {}))


def _label(factor: Factor, value: str) -> Both | None:
    """A printer's alarm by its name in the catalogue."""
    return _cause(value) if factor is Factor.PRINTER and "." in value else None
