"""The tables about settlement lists: how each acquirer or bank writes its own, and when it pays."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from agent.config.section import Identifier, Section

_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$"
Clock = Annotated[str, Meta(pattern=_CLOCK)]
Role = Literal[
    "key", "rrn", "stan", "batch", "terminal_id", "merchant_id", "amount", "fee", "net",
    "currency", "kind", "occurred", "date", "time", "settled_on", "card", "status", "refund",
]  # fmt: skip
Heading = Annotated[str, Meta(min_length=1, max_length=64)]
Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]


class Reconcile(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[[reconcile]]: one acquirer's or bank's list of what it settles; docs/reconcile.md."""

    name: Identifier
    merchant_ids: tuple[Annotated[str, Meta(pattern=r"^[!-~]{1,32}$")], ...] = ()
    """A list of any other merchant is refused; empty: any."""
    terminal_ids: tuple[Annotated[str, Meta(pattern=r"^[!-~]{1,16}$")], ...] = ()
    """The same for terminals."""
    format: Literal["auto", "csv", "json", "jsonl"] = "auto"
    encoding: Literal["auto", "utf-8", "gb18030", "gbk", "utf-16", "utf-16le", "utf-16be"] = "auto"
    delimiter: Annotated[str, Meta(max_length=1)] = ""
    """Empty: found out."""
    columns: dict[Role, Heading] = field(default_factory=dict)
    """What a column is -> its heading, where the usual headings do not fit."""
    kinds: dict[Heading, Literal["sale", "refund", "void", "chargeback", "fee"]] = field(
        default_factory=dict
    )
    """Words of the bank's type column -> what they are."""
    statuses: dict[Heading, Literal["settled", "held", "restricted", "failed"]] = field(
        default_factory=dict
    )
    comment: Annotated[str, Meta(max_length=4)] = "#"
    """Lines that begin so are passed over."""
    amounts: Literal["decimal", "minor"] = "decimal"
    """decimal: yuan with a point; minor: fen."""
    signs: Literal["auto", "turned"] = "auto"
    """auto: refunds are negative or named as such; turned: what comes in is negative."""
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$")] = "CNY"
    """Where no column tells it."""
    time_formats: tuple[Annotated[str, Meta(min_length=2, max_length=40)], ...] = ()
    """As strptime reads them; empty: the usual ones."""
    date_formats: tuple[Annotated[str, Meta(min_length=2, max_length=40)], ...] = ()
    utc_offset: Annotated[str, Meta(pattern=r"^[+-](0[0-9]|1[0-4]):[0-5][0-9]$")] = "+08:00"
    """In which time the list is written."""
    footer: Annotated[str, Meta(max_length=32)] = ""
    """What its last line begins with; a list without it is refused. Empty: it has none."""
    footer_count: Annotated[int, Meta(ge=0, le=64)] = 0
    """Column of that line with the number of lines, from 1; 0: none."""
    footer_sum: Annotated[int, Meta(ge=0, le=64)] = 0
    """Column of that line with the sum of the amounts."""
    cycle: Literal["T+0", "T+1", "D+1"] = "T+1"
    """T+0: at once; T+1: the next day it pays; D+1: the next day."""
    cut_off: Clock = "24:00"
    """Payments from then on count for the next day."""
    weekends: bool = False
    """Whether it pays on Saturdays and Sundays."""
    holiday_file: Annotated[str, Meta(max_length=200)] = ""
    """TOML (holidays = [...], workdays = [...]) or CSV (date, holiday or workday)."""
    realtime: bool = True
    """T+0: whether real-time payout is switched on at the acquirer."""
    realtime_from: Clock = "00:00"
    realtime_to: Clock = "24:00"
    realtime_limit_minor: Annotated[int, Meta(ge=0, le=9_007_199_254_740_992)] = 0
    """Most paid out at once in a day; 0: no limit."""
    time_tolerance_s: Annotated[int, Meta(ge=0, le=86_400)] = 300
    """How far apart a line and a payment known only by amount and time may be."""
    fee_percent: Annotated[float, Meta(ge=0, le=20.0)] = 0.0
    """Up to this a missing part of the amount is called a fee."""
    pull: Annotated[str, Meta(max_length=500)] = ""
    """Where the list is fetched from: https://… or hook:NAME; empty: it is brought."""
    pull_at: Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] = "06:30"
    """When, in the time of utc_offset."""
    pull_jitter_s: Annotated[int, Meta(ge=0, le=7_200)] = 900
    """Up to this much later; each device has its own moment."""
    pull_days_back: Annotated[int, Meta(ge=0, le=7)] = 1
    """Which settlement day is asked for: this many days ago."""
    pull_deadline_s: Annotated[float, Meta(ge=0.5, le=600)] = 60.0
    """The whole list must be here by then."""
    pull_overdue_days: Annotated[int, Meta(ge=1, le=60)] = 4
    """Without a list for so long the component settlement is unknown."""
    ca_file: Annotated[str, Meta(max_length=200)] = ""
    cert_file: Annotated[str, Meta(max_length=200)] = ""
    key_file: Annotated[str, Meta(max_length=200)] = ""
    authorization_file: Annotated[str, Meta(max_length=200)] = ""
    """What the header Authorization says, mode 0600; empty: none is sent."""
    max_mb: Annotated[int, Meta(ge=1, le=256)] = 32
    """A larger file is refused."""
    max_lines: Annotated[int, Meta(ge=100, le=5_000_000)] = 500_000
    """More lines are refused."""
