"""Statistics of payments as the local API tells them: how long they took, and what goes with late.

No ratio ever stands alone: each comes with its counts and the interval they leave open. Nothing
here says why; a factor only goes with lateness, or too little is known to say.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from agent.wire.operation import LOOKERS, Operation
from agent.wire.views import Both

Factor = Literal[
    "network", "channel", "signal", "hour", "weekday", "app_version", "printer", "amount"
]


class StatsArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which payments: those captured in this time; without: all that are kept."""

    since: datetime | None = None
    until: datetime | None = None
    by: Factor | None = None
    """Only this factor; without: all of them."""
    late_after_s: Annotated[float, Meta(gt=0, le=31_536_000)] | None = None
    """What counts as late; without: `[stats] late_after_s`."""


class ShareOut(Struct, frozen=True, kw_only=True):
    """`count` of `of`, and between what the true share lies (95 %, Wilson)."""

    count: int
    of: int
    rate: float | None
    """0 to 1; null: nothing to divide by."""
    low: float | None
    high: float | None


class TimesOut(Struct, frozen=True, kw_only=True):
    """Seconds from capture to confirmation; each percentile is right to 5 %."""

    count: int
    p50_s: float
    p90_s: float
    p99_s: float
    longest_s: float


class BarOut(Struct, frozen=True, kw_only=True):
    """One bar of the histogram: confirmed payments that took from `from_s` to below `below_s`."""

    from_s: float
    below_s: float | None
    """null: without end."""
    count: int


class LateCauseOut(Struct, frozen=True, kw_only=True):
    """Late payments by what was the matter with them."""

    code: str
    """A cause of the catalogue; empty: nothing on record."""
    title: Both
    share: ShareOut
    """Of the late payments that were looked at."""


class GroupOut(Struct, frozen=True, kw_only=True):
    """The payments with one value of a factor."""

    value: str
    """`unknown` is a value of its own."""
    label: Both
    share: ShareOut
    """Late ones of all of them."""
    days: int
    """On how many different days."""
    verdict: str
    """`more`: goes with lateness; `less`: goes with being on time; `same`: no difference that could
    not be chance; `too_few`: too few payments or days to say."""
    p: float | None
    """How often chance alone would look like this, all comparisons counted in; null: `too_few`."""


class FactorOut(Struct, frozen=True, kw_only=True):
    """One thing that may go with lateness. Never a cause."""

    name: str
    title: Both
    verdict: str
    """`goes_with` if any of its groups is `more` or `less`; `same`; `too_few` if none can say."""
    groups: list[GroupOut]


class StatsOut(Struct, frozen=True, kw_only=True):
    """How long payments took to be confirmed."""

    at: datetime
    since: datetime | None
    until: datetime | None
    late_after_s: float
    payments: int
    """Captured in that time and kept here."""
    read: float | None
    """How much of the journal was read, evenly over all of it, where it is too large for this
    terminal's pace; every count is of that part. null: all of it."""
    confirmed: int
    """Posted by the host, with a time that can be told."""
    waiting: int
    """Not final yet."""
    ended: int
    """Final without having been posted: declined, withdrawn, lapsed, reversed."""
    clock: int
    """Posted, but a clock was set meanwhile: nobody can say how long it took."""
    late: ShareOut
    """Confirmed later than `late_after_s`, or waiting for longer than that already."""
    times: TimesOut | None
    """null: none was confirmed."""
    histogram: list[BarOut]
    """Every bar, also the empty ones, in order."""
    late_looked_at: int
    """The newest late payments, whose history was read for `causes`."""
    causes: list[LateCauseOut]
    """The most frequent first."""
    factors: list[FactorOut]
    comparisons: int
    """How many groups were compared with the rest; `p` is corrected for it."""


STATS: tuple[Operation, ...] = (
    Operation(
        name="stats",
        method="GET",
        path="/v1/stats",
        roles=LOOKERS,
        summary="How long payments took from capture to confirmation, how many were late and what "
        "was the matter with them, and which circumstances go with lateness; with counts and "
        "intervals, and `too_few` where there is too little to say.",
        arguments=StatsArgs,
        result=StatsOut,
        problems=("request.bad_field", "request.unknown_field", "stats.failed",
                  "store.unavailable"),
    ),
)  # fmt: skip
