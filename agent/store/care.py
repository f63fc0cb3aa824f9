"""What is done for stored rows beside payments, from the loop: keys, verification, taking back.

It decides how often and in what portions; what is done to a row is decided in `sealing`, `verify`,
`payloads` and `salvaged`. Every portion is a piece of work of the store's thread like any other, so
that a payment waits for 5 ms of it at most. Called by the actions and by the scheduler.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from agent.clock import Clock
from agent.core.money.journal import Record
from agent.crypt import KeyRing
from agent.errors import CallerError, StoreError
from agent.record import dataclass
from agent.store import Store, verify
from agent.store.journal import Journal
from agent.store.opening import JOURNAL
from agent.store.sealing import Turning
from agent.store.sql import QUERIES
from agent.store.verify import Sweep, Verified

if TYPE_CHECKING:
    from agent.store.salvaged import Found, From, Haul, Wreck

log = logging.getLogger(__name__)
T = TypeVar("T")

#: Between two looks, and between two portions of one look.
TICK_S = 60.0
PAUSE_S = 0.02
#: How often it is written down where the sweep got to: losing it costs an hour of checking.
KEPT_EVERY = 60
#: How long one answer to a person may take.
ANSWER_S = 5.0
_SWEPT_TO = "verified_to"


class Threads(Protocol):
    """Runs what blocks, off the loop."""

    async def call(self, name: str, function: Callable[[], T], deadline_s: float) -> T: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The key ring as it stands."""

    sealing: bool
    file: Path
    newest: int | None
    held: tuple[int, ...]
    in_use: tuple[int, ...]
    missing: tuple[int, ...]
    turning: bool  #: rows are being brought under the newest key


class Care:
    """Over one store."""

    def __init__(
        self, store: Store, clock: Clock, threads: Threads, sweep_period_s: float = 0.0
    ) -> None:
        self._store = store
        self._clock = clock
        self._threads = threads
        self._turning = Turning(store.sealing, store.directory / JOURNAL)
        self._turned = False
        self._sweep = Sweep(sweep_period_s)
        self._ticks = 0
        self._wreck: Wreck | None = None
        self._whole: Haul | None = None  #: of a taking back that began at the beginning
        self._salvaging = asyncio.Lock()

    # -- what the payment app asks ---------------------------------------------------------

    async def acknowledge(self, key: str) -> Record | None:
        """Destroy what was handed over with a final payment; fingerprints and result stay.

        None for an unknown key. Raises CallerError `record.not_final`. Repeating it is harmless.
        """
        return await self._store.journal(partial(self._erase, key))

    def _erase(self, key: str, journal: Journal) -> Record | None:
        record = journal.record(key, self._clock.now())
        if record is None:
            return None
        if not record.final:
            raise CallerError("record.not_final", f"payment {key} is {record.state}")
        if journal.payloads.erase(record):
            log.debug("event=payload_destroyed seq=%s", record.seq)
        return record

    # -- keys ------------------------------------------------------------------------------

    async def keys(self) -> Keys:
        return await self._store.journal(self._keys)

    async def rotate(self) -> Keys:
        """One more key for new payments; the old ones' wrapped keys follow in quiet moments."""
        turning = self._turning
        await self._store.journal(
            lambda journal: turning.rotate(journal.table.db, journal.payloads.seals)
        )
        self._turned = False
        return await self.keys()

    async def turn(self) -> None:
        """Bring rows under the newest key, if there is one they are not under. A scheduler's job:
        it goes on where the last run, or the last process, got to."""
        while not self._turned:
            try:
                self._turned = await self._store.journal(self._turn)
            except StoreError as error:
                log.debug("event=keys_not_turned code=%s", error.code)
                return
            await asyncio.sleep(PAUSE_S)

    def _turn(self, journal: Journal) -> bool:
        def altered(number: int) -> None:
            row = journal.table.one("by_seq", number >> 8)
            if row is not None:
                reason = "the key of its payload was altered"
                journal.table.distrust(row, reason, self._clock.now())

        seals = journal.payloads.seals
        if self._turning.piece(journal.table.db, seals, altered):
            self._turning.forget(journal.table.db, seals)
            return True
        return False

    def _keys(self, journal: Journal) -> Keys:
        seals = journal.payloads.seals
        ring = seals.ring
        return Keys(
            sealing=seals.on,
            file=self._store.sealing.file,
            newest=None if ring is None else ring.newest,
            held=() if ring is None else tuple(sorted(ring.ids)),
            in_use=tuple(sorted(seals.in_use)),
            missing=tuple(sorted(seals.missing)),
            turning=bool(seals.old),
        )

    # -- verification ----------------------------------------------------------------------

    async def verify(self, after: str = "", for_s: float = ANSWER_S) -> Verified:
        """Go through the journal from `after` on, for so long at most."""
        done = Verified(after=after)
        ends = time.monotonic() + for_s
        while done.after is not None:
            done.add(await self._store.journal(partial(self._piece, done.after)))
            if time.monotonic() > ends:
                break
        return done

    async def sweep(self) -> None:
        """The portion of a minute. A scheduler's job."""
        try:
            await self._swept()
        except StoreError as error:
            log.debug("event=sweep_waits code=%s", error.code)

    async def _swept(self) -> None:
        sweep = self._sweep
        if not self._ticks:
            sweep.after = await self._store.state(_swept_to)
        sweep.passed(TICK_S, await self._store.journal(_span))
        worked = False
        while sweep.due:
            worked = True
            whole = sweep.took(await self._store.journal(partial(self._piece, sweep.after)))
            if whole is not None:
                level = logging.ERROR if whole.found else logging.INFO
                log.log(
                    level, "event=verified checked=%s found=%s structure=%s",
                    verify.counts(whole.checked), verify.counts(whole.found), whole.structure,
                )  # fmt: skip
            await asyncio.sleep(PAUSE_S)
        keep = worked and self._ticks % KEPT_EVERY == 0
        self._ticks += 1
        if keep:
            await self._store.state(partial(_keep_swept_to, sweep.after))

    def _piece(self, after: str, journal: Journal) -> Verified:
        return verify.piece(journal, after, self._clock.now())

    # -- journals put aside ----------------------------------------------------------------

    async def salvage(self, name: str, after: int, actor: str, for_s: float = ANSWER_S) -> Haul:
        """Take back what is proved in one of them, from number `after` on, for so long at most.

        Raises OperatorError where it is not there or nothing can be proved.
        """
        # Damage is rare: loaded when there is some.
        from agent.store.salvaged import WRITTEN, From, Haul

        async with self._salvaging:
            wreck = await self._boarded(name)
            haul = Haul(after=after)
            if after == 0:
                self._whole = Haul()
            elif self._whole is not None and self._whole.after != after:
                self._whole = None  # not from the beginning: nobody can say what is left
            ends = time.monotonic() + for_s
            while haul.after is not None:
                look = partial(wreck.piece, haul.after)
                found, seen, boots = await self._threads.call("salvage", look, 60.0)
                source = From(name=name, boots=boots, actor=actor)
                for start in range(0, len(found), WRITTEN):
                    some = found[start : start + WRITTEN]
                    haul.add(await self._store.change(partial(self._take, some, source)))
                haul.add(seen)
                haul.after = seen.after
                if time.monotonic() > ends:
                    break
            if self._whole is not None:
                self._whole.add(haul)
                self._whole.after = haul.after
            if haul.after is None:
                await self._gone_through(name, wreck)
            return haul

    async def _gone_through(self, name: str, wreck: Wreck) -> None:
        """Only what could not be proved still counts as put aside."""
        self._wreck = None
        await self._threads.call("salvage", wreck.close, 60.0)
        if self._whole is not None:
            await self._store.journal(partial(_settle, name, self._whole))

    async def _boarded(self, name: str) -> Wreck:
        if self._wreck is not None and self._wreck.name != name:
            old, self._wreck = self._wreck, None
            await self._threads.call("salvage", old.close, 60.0)
        if self._wreck is None:
            from agent.store.salvaged import Wreck

            ring = await self._store.journal(_ring)
            make = partial(Wreck, self._store.directory, name, ring)
            self._wreck = await self._threads.call("salvage", make, 300.0)
        return self._wreck

    def _take(self, found: list[Found], source: From, journal: Journal) -> Haul:
        from agent.store import salvaged

        return salvaged.take(journal, found, source, self._clock.now())


def _ring(journal: Journal) -> KeyRing | None:
    return journal.payloads.seals.ring


def _span(journal: Journal) -> int:
    """How many numbers the rows reach over."""
    first = journal.table.one("seq_after", 0)
    oldest = None if first is None else first[0]
    return 0 if oldest is None else journal.table.next_seq - int(oldest)


def _settle(name: str, haul: Haul, journal: Journal) -> None:
    for item in journal.aside.journals():
        if Path(item.path).name == name:
            journal.aside.counted(item.id, haul.unproved, haul.amounts)


def _swept_to(db: sqlite3.Connection) -> str:
    row = db.execute(QUERIES["get_meta"], (_SWEPT_TO,)).fetchone()
    return "" if row is None else str(row[0])


def _keep_swept_to(after: str, db: sqlite3.Connection) -> None:
    db.execute(QUERIES["set_meta"], (_SWEPT_TO, after))


__all__ = ["TICK_S", "Care", "Keys", "Threads"]
