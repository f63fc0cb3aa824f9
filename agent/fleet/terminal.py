"""What is known of one terminal, folded from its messages by the rules of docs/contracts/mqtt.md.

Decides what a message changes and nothing else: where it came from is `reader`, how it is shown the
command line. Small on purpose, there may be a hundred thousand. Messages may come in any order, in
repeats and from a liar; one that is not of the contract raises `ForeignError`, which `reader`
counts.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from agent.core.fleet.messages import Kind
from agent.core.health.reading import Value
from agent.fleet.layers import Fields, Layers, Packing
from agent.fleet.numbers import Numbers, Told

MAX_ALARMS = 64
MAX_TEXT = 300
#: Facts of `info` that are looked at all the time; the rest stays packed.
PLAIN_INFO = ("site", "model", "firmware", "agent_version", "os", "profile")
_STAMPS = frozenset({"seq", "outbox_id", "ts", "clock_suspect"})
_PHASES = {"online": 0, "lost": 1, "offline": 2, "sleep": 2}
#: Lists of codes in `health`.
_LISTS = ("alarms", "acknowledged")
#: A longer silence than this is no promise.
_LONGEST_S = 604_800
_FINAL = frozenset({"ok", "failed", "rejected", "expired"})
STATUSES = frozenset({"accepted", "running"}) | _FINAL


class ForeignError(ValueError):
    """Not a message of the contract; the text is one stable word."""


class Alarm(NamedTuple):
    """One code on one terminal. Kept after it is over, so that a late word does not reopen it."""

    seq: int
    active: bool
    severity: str
    component: str
    since_ts: int  #: 0: not told yet
    times: int  #: how often it was told open
    suppressed_by: str = ""
    acknowledged: bool = False  #: somebody at the terminal or here took note of it


class Backlog(NamedTuple):
    """The unsent money as last told."""

    seq: int
    at_ms: int  #: when it was heard, or was true if a broker kept it; 0: nobody knows
    payments: int
    oldest_age_s: int | None
    fields: Fields  #: counts and sums by their names in the contract
    cause: str
    cause_count: int
    next_attempt_ts: int | None


class Result(NamedTuple):
    """The last word about a command."""

    cmd_id: str
    op: str
    status: str
    code: str
    detail: str
    percent: int | None
    result: Any

    @property
    def final(self) -> bool:
        """Whether nothing more will be said."""
        return self.status in _FINAL


class Terminal:
    """Folds the messages of one `device`. Times are UTC milliseconds of the reader's clock."""

    __slots__ = (
        "_health", "_info", "_listed", "_noted", "alarms", "backlog", "connects", "device",
        "heartbeat_s", "hot", "numbers", "plain", "result", "seen_ms", "state", "state_ts",
        "tenant",
    )  # fmt: skip

    def __init__(self, tenant: str, device: str) -> None:
        self.tenant = tenant
        self.device = device
        self.state = ""
        self.connects = -1
        self.state_ts = 0
        self.seen_ms = 0
        self.numbers: Numbers | None = None
        self.backlog: Backlog | None = None
        self.alarms: dict[str, Alarm] | None = None
        self.plain: tuple[str, ...] = ()  #: of `info`, in the order of PLAIN_INFO
        self.heartbeat_s = 0  #: its longest silence while it is well; 0: not told
        self.hot: Fields | None = None  #: readings that are filtered by
        self.result: Result | None = None
        self._listed: tuple[int, tuple[str, ...]] = (-1, ())
        self._noted: tuple[int, tuple[str, ...]] = (-1, ())
        self._health = b""
        self._info: tuple[int, bytes] = (-1, b"")

    def hear(
        self, kind: Kind, told: Mapping[str, Any], at_ms: int, *, retained: bool, packing: Packing
    ) -> bool:
        """Fold a message; whether it was news. Raises ForeignError."""
        if kind is Kind.STATE:
            news = self._state(told)
        else:
            news = self._numbered(kind, told, at_ms, retained, packing)
        # What the broker kept says nothing about now; its own time does, as far as it is past.
        then_ms = _then(told, at_ms, retained=retained)
        if not (kind is Kind.STATE and told.get("state") == "lost"):
            self.seen_ms = max(self.seen_ms, then_ms)
        return news

    def standing(self, now_ms: int, stale_ms: int, listening_ms: int) -> str:
        """online, offline, lost, sleep, stale (said online, silent since) or unknown."""
        if not self.state:
            return "unknown"
        silent_ms = now_ms - max(self.seen_ms, listening_ms)
        return "stale" if self.state == "online" and silent_ms > stale_ms else self.state

    def open_alarms(self) -> dict[str, Alarm]:
        """What is wrong now and nobody's consequence, by code."""
        known = self.alarms or {}
        seq, listed = self._listed
        found = {
            code: alarm
            for code, alarm in known.items()
            if alarm.active and not alarm.suppressed_by and (alarm.seq > seq or code in listed)
        }
        for code in listed:
            alarm = known.get(code)
            if alarm is None or (not alarm.active and alarm.seq < seq):
                # Told of by a report only: when it began and how bad it is was said before us.
                found[code] = alarm or Alarm(seq, True, "", "", 0, 0)
        seq, noted = self._noted
        for code in noted:
            alarm = found.get(code)
            if alarm is not None and alarm.seq <= seq:
                found[code] = alarm._replace(acknowledged=True)
        return found

    def readings(self, packing: Packing) -> Fields:
        """All readings as last known."""
        return self._layers(packing).view()

    def info(self, packing: Packing) -> Fields:
        """All it said about itself."""
        packed = self._info[1]
        told = packing.unpack(packed) if packed else {}
        plain: Fields = dict(zip(PLAIN_INFO, self.plain, strict=False))
        said: Fields = {name: value for name, value in plain.items() if value}
        return said | (told if isinstance(told, dict) else {})

    def keep(self, names: frozenset[str], packing: Packing) -> None:
        """Hold these readings and facts ready: somebody filters or sorts by them."""
        if not names:
            self.hot = None
            return
        told = self.info(packing) | self.readings(packing)
        self.hot = {name: told[name] for name in names & told.keys()}

    # One kind each

    def _state(self, told: Mapping[str, Any]) -> bool:
        state, connects = text(told, "state"), whole(told, "connects")
        ts = whole(told, "ts", 0)
        if state not in _PHASES:
            raise ForeignError("state_word")
        new, old = (connects, _PHASES[state]), (self.connects, _PHASES.get(self.state, -1))
        # A Will carries no time: it is held against the newest connection. A terminal whose
        # counters were lost begins at 1 again, and says so with a younger time.
        if new < old and (state == "lost" or ts <= self.state_ts):
            return False
        self.state, self.connects = sys.intern(state), connects
        self.state_ts = max(ts, self.state_ts) if state == "lost" else ts
        return new != old

    def _numbered(
        self, kind: Kind, told: Mapping[str, Any], at_ms: int, retained: bool, packing: Packing
    ) -> bool:
        seq, outbox_id, ts = whole(told, "seq"), text(told, "outbox_id"), whole(told, "ts")
        if not outbox_id:
            raise ForeignError("outbox_id")
        rest = {name: value for name, value in told.items() if name not in _STAMPS}
        fold = self._prepared(kind, rest, seq, _then(told, at_ms, retained=retained))
        numbers = self.numbers or Numbers()
        known = numbers.outbox_id
        heard = numbers.hear(outbox_id, seq)
        self.numbers = numbers
        if heard is not Told.NEW:
            return False
        if known and known != outbox_id:
            self._renumber(packing)
        if isinstance(fold, Backlog):
            if self.backlog is None or seq >= self.backlog.seq:
                self.backlog = fold
        elif isinstance(fold, Alarm):
            self._alarm(text(rest, "code"), fold)
        elif isinstance(fold, Result):
            if self.result is None or self.result.cmd_id != fold.cmd_id or not self.result.final:
                self.result = fold
        elif kind is Kind.INFO:
            self._introduced(seq, fold, packing)
        else:
            self._read(kind, seq, ts, fold, packing)
        return True

    def _prepared(
        self, kind: Kind, rest: dict[str, Any], seq: int, at_ms: int
    ) -> Backlog | Alarm | Result | dict[str, Any]:
        """The message in its shape. Before anything is changed: a liar leaves no trace."""
        match kind:
            case Kind.BACKLOG:
                age_s = whole(rest, "oldest_age_s", -1)
                due_ts = whole(rest, "next_attempt_ts", -1)
                apart = ("oldest_age_s", "next_attempt_ts", "cause", "cause_count", "count")
                return Backlog(
                    seq=seq,
                    at_ms=at_ms,
                    payments=whole(rest, "count"),
                    oldest_age_s=None if age_s < 0 else age_s,
                    fields=_numbers({n: v for n, v in rest.items() if n not in apart}),
                    cause=sys.intern(text(rest, "cause", "")),
                    cause_count=whole(rest, "cause_count", 0),
                    next_attempt_ts=None if due_ts < 0 else due_ts,
                )
            case Kind.EVENT:
                if not isinstance(rest.get("active"), bool) or not text(rest, "code"):
                    raise ForeignError("event")
                return Alarm(
                    seq=seq,
                    active=rest["active"],
                    severity=sys.intern(text(rest, "severity")),
                    component=sys.intern(text(rest, "component")),
                    since_ts=whole(rest, "since_ts"),
                    times=1 if rest["active"] else 0,
                    suppressed_by=sys.intern(text(rest, "suppressed_by", "")),
                )
            case Kind.RES:
                status = text(rest, "status")
                if status not in STATUSES:
                    raise ForeignError("status_word")
                percent = whole(rest, "progress_percent", -1)
                return Result(
                    cmd_id=text(rest, "cmd_id"),
                    op=text(rest, "op"),
                    status=status,
                    code=text(rest, "code", ""),
                    detail=text(rest, "detail", ""),
                    percent=None if percent < 0 else percent,
                    result=rest.get("result"),
                )
            case Kind.HIST:
                return {"entries": _entries(rest.get("entries"))}
            case Kind.HEALTH:
                if not isinstance(rest.get("full"), bool):
                    raise ForeignError("full")
                lists = {name: rest.pop(name, None) for name in _LISTS}
                flat = _flat(rest)
                return flat | {n: _words(told) for n, told in lists.items() if told is not None}
            case _:
                return _info(rest)

    def _alarm(self, code: str, new: Alarm) -> None:
        alarms = self.alarms = self.alarms if self.alarms is not None else {}
        old = alarms.get(code)
        times = new.times + (old.times if old else 0)
        alarms[sys.intern(code)] = (old if old and old.seq > new.seq else new)._replace(times=times)
        if len(alarms) > MAX_ALARMS:
            del alarms[min(alarms, key=lambda each: (alarms[each].active, alarms[each].seq))]

    def _introduced(self, seq: int, fields: Fields, packing: Packing) -> None:
        if seq < self._info[0]:
            return
        told = fields.get("heartbeat_s")
        self.heartbeat_s = told if type(told) is int and 0 < told <= _LONGEST_S else 0
        self.plain = tuple(sys.intern(str(fields.pop(name, "") or "")) for name in PLAIN_INFO)
        self._info = (seq, packing.pack(fields))

    def _read(self, kind: Kind, seq: int, ts: int, told: dict[str, Any], packing: Packing) -> None:
        layers = self._layers(packing)
        full = False
        if kind is Kind.HIST:
            for then_ts, values in told["entries"]:
                layers.history(then_ts, values)
        else:
            full = told.pop("full")
            alarms = told.pop("alarms", None)  # every full report has it: absent is not none
            noted = told.pop("acknowledged", () if full else None)
            if alarms is not None and seq > self._listed[0]:
                self._listed = (seq, alarms)
            if noted is not None and seq > self._noted[0]:
                self._noted = (seq, noted)
            layers.health(seq, ts, told, full=full)
        self._health = packing.pack(layers.packed(), teach=full)

    def _layers(self, packing: Packing) -> Layers:
        return Layers(packing.unpack(self._health) if self._health else None)

    def _renumber(self, packing: Packing) -> None:
        """A new outbox counts from the start: all that is known is older than it."""
        layers = self._layers(packing)
        layers.full_seq = -1
        layers.live = [(-1, ts, fields) for _, ts, fields in layers.live]
        self._health = packing.pack(layers.packed()) if layers.live or layers.past else b""
        self._info = (-1, self._info[1])
        self._listed = (-1, self._listed[1])
        self._noted = (-1, self._noted[1])
        if self.backlog is not None:
            self.backlog = self.backlog._replace(seq=-1)
        if self.alarms is not None:
            self.alarms = {code: one._replace(seq=-1) for code, one in self.alarms.items()}


# Reading fields of strangers

_MOST = 9_007_199_254_740_992


def whole(told: Mapping[str, Any], name: str, missing: int | None = None) -> int:
    """A whole number. Raises ForeignError."""
    value = told.get(name)
    if value is None and missing is not None:
        return missing
    if type(value) is not int or not -_MOST <= value <= _MOST:
        raise ForeignError(name)
    return value


def text(told: Mapping[str, Any], name: str, missing: str | None = None) -> str:
    """A text, cut where it is too long. Raises ForeignError."""
    value = told.get(name)
    if value is None and missing is not None:
        return missing
    if not isinstance(value, str):
        raise ForeignError(name)
    return value[:MAX_TEXT]


def _then(told: Mapping[str, Any], at_ms: int, *, retained: bool) -> int:
    """When it was true: now, or by its own time if a broker kept it; 0: nobody knows."""
    if not retained:
        return at_ms
    ts = told.get("ts")
    return min(ts, at_ms) if type(ts) is int and not told.get("clock_suspect") else 0


def _flat(told: Mapping[str, Any]) -> dict[str, Any]:
    if len(told) > 2000:
        raise ForeignError("too_many_fields")
    flat: dict[str, Any] = {}
    for name, value in told.items():
        if isinstance(value, str):
            flat[sys.intern(name[:64])] = value[:MAX_TEXT]
        elif value is None or isinstance(value, bool | int | float):
            flat[sys.intern(name[:64])] = value
        else:
            raise ForeignError("not_flat")
    return flat


def _numbers(told: Mapping[str, Any]) -> Fields:
    """Counts and sums; null stays null: nobody knows how many."""
    numbers: Fields = {}
    for name, value in list(told.items())[:60]:
        if value is None or (type(value) is int and -_MOST <= value <= _MOST):
            numbers[sys.intern(name[:64])] = value
        elif name.endswith("_count") or "amount_minor_" in name:
            raise ForeignError(name[:64])
    return numbers


def _words(told: object) -> tuple[str, ...]:
    if not isinstance(told, list) or not all(isinstance(word, str) for word in told):
        raise ForeignError("list_of_words")
    return tuple(sys.intern(word[:100]) for word in told[:MAX_ALARMS])


def _info(told: Mapping[str, Any]) -> Fields:
    whole(told, "contract")
    lists = {n: ", ".join(_words(v)) for n, v in told.items() if isinstance(v, list)}
    return _flat({name: value for name, value in told.items() if name not in lists}) | lists


def _entries(told: object) -> list[tuple[int, Fields]]:
    if not isinstance(told, list):
        raise ForeignError("entries")
    found: list[tuple[int, Fields]] = []
    for entry in told[:1000]:
        if not isinstance(entry, dict) or not isinstance(entry.get("values"), dict):
            raise ForeignError("entries")
        found.append((whole(entry, "ts"), _flat(entry["values"])))
    return found


__all__ = ["Alarm", "Backlog", "ForeignError", "Result", "Terminal", "Value"]
