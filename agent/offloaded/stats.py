"""Counts payments and compares groups of them; reads nothing but its lines.

In: one JSON list a line, the first word says what it holds. `head`: what counts as late, which
factors, the zone; `around`: circumstances of spans of payments, in order; `rows`: payments, in
order; `late`: what was the matter with late ones; `stood`: with the terminal. Out: one JSON
document. Memory depends on the number of days and values, not of payments.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import timedelta, timezone
from typing import Any

from agent.core.why.around import Around
from agent.core.why.stats import (
    BARS_S,
    Counting,
    Factor,
    Row,
    Trouble,
    causes_of,
)
from agent.core.why.stats_compare import Share, Verdict, share

_NOBODY = Around()


class _Around:
    """The circumstances of payments that come in order."""

    def __init__(self) -> None:
        self._spans: list[tuple[int, int, Around]] = []
        self._place = 0
        self._last = 0

    def add(self, spans: list[list[Any]]) -> None:
        known: dict[Around, Around] = {}  # a few circumstances, thousands of spans
        for first, last, network, channel, signal, printer in spans:
            told = Around(network=network, channel=channel, signal=signal, printer=printer)
            self._spans.append((first, last, known.setdefault(told, told)))

    def of(self, seq: int) -> Around:
        if seq < self._last:
            self._place = 0  # another turn over the journal
        self._last = seq
        while self._place < len(self._spans) and self._spans[self._place][1] < seq:
            self._place += 1
        if self._place == len(self._spans):
            return _NOBODY
        first, _, around = self._spans[self._place]
        return around if first <= seq else _NOBODY


def answer(lines: Iterable[bytes]) -> Iterator[bytes]:
    """One document for all the lines."""
    around, waits, troubles, standing = _Around(), [], [], []
    counting = Counting(late_after_ms=60_000.0)
    for line in lines:
        what, told = json.loads(line)
        if what == "head":
            counting = Counting(
                late_after_ms=told["late_after_s"] * 1000,
                factors=tuple(Factor(name) for name in told["factors"]),
                zone=timezone(timedelta(seconds=told["zone_s"])),
            )
        elif what == "around":
            around.add(told)
        elif what == "rows":
            for seq, *row in told:
                counting.take(Row(*row), around.of(seq))
        elif what == "stood":
            standing = [Trouble(*one) for one in told]
        else:
            for began_ms, ended_ms, own in told:
                waits.append((began_ms, ended_ms))
                troubles.append([Trouble(*one) for one in own])
    yield json.dumps(_document(counting, causes_of(waits, troubles, standing), len(waits))).encode()


def _document(counting: Counting, causes: dict[str, int], looked_at: int) -> dict[str, Any]:
    factored = counting.factored()
    confirmed = counting.standings.get("confirmed", 0)
    bars = zip((0.0, *BARS_S), (*BARS_S, None), counting.bars, strict=True)
    return {
        "standings": counting.standings,
        "late": _share(counting.lateness()),
        "times": {
            "count": confirmed,
            "p50_s": counting.percentile_s(50),
            "p90_s": counting.percentile_s(90),
            "p99_s": counting.percentile_s(99),
            "longest_s": counting.longest_ms / 1000,
        }
        if confirmed
        else None,
        "histogram": [{"from_s": a, "below_s": b, "count": n} for a, b, n in bars],
        "late_looked_at": looked_at,
        "causes": [
            {"code": code, "share": _share(share(count, looked_at))}
            for code, count in sorted(causes.items(), key=lambda one: (-one[1], one[0]))
        ],
        "factors": [
            {
                "name": one.factor,
                "verdict": one.verdict,
                "groups": [
                    {
                        "value": group.value,
                        "share": _share(group.share),
                        "days": group.days,
                        "verdict": group.verdict,
                        "p": None if group.verdict is Verdict.TOO_FEW else round(group.p, 6),
                    }
                    for group in one.groups
                ],
            }
            for one in factored
        ],
        "comparisons": sum(
            group.verdict is not Verdict.TOO_FEW for one in factored for group in one.groups
        ),
    }


def _share(one: Share) -> dict[str, Any]:
    def rounded(value: float | None) -> float | None:
        return None if value is None else round(value, 4)

    return {
        "count": one.count,
        "of": one.of,
        "rate": rounded(one.rate),
        "low": rounded(one.low),
        "high": rounded(one.high),
    }
