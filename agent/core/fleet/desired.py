"""What the fleet wants of its terminals: which statement counts, who takes it, when it goes back.

Decides by number, stage and trial; the signature was checked before, the settings in it are judged
by `agent.core.fleet.overlay`. What was decided is a `Held`, one record that whoever calls writes
down whole before acting on it: a power cut leaves the state before or the state after, and either
says which settings are in force. Knows no file, no clock and no restart. Called by
`agent.telemetry.desired` and, before anything runs, by `agent.main.overlay`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import field, replace
from enum import StrEnum
from typing import Any

from agent.core.fleet.commands import Key
from agent.core.moment import Moment
from agent.record import dataclass

#: A statement from further ahead than any time zone or battery explains is a mistake of its signer.
FUTURE_MS = 24 * 3_600_000
#: Refused contents and groups that are remembered.
REMEMBERED = 16
#: Good checks in a row after which a trial has been passed.
SETTLED = 3


class State(StrEnum):
    """How this terminal stands to what the fleet wants."""

    NONE = "none"  #: nothing was ever wanted
    IN_FORCE = "in_force"
    TRIAL = "trial"  #: in force, and not yet proved
    REJECTED = "rejected"  #: this terminal took it back, or never could take it
    WAITING = "waiting"  #: not in its stage
    HALTED = "halted"  #: the fleet stopped it before this terminal took it
    CONFLICT = "conflict"  #: the terminal's own files no longer allow what was in force


class Kind(StrEnum):
    """What is to be done with a statement."""

    REFUSE = "refuse"  #: nothing of it counts, not even its number
    KNOWN = "known"  #: the very one in force
    NUMBER = "number"  #: its number counts, nothing changes
    WITHDRAW = "withdraw"  #: the trial under way ends without blame
    TAKE = "take"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement of the right form by somebody who may administer."""

    tenant: str
    group: str
    version: int
    digest: str  #: of the signed bytes
    content: str  #: of what it changes
    issued_ms: int | None = None
    percent: int = 100
    release: str = ""
    halted: bool = False
    seconds: int = 600
    failures: int = 3
    crashes: int = 2
    config: Mapping[str, Any] | None = None
    manifest: bytes | None = None
    keys: tuple[Key, ...] | None = None
    revoked: tuple[str, ...] = ()

    @property
    def salt(self) -> str:
        """What the stages of one release have in common."""
        return self.release or f"version {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Settings that are in force and must prove themselves."""

    version: int
    salt: str
    content: str
    config: Mapping[str, Any]
    seconds: int
    failures: int
    crashes: int
    starts: int = 0  #: that began under it
    connected: bool = False  #: whether the broker was there before
    alarms: frozenset[str] = frozenset()  #: critical ones there were before
    manifest: bytes | None = None
    signed_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A content this terminal does not take again."""

    version: int
    content: str
    code: str
    what: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Everything decided so far; written down whole."""

    state: State = State.NONE
    group: str = ""
    version: int = 0  #: the newest number that counted
    digest: str = ""
    seen: Mapping[str, int] = field(default_factory=dict)  #: group -> its newest number
    good: Mapping[str, Any] = field(default_factory=dict)  #: settings that proved themselves
    good_version: int = 0
    content: str = ""  #: of the statement in force
    salt: str = ""
    trial: Trial | None = None
    rejected: tuple[Rejected, ...] = ()
    code: str = ""  #: why it is rejected, halted or in conflict
    what: str = ""
    manifest: bytes | None = None  #: of required software, in force
    manifest_by: str = ""
    keys: tuple[Key, ...] | None = None  #: still to be handed to the key ring
    revoked: tuple[str, ...] = ()
    keys_by: str = ""

    @property
    def config(self) -> Mapping[str, Any]:
        """The settings to run under."""
        return self.good if self.trial is None else self.trial.config

    @property
    def config_version(self) -> int:
        """The statement those came with."""
        return self.good_version if self.trial is None else self.trial.version

    @property
    def handing_keys(self) -> bool:
        """Whether the key ring has still to hear."""
        return self.keys is not None or bool(self.revoked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """The terminal that judges."""

    tenant: str
    group: str
    device_id: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What is to be done, and the stable word for why."""

    kind: Kind
    code: str = ""
    state: State | None = None


def in_stage(device_id: str, salt: str, percent: int) -> bool:
    """Whether a terminal belongs to the first `percent` of a release: 5 % are among the 25 %."""
    drawn = hashlib.sha256(f"{salt}\n{device_id}".encode()).digest()
    return int.from_bytes(drawn[:8], "big") % 10_000 < percent * 100


def judge(said: Statement, held: Held, me: Me, now: Moment) -> Judged:
    """What to do with a statement.

    Its number alone orders it, so a clock that nobody vouches for only leaves out the question
    whether it was issued in the future.
    """
    if said.tenant != me.tenant:
        return Judged(Kind.REFUSE, "wrong_tenant")
    if said.group != me.group:
        return Judged(Kind.REFUSE, "wrong_group")
    newest = held.seen.get(me.group, 0)
    if said.version == newest:
        same = said.digest == held.digest and held.group == me.group
        return Judged(Kind.KNOWN) if same else Judged(Kind.REFUSE, "same_version")
    if said.version < newest:
        return Judged(Kind.REFUSE, "older_version")
    if said.issued_ms is not None and now.trusted and said.issued_ms > now.wall_ms + FUTURE_MS:
        return Judged(Kind.REFUSE, "issued_in_future")
    if said.halted:
        trying = held.trial is not None and held.trial.salt == said.salt
        return Judged(Kind.WITHDRAW if trying else Kind.NUMBER, "halted", _halted(said, held))
    if any(one.content == said.content for one in held.rejected):
        return Judged(Kind.NUMBER, "rejected_before", State.REJECTED)
    if held.trial is not None and held.trial.content == said.content:
        return Judged(Kind.NUMBER, "", State.TRIAL)
    if held.trial is None and held.content == said.content:
        return Judged(Kind.NUMBER, "", State.IN_FORCE)
    if not in_stage(me.device_id, said.salt, said.percent):
        return Judged(Kind.NUMBER, "not_in_stage", State.WAITING)
    return Judged(Kind.TAKE)


def _halted(said: Statement, held: Held) -> State:
    mine = held.trial is None and held.salt == said.salt
    return State.IN_FORCE if mine and held.content else State.HALTED


def numbered(held: Held, said: Statement) -> Held:
    """Its number counts from now on."""
    seen = {name: one for name, one in held.seen.items() if name != said.group}
    seen = dict(list(seen.items())[-(REMEMBERED - 1) :])
    return replace(
        held,
        group=said.group,
        version=said.version,
        digest=said.digest,
        seen={**seen, said.group: said.version},
    )


def stated(held: Held, judged: Judged) -> Held:
    """What it made of this terminal's standing."""
    quiet = judged.state in (State.IN_FORCE, State.TRIAL)
    if judged.code == "rejected_before":
        return replace(held, state=State.REJECTED)  # the reason it was refused for stays told
    state = held.state if judged.state is None else judged.state
    return replace(held, state=state, code="" if quiet else judged.code, what="")


def keyed(
    held: Held, revoked: tuple[str, ...], by: str, keys: tuple[Key, ...] | None = None
) -> Held:
    """With what the key ring has to hear."""
    if keys is None and not revoked:
        return held
    return replace(
        held,
        keys=held.keys if keys is None else keys,
        revoked=tuple(sorted({*held.revoked, *revoked})),
        keys_by=by,
    )


def taken(
    held: Held,
    said: Statement,
    signed_by: str,
    *,
    connected: bool,
    alarms: frozenset[str],
) -> Held:
    """It is in force: at once where it changes no settings, else on trial from the next start.

    Keys are no matter of trial: a stolen one is revoked whatever becomes of the settings.
    """
    held = numbered(held, said)
    held = keyed(held, said.revoked, signed_by, said.keys)
    trial = Trial(
        version=said.version,
        salt=said.salt,
        content=said.content,
        config=held.good if said.config is None else said.config,
        seconds=said.seconds,
        failures=said.failures,
        crashes=said.crashes,
        connected=connected,
        alarms=alarms,
        manifest=said.manifest,
        signed_by=signed_by,
    )
    held = replace(held, trial=trial, state=State.TRIAL, code="", what="")
    return passed(held) if trial.config == held.good else held


def passed(held: Held) -> Held:
    """The trial is over, and well."""
    trial = held.trial
    if trial is None:
        return held
    told = trial.manifest is not None
    return replace(
        held,
        state=State.IN_FORCE,
        good=trial.config,
        good_version=trial.version,
        content=trial.content,
        salt=trial.salt,
        trial=None,
        manifest=trial.manifest if told else held.manifest,
        manifest_by=trial.signed_by if told else held.manifest_by,
        code="",
        what="",
    )


def rejected(held: Held, version: int, content: str, code: str, what: str = "") -> Held:
    """This terminal does not take this content, now or later. A trial of another goes on."""
    one = Rejected(version=version, content=content, code=code, what=what[:200])
    kept = tuple(each for each in held.rejected if each.content != content)
    return replace(
        held,
        state=State.REJECTED,
        rejected=(*kept, one)[-REMEMBERED:],
        code=code,
        what=one.what,
    )


def failed(held: Held, code: str, what: str = "") -> Held:
    """The trial is over, and not well: what was good before is in force."""
    trial = held.trial
    if trial is None:
        return held
    return rejected(replace(held, trial=None), trial.version, trial.content, code, what)


def withdrawn(held: Held) -> Held:
    """The fleet stopped what is on trial."""
    return replace(held, trial=None, state=State.HALTED, code="halted", what="")


def started(held: Held) -> Held:
    """The agent starts. A trial that too many starts did not survive has failed."""
    trial = held.trial
    if trial is None:
        return held
    if trial.starts >= trial.crashes:
        return failed(held, "crashed", f"{trial.starts} starts")
    return replace(held, trial=replace(trial, starts=trial.starts + 1))


def conflicting(held: Held, what: str) -> Held:
    """The terminal's own files do not allow the settings in force (any more)."""
    if held.trial is not None:
        return failed(held, "not_allowed", what)
    return replace(held, state=State.CONFLICT, code="not_allowed", what=what[:200])


def agreeing(held: Held) -> Held:
    """They allow them again."""
    if held.state is not State.CONFLICT:
        return held
    return replace(held, state=State.IN_FORCE, code="", what="")


def handed(held: Held) -> Held:
    """The key ring has them."""
    return replace(held, keys=None, revoked=(), keys_by="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How the terminal is, at one moment of a trial."""

    elapsed_s: float
    connected: bool
    alarms: frozenset[str]  #: critical ones that show


@dataclass(slots=True)
class Watching:
    """Counts the checks of one trial. Asked for a verdict with each."""

    trial: Trial
    good: int = 0
    bad: int = 0

    def heed(self, check: Check) -> tuple[bool | None, str, str]:
        """Passed, failed or (None) not over; with the word for why, and its particular."""
        fresh = sorted(check.alarms - self.trial.alarms)
        reached = check.connected or not self.trial.connected
        self.good = self.good + 1 if reached and not fresh else 0
        self.bad = self.bad + 1 if fresh else 0
        if self.good >= SETTLED:
            return True, "", ""
        if self.bad >= self.trial.failures:
            return False, "not_well", ", ".join(fresh[:4])
        if check.elapsed_s < self.trial.seconds or self.good:
            return None, "", ""
        return (False, "not_well", ", ".join(fresh[:4])) if fresh else (False, "not_connected", "")
