"""One settlement list from its first piece to its last finding, while payments go on.

Keeps the pieces beside the journal, has them read and matched by a program of its own, feeds that
program the journal rows of the days it asks for, and keeps what it finds. One list at a time. No
record is changed: what a list says of a payment that is open here is a finding, and only the
host's own answer ends it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal, cast

from agent import chance
from agent.actions.list_profile import chosen, profile_of
from agent.actions.ports.reconcile import KeepingLists, PaidPages, Spool
from agent.clock import Clock
from agent.core.why.reconcile.parts import Part
from agent.core.why.reconcile.profile import Profile, to_plain
from agent.errors import StoreError
from agent.offload import Offload, OffloadError
from agent.record import dataclass
from agent.wire.problem import RequestError

if TYPE_CHECKING:
    from agent.config.reconcile import Reconcile

log = logging.getLogger(__name__)

#: What the program is told of the file at once; base64 of it fits a line.
PIECE_BYTES = 262_144
#: An upload nobody went on with gives way to another one.
IDLE_S = 120.0
DEADLINE_S = 600.0
#: Lists of a year.
COVERING = 400
DEFAULT_MAX_MB = 32
_DAY_MS = 86_400_000
#: After the last row the program is told.
_PAUSE = b"P"
_NO_WINDOW = (0, 0)
_CLOSE = 400
#: Payments handed over so long after they were made are still found.
_HANDED_OVER_LATE_MS = 7 * _DAY_MS


@dataclass(slots=True, kw_only=True)
class Upload:
    """A list on its way in."""

    import_id: str
    profile: Profile
    name: str
    actor: str
    limit_bytes: int
    began_ms: int
    touched_ms: int
    size_bytes: int = 0
    pieces: int = 0
    covered: list[Any] = field(default_factory=list)  #: days earlier lists of the profile are about
    last: bytes = b""  #: digest of the last piece
    digest: Any = field(default_factory=hashlib.sha256)


@dataclass(slots=True, kw_only=True)
class Running:
    """A list that is being worked through."""

    number: int
    name: str
    actor: str
    task: asyncio.Task[None] | None = None
    stage: Literal["reading", "matching", "keeping"] = "reading"
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Reconciler:
    """`dialogue` False: the program is run here and hears everything before it answers."""

    def __init__(
        self,
        tables: Sequence[Reconcile],
        *,
        rows: KeepingLists,
        paid: PaidPages,
        offload: Offload,
        clock: Clock,
        spool: Spool,
        keep_days: int = 180,
        told: Callable[[], object] | None = None,
        dialogue: bool = True,
    ) -> None:
        self._tables = tables
        self._rows = rows
        self._paid = paid
        self._offload = offload
        self._clock = clock
        self._spool = spool
        self._keep_ms = keep_days * _DAY_MS
        self._told = told
        self._dialogue = dialogue
        self._upload: Upload | None = None
        self.running: Running | None = None

    # -- in pieces ---------------------------------------------------------------------------

    async def begin(
        self,
        profile: str,
        name: str,
        *,
        sha256: str,
        size_bytes: int,
        settled_on: str | None,
        actor: str,
    ) -> tuple[str, int]:
        """Where to send the pieces; or the number under which this very list was read."""
        table = chosen(self._tables, profile)
        read_by = profile_of(table, settled_on)
        limit = (DEFAULT_MAX_MB if table is None else table.max_mb) * 1024 * 1024
        if size_bytes > limit:
            raise _too_large(limit)
        if sha256:
            known = await self._rows.same(_identity(sha256, read_by))
            if known:
                return "", known
        self._free()
        now = self._clock.now()
        self._spool.begin()
        self._upload = Upload(
            import_id=chance.name(), profile=read_by, name=name, actor=actor,
            limit_bytes=limit, began_ms=now.wall_ms, touched_ms=now.boot_ms,
        )  # fmt: skip
        return self._upload.import_id, 0

    def piece(self, import_id: str, number: int, data: bytes) -> int:
        """Take a piece; how much there is now."""
        upload = self._of(import_id)
        digest = hashlib.sha256(data).digest()
        if number == upload.pieces - 1 and digest == upload.last:
            return upload.size_bytes
        if number != upload.pieces:
            raise RequestError("reconcile.piece", f"piece {upload.pieces} is awaited")
        if upload.size_bytes + len(data) > upload.limit_bytes:
            self._forget()
            raise _too_large(upload.limit_bytes)
        self._spool.add(data)
        upload.digest.update(data)
        upload.size_bytes += len(data)
        upload.pieces, upload.last = number + 1, digest
        upload.touched_ms = self._clock.now().boot_ms
        return upload.size_bytes

    async def end(self, import_id: str) -> int:
        """It is whole: work it through in the background; its number."""
        upload = self._of(import_id)
        identity = _identity(upload.digest.hexdigest(), upload.profile)
        known = await self._rows.same(identity)
        if known:
            self._forget()
            return known
        upload.covered = [
            one.body["days"]
            for one in await self._rows.lists(COVERING)
            if one.state == "done" and one.profile == upload.profile.name and one.body.get("days")
        ]
        now_ms = self._clock.now().wall_ms
        number = await self._rows.begin(
            upload.profile.name, upload.name, identity, upload.actor, now_ms
        )
        self._upload = None
        running = Running(number=number, name=upload.name, actor=upload.actor)
        self.running = running
        running.task = asyncio.create_task(self._work(running, upload), name="reconcile")
        return number

    def give_up(self, import_id: str) -> None:
        """Nothing of it is kept."""
        self._of(import_id)
        self._forget()

    async def finished(self, number: int, wait_s: float) -> None:
        """Returns when that list is done, or after `wait_s`."""
        running = self.running
        if running is not None and running.number == number and wait_s > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await running.over.wait()

    async def tidy(self) -> None:
        """What was broken off by the last end, and what is too old."""
        now_ms = self._clock.now().wall_ms
        if self.running is None:
            if self._upload is None:
                self._spool.drop()
            await self._rows.broken_off(now_ms)
        await self._rows.prune(now_ms - self._keep_ms)

    def _free(self) -> None:
        """Raises RequestError naming the list that is in the way."""
        if self.running is not None:
            raise _busy(self.running.name, self.running.actor, f"number {self.running.number}")
        upload = self._upload
        if upload is None:
            return
        idle_ms = self._clock.now().boot_ms - upload.touched_ms
        if idle_ms < IDLE_S * 1000:
            raise _busy(upload.name, upload.actor, "being sent")
        log.info("event=list_upload_given_up idle_s=%d", idle_ms // 1000)
        self._forget()

    def _forget(self) -> None:
        self._upload = None
        self._spool.drop()

    def _of(self, import_id: str) -> Upload:
        if self._upload is None or self._upload.import_id != import_id:
            raise RequestError("reconcile.unknown", "no such list is being sent")
        return self._upload

    # -- through -----------------------------------------------------------------------------

    async def _work(self, running: Running, upload: Upload) -> None:
        state, body = "refused", {"problem": {"why": "broken_off"}}
        try:
            state, body = await self._matched(running, upload)
        except OffloadError as error:
            log.warning("event=reconcile_failed code=%s number=%d", error.code, running.number)
        except StoreError as error:
            log.warning("event=reconcile_failed code=%s number=%d", error.code, running.number)
        finally:
            self._spool.drop()
            try:
                await self._rows.end(running.number, state, self._clock.now().wall_ms, body)
            except StoreError as error:
                log.warning("event=reconcile_not_kept code=%s", error.code)
            self.running = None
            running.over.set()
        log.info("event=reconciled number=%d state=%s", running.number, state)
        if self._told is not None:
            self._told()

    async def _matched(self, running: Running, upload: Upload) -> tuple[str, dict[str, Any]]:
        window: asyncio.Future[tuple[int, int]] = asyncio.get_running_loop().create_future()
        body: dict[str, Any] = {}
        if not self._dialogue:
            await self._window_first(upload, window)
        first = 0
        wanted: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        if not self._dialogue:
            await self._wanted_first(running, upload, window, wanted)
        lines = self._told_lines(running, upload, window, wanted)
        async with contextlib.aclosing(lines):
            answers = self._offload.run("reconcile", lines, DEADLINE_S)
            # Every Offload is a generator; whoever stops reading must close it.
            async with contextlib.aclosing(cast("AsyncGenerator[bytes, None]", answers)):
                async for line in answers:
                    told = json.loads(line)
                    if "refused" in told:
                        return "refused", {"problem": told["refused"]}
                    if "window" in told:
                        body["encoding"] = told["encoding"]
                        if not window.done():
                            window.set_result(tuple(told["window"]))
                    elif "wanted" in told:
                        if self._dialogue:
                            wanted.put_nowait(told["wanted"])
                    elif "found" in told:
                        running.stage = "keeping"
                        await self._rows.add(running.number, first, told["found"])
                        first += len(told["found"])
                    elif "part" in told:
                        begins, ends, size = told["part"]
                        part = Part(begins, ends, size, base64.b64decode(told["body"]))
                        await self._rows.add_part(running.number, first, part)
                        first += part.size
                    else:
                        body |= told["done"]
                        wanted.put_nowait(None)
        if "counts" not in body:
            raise OffloadError("offload.failed", "the program ended too early")
        return "done", body

    async def _window_first(self, upload: Upload, window: asyncio.Future[tuple[int, int]]) -> None:
        """The program here hears all before it answers: ask it for the days in a run of its own."""
        async for line in self._offload.run("reconcile", self._file_lines(upload), DEADLINE_S):
            told = json.loads(line)
            if "window" in told:
                window.set_result(tuple(told["window"]))
                return
        window.set_result(_NO_WINDOW)  # it refuses, and will say so again

    async def _wanted_first(
        self,
        running: Running,
        upload: Upload,
        window: asyncio.Future[tuple[int, int]],
        wanted: asyncio.Queue[dict[str, Any] | None],
    ) -> None:
        """Likewise what it asks for once it has heard of all payments of those days."""
        if window.result() != _NO_WINDOW:
            nothing: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
            nothing.put_nowait(None)
            lines = self._told_lines(running, upload, window, nothing)
            async for line in self._offload.run("reconcile", lines, DEADLINE_S):
                if line.startswith(b'{"wanted"'):
                    wanted.put_nowait(json.loads(line)["wanted"])
        wanted.put_nowait(None)

    async def _file_lines(self, upload: Upload) -> AsyncIterator[bytes]:
        yield json.dumps({**to_plain(upload.profile), "covered": upload.covered}).encode()
        for piece in self._spool.pieces(PIECE_BYTES):
            yield b"F" + base64.b64encode(piece)
        yield b"E"

    async def _told_lines(
        self,
        running: Running,
        upload: Upload,
        window: asyncio.Future[tuple[int, int]],
        wanted: asyncio.Queue[dict[str, Any] | None],
    ) -> AsyncGenerator[bytes, None]:
        async for line in self._file_lines(upload):
            yield line
        span = await window
        running.stage = "matching"
        gone_over: list[int] = []
        async for page in self._payments(span, gone_over):
            yield page
        yield _PAUSE
        # It asks for payments of other days where lines are left that name theirs.
        while (asked := await wanted.get()) is not None:
            if "keys" in asked:
                between = (gone_over[0], gone_over[-1])
                named = await self._paid.named(asked["keys"], *between, span)
                if named is not None:
                    for first, last in _runs([row[0] for row in json.loads(named.text)]):
                        if earlier := await self._rows.earlier(first, last):
                            yield json.dumps(earlier).encode()
                    yield named.text
            else:
                async for page in self._payments(tuple(asked["span"]), []):
                    yield page
            yield _PAUSE

    async def _payments(self, span: tuple[int, int], gone_over: list[int]) -> AsyncIterator[bytes]:
        """The journal's rows of that time, as the program wants them, a page at a time.

        `gone_over` gets the number before the first row, and then the last of each page.
        """
        since_ms, until_ms = span
        after = await self._paid.first_after(since_ms - _DAY_MS)
        gone_over.append(after)
        while (page := await self._paid.page(after, since_ms, until_ms)) is not None:
            after = page.last_seq
            gone_over[1:] = [after]
            if page.payments:
                earlier = await self._rows.earlier(page.first_seq, after)
                if earlier:
                    yield json.dumps(earlier).encode()
                yield page.text
            if page.stored_ms > until_ms + _HANDED_OVER_LATE_MS:
                return


def _runs(seqs: Sequence[int]) -> list[tuple[int, int]]:
    """Numbers that lie close together, in order: what earlier lists have is asked for by span."""
    runs: list[tuple[int, int]] = []
    for seq in seqs:
        if runs and seq - runs[-1][0] < _CLOSE:
            runs[-1] = (runs[-1][0], seq)
        else:
            runs.append((seq, seq))
    return runs


def _identity(sha256: str, profile: Profile) -> str:
    """The same file read in the same way."""
    plain = json.dumps(to_plain(profile), sort_keys=True)
    return hashlib.sha256(f"{sha256}{plain}".encode()).hexdigest()


def _busy(name: str, actor: str, how: str) -> RequestError:
    return RequestError("reconcile.busy", f"another list is {how}: {name or '?'}, by {actor}")


def _too_large(limit: int) -> RequestError:
    return RequestError(
        "reconcile.too_large", f"the list is larger than {limit // 1024 // 1024} MB"
    )
