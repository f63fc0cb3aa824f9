"""One update through the vendor's hooks, as a machine that may lose power between any two lines.

`decide` says what to do next and what must be on disk before it is begun; `after` takes the answer.
Whoever runs it keeps every update it gets back before anything else happens, so that a restart
finds where it stood. Found in the middle of a step:

- *preparing*, *committing*, *rolling back*: the step is asked for again; the contract says that
  repeating it is harmless.
- *applying*: asked for again only while the version from before is still read and nothing holds it;
  the new one means that it is in force, and anything else is taken back rather than applied a
  second time.

Nothing is applied that was not prepared, and nothing begins while `agent.core.software.guard` holds
it. Called by `agent.watch.software.updates`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import StrEnum

from agent.core.software.guard import Hold
from agent.record import dataclass

#: How often a step is asked for before it counts as failed.
TRIES = 3
#: A step that was cut short may still be under way in the service: how often it may say so.
BUSY_TRIES = 60
#: Starts of the agent while a new version is proving itself; more is a terminal that keeps dying.
STARTS_MAX = 5


class Phase(StrEnum):
    """Where an update stands. The first four have changed nothing that runs."""

    PENDING = "pending"
    PREPARING = "preparing"
    PREPARED = "prepared"
    APPLYING = "applying"
    WAITING = "waiting"  #: in force, proving itself
    COMMITTING = "committing"
    ROLLING_BACK = "rolling_back"
    COMMITTED = "committed"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"


FINAL = frozenset({Phase.COMMITTED, Phase.FAILED, Phase.ROLLED_BACK})


class Verb(StrEnum):
    """What the hooks are asked for."""

    PREPARE = "prepare"
    APPLY = "apply"
    COMMIT = "commit"
    ROLLBACK = "rollback"


class Said(StrEnum):
    """What came back."""

    DONE = "done"
    REFUSED = "refused"  #: nothing was changed by this request
    FAILED = "failed"  #: nothing may have changed
    BROKEN = "broken"  #: begun and not finished: something may have changed
    SILENT = "silent"  #: no answer: nobody knows


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One update and where it stands."""

    update: str
    component: str
    package: str
    version: str
    file: str
    sha256: str
    size_bytes: int
    before: str = ""  #: the version it replaces, as it was read
    started_by: str = ""
    any_time: bool = False
    phase: Phase = Phase.PENDING
    begun_ms: int = 0  #: UTC
    phase_ms: int = 0  #: UTC, since when in this phase
    tries: int = 0
    busy: int = 0
    starts: int = 0
    held: tuple[Hold, ...] = ()
    failed_step: str = ""
    reason: str = ""
    carried: str = ""  #: what was unsent before it was applied (`carried.Carried.text`)
    boot: str = ""  #: the boot in which it came in force, where one was told
    rollback: str = ""  #: not_needed, done, failed, or "" where none was tried

    @property
    def final(self) -> bool:
        return self.phase in FINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known while deciding."""

    now_ms: int
    holds: tuple[Hold, ...] = ()
    installed: str | None = None  #: None: cannot be read
    given_up: str = ""  #: why it does not wait any longer; "": it waits
    boot: str = ""  #: id of this boot
    lost: str = ""  #: what is missing of the money that was unsent before
    unwell: str = ""  #: why the new version does not prove itself
    well_s: float = 0.0  #: how long without a break it did
    waited_s: float = 0.0  #: in this phase, within this run of the agent
    commit_after_s: float = 600.0
    rollback_after_s: float = 1_800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Keep `update`, then ask for `verb`. None: nothing now."""

    update: Update
    verb: Verb | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarmed:
    """A condition that is open now."""

    code: str
    since_ms: int
    critical: bool


#: What began with a new version and speaks against keeping it, besides all that is critical.
SPEAKS_AGAINST = frozenset(
    {
        "software.agent_degraded", "software.app_crashing", "software.app_stopped",
        "software.data_error", "software.system_crash",
    }
)  # fmt: skip


def unwell(update: Update, installed: str | None, alarms: Iterable[Alarmed]) -> str:
    """What speaks against keeping the new version; "": nothing."""
    if installed is not None and installed != update.version:
        return f"installed is {installed or 'nothing'}"
    began = sorted(
        one.code
        for one in alarms
        if one.since_ms >= update.phase_ms and (one.critical or one.code in SPEAKS_AGAINST)
    )
    return ", ".join(began)


def resumed(update: Update) -> Update:
    """The update as a restarted agent finds it."""
    if update.phase is Phase.WAITING:
        return replace(update, starts=update.starts + 1)
    return update


def decide(update: Update, facts: Facts) -> Move:
    """What is done next."""
    match update.phase:
        case Phase.PENDING:
            return _unless_held(update, facts, Phase.PREPARING, Verb.PREPARE)
        case Phase.PREPARED:
            return _unless_held(update, facts, Phase.APPLYING, Verb.APPLY)
        case Phase.PREPARING:
            if _used_up(update):
                return Move(update=_failed(update, facts, Verb.PREPARE, "not_needed"))
            return Move(update=_again(update), verb=Verb.PREPARE)
        case Phase.APPLYING:
            return _applying(update, facts)
        case Phase.WAITING:
            return _waiting(update, facts)
        case Phase.COMMITTING:
            if _used_up(update):
                return Move(update=_failed(update, facts, Verb.COMMIT, ""))
            return Move(update=_again(update), verb=Verb.COMMIT)
        case Phase.ROLLING_BACK:
            if _used_up(update):
                return Move(update=_failed(update, facts, Verb.ROLLBACK, "failed"))
            return Move(update=_again(update), verb=Verb.ROLLBACK)
        case _:
            return Move(update=update)


def after(update: Update, verb: Verb, said: Said, reason: str, facts: Facts) -> Update:
    """The update with the answer to `verb`. A step that may be repeated stays where it is."""
    if said is Said.DONE:
        return _done(update, verb, facts)
    update = replace(update, reason=reason)
    repeated = update.tries > 1
    match verb, said:
        case Verb.PREPARE | Verb.APPLY, Said.REFUSED if not repeated:
            return _failed(update, facts, verb, "not_needed")
        case _, Said.REFUSED:
            # Perhaps what was cut short is still under way; being told so is not a try.
            return replace(update, busy=update.busy + 1, tries=max(1, update.tries - 1))
        case Verb.PREPARE, Said.FAILED | Said.BROKEN:
            return _failed(update, facts, verb, "not_needed")
        case Verb.APPLY, Said.FAILED if not repeated:
            return _failed(update, facts, verb, "not_needed")
        case Verb.APPLY, Said.FAILED | Said.BROKEN:
            return _rolling_back(update, facts, verb)
        case _:
            return update


def _applying(update: Update, facts: Facts) -> Move:
    update = replace(update, held=())
    if facts.installed == update.version:
        return Move(update=replace(_into(update, facts, Phase.WAITING), boot=facts.boot))
    if facts.installed and facts.installed == update.before and not _used_up(update):
        if facts.holds:  # the time between may have been long
            return Move(update=replace(update, held=facts.holds))
        return Move(update=_again(update), verb=Verb.APPLY)
    why = update.reason or f"cut short; installed is {facts.installed or 'not known'}"
    return Move(update=_rolling_back(replace(update, reason=why), facts, Verb.APPLY))


def _waiting(update: Update, facts: Facts) -> Move:
    why = facts.lost or _fallen_back(update, facts)
    if update.starts > STARTS_MAX:
        why = why or f"the agent was started {update.starts} times since"
    if why:
        return Move(update=_rolling_back(replace(update, reason=why), facts, "health"))
    if not facts.unwell and facts.well_s >= facts.commit_after_s:
        committing = _into(update, facts, Phase.COMMITTING)
        return Move(update=replace(committing, tries=1, reason=""), verb=Verb.COMMIT)
    if facts.unwell and facts.waited_s >= facts.rollback_after_s:
        unwell = replace(update, reason=facts.unwell)
        return Move(update=_rolling_back(unwell, facts, "health"))
    return Move(update=replace(update, reason=facts.unwell))


def _fallen_back(update: Update, facts: Facts) -> str:
    """A boot loader that counts its tries has gone back to the version from before."""
    if not update.boot or facts.boot in ("", update.boot) or facts.installed != update.before:
        return ""
    return f"the terminal came back with {update.before} by itself"


def _done(update: Update, verb: Verb, facts: Facts) -> Update:
    match verb:
        case Verb.PREPARE:
            return replace(_into(update, facts, Phase.PREPARED), reason="")
        case Verb.APPLY:
            return replace(_into(update, facts, Phase.WAITING), reason="", boot=facts.boot)
        case Verb.COMMIT:
            return replace(_into(update, facts, Phase.COMMITTED), reason="")
        case _:
            return replace(_into(update, facts, Phase.ROLLED_BACK), rollback="done")


def _unless_held(update: Update, facts: Facts, phase: Phase, verb: Verb) -> Move:
    if facts.holds and facts.given_up:
        why = replace(update, held=(), reason=facts.given_up)
        return Move(update=_failed(why, facts, verb, "not_needed"))
    if facts.holds:
        return Move(update=replace(update, held=facts.holds))
    begun = _into(replace(update, held=()), facts, phase)
    return Move(update=replace(begun, tries=1), verb=verb)


def _again(update: Update) -> Update:
    return replace(update, tries=update.tries + 1)


def _used_up(update: Update) -> bool:
    return update.tries >= TRIES or update.busy >= BUSY_TRIES


def _into(update: Update, facts: Facts, phase: Phase) -> Update:
    return replace(update, phase=phase, phase_ms=facts.now_ms, tries=0, busy=0)


def _failed(update: Update, facts: Facts, verb: Verb, rollback: str) -> Update:
    """Final; what failed first is what is told."""
    return replace(
        _into(update, facts, Phase.FAILED),
        failed_step=update.failed_step or verb.value,
        rollback=rollback,
        reason=update.reason or f"no end of {verb}",
    )


def _rolling_back(update: Update, facts: Facts, step: str) -> Update:
    """The next decision asks for it."""
    return replace(_into(update, facts, Phase.ROLLING_BACK), failed_step=str(step))


def ended(update: Update, verb: Verb, by: str, facts: Facts) -> Update | None:
    """The update by a person's word: kept now, or taken back. None: not in this phase."""
    match update.phase, verb:
        case Phase.WAITING, Verb.COMMIT:
            return replace(_into(update, facts, Phase.COMMITTING), reason="")
        case Phase.WAITING, Verb.ROLLBACK:
            return _rolling_back(replace(update, reason=f"taken back by {by}"), facts, verb)
        case ((Phase.PENDING | Phase.PREPARED), Verb.ROLLBACK):
            given_up = replace(update, held=(), reason=f"called off by {by}")
            return _failed(given_up, facts, verb, "not_needed")
        case _:
            return None


def active(updates: Sequence[Update]) -> Update | None:
    """The one that is not over; there is one at most."""
    return next((one for one in updates if not one.final), None)
