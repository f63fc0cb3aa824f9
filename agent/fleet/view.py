"""A terminal as one flat row by the names of the contract: for tables, filters, sorting and JSON.

Ages run on from when they were heard. What was never told is absent: it is not zero. Called by
`filters`, `groups` and the command line.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.core.health.reading import Value
from agent.fleet.reader import Reader
from agent.fleet.terminal import PLAIN_INFO, Terminal

SEVERITIES = ("critical", "major", "minor", "warning", "")
SUMS = "amount_minor_"
#: Words of `state` that mean: it does not talk to us.
SILENT = frozenset({"lost", "stale", "offline", "sleep"})
UNKNOWN_CAUSE = "unknown"


class Row:
    """What is shown of one terminal at one time."""

    __slots__ = ("_sums", "alarms", "now_ms", "one", "state")

    def __init__(self, one: Terminal, reader: Reader, now_ms: int) -> None:
        self.one = one
        self.now_ms = now_ms
        self.state = one.standing(now_ms, reader.stale_after_ms(one), reader.listening_ms)
        self.alarms = one.open_alarms()
        self._sums: dict[str, int] | None = None

    @property
    def count(self) -> int | None:
        """Unsent payments; None: not told."""
        return None if self.one.backlog is None else self.one.backlog.payments

    @property
    def cause(self) -> str:
        """What unsent money waits for; "" without any, `unknown` where it was not told."""
        backlog = self.one.backlog
        if backlog is None or not backlog.payments:
            return ""
        return backlog.cause or UNKNOWN_CAUSE

    @property
    def age_s(self) -> int | None:
        """Age of the oldest unsent payment, now."""
        backlog = self.one.backlog
        if backlog is None or not backlog.payments or backlog.oldest_age_s is None:
            return None
        return backlog.oldest_age_s + max(0, self.now_ms - backlog.at_ms) // 1000

    @property
    def told_s(self) -> int | None:
        """How old its word about money is; None: there is none, or nobody knows."""
        backlog = self.one.backlog
        if backlog is None or not backlog.at_ms:
            return None
        return max(0, self.now_ms - backlog.at_ms) // 1000

    @property
    def silent_s(self) -> int | None:
        """Since when nothing was heard; None: never heard itself."""
        seen_ms = self.one.seen_ms
        return max(0, self.now_ms - seen_ms) // 1000 if seen_ms else None

    @property
    def severity(self) -> str:
        """Of its worst alarm."""
        return min((each.severity for each in self.alarms.values()), key=_rank, default="")

    def sums(self) -> dict[str, int]:
        """Unsent money by currency."""
        if self._sums is None:
            backlog = self.one.backlog
            self._sums = {
                name[len(SUMS) :].upper(): value
                for name, value in (backlog.fields if backlog else {}).items()
                if name.startswith(SUMS) and isinstance(value, int) and value
            }
        return self._sums

    def value(self, name: str) -> Value:
        """Any field by name; None where it is not known."""
        one = self.one
        match name:
            case "device" | "terminal" | "device_id":
                return one.device
            case "tenant":
                return one.tenant
            case "state":
                return self.state
            case "cause":
                return self.cause or None
            case "count":
                return self.count
            case "age" | "age_s" | "oldest_age_s":
                return self.age_s
            case "told_s":
                return self.told_s
            case "silent_s" | "seen":
                return self.silent_s
            case "alarm_count" | "alarms":
                return len(self.alarms)
            case "severity":
                return self.severity or None
            case "version":
                name = "agent_version"
        if name in PLAIN_INFO:
            return dict(zip(PLAIN_INFO, one.plain, strict=False)).get(name) or None
        if one.backlog is not None and name in one.backlog.fields:
            return one.backlog.fields[name]
        return (one.hot or {}).get(name)


#: What `Row.value` knows without looking into packed readings.
READY = frozenset(
    {"device", "terminal", "device_id", "tenant", "state", "cause", "count", "age", "age_s",
     "oldest_age_s", "told_s", "silent_s", "seen", "alarm_count", "alarms", "severity", "version",
     *PLAIN_INFO}
)  # fmt: skip


def ready(name: str) -> bool:
    """Whether a field needs no packed readings."""
    return name in READY or name.endswith("_count") or SUMS in name


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def rows(reader: Reader, now_ms: int) -> list[Row]:
    """All terminals as they are now."""
    return [Row(one, reader, now_ms) for one in reader]


def plain(row: Row) -> dict[str, object]:
    """A row for programs, by the names of the contract; what is not known is absent."""
    one, backlog = row.one, row.one.backlog
    told: dict[str, object] = {"tenant": one.tenant, "device_id": one.device, "state": row.state}
    if one.connects >= 0:
        told["connects"] = one.connects
    if one.seen_ms:
        told["last_seen_ts"] = one.seen_ms
    told |= {name: value for name, value in zip(PLAIN_INFO, one.plain, strict=False) if value}
    told["alarms"] = [
        {
            "code": code,
            "severity": alarm.severity or None,
            "component": alarm.component or None,
            "since_ts": alarm.since_ts or None,
            "count": alarm.times,
            "acknowledged": alarm.acknowledged,
        }
        for code, alarm in sorted(row.alarms.items())
    ]
    if backlog is not None:
        told["backlog"] = (
            {"count": backlog.payments}
            | ({} if row.age_s is None else {"oldest_age_s": row.age_s})
            | ({"cause": row.cause, "cause_count": backlog.cause_count} if row.cause else {})
            | ({"next_attempt_ts": backlog.next_attempt_ts} if backlog.next_attempt_ts else {})
            | backlog.fields
            | ({"told_ts": backlog.at_ms, "told_s": row.told_s} if backlog.at_ms else {})
        )
    if one.result is not None:
        told["last_command"] = one.result._asdict()
    return told


def story(row: Row, reader: Reader) -> dict[str, object]:
    """Everything known of one terminal."""
    return plain(row) | {
        "info": row.one.info(reader.packing),
        "readings": row.one.readings(reader.packing),
    }


def flat(row: Row) -> dict[str, Value]:
    """A row for tables of other programs (CSV)."""
    one, backlog = row.one, row.one.backlog
    told: dict[str, Value] = {
        "tenant": one.tenant,
        "device_id": one.device,
        "state": row.state,
        "last_seen_ts": one.seen_ms or None,
        "alarms": " ".join(sorted(row.alarms)),
        "severity": row.severity or None,
        "count": row.count,
        "oldest_age_s": row.age_s,
        "cause": row.cause or None,
        "told_s": row.told_s,
    }
    told |= dict(zip(PLAIN_INFO, one.plain or ("",) * len(PLAIN_INFO), strict=False))
    counts: Mapping[str, Value] = backlog.fields if backlog else {}
    return told | dict(counts)


__all__ = ["Row", "flat", "plain", "ready", "rows", "story"]
