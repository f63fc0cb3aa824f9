"""A bank's list fetched by its profile: every day at its hour, and when a technician asks.

Decides when a list is asked for, what is kept of it (a note per profile), and how long a failure
rests. What came goes the way of an upload: the same reader, the same findings, one list at a time.
A failure is one line of the log by its kind; it raises no alarm. See docs/reconcile.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

from agent.actions.list_profile import chosen
from agent.actions.list_source import Fetched, PullError, address, dated
from agent.core.pulling import DAY_MS, latest, rest_s, shift_s
from agent.errors import AgentError, StoreError
from agent.wire.problem import RequestError

if TYPE_CHECKING:
    from agent.actions.ports.reconcile import Lists
    from agent.actions.reconciling import Reconciler
    from agent.clock import Clock
    from agent.config.reconcile import Reconcile

log = logging.getLogger(__name__)

PIECE_BYTES = 262_144
#: The API answers within this; what takes longer goes on.
ANSWER_S = 20.0
#: How long the reading of a list is waited for before it counts as read.
READ_S = 900.0
SCHEDULE = "schedule"


class Source(Protocol):
    """`agent.actions.list_source.ListSource`."""

    async def fetch(self, table: Reconcile, day: date, known: Mapping[str, str]) -> Fetched: ...


class Notes(Protocol):
    """`agent.store.notes.Notes`."""

    async def load(self, name: str) -> dict[str, Any]: ...
    async def save(self, name: str, kept: Mapping[str, Any]) -> None: ...


class Pulling:
    """Fetches one list at a time."""

    def __init__(
        self,
        tables: Sequence[Reconcile],
        *,
        source: Source,
        reconciler: Callable[[], Reconciler],
        lists: Lists,
        notes: Notes,
        clock: Clock,
        device_id: str,
    ) -> None:
        self._tables = tables
        self._source = source
        self._reconciler = reconciler
        self._lists = lists
        self._notes = notes
        self._clock = clock
        self._device_id = device_id
        self._began_ms = clock.now().boot_ms
        self._fetching = ""  #: profile that is being fetched
        self._asked: dict[str, int] = {}  #: profile -> day whose hour was answered
        self._failed: dict[str, tuple[int, float, str]] = {}  #: failures, rest until, kind
        self._task: asyncio.Task[int] | None = None

    async def tick(self) -> None:
        """What is due now; called by the timers."""
        for table in self._tables:
            if not table.pull or self._fetching:
                continue
            try:
                day = await self._due(table)
            except StoreError as error:
                self._rests(table, PullError("store", error.what))
                continue
            if day:
                await self._scheduled(table, day)

    async def ask(self, profile: str, settled_on: str | None, actor: str) -> int:
        """Fetch it now; the number it is read under. Raises RequestError."""
        table = chosen(self._tables, profile)
        if table is None or not table.pull:
            named = "" if table is None else table.name
            raise RequestError("reconcile.no_pull", f"{named or '[[reconcile]]'} has no pull")
        day = _wanted(table, self._hour(table)[0]) if settled_on is None else _day(settled_on)
        if self._fetching:
            raise _busy(self._fetching)
        self._task = asyncio.create_task(self._fetched(table, day, actor), name="list-pull")
        self._task.add_done_callback(_told)
        done, _ = await asyncio.wait({self._task}, timeout=ANSWER_S)
        if not done:
            raise _busy(table.name)
        try:
            number = self._task.result()
        except PullError as error:
            code = "reconcile.busy" if error.kind == "occupied" else "reconcile.pull"
            raise RequestError(code, error.what) from None
        if not number:
            raise RequestError("reconcile.pull", f"there is no list of {day.isoformat()} yet")
        return number

    # -- when --------------------------------------------------------------------------------

    async def _due(self, table: Reconcile) -> int:
        """The day whose hour has come and was not answered; 0: none."""
        now = self._clock.now()
        day, shift = self._hour(table)
        _, until_ms, _ = self._failed.get(table.name, (0, 0.0, ""))
        # Whoever was off asks soon after the start, but not all of a street at once.
        if not now.trusted or now.boot_ms < max(until_ms, self._began_ms + shift * 1000):
            return 0
        if self._asked.get(table.name) == day:
            return 0
        note = await self._note(table)
        if "since_ms" not in note:
            await self._notes.save(_name(table), {**note, "since_ms": now.wall_ms})
        self._asked[table.name] = asked = int(note.get("asked", 0))
        return 0 if asked == day else day

    def _hour(self, table: Reconcile) -> tuple[int, int]:
        """The day whose hour passed last, and this device's shift."""
        shift = shift_s(self._device_id, table.name, table.pull_jitter_s)
        now_ms = self._clock.now().wall_ms
        return latest(now_ms, offset(table), minute(table.pull_at), shift)[1], shift

    async def _scheduled(self, table: Reconcile, day: int) -> None:
        try:
            number = await self._fetched(table, _wanted(table, day), SCHEDULE)
            await self._read(number)
            now_ms = self._clock.now().wall_ms
            kept = {**await self._note(table), "asked": day, "good_ms": now_ms}
            await self._notes.save(_name(table), kept)
        except PullError as error:
            self._rests(table, error)
        except StoreError as error:
            self._rests(table, PullError("store", error.what))
        else:
            self._asked[table.name] = day
            failures, _, _ = self._failed.pop(table.name, (0, 0.0, ""))
            log.info(
                "event=list_pulled profile=%s number=%d failures=%d", table.name, number, failures
            )

    async def _read(self, number: int) -> None:
        """Waits until it is read. Raises PullError for one that is refused."""
        if not number:
            return
        await self._reconciler().finished(number, READ_S)
        kept = await self._lists.one(number)
        if kept is not None and kept.state == "refused":
            raise PullError("unreadable", f"list {number} was refused: posagent reconcile list")

    def _rests(self, table: Reconcile, error: PullError) -> None:
        failures, _, kind = self._failed.get(table.name, (0, 0.0, ""))
        wait_s = rest_s(failures + 1, error.retry_after_s)
        until_ms = self._clock.now().boot_ms + wait_s * 1000
        self._failed[table.name] = (failures + 1, until_ms, error.kind)
        log.log(
            logging.DEBUG if kind == error.kind else logging.WARNING,
            "event=list_not_pulled profile=%s kind=%s failures=%d rest_s=%.0f reason=%r",
            table.name, error.kind, failures + 1, wait_s, error.what,
        )  # fmt: skip

    # -- what --------------------------------------------------------------------------------

    async def _fetched(self, table: Reconcile, day: date, actor: str) -> int:
        """Fetch it and hand it over; its number, 0: none of that day. Raises PullError."""
        if self._fetching:
            raise PullError("occupied", f"the list of {self._fetching} is being fetched")
        self._fetching = table.name
        try:
            note = await self._note(table)
            where = address(table.pull, day)
            known = note if await self._is_kept(note, where) else {}
            found = await self._source.fetch(table, day, known)
            if found.same:
                if not known:
                    raise PullError("answer", "the bank's server answered 304 to nothing")
                return int(known["number"])
            if not found.body:
                return 0
            number = await self._handed_over(table, day, found, actor)
            tags = {"where": where, "number": number, "etag": found.etag}
            await self._notes.save(_name(table), {**note, **tags, "modified": found.modified})
            return number
        except AgentError as error:
            kind = "occupied" if error.code == "reconcile.busy" else error.code.replace(".", "_")
            raise PullError(kind, error.what) from None
        finally:
            self._fetching = ""

    async def _is_kept(self, note: Mapping[str, Any], where: str) -> bool:
        """Whether the list these tags belong to was read to its end and is still there."""
        if note.get("where") != where or not (note.get("etag") or note.get("modified")):
            return False
        kept = await self._lists.one(int(note["number"]))
        return kept is not None and kept.state == "done"

    async def _handed_over(self, table: Reconcile, day: date, found: Fetched, actor: str) -> int:
        reconciler = self._reconciler()
        import_id, number = await reconciler.begin(
            table.name, found.name, sha256="", size_bytes=len(found.body),
            settled_on=day.isoformat() if dated(table) else None, actor=actor,
        )  # fmt: skip
        if number:
            return number
        view = memoryview(found.body)
        try:
            for piece, first in enumerate(range(0, len(view), PIECE_BYTES)):
                reconciler.piece(import_id, piece, bytes(view[first : first + PIECE_BYTES]))
                await asyncio.sleep(0)
            return await reconciler.end(import_id)
        except BaseException:
            with contextlib.suppress(RequestError):  # it may have forgotten it itself
                reconciler.give_up(import_id)
            raise

    async def _note(self, table: Reconcile) -> dict[str, Any]:
        return await self._notes.load(_name(table))


async def overdue(
    tables: Sequence[Reconcile], notes: Notes, lists: Callable[[], Awaitable[Any]], now_ms: int
) -> str:
    """Which list has not come for how long, as a sentence; "": all have. Raises StoreError."""
    for table in tables:
        if not table.pull:
            continue
        note = await notes.load(_name(table))
        since_ms = max(note.get("since_ms", now_ms), note.get("good_ms", 0))
        if now_ms - since_ms <= table.pull_overdue_days * DAY_MS:
            continue
        brought = [  # by hand
            one.ended_ms or 0
            for one in await lists()
            if one.profile == table.name and one.state == "done"
        ]
        days = (now_ms - max(since_ms, *brought, 0)) // DAY_MS
        if days >= table.pull_overdue_days:
            return f"no settlement list of {table.name} for {days} days"
    return ""


def offset(table: Reconcile) -> int:
    """Minutes the merchant's time is ahead of UTC."""
    minutes = int(table.utc_offset[1:3]) * 60 + int(table.utc_offset[4:])
    return -minutes if table.utc_offset[0] == "-" else minutes


def minute(clock: str) -> int:
    """`06:30` as minutes of the day."""
    return int(clock[:2]) * 60 + int(clock[3:])


def _wanted(table: Reconcile, day: int) -> date:
    """The settlement day that is asked for on that day."""
    return date.fromordinal(day - table.pull_days_back)


def _name(table: Reconcile) -> str:
    return f"list_pull.{table.name}"


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise RequestError(
            "request.bad_field",
            "settled_on is not a day",
            field="settled_on",
            hint="Give it as YYYY-MM-DD, such as 2026-11-22.",
        ) from None


def _busy(name: str) -> RequestError:
    return RequestError("reconcile.busy", f"the list of {name} is being fetched")


def _told(task: asyncio.Task[int]) -> None:
    """Nobody may wait for it any more."""
    if not task.cancelled() and (error := task.exception()) is not None:
        kind = error.kind if isinstance(error, PullError) else "fault"
        log.warning("event=list_not_pulled kind=%s reason=%r", kind, str(error))
