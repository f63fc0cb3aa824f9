"""The part `desired`: takes signed statements of how this terminal should be, and tries them.

Opens and believes them by the fleet's keys, has `agent.core.fleet.desired` judge them, writes down
what was decided before anything happens, asks for a restart where settings change, and watches the
trial after it. What a setting means, how one restarts and where keys are kept is plugged in by
`agent.main`. A crash at any point leaves one file that says which settings are in force.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from agent.blocking import Blocking
from agent.clock import Clock
from agent.core.audit import Deed
from agent.core.fleet import desired
from agent.core.fleet.commands import Key, Role, actor
from agent.core.fleet.desired import Check, Held, Kind, Me, State, Statement, Watching
from agent.core.fleet.keyring import RingError
from agent.crypt import signed_by
from agent.durable import replaced
from agent.errors import StoreError
from agent.record import dataclass
from agent.wire import desired_file
from agent.wire.desired import MAX_BYTES, desired_from
from agent.wire.signed import Document, DocumentError, envelope_in, parsed, signed_bytes

T = TypeVar("T")

log = logging.getLogger(__name__)

#: Base64 and the envelope around the largest statement.
MAX_ENVELOPE_BYTES = MAX_BYTES * 4 // 3 + 1_024
#: Between two checks of a trial.
CHECK_S = 10.0
#: Before the key ring or the software watcher is asked again.
AGAIN_S = 60.0
CALL_S = 10.0
#: Between two lines about statements refused for the same reason.
HOUR_MS = 3_600_000
#: Equal to nothing anybody can want.
_FILES_ALONE: Mapping[str, Any] = {"": None}


class KeyRing(Protocol):
    """Whose signature counts."""

    def known(self, key_id: str) -> Key | None: ...
    @property
    def ids(self) -> tuple[str, ...]: ...
    async def replace(self, keys: Sequence[Key], revoked: Sequence[str], by: str) -> None:
        """These are the keys taught from now on. Raises RingError and StoreError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What is plugged in."""

    clock: Clock
    blocking: Blocking
    ring: KeyRing
    #: Why settings cannot be: a stable word and the key; ("", "") if they can. Reads files.
    check: Callable[[Held], tuple[str, str]]
    restart: Callable[[str], None]
    #: Offers a manifest that somebody signed for; never raises for what is in it.
    offer: Callable[[bytes, str], Awaitable[object]]
    connected: Callable[[], bool]
    alarms: Callable[[], frozenset[str]]  #: critical ones that show
    told: Callable[[View], None]
    forged: Callable[[str], None] = lambda _word: None  #: hears the word for why
    note: Callable[[Deed], Awaitable[None]]  #: writes a line into the trail; never raises
    #: How long to wait before a restart: the whole group is told at once, and must not come back
    #: at once. Drawn anew with every call.
    spread_s: Callable[[], float] = lambda: 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How this terminal stands, for `info` and the `fleet` reading."""

    state: State = State.NONE
    version: int = 0  #: the newest statement heard
    in_force: int = 0  #: the one whose settings this terminal runs under
    code: str = ""  #: why it is rejected, waiting, halted or in conflict
    what: str = ""
    refused: str = ""  #: why the last one that does not count at all does not

    @property
    def rejected(self) -> bool:
        """Whether somebody has to look at it."""
        return self.state in (State.REJECTED, State.CONFLICT)


class Refusals:
    """Statements of which nothing counts: the word for the last, and which were told lately."""

    def __init__(self) -> None:
        self.last = ""
        self._told_ms: dict[str, int] = {}

    def loud(self, word: str, now_ms: int) -> bool:
        """Whether this one is worth a line: the first of its word, then one an hour."""
        told_ms = self._told_ms.get(word)
        if told_ms is not None and now_ms - told_ms < HOUR_MS:
            return False
        self._told_ms[word] = now_ms
        return True


class Desired:
    """One terminal's side of `desired`."""

    name = "desired"
    fatal = False

    def __init__(self, me: Me, file: Path, ports: Ports, check_s: float = CHECK_S) -> None:
        self._me, self._file, self._ports = me, file, ports
        self._held: Held | None = None
        self._running: Mapping[str, Any] | None = None  #: what this process was started with
        self._due: asyncio.TimerHandle | None = None
        self._refused = Refusals()
        self._lock = asyncio.Lock()
        self._news = asyncio.Event()
        self._check_s = check_s

    def view(self) -> View:
        """For whoever reports it."""
        held = self._held or Held()
        return View(
            state=held.state,
            version=held.version,
            in_force=held.config_version,
            code=held.code,
            what=held.what,
            refused=self._refused.last,
        )

    def beat(self, now_ms: int) -> str:
        """Nothing here can hang: every wait has its end."""
        del now_ms
        return ""

    async def heard(self, given: bytes) -> None:
        """A statement arrived. Raises StoreError when it has to come again."""
        opened = self._opened(given)
        if isinstance(opened, str):
            await self._refuse(opened)
            return
        said, signer = opened
        async with self._lock:
            held = await self._read()
            judged = desired.judge(said, held, self._me, self._ports.clock.now())
            if judged.kind is Kind.REFUSE:
                await self._refuse(judged.code)
                return
            self._refused.last = ""
            if judged.kind is Kind.KNOWN:
                self._tell()
                return
            if judged.kind is Kind.TAKE:
                after = await self._taken(held, said, signer)
            else:
                after = desired.stated(desired.numbered(held, said), judged)
                if judged.kind is Kind.WITHDRAW:
                    after = desired.withdrawn(after)
            await self._keep(after)
            if after.manifest != held.manifest:
                await self._offer(after)
            log.info(
                "event=desired version=%s state=%s code=%s", said.version, after.state, after.code
            )
            await self._note(after, signer, said.version)
            if judged.kind is not Kind.NUMBER:
                self._settle(after)
            self._news.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Watch the trial there is, hand over what was decided, and wait for news."""
        async with self._lock:
            held = await self._read()
            self._tell()
        if held.manifest is not None:
            # Not kept by whoever it is handed to: it is believed because it stands in our file.
            await self._offer(held)
        await self._hand_over()
        # One that no start was counted for is not in force yet.
        if held.trial is not None and held.trial.starts:
            await self._try(Watching(trial=held.trial), stop)
        while not stop.is_set():
            self._news.clear()
            settled = await self._hand_over()
            await self._pause(stop, None if settled else AGAIN_S)

    async def _try(self, watching: Watching, stop: asyncio.Event) -> None:
        """Until the trial is over, one way or the other."""
        began_ms = self._ports.clock.now().boot_ms
        while not stop.is_set():
            await self._pause(stop, self._check_s)
            self._news.clear()
            await self._hand_over()  # a stolen key waits for no trial
            async with self._lock:
                held = await self._read()
                if stop.is_set() or held.trial is None or not held.trial.starts:
                    return  # taken back by the fleet, or followed by another
                check = Check(
                    elapsed_s=(self._ports.clock.now().boot_ms - began_ms) / 1000,
                    connected=self._ports.connected(),
                    alarms=self._ports.alarms(),
                )
                well, code, what = watching.heed(check)
                if well is None:
                    continue
                after = desired.passed(held) if well else desired.failed(held, code, what)
                try:
                    await self._keep(after)
                except StoreError:
                    continue  # looked at again with the next check
                log.log(
                    logging.INFO if well else logging.WARNING,
                    "event=desired_tried version=%s well=%s code=%s what=%r",
                    watching.trial.version, well, code, what,
                )  # fmt: skip
                await self._note(after, watching.trial.signed_by, watching.trial.version)
                if not well:
                    self._ports.restart(f"desired version {watching.trial.version} {code}")
                elif watching.trial.manifest is not None:
                    await self._offer(after)
                return

    async def _taken(self, held: Held, said: Statement, signer: str) -> Held:
        """The state after taking it, or after finding that it cannot be."""
        after = desired.taken(
            held,
            said,
            signer,
            connected=self._ports.connected(),
            alarms=self._ports.alarms(),
        )
        if after.trial is None:
            return after
        try:
            code, what = await self._ports.blocking.call(
                "desired-check", lambda: self._ports.check(after), CALL_S
            )
        except TimeoutError as error:
            raise StoreError("store.unavailable", "the files could not be read in time") from error
        if code:
            numbered = desired.numbered(held, said)
            log.warning("event=desired_rejected version=%s code=%s key=%s",
                        said.version, code, what)  # fmt: skip
            # Settings that cannot be here leave a revoked key no longer believed than elsewhere.
            numbered = desired.keyed(numbered, said.revoked, signer)
            return desired.rejected(numbered, said.version, said.content, code, what)
        return after

    def _settle(self, held: Held) -> None:
        """Start anew if other settings count than those this process runs under."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if held.config == self._running:
            return
        reason, wait_s = f"desired version {held.config_version}", self._ports.spread_s()
        if wait_s <= 0:
            self._ports.restart(reason)
        else:
            loop = asyncio.get_running_loop()
            self._due = loop.call_later(wait_s, self._ports.restart, reason)

    async def _hand_over(self) -> bool:
        """Keys go to the ring; True when nothing is left to be handed over."""
        async with self._lock:
            held = await self._read()
            if not held.handing_keys:
                return True
            ring = self._ports.ring
            keys = held.keys
            if keys is None:  # only some are revoked: the others stay
                keys = tuple(key for name in ring.ids if (key := ring.known(name)) is not None)
            keys = tuple(key for key in keys if key.key_id not in held.revoked)
            try:
                await ring.replace(keys, held.revoked, held.keys_by)
            except RingError as error:
                log.warning("event=desired_keys_refused reason=%s", error)
                self._refused.last = str(error)
            except StoreError:
                return False
            try:
                await self._keep(desired.handed(held))
            except StoreError:
                return False  # handing them over once more changes nothing
            return True

    async def _offer(self, held: Held) -> None:
        if held.manifest is not None:
            try:
                await self._ports.offer(held.manifest, held.manifest_by)
            except TimeoutError:
                log.warning("event=desired_manifest_late version=%s", held.version)

    def _opened(self, given: bytes) -> tuple[Statement, str] | str:
        """A statement that may be believed and who signed it, or the word for why not."""
        if len(given) > MAX_ENVELOPE_BYTES:
            return "too_large"
        try:
            sealed = envelope_in(Document.DESIRED, parsed(given))
        except DocumentError:
            return "malformed"
        key = self._ports.ring.known(sealed.key_id)
        if key is None:
            return "unknown_key"
        if not key.may(Role.ADMINISTER):
            return "not_allowed"
        signed = signed_bytes(Document.DESIRED, sealed.payload)
        if not signed_by(key.public, signed, sealed.signature):
            return "forged"
        try:
            return desired_from(sealed.payload).statement(), sealed.key_id
        except DocumentError as error:
            log.warning("event=desired_malformed key_id=%s reason=%r", sealed.key_id, str(error))
            return "malformed"

    async def _refuse(self, word: str) -> None:
        """Nothing of it counts."""
        loud = self._refused.loud(word, self._ports.clock.now().boot_ms)
        self._refused.last = word
        log.log(logging.WARNING if loud else logging.DEBUG, "event=desired_refused code=%s", word)
        if word in ("forged", "unknown_key", "not_allowed"):
            self._ports.forged(word)
        self._tell()
        if loud:
            await self._ports.note(Deed(actor="unknown", op="desired", outcome=f"ignored:{word}"))

    async def _note(self, held: Held, signer: str, version: int) -> None:
        """Into the trail: who wanted it, and what became of it."""
        outcome = f"{held.state}:{held.code}" if held.code else str(held.state)
        await self._ports.note(
            Deed(actor=actor(signer), op="desired", target=str(version), outcome=outcome)
        )

    async def _read(self) -> Held:
        """What was decided, from the file once."""
        if self._held is None:
            self._held = await self._call(self._from_file)
            if self._running is None:
                held = self._held
                tried = held.trial is not None and held.trial.starts > 0
                self._running = held.config if tried else held.good
                if held.state is State.CONFLICT:
                    self._running = _FILES_ALONE
        return self._held

    def _from_file(self) -> Held:
        try:
            return desired_file.decode(self._file.read_bytes())
        except FileNotFoundError:
            return Held()
        except DocumentError as error:
            log.warning("event=desired_unreadable file=%s reason=%r", self._file, str(error))
            return Held()

    async def _keep(self, held: Held) -> None:
        """On disk when it returns. Raises StoreError."""
        await self._call(lambda: replaced(self._file, desired_file.encode(held)))
        self._held = held
        self._tell()

    async def _call(self, work: Callable[[], T]) -> T:
        try:
            return await self._ports.blocking.call("desired", work, CALL_S)
        except (OSError, TimeoutError) as error:
            self._held = None  # whether it was written is read, not guessed
            reason = getattr(error, "strerror", None) or str(error)
            raise StoreError("store.unavailable", f"{self._file}: {reason}") from error

    def _tell(self) -> None:
        self._ports.told(self.view())

    async def _pause(self, stop: asyncio.Event, at_most_s: float | None) -> None:
        """Until there is news, the time is over or it is the end."""
        waits = [asyncio.create_task(one.wait()) for one in (stop, self._news)]
        try:
            await asyncio.wait(waits, timeout=at_most_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
