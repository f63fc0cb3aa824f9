"""A group brought to a desired state in stages, halted when too many of it say no.

Pure but for the signature: told how the terminals stand, it says what to publish next. Every stage
is a statement of its own with the next version, and so is the halt; which terminals are in a stage
is drawn by name (`core.fleet.desired.in_stage`), so that the first five percent are among the
twenty-five. A stage has passed when it was well for its time and half of those it reached said so:
silence is no success. Called by the command line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from agent.core.fleet.desired import in_stage
from agent.core.fleet.overlay import MAY
from agent.errors import OperatorError
from agent.fleet.sending import Signer
from agent.fleet.view import Row
from agent.record import dataclass
from agent.wire.desired import DesiredIn, desired_from, desired_in, payload_of
from agent.wire.signed import (
    Document,
    DocumentError,
    envelope,
    envelope_in,
    is_envelope,
    parsed,
    signed_bytes,
)

REJECTED_ALARM = "fleet.desired_rejected"
#: Readings and facts of `info` that tell how a terminal stands.
FIELDS = frozenset(
    {"desired_version", "fleet_desired_version", "fleet_desired_state", "fleet_desired_in_force"}
)
_NO = frozenset({"rejected", "conflict"})
#: Of those a stage reached, this share must have said that it is well.
NEEDED_PERCENT = 50


@dataclass(frozen=True, slots=True)
class Statement:
    """A group's desired state, not yet signed."""

    told: Mapping[str, Any]
    said: DesiredIn

    @property
    def group(self) -> str:
        return self.said.group

    @property
    def version(self) -> int:
        return self.said.version

    def signed(self, signer: Signer) -> bytes:
        """The envelope. Raises OperatorError when no terminal would take it."""
        try:
            payload = payload_of(self.said)
        except DocumentError as error:
            raise OperatorError("fleet.desired", str(error)) from error
        signature = signer.sign(signed_bytes(Document.DESIRED, payload))
        return envelope(Document.DESIRED, signer.key_id, signature, payload)

    def staged(self, version: int, percent: int, *, halted: bool = False) -> Statement:
        """The same contents as a stage of one release, or halted."""
        stage = self.said.stage
        release = stage.release or f"{self.said.group}-{self.said.version}"
        new = {
            "percent": percent,
            "release": release,
            "halted": halted,
            "reject_percent": stage.reject_percent,
        }
        return statement({**self.told, "version": version, "stage": new})


def statement(told: Mapping[str, Any]) -> Statement:
    """From a person's table. Raises OperatorError."""
    try:
        said = desired_in(dict(told))
        payload_of(said)
    except DocumentError as error:
        raise OperatorError("fleet.desired", str(error)) from error
    beyond = _out_of_reach(said.config or {})
    if beyond:
        raise OperatorError(
            "fleet.desired", f"{beyond} is beyond a fleet's reach: every terminal would refuse it"
        )
    return Statement(told, said)


def _out_of_reach(config: Mapping[str, Any]) -> str:
    """The first key no terminal lets a fleet set; how strict the rest must be is its own to say."""
    for table, content in config.items():
        if table in ("limit", "health"):
            continue
        if table not in MAY:
            return str(table)
        for key in content if isinstance(content, Mapping) else ():
            if key not in MAY[table]:
                return f"{table}.{key}"
    return ""


def sealed(given: bytes) -> DesiredIn | None:
    """What somebody signed elsewhere; None: no envelope. Raises OperatorError."""
    try:
        whole = parsed(given)
    except DocumentError:
        return None
    if not is_envelope(whole):
        return None
    try:
        return desired_from(envelope_in(Document.DESIRED, whole).payload).said
    except DocumentError as error:
        raise OperatorError("fleet.envelope", str(error)) from error


class Standing(StrEnum):
    """How one terminal stands to the release."""

    SILENT = "silent"  #: has not said that it heard
    WELL = "well"
    TRYING = "trying"  #: heard it, and has not proved it yet
    REJECTED = "rejected"  #: went back, or never could


def standing(row: Row, version: int, since_ms: int) -> Standing:
    """By what the terminal reports. `version`: the first of this release, begun at `since_ms`.

    `desired_version` of `info` is what is in force, that of the `fleet` reading what was heard.
    """
    state = row.value("fleet_desired_state")
    heard = _whole(row.value("fleet_desired_version"))
    in_force = max(
        _whole(row.value("desired_version")), _whole(row.value("fleet_desired_in_force"))
    )
    alarm = row.alarms.get(REJECTED_ALARM)
    # The alarm is there at once, the reading a quarter of an hour later.
    if alarm is not None and (max(heard, in_force) >= version or alarm.since_ts >= since_ms):
        return Standing.REJECTED
    if heard >= version and state in _NO:
        return Standing.REJECTED
    if heard >= version and state == "trial":
        return Standing.TRYING
    if in_force >= version:
        return Standing.WELL
    return Standing.TRYING if heard >= version else Standing.SILENT


class Phase(StrEnum):
    """Where a release is."""

    PUBLISHING = "publishing"
    WATCHING = "watching"
    HALTED = "halted"
    DONE = "done"


@dataclass(slots=True, kw_only=True)
class Counts:
    """How those reached so far stand."""

    reached: int = 0
    well: int = 0
    rejected: int = 0

    @property
    def percent(self) -> float:
        """Of those reached, how many said no."""
        return 100.0 * self.rejected / self.reached if self.reached else 0.0


class Rollout:
    """One release over the members of a group."""

    def __init__(
        self,
        base: Statement,
        members: Sequence[str],
        *,
        stages: Sequence[int],
        stop_at_percent: float,
        soak_ms: int,
    ) -> None:
        self.base = base
        self.phase = Phase.PUBLISHING
        self.version = base.version
        self.counts = Counts()
        self._members = list(members)
        self._stages = list(stages)
        self._at = 0
        self._stop_at_percent = stop_at_percent
        self._soak_ms = soak_ms
        self._since_ms: int | None = None
        self._proven = False  #: nobody new is in this stage: there is nothing to wait for
        self._reached: set[str] = set()

    @property
    def percent(self) -> int:
        """Of the stage under way."""
        return self._stages[self._at]

    @property
    def statement(self) -> Statement:
        """To be signed and published to `targets` now."""
        halted = self.phase is Phase.HALTED
        return self.base.staged(self.version, self.percent, halted=halted)

    @property
    def targets(self) -> list[str]:
        """Who is to hear it: the new ones of a stage; of a halt all that were reached."""
        if self.phase is Phase.HALTED:
            return sorted(self._reached)
        salt = self.statement.said.stage.release
        return [
            name
            for name in self._members
            if name not in self._reached and in_stage(name, salt, self.percent)
        ]

    def published(self, now_ms: int, names: Sequence[str]) -> None:
        """All targets of this stage have it now."""
        self._proven = not names
        self._reached |= set(names)
        self.phase, self._since_ms = Phase.WATCHING, now_ms

    def reached(self, name: str) -> None:
        """One target has it: a halt will be for it, too."""
        self._reached.add(name)

    def has(self, name: str) -> bool:
        """Whether it was reached."""
        return name in self._reached

    def judge(self, stands: Mapping[str, Standing], now_ms: int) -> Phase:
        """Halt, wait, or go on with the next stage."""
        counted = [stands.get(name, Standing.SILENT) for name in self._reached]
        self.counts = Counts(
            reached=len(counted),
            well=counted.count(Standing.WELL),
            rejected=counted.count(Standing.REJECTED),
        )
        if self.phase in (Phase.HALTED, Phase.DONE):
            return self.phase
        if self.counts.percent > self._stop_at_percent:
            self.version += 1
            self.phase = Phase.HALTED
        elif self.phase is Phase.WATCHING and self._passed(now_ms):
            if self._at + 1 == len(self._stages):
                self.phase = Phase.DONE
            else:
                self._at += 1
                self.version += 1
                self.phase = Phase.PUBLISHING
        return self.phase

    def _passed(self, now_ms: int) -> bool:
        assert self._since_ms is not None
        if self._proven:
            return True
        counts = self.counts
        enough = counts.well * 100 >= counts.reached * NEEDED_PERCENT
        return enough and now_ms - self._since_ms >= self._soak_ms


def _whole(value: object) -> int:
    if isinstance(value, str) and value.isdecimal() and len(value) < 17:
        return int(value)
    return value if type(value) is int else 0
