"""What the terminal as a whole says of its money: agent, health, ways out, journal, backlog.

The same weighing for plain `why` and for every question about more than one payment; it ranks
nothing and composes nothing. Called by `explain` and `questions`.
"""

from __future__ import annotations

from agent.core.money.channel import ChannelState
from agent.core.money.journal import Backlog
from agent.core.why import phrases, sources
from agent.core.why.case import Case
from agent.core.why.composing import title_of
from agent.core.why.text import Line
from agent.core.why.weigh import Scales, own_tier
from agent.record import dataclass


@dataclass(slots=True, kw_only=True)
class Weighed:
    """The scales with everything on them, and what is no cause."""

    scales: Scales
    headline: Line
    facts: list[Line]
    unknowns: list[Line]


def weighed(case: Case) -> Weighed:
    """All sources but what others said and what changed: those belong to the question."""
    scales = Scales(case.known)
    sources.add_agent(scales, case)
    sources.add_conditions(scales, case.conditions)
    sources.add_journal(scales, case.journal, case.backlog.quarantined if case.backlog else None)
    unknowns: list[Line] = []
    if case.channels is None:
        unknowns.append(Line(phrases.CHANNELS_UNKNOWN))
    elif not case.channels:
        sources.not_configured(scales, "")
    else:
        unknowns += sources.add_channels(scales, case.channels)
    facts: list[Line] = []
    if case.backlog is None:
        unknowns.append(Line(phrases.BACKLOG_UNKNOWN))
        headline = Line(phrases.BACKLOG_UNKNOWN)
    else:
        facts = _add_backlog(scales, case, case.backlog)
        headline = _unsent(case.backlog)
    return Weighed(scales=scales, headline=headline, facts=facts, unknowns=unknowns)


def _add_backlog(scales: Scales, case: Case, backlog: Backlog) -> list[Line]:
    """What the unsent money itself says; returns what is only history."""
    if backlog.in_doubt.count:
        line = sources.sum_line(phrases.IN_DOUBT_SUM, backlog.in_doubt)
        scales.add("host.no_reply", args={"count": backlog.in_doubt.count}, evidence=(line,))
    if backlog.held.count:
        line = sources.sum_line(phrases.HELD_SUM, backlog.held)
        scales.add("queue.held", args={"held": backlog.held.count}, evidence=(line,))
    way_clear = bool(case.channels) and all(
        one.state is ChannelState.OK for one in case.channels or ()
    )
    facts = []
    for code in sorted(backlog.by_cause):
        count, title = backlog.by_cause[code], title_of(code)
        if code not in scales.codes and way_clear and sources.connection_level(code) and title:
            facts.append(Line(phrases.PAST_CAUSE, {"count": count, "title": title}))
        else:
            scales.add(
                code, tier=own_tier(code), evidence=(Line(phrases.LAST_CAUSE, {"count": count}),)
            )
    return facts


def _unsent(backlog: Backlog) -> Line:
    if not backlog.total.count:
        return Line(phrases.NOTHING_UNSENT)
    return Line(
        phrases.UNSENT,
        {
            "count": backlog.total.count,
            "amounts": sources.amounts_of(backlog.total.by_currency),
            "oldest_at": backlog.oldest_at,
        },
    )
