"""The conformance room: holds a receiver against the contract, from outside, with test payments.

It decides whether the host behind a URL keeps docs/contracts/receiver.md as far as requests can
show it. It posts real payments wherever it is pointed: asking first is the caller's business
(`posagent conformance`). It knows no store and no uplink, and the daemon never loads it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from agent.conformance import examiners, lines, sights
from agent.conformance.exam import Exam, Stuck
from agent.conformance.lines import Ways, outdated_context
from agent.conformance.payment import PLACEHOLDERS, Target
from agent.conformance.report import Finding, Posted, Report, Verdict
from agent.conformance.requirements import REQUIREMENTS, Level
from agent.errors import RemoteError
from agent.http.client import Client

__all__ = [
    "PLACEHOLDERS", "REQUIREMENTS", "Finding", "Level", "Posted", "Report", "Target", "Verdict",
    "Ways", "examine", "outdated_context",
]  # fmt: skip


async def examine(
    target: Target, ways: Ways, run: str, progress: Callable[[int, int], None] | None = None
) -> Report:
    """Examine the receiver; `run` makes the keys of this run unlike those of any other."""
    client = Client(target.origin, ways.dial, tls=ways.tls, max_idle=examiners.AT_ONCE)
    exam = Exam(target, client, run)
    parts = _parts(exam, ways)
    told = progress or _nobody
    try:
        for done, part in enumerate(parts):
            told(done, len(parts))
            try:
                await part()
            except Stuck:
                # Without a single good post there is nothing to compare anything with.
                if not exam.notes.posted:
                    break
            except RemoteError as error:
                exam.notes.breaks(1, sights.NOT_REACHED, request=sights.FIRST, why=error.what)
        told(len(parts), len(parts))
    finally:
        await client.close()
    _say_what_was_not_seen(exam)
    return exam.notes.report()


def _parts(exam: Exam, ways: Ways) -> list[Callable[[], Awaitable[None]]]:
    return [
        lambda: lines.kept_open(exam),
        lambda: examiners.declaration(exam),
        lambda: lines.tls_versions(exam, ways),
        lambda: lines.certificates(exam, ways),
        lambda: examiners.repeats(exam),
        lambda: examiners.mismatches(exam),
        lambda: examiners.other_terminals(exam),
        lambda: examiners.unknown_keys(exam),
        lambda: examiners.declines(exam),
        lambda: examiners.bad_input(exam),
        lambda: lines.cut_within(exam, ways),
        lambda: lines.cut_after(exam, ways),
        lambda: examiners.at_once(exam),
    ]


def _say_what_was_not_seen(exam: Exam) -> None:
    for number, requirement in REQUIREMENTS.items():
        if requirement.level is Level.INSIDE:
            exam.notes.unseen(number, sights.INSIDE)
        elif number in (24, 25, 26):
            exam.notes.unseen(number, sights.NOT_MET)
        else:
            exam.notes.unseen(number, sights.STOPPED)


def _nobody(_done: int, _all: int) -> None:
    """Progress nobody wants to see."""
