"""Which commands a fleet may send, and whether one that arrived is obeyed.

Everything about an operation is a row of `OPS`; whoever offers, judges or runs one reads it there.
The judge sees form and circumstances only: whether the signature is right, what is stored and what
time it is comes in as arguments, and it changes nothing. What one reason of refusal means to an
attacker decides whether it is answered at all: nothing unsigned ever is. Called by
`telemetry.orders`; docs/fleet/commands.md tells it to people.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field
from enum import StrEnum

from agent.record import dataclass

MAX_BYTES = 8_192  #: of a whole command as it arrives
MAX_LIFETIME_MS = 7 * 86_400_000
#: How far a sender's clock may be ahead of ours.
AHEAD_MS = 600_000

Args = Mapping[str, bool | int | str]


class Role(StrEnum):
    """What a key may have done; each may do what stands before it, too."""

    READ = "read"  #: look
    OPERATE = "operate"  #: move what waits, take note of alarms, inspect
    ADMINISTER = "administer"  #: software, configuration, keys, restarts


_RANK = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arg:
    """One argument of an operation."""

    kind: type
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """One thing a fleet may have done."""

    name: str
    operation: str  #: of the local API's table, or the name of what the daemon does itself
    role: Role
    reads: bool = False  #: changes nothing, so a wrong clock or lost counters do no harm
    disruptive: bool = False  #: only while nobody is paying
    deadline_s: float = 30.0
    args: Mapping[str, Arg] = field(default_factory=dict)
    one_of: tuple[str, ...] = ()  #: exactly one of these arguments must be there


_TEXT, _NEEDED = Arg(kind=str), Arg(kind=str, required=True)

_LIST = (
    Op(name="report", operation="status", role=Role.READ, reads=True),
    Op(
        name="explain", operation="why", role=Role.READ, reads=True,
        args={"key": _TEXT, "question": _TEXT},
    ),
    Op(name="forward_now", operation="queue_retry", role=Role.OPERATE),
    Op(
        name="retry", operation="queue_retry", role=Role.OPERATE,
        args={"key": _TEXT, "uplink": _TEXT}, one_of=("key", "uplink"),
    ),
    Op(
        name="hold", operation="queue_hold", role=Role.OPERATE,
        args={"key": _TEXT, "cause": _TEXT, "reason": _TEXT}, one_of=("key", "cause"),
    ),
    Op(
        name="release", operation="queue_release", role=Role.OPERATE,
        args={"key": _TEXT, "cause": _TEXT}, one_of=("key", "cause"),
    ),
    Op(name="inspect", operation="inspect", role=Role.OPERATE, deadline_s=300.0),
    Op(
        name="acknowledge_alarm", operation="alarm_acknowledge", role=Role.OPERATE,
        args={"code": _NEEDED, "note": _TEXT, "until": _TEXT, "to": _TEXT},
    ),
    Op(
        name="reload_config", operation="reload_config", role=Role.ADMINISTER, disruptive=True,
        deadline_s=180.0,
    ),
    Op(
        name="renew_certificate", operation="renew_certificate", role=Role.ADMINISTER,
        deadline_s=120.0, args={"certificate": _TEXT},
    ),
    Op(
        name="update", operation="update_begin", role=Role.ADMINISTER, disruptive=True,
        deadline_s=120.0,
        args={
            "update": _NEEDED, "file": _TEXT, "sha256": _TEXT, "size_bytes": Arg(kind=int),
            "component": _TEXT, "version": _TEXT, "any_time": Arg(kind=bool),
        },
    ),
    Op(
        name="restart_agent", operation="restart_agent", role=Role.ADMINISTER, disruptive=True,
        deadline_s=180.0,
    ),
    Op(
        name="restart_app", operation="restart_app", role=Role.ADMINISTER, disruptive=True,
        deadline_s=120.0,
    ),
    Op(name="collect_bundle", operation="bundle", role=Role.OPERATE, deadline_s=60.0),
    Op(
        name="print_slip", operation="slip_print", role=Role.OPERATE, disruptive=True,
        deadline_s=90.0, args={"kind": _NEEDED, "key": _TEXT, "lang": _TEXT},
    ),
    Op(
        name="drill", operation="drill", role=Role.ADMINISTER, disruptive=True, deadline_s=300.0,
        args={"records": Arg(kind=int), "restart": Arg(kind=bool)},
    ),
)  # fmt: skip

#: By name; a terminal offers those of them whose operation it has.
OPS: Mapping[str, Op] = {op.name: op for op in _LIST}


def offered(operations: Collection[str]) -> tuple[str, ...]:
    """The commands a terminal with these operations can carry out."""
    return tuple(name for name, op in sorted(OPS.items()) if op.operation in operations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One thing to be done by one terminal, once; form is right, nothing else is known of it."""

    cmd_id: str
    tenant: str
    device_id: str
    op: str
    args: Args
    issued_ts: int
    expires_ts: int
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """Whose signature counts, and for what."""

    key_id: str
    public: bytes
    roles: frozenset[Role]

    def may(self, role: Role) -> bool:
        """Whether it has this role or a higher one."""
        return any(_RANK[held] >= _RANK[role] for held in self.roles)


def actor(key_id: str) -> str:
    """Who did it, as histories and the trail name a fleet key."""
    return f"fleet:{key_id}"


class Reason(StrEnum):
    """Why a command is not obeyed. A word is never renamed once released."""

    # Nobody proved to have sent it: never answered.
    RETAINED = "retained"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    ANOTHER_ID = "another_id"
    FOREIGN = "foreign"
    UNKNOWN_KEY = "unknown_key"
    REVOKED_KEY = "revoked_key"
    FORGED = "forged"
    FLOODED = "flooded"
    # Signed by one of our keys: answered.
    ID_REUSED = "id_reused"
    SEQUENCE_USED = "sequence_used"
    UNKNOWN_OP = "unknown_op"
    NOT_ALLOWED = "not_allowed"
    BAD_ARGUMENTS = "bad_arguments"
    BAD_LIFETIME = "bad_lifetime"
    ISSUED_AHEAD = "issued_ahead"
    EXPIRED = "expired"
    CLOCK_SUSPECT = "clock_suspect"
    COUNTERS_LOST = "counters_lost"
    NOT_AVAILABLE = "not_available"
    RATE_LIMITED = "rate_limited"
    TERMINAL_BUSY = "terminal_busy"


#: Reasons for which a terminal says nothing: the sender proved nothing.
UNANSWERED = frozenset(
    {
        Reason.RETAINED, Reason.TOO_LARGE, Reason.MALFORMED, Reason.ANOTHER_ID, Reason.FOREIGN,
        Reason.UNKNOWN_KEY, Reason.REVOKED_KEY, Reason.FORGED, Reason.FLOODED,
    }
)  # fmt: skip
#: Answered, but leaving nothing behind: the command they are about is another, or an older one.
UNRECORDED = frozenset({Reason.ID_REUSED, Reason.SEQUENCE_USED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What the ledger has under a command's id."""

    digest: bytes  #: of the signed bytes and the key they were signed with


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """This terminal now."""

    tenant: str
    device_id: str
    now_ms: int  #: wall clock
    floor_ms: int  #: the newest time this terminal knows to have lived through
    clock_trusted: bool
    #: Since when sequences are kept without a gap; None: they were lost and nobody knows the time.
    counted_since_ms: int | None
    idle: bool
    offered: Collection[str]

    @property
    def time_ms(self) -> int:
        """What time it is at least; a suspect clock may be years ahead."""
        return max(self.now_ms, self.floor_ms) if self.clock_trusted else self.floor_ms


class Verdict(StrEnum):
    """What to do with a command."""

    OBEY = "obey"
    REPEAT = "repeat"  #: this very command was taken before: tell again what became of it
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What to do, and why not."""

    verdict: Verdict
    reason: Reason | None = None


def sifted(size_bytes: int, *, retained: bool) -> Reason | None:
    """What is told without reading it. A retained command would be obeyed again and again."""
    if retained:
        return Reason.RETAINED
    return Reason.TOO_LARGE if size_bytes > MAX_BYTES else None


def addressed(command: Command, cmd_id: str, here: Here) -> Reason | None:
    """Whether it is for us and under its own id; asked before any signature is checked."""
    if command.cmd_id != cmd_id:
        return Reason.ANOTHER_ID
    if (command.tenant, command.device_id) != (here.tenant, here.device_id):
        return Reason.FOREIGN
    return None


def judged(
    command: Command, digest: bytes, key: Key, here: Here, *, kept: Kept | None, last_seq: int
) -> Judgement:
    """What to do with a command that is signed with `key` and addressed to us.

    `last_seq`: the highest sequence ever taken from this key. Rates are the caller's.
    """
    if kept is not None:
        if kept.digest == digest:
            return Judgement(verdict=Verdict.REPEAT)
        return Judgement(verdict=Verdict.REFUSE, reason=Reason.ID_REUSED)
    if command.seq <= last_seq:
        return Judgement(verdict=Verdict.REFUSE, reason=Reason.SEQUENCE_USED)
    reason = _form(command, key) or _time(command, here)
    if reason is None and command.op not in here.offered:
        reason = Reason.NOT_AVAILABLE
    if reason is None and OPS[command.op].disruptive and not here.idle:
        reason = Reason.TERMINAL_BUSY
    if reason is not None:
        return Judgement(verdict=Verdict.REFUSE, reason=reason)
    return Judgement(verdict=Verdict.OBEY)


def _form(command: Command, key: Key) -> Reason | None:
    op = OPS.get(command.op)
    if op is None:
        return Reason.UNKNOWN_OP
    if not key.may(op.role):
        return Reason.NOT_ALLOWED
    return None if _fits(op, command.args) else Reason.BAD_ARGUMENTS


def _fits(op: Op, args: Args) -> bool:
    if any(name not in op.args or type(given) is not op.args[name].kind
           for name, given in args.items()):  # fmt: skip
        return False
    if any(arg.required and name not in args for name, arg in op.args.items()):
        return False
    return not op.one_of or sum(name in args for name in op.one_of) == 1


def _time(command: Command, here: Here) -> Reason | None:
    lifetime_ms = command.expires_ts - command.issued_ts
    if not 0 < lifetime_ms <= MAX_LIFETIME_MS:
        return Reason.BAD_LIFETIME
    if here.time_ms > command.expires_ts:
        return Reason.EXPIRED
    if here.clock_trusted and command.issued_ts > here.time_ms + AHEAD_MS:
        return Reason.ISSUED_AHEAD
    if OPS[command.op].reads:
        return None
    if not here.clock_trusted:
        return Reason.CLOCK_SUSPECT
    if here.counted_since_ms is None or command.issued_ts <= here.counted_since_ms:
        # What was sent before the loss may have been done before it.
        return Reason.COUNTERS_LOST
    return None


class Bucket:
    """So many at once, and one more every so often."""

    def __init__(self, most: int, every_ms: int) -> None:
        self._most_ms, self._every_ms = most * every_ms, every_ms
        self._full_ms = self._most_ms
        self._at_ms: int | None = None

    def take(self, now_ms: int) -> bool:
        """Whether there is one left; `now_ms` is boot time."""
        passed_ms = 0 if self._at_ms is None else max(0, now_ms - self._at_ms)
        self._full_ms = min(self._most_ms, self._full_ms + passed_ms)
        self._at_ms = now_ms
        if self._full_ms < self._every_ms:
            return False
        self._full_ms -= self._every_ms
        return True


#: Signatures checked at once, and one more every so often; a forged flood costs no more than that.
CHECKS, CHECK_EVERY_MS = 20, 2_000
#: Answers to commands that leave nothing behind: repeats and used sequences.
ANSWERS, ANSWER_EVERY_MS = 10, 60_000
#: Refusals of one key that are kept and told. More of them only count: a stolen key of the lowest
#: role must not write the trail full, nor spend the day's bytes on answers.
REFUSALS, REFUSAL_EVERY_MS = 20, 300_000
HOUR_MS = 3_600_000


class Rates:
    """How often keys are heard. One per terminal; lost with a restart, without harm."""

    def __init__(self, per_hour: int) -> None:
        self._per_hour = per_hour
        self._checks: dict[str, Bucket] = {}
        self._answers = Bucket(ANSWERS, ANSWER_EVERY_MS)
        self._all = Bucket(_burst(per_hour), HOUR_MS // per_hour)
        self._keys: dict[str, Bucket] = {}
        self._refusals: dict[str, Bucket] = {}

    def check(self, key_id: str, now_ms: int) -> bool:
        """May a signature said to be of this (known) key be checked?"""
        bucket = self._checks.setdefault(key_id, Bucket(CHECKS, CHECK_EVERY_MS))
        return bucket.take(now_ms)

    def answer(self, now_ms: int) -> bool:
        """May something be answered that is kept nowhere?"""
        return self._answers.take(now_ms)

    def refuse(self, key_id: str, now_ms: int) -> bool:
        """May another refusal of this key's commands be kept and told?"""
        bucket = self._refusals.setdefault(key_id, Bucket(REFUSALS, REFUSAL_EVERY_MS))
        return bucket.take(now_ms)

    def obey(self, key_id: str, now_ms: int) -> bool:
        """May another command of this key be obeyed?"""
        half = max(1, self._per_hour // 2)
        own = self._keys.setdefault(key_id, Bucket(_burst(half), HOUR_MS // half))
        return own.take(now_ms) and self._all.take(now_ms)


def _burst(per_hour: int) -> int:
    return max(1, min(per_hour, 20))
