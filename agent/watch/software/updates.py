"""Carries updates through, one at a time: the part `updates`.

What comes next is `agent.core.software.update`'s decision; this file gathers what it needs to know,
has every step on disk before the hook is asked (`ledger`), and asks posagent-actions. Sleeps while
there is nothing to do. An update begins on a technician's word or, with `auto_update`, on that of
the manifest in force. Nothing it fails at touches a payment.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from agent.config.software import Software
from agent.core.health.reading import Value
from agent.core.money.journal import Record
from agent.core.software.manifest import Standing
from agent.core.software.standing import Compared, behind
from agent.core.software.update import (
    Facts,
    Phase,
    Said,
    Update,
    Verb,
    active,
    after,
    decide,
    ended,
    resumed,
)
from agent.core.software.wanted import Offer
from agent.watch.software import ledger
from agent.watch.software.gathering import Gathering, Ports
from agent.watch.software.watcher import View
from agent.wire.problem import RequestError

if TYPE_CHECKING:
    from agent.wire.hooks import ActionDone, ActionFailed, ActionRefused

    Answer = ActionDone | ActionRefused | ActionFailed

log = logging.getLogger(__name__)

#: Between two looks at an update that waits for something.
TURN_S = 10.0
#: Of one step; posagent-actions allows no more.
STEP_S = 600.0
KEEP_S = 30.0
#: A failure nobody's manifest asks about any more is told this long.
TOLD_MS = 7 * 86_400_000


class Request(Protocol):
    """A technician's word. `update` names an offer of the manifest; `file` brings its own file."""

    @property
    def update(self) -> str: ...
    @property
    def file(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def component(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def any_time(self) -> bool: ...


class Updates:
    """The updates of this terminal."""

    name = "updates"
    fatal = False

    def __init__(self, config: Software, state_dir: Path, ports: Ports, *, signed: bool) -> None:
        """`signed`: only what a signed manifest names is installed."""
        self._config = config
        self._state_dir = state_dir
        self._ports = ports
        self._signed = signed
        self._facts = Gathering(config, ports)
        self._all: list[Update] | None = None  #: the oldest first; None: not read yet
        self._wake = asyncio.Event()
        self._keeping = asyncio.Lock()
        self._beginning = asyncio.Lock()  #: between looking for one under way and having begun

    def none_begun(self) -> None:
        """There is no file: nothing has to be read before something is begun."""
        if self._all is None:
            self._all = []

    # -- what others see ------------------------------------------------------------------------

    def history(self) -> list[Update]:
        """All that are remembered, the newest first."""
        return list(reversed(self._all or ()))

    def last(self, component: str) -> Update | None:
        """The last update of a component."""
        return next((one for one in self.history() if one.component == component), None)

    def shown(self) -> Mapping[str, Value]:
        """What a reading says of the update under way, or of the last one."""
        update = active(self._all or ()) or next(iter(self.history()), None)
        view = self._ports.versions.view()
        offered = [] if view is None else self._offered(view)
        if update is None or (update.final and not self._still_told(update, view)):
            values: dict[str, Value] = {"update_state": "none"}
        else:
            values = {
                "update": update.update,
                "update_state": update.phase.value,
                "version": update.version,
            }
            held = {one.word: one.found for one in update.held}
            if count := held.get("unsent") or held.get("in_doubt"):
                values["count"] = int(count)
            if update.failed_step:
                values["failed_step"] = update.failed_step
            if update.rollback:
                values["rollback"] = update.rollback
        waits = update is not None and bool(update.held)
        values["update_waiting"] = "held" if waits else "offered" if offered else "no"
        if offered and not waits:
            values["version"] = offered[0][1].version
        return values

    def consider(self, view: View) -> None:
        """Something was read; perhaps there is an update to begin."""
        if self._config.auto_update and self._offered(view):
            self._wake.set()

    def heed(self, record: Record) -> None:
        """A payment is over: perhaps it was the one an update waited for."""
        held = active(self._all or ())
        if record.final and held is not None and held.held:
            self._wake.set()

    async def begin(self, request: Request, actor: str) -> Update:
        """Take a technician's word. Raises RequestError saying why not."""
        _none_under_way(self._all)
        try:  # the manifest may have been put there a moment ago
            view = await self._ports.versions.look()
        except TimeoutError:
            raise RequestError("update.busy", "what is installed cannot be read now") from None
        component, offer = _meant(request, view, signed=self._signed)
        async with self._beginning:
            known = _none_under_way(self._all)  # another may have been begun meanwhile
            if any(one.update == offer.update and not _untouched(one) for one in known):
                was = f"{offer.update} was begun before"
                raise RequestError("update.known", was, field="update")
            return await self._begin(component, offer, actor, any_time=request.any_time)

    async def end(self, name: str, verb: Verb, actor: str) -> Update:
        """A person's word on the one under way. Raises RequestError."""
        update = active(self._all or ())
        if update is None or name not in ("", update.update):
            raise RequestError("update.unknown", "no such update is under way", field="update")
        facts = Facts(now_ms=self._ports.clock.now().wall_ms)
        word = ended(update, verb, actor[:64], facts)
        if word is None or not await self._keep(update, word):
            said = f"{update.update} is {update.phase}: there is nothing to {verb} now"
            raise RequestError("update.not_now", said)
        log.warning("event=update_%s_asked update=%s actor=%s", verb, update.update, actor[:64])
        self._wake.set()
        return word

    # -- the part -------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Go on where the last run ended, until `stop`."""
        stopped = asyncio.create_task(stop.wait(), name="updates.stop")
        working = asyncio.create_task(self._work(), name="updates.work")
        try:
            await asyncio.wait({stopped, working}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            # A step that is under way is found again: it is on disk.
            for task in (stopped, working):
                task.cancel()
            await asyncio.wait({stopped, working})

    def beat(self, now_ms: int) -> str:
        """A hook may take its time; the service ends it."""
        del now_ms
        return ""

    async def _work(self) -> None:
        if self._all is None:
            self._all = await self._ports.blocking.call(
                "updates.load", lambda: ledger.load(self._state_dir), KEEP_S
            )
            found = active(self._all)
            if found is not None:
                log.warning("event=update_resumed update=%s phase=%s", found.update, found.phase)
                self._facts.begin_phase()
                await self._keep(found, resumed(found))
        self._ports.versions.look_again()
        while True:
            pause_s = await self._turn()
            if pause_s == 0:
                continue
            try:
                async with asyncio.timeout(pause_s):
                    await self._wake.wait()
            except TimeoutError:
                log.debug("event=update_looked_at_again")
            self._wake.clear()

    async def _turn(self) -> float | None:
        """One decision and what follows; how long to rest, None: until woken."""
        update = active(self._all or ())
        if update is None:
            async with self._beginning:
                return await self._begin_wanted()
        facts = await self._facts.of(update)
        move = decide(update, facts)
        if move.verb is Verb.APPLY and not move.update.carried:
            carried = await self._facts.unsent()
            move = replace(move, update=replace(move.update, carried=carried))
        if not await self._keep(update, move.update):
            return TURN_S
        if move.verb is None:
            if move.update.phase is not update.phase:
                return 0
            if move.update.held != update.held:
                self._ports.versions.look_again()
            return _rest_s(move.update, facts)
        said, reason = await self._ask(move.verb, move.update)
        facts = replace(facts, now_ms=self._ports.clock.now().wall_ms)
        answered = after(move.update, move.verb, said, reason, facts)
        if not await self._keep(move.update, answered):
            return TURN_S
        return 0 if answered.phase is not move.update.phase else TURN_S

    async def _ask(self, verb: Verb, update: Update) -> tuple[Said, str]:
        fields: dict[str, object] = {"update": update.update}
        if verb is Verb.PREPARE:
            fields |= {
                "package": update.package,
                "version": update.version,
                "file": update.file,
                "sha256": update.sha256,
                "size_bytes": update.size_bytes,
            }
        log.info("event=update_step update=%s step=%s try=%d", update.update, verb, update.tries)
        answer = await self._ports.act(f"update.{verb}", deadline_s=STEP_S, **fields)
        said, reason = _said(answer)
        level = logging.INFO if said is Said.DONE else logging.WARNING
        log.log(level, "event=update_answer update=%s step=%s said=%s reason=%r",
                update.update, verb, said, reason)  # fmt: skip
        return said, reason

    # -- beginning ------------------------------------------------------------------------------

    def _offered(self, view: View) -> list[tuple[str, Offer]]:
        """What the manifest in force offers for what is behind, and was not begun before."""
        if view.verdict.standing is not Standing.IN_FORCE or self._all is None:
            return []
        known = {one.update for one in self._all}
        return [
            (one.component, offer)
            for one in behind(view.compared)
            if (offer := view.wanted[one.component].offer) is not None and offer.update not in known
        ]

    async def _begin_wanted(self) -> float | None:
        view = self._ports.versions.view()
        if view is None or not self._config.auto_update or active(self._all or ()) is not None:
            return None
        for component, offer in self._offered(view):
            there = await self._ports.blocking.call(
                "updates.stat", Path(offer.file).is_file, KEEP_S
            )
            if there:
                number = view.verdict.in_force.sequence if view.verdict.in_force else 0
                await self._begin(component, offer, f"manifest {number}")
                return 0
        return None

    async def _begin(
        self, component: str, offer: Offer, actor: str, *, any_time: bool = False
    ) -> Update:
        view = self._ports.versions.view()
        found = None if view is None else view.found.get(component)
        now = self._ports.clock.now()
        update = Update(
            update=offer.update,
            component=component,
            package=offer.package,
            version=offer.version,
            file=offer.file,
            sha256=offer.sha256,
            size_bytes=offer.size_bytes,
            before="" if found is None else found.version,
            started_by=actor[:64],
            any_time=any_time,
            begun_ms=now.wall_ms,
            phase_ms=now.wall_ms,
        )
        if not await self._keep(None, update):
            raise RequestError("update.not_kept", "the update cannot be written down")
        log.info("event=update_begun update=%s component=%s", update.update, component)
        self._wake.set()
        return update

    # -- keeping --------------------------------------------------------------------------------

    async def _keep(self, old: Update | None, new: Update) -> bool:
        """Have `new` on disk in place of `old`; False where it could not be written.

        What an update waits for changes with every payment and is worth no flash.
        """
        if new == old:
            return True
        async with self._keeping:
            return await self._kept(old, new)

    async def _kept(self, old: Update | None, new: Update) -> bool:
        if old is not None and not any(one is old for one in self._all or ()):
            return False  # a person has said something else meanwhile
        known = [new if one is old else one for one in self._all or ()]
        if old is None:
            known = [*(one for one in self._all or () if one.update != new.update), new]
        spoken = {"held": (), "reason": ""}
        if old is None or replace(new, **spoken) != replace(old, **spoken):  # type: ignore[arg-type]
            try:
                await self._ports.blocking.call(
                    "updates.keep", lambda: ledger.save(self._state_dir, known), KEEP_S
                )
            except (OSError, TimeoutError) as error:
                log.warning("event=update_not_kept reason=%r", str(error))
                return False
        self._all = known
        if old is not None and old.phase is not new.phase:
            self._facts.begin_phase()
            level = logging.WARNING if new.phase in _BAD else logging.INFO
            log.log(level, "event=update_%s update=%s reason=%r", new.phase, new.update, new.reason)
        if old is None or old.phase is not new.phase:
            self._ports.versions.look_again()
        return True

    def _still_told(self, update: Update, view: View | None) -> bool:
        """Whether a finished update is still worth telling."""
        if update.phase is Phase.COMMITTED or view is None:
            return update.phase is not Phase.COMMITTED
        stands = _stands(view.compared, update.component)
        if stands is not None:
            return bool(behind([stands])) and stands.required == update.version
        return self._ports.clock.now().wall_ms - update.phase_ms < TOLD_MS


_BAD = (Phase.FAILED, Phase.ROLLING_BACK, Phase.ROLLED_BACK)


def _none_under_way(known: list[Update] | None) -> list[Update]:
    """All that were begun, none of them under way. Raises RequestError where one is."""
    if known is None:
        raise RequestError("update.busy", "what was updated before is still being read")
    if (under_way := active(known)) is not None:
        raise RequestError("update.busy", f"another update is under way: {under_way.update}")
    return known


def _meant(request: Request, view: View, *, signed: bool) -> tuple[str, Offer]:
    """What a request is about. Raises RequestError."""
    for component, one in view.wanted.items():
        offer = one.offer
        if offer is None:
            continue
        if request.update and offer.update == request.update:
            return component, offer
        if request.sha256 and offer.sha256 == request.sha256:
            return component, replace(offer, file=request.file or offer.file)
    if signed or not request.file:
        raise RequestError(
            "update.unknown",
            "the manifest in force offers no such update",
            field="update" if request.update else "file",
        )
    if not request.component or not request.version:
        raise RequestError("update.unnamed", "no manifest names this file", field="component")
    if not request.sha256 or not request.size_bytes:
        lacks = "size_bytes" if request.sha256 else "sha256"
        raise RequestError("update.unnamed", f"no manifest tells its {lacks}", field=lacks)
    return request.component, Offer(
        update=request.update or f"{request.sha256[:32]}",
        package=request.component,
        version=request.version,
        file=request.file,
        sha256=request.sha256,
        size_bytes=request.size_bytes,
    )


def _rest_s(update: Update, facts: Facts) -> float:
    if update.phase is Phase.WAITING and not facts.unwell:
        return min(TURN_S, max(0.1, facts.commit_after_s - facts.well_s))
    if update.phase is Phase.WAITING:
        return min(TURN_S, max(0.1, facts.rollback_after_s - facts.waited_s))
    return TURN_S


def _untouched(update: Update) -> bool:
    """Failed before it changed anything: it may be begun again, by a person."""
    return update.phase is Phase.FAILED and update.rollback == "not_needed"


def _stands(found: Iterable[Compared], component: str) -> Compared | None:
    return next((one for one in found if one.component == component), None)


def _said(answer: Answer) -> tuple[Said, str]:
    from agent.hooks.actions import NO_ANSWER
    from agent.wire.hooks import ActionDone, ActionFailed, ActionRefused

    match answer:
        case ActionDone():
            return Said.DONE, answer.note
        case ActionRefused(reason=reason):
            return Said.REFUSED, reason
        case ActionFailed(reason=reason) if reason.startswith(NO_ANSWER):
            return Said.SILENT, reason
        case ActionFailed(reason=reason, changed=changed):
            return Said.BROKEN if changed else Said.FAILED, reason
