"""Which settings the fleet may change from afar, and in which direction: the rule *never loosen*.

A table of what may be touched. Whatever is not in it may not, so that a new key of the
configuration is out of reach until somebody thought about it. Measured is always against what the
terminal's own files say, never against what the fleet said before: many small steps add up to no
large one. Decides on plain values; bounds and rules between keys are `agent.settings`'. Called by
`agent.telemetry.desired` for a new statement and by `agent.main.overlay` at every start.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from agent.record import dataclass

Table = Mapping[str, Any]


class Rule(Protocol):
    """What one key may become."""

    def allows(self, wish: Any, local: Any, table: Table) -> bool:
        """Whether `wish` may stand where the terminal's own files say `local`."""
        ...


@dataclass(frozen=True, slots=True)
class Within:
    """Any number between these, or this word."""

    low: float
    high: float
    word: str = ""

    def allows(self, wish: Any, local: Any, table: Table) -> bool:
        del local, table
        if isinstance(wish, str):
            return wish != "" and wish == self.word
        return _number(wish) and self.low <= wish <= self.high


@dataclass(frozen=True, slots=True)
class Lower:
    """Only downwards: less is tighter. `off`: the value that means no bound at all."""

    off: float | None = None

    def allows(self, wish: Any, local: Any, table: Table) -> bool:
        del table
        if not _number(wish) or wish == self.off:
            return _number(wish) and local == self.off
        return local is None or local == self.off or wish <= local


@dataclass(frozen=True, slots=True)
class Higher:
    """Only upwards: more is tighter, up to where it would get in the way."""

    most: float

    def allows(self, wish: Any, local: Any, table: Table) -> bool:
        del table
        return _number(wish) and wish >= local and (wish <= self.most or wish == local)


@dataclass(frozen=True, slots=True)
class Ranked:
    """One of these words, the loosest first; only towards the end."""

    words: tuple[str, ...]

    def allows(self, wish: Any, local: Any, table: Table) -> bool:
        del table
        return wish in self.words and self.words.index(wish) >= self.words.index(local)


@dataclass(frozen=True, slots=True)
class OneOf:
    """Any of these words."""

    words: tuple[str, ...]

    def allows(self, wish: Any, local: Any, table: Table) -> bool:
        del local, table
        return wish in self.words


@dataclass(frozen=True, slots=True)
class On:
    """A switch that may be turned on, and never off."""

    def allows(self, wish: Any, local: Any, table: Table) -> bool:
        del table
        return wish is True or (wish is False and local is False)


@dataclass(frozen=True, slots=True)
class Fewer:
    """A list of what is let through: some of the terminal's own; an empty one lets all."""

    def allows(self, wish: Any, local: Any, table: Table) -> bool:
        del table
        if not _words(wish):
            return False
        return set(wish) <= set(local) and bool(wish) if local else True


@dataclass(frozen=True, slots=True)
class Brokers:
    """Other brokers: over TLS, and only where the terminal names the CA that vouches for them."""

    most: int

    def allows(self, wish: Any, local: Any, table: Table) -> bool:
        if not _words(wish) or not 0 < len(wish) <= self.most:
            return False
        if list(wish) == list(local):
            return True
        return bool(table.get("ca_file")) and all(one.startswith("mqtts://") for one in wish)


@dataclass(frozen=True, slots=True)
class Targets:
    """Hosts that are tried to see whether the way there carries. Nothing of ours is sent there."""

    most: int

    def allows(self, wish: Any, local: Any, table: Table) -> bool:
        del local, table
        return _words(wish) and len(wish) <= self.most


@dataclass(frozen=True, slots=True)
class Text:
    """A text of this form."""

    form: str

    def allows(self, wish: Any, local: Any, table: Table) -> bool:
        del local, table
        return isinstance(wish, str) and re.fullmatch(self.form, wish) is not None


_HOURS = r"(([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9])?"

#: Table -> key -> what it may become.
MAY: Mapping[str, Mapping[str, Rule]] = {
    "agent": {
        "log_level": OneOf(("debug", "info", "warning", "error")),
    },
    "telemetry": {
        "endpoints": Brokers(8),
        "keepalive_s": Within(30, 1_200, word="auto"),
        "spread_s": Within(0, 86_400),
        "profile": OneOf(("default", "eco")),
        "daily_budget_kb": Within(20, 100_000),
        "drain_messages_per_s": Within(0.01, 100),
        "drain_bytes_per_s": Within(64, 1_000_000),
        "boot_delay_s": Within(0, 600),
        "reconnect_base_s": Within(1, 60),
        "reconnect_cap_s": Within(30, 3_600),
        "puback_timeout_s": Within(5, 300),
        "will_delay_s": Within(0, 3_600),
        "window": Within(1, 8),
        "health_period_s": Within(60, 86_400),
        "full_period_s": Within(300, 86_400),
        "backlog_period_s": Within(60, 86_400),
        "outbox_max_rows": Higher(100_000),
        "outbox_max_bytes": Higher(67_108_864),
    },
    "connectivity": {
        "hosts": Targets(8),
        "references": Targets(4),
        "dns_name": Text(r"[A-Za-z0-9._-]{0,253}"),
        "portal_url": Text(r"(http://[^\s]{1,290})?"),
        "period_s": Within(15, 3_600),
        "timeout_s": Within(1, 30),
        "certificate_warn_days": Higher(365),
        "slow_ms": Within(100, 60_000),
        "probe_bytes_per_day": Within(0, 10_000_000),
    },
    "inspection": {
        "hour": Within(0, 23),
        "jitter_s": Within(0, 21_600),
        "overdue_days": Lower(off=0),
    },
    "software": {
        "update_hours": Text(_HOURS),
        "update_unsent_max": Lower(),
        "update_battery_percent": Higher(100),
        "commit_after_s": Higher(604_800),
    },
    "configuration": {
        "expiry_warn_days": Higher(365),
    },
    "store": {
        "retention_days": Higher(400),
    },
    "check": {
        "duplicate_window_s": Higher(86_400),
        "trace_window_s": Higher(604_800),
        "future_s": Lower(off=0),
        "past_s": Lower(off=0),
        "currencies": Fewer(),
        "kinds": Fewer(),
        "on_limit": Ranked(("flag", "hold", "refuse")),
        "on_duplicate": Ranked(("flag", "hold", "refuse")),
        "on_amount": Ranked(("flag", "hold", "refuse")),
        "on_parameter": Ranked(("flag", "hold", "refuse")),
    },
}

#: Of every [health.CODE].
MAY_HEALTH: Mapping[str, Rule] = {
    "visible_after_s": Within(0, 3_600),
    "clear_after_s": Within(0, 3_600),
    "enabled": On(),
}
_DELAY: Table = {"visible_after_s": None, "clear_after_s": None, "enabled": True}

#: Of every [[limit]]; one in a currency without any is as good as tighter.
MAY_LIMIT: Mapping[str, Rule] = {
    "single_minor": Lower(),
    "confirm_minor": Lower(),
    "total_minor": Lower(),
    "count": Lower(),
    "age_s": Lower(),
    "warn_percent": Lower(),
}
_LIMIT_NAME = ("currency", "posting")
_LIMITS = 64


def refused(wish: Table, local: Table) -> str:
    """The first key of `wish` that may not be, as `telemetry.ca_file`; "" if all may.

    `local`: the configuration of the terminal's own files, whole, as plain values.
    """
    return next(_refused(wish, local), "")


def _refused(wish: Table, local: Table) -> Iterator[str]:
    for table, content in wish.items():
        if table == "limit":
            yield from _limits(content, local.get("limit", ()))
        elif not isinstance(content, Mapping):
            yield table
        elif table == "health":
            for code, delay in content.items():
                own = {**_DELAY, **local.get("health", {}).get(code, {})}
                wished = delay if isinstance(delay, Mapping) else {"": delay}
                yield from _keys(f"health.{code}", wished, own, MAY_HEALTH)
        else:
            yield from _keys(table, content, local.get(table, {}), MAY.get(table, {}))


def _keys(name: str, wish: Table, local: Table, may: Mapping[str, Rule]) -> Iterator[str]:
    for key, value in wish.items():
        rule = may.get(key)
        if rule is None or key not in local or not rule.allows(value, local[key], local):
            yield f"{name}.{key}"


def _limits(wish: Any, local: Sequence[Table]) -> Iterator[str]:
    mine = {named(one): one for one in local}
    if not _apart(wish):
        yield "limit"
    else:
        for entry in wish:
            name = named(entry)
            bounds = {key: value for key, value in entry.items() if key not in _LIMIT_NAME}
            whole = {**dict.fromkeys(MAY_LIMIT), **mine.get(name, {})}
            yield from _keys(f"limit.{'.'.join(name or ())}", bounds, whole, MAY_LIMIT)


def _apart(wish: Any) -> bool:
    """Whether it is a list of tables, each with a name of its own."""
    if not isinstance(wish, list | tuple) or len(wish) > _LIMITS:
        return False
    names = {named(one) if isinstance(one, Mapping) else None for one in wish}
    return None not in names and len(names) == len(wish)


def named(limit: Table) -> tuple[str, str] | None:
    """What tells one [[limit]] from another; None: it is none."""
    currency, posting = limit.get("currency"), limit.get("posting", "any")
    if isinstance(currency, str) and isinstance(posting, str):
        return currency, posting
    return None


def limits_over(local: Sequence[Table], wish: Sequence[Table]) -> list[dict[str, Any]]:
    """The `[[limit]]` tables of the files with those of the fleet laid over them, by name."""
    found = [dict(one) for one in local]
    for entry in wish:
        for own in found:
            if named(own) == named(entry):
                own.update(entry)
        if all(named(own) != named(entry) for own in found):
            found.append(dict(entry))
    return found


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _words(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
