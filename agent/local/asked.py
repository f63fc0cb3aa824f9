"""Somebody at the terminal asks without shell or browser: by keys, by a hook, by a USB stick.

Decides how often that may be and what follows: the diagnostic slip, the service listener where
[page] says so, the support bundle onto the stick. Nothing of a stick is run or read; that a file of
a certain name lies on it is all that counts. What each does is an action; every request leaves a
line in the trail. Called by the keypad watcher, the part `hotplug` and the local API through
`main`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from agent.blocking import Blocking
from agent.config.page import Page
from agent.core.audit import Deed
from agent.core.moment import Moment
from agent.errors import AgentError, HardwareError, OperatorError, StoreError
from agent.removable import Medium, copied, mounted
from agent.wire.api import BY_NAME, Message, Nothing, arguments_of
from agent.wire.bundle import BundleOut
from agent.wire.session import DiagnoseOut, PageOpenArgs

log = logging.getLogger(__name__)

#: What lies on a stick that asks; some systems do not let one leave out the ending.
MARKERS = ("posagent-bundle", "posagent-bundle.txt")
#: After a stick is plugged in, whoever mounts it does so within seconds. Looked for at these times.
LOOKS_S = (1.0, 2.0, 4.0, 8.0)
COPY_S = 120.0

Do = Callable[[str, Message, str], Awaitable[Message]]


class Clock(Protocol):
    def now(self) -> Moment: ...


class Trail(Protocol):
    async def write(self, deed: Deed) -> None: ...


class Asked:
    """See the module docstring."""

    def __init__(
        self,
        config: Page,
        *,
        clock: Clock,
        blocking: Blocking,
        do: Do,
        trail: Trail,
        bundle_file: Callable[[str], Path],
        root: str = "",
        looks_s: Sequence[float] = LOOKS_S,
    ) -> None:
        self._config, self._clock, self._blocking = config, clock, blocking
        self._do, self._trail = do, trail
        self._bundle_file, self._root, self._looks_s = bundle_file, root, looks_s
        self._last_ms: int | None = None
        self._jobs: set[asyncio.Task[None]] = set()
        self._looking = False

    def pressed(self) -> None:
        """The keys were held."""
        self._begin("terminal:keys", self._diagnose)

    def hook(self, actor: str) -> DiagnoseOut:
        """Firmware asks for a person at the terminal."""
        wait_s = self._begin(actor, self._diagnose)
        opens = self._config.request_opens and not wait_s
        return DiagnoseOut(accepted=not wait_s, wait_s=wait_s, opens=opens)

    def plugged(self) -> None:
        """Some medium came; whether it asks is found out once it is mounted."""
        if self._config.stick == "bundle" and not self._looking:
            self._looking = True
            self._spawn(self._look(), "stick")

    async def _look(self) -> None:
        try:
            for pause_s in self._looks_s:
                await asyncio.sleep(pause_s)
                try:
                    medium = await self._blocking.call("stick-look", self._marked, 5.0)
                except TimeoutError:
                    log.warning("event=stick_hangs")
                    return
                if medium is not None:
                    self._begin("terminal:stick", partial(self._bundle, medium))
                    return
        finally:
            self._looking = False

    def _marked(self) -> Medium | None:
        """The first medium that asks for a bundle."""
        for medium in mounted(self._root):
            for name in MARKERS:
                file = medium.folder / name
                if file.is_file() and not file.is_symlink():
                    return medium
        return None

    def _begin(self, actor: str, job: Callable[[], Awaitable[str]]) -> int:
        """Start it unless there was one just now; seconds to wait, 0: begun."""
        now_ms, every_ms = self._clock.now().boot_ms, self._config.request_every_s * 1000
        if self._last_ms is not None and now_ms - self._last_ms < every_ms:
            log.info("event=asked_too_often by=%s", actor)
            return max(1, (self._last_ms + every_ms - now_ms) // 1000)
        self._last_ms = now_ms
        self._spawn(self._noted(actor, job), "asked")
        return 0

    async def _noted(self, actor: str, job: Callable[[], Awaitable[str]]) -> None:
        outcome, done = "ok", ""
        try:
            done = await job()
        except AgentError as error:
            outcome = error.code
            log.warning("event=asked_in_vain by=%s code=%s what=%r", actor, error.code, error.what)
        try:
            await self._trail.write(Deed(actor=actor, op="diagnose", target=done, outcome=outcome))
        except StoreError as error:
            log.warning("event=asked_not_written code=%s", error.code)

    async def _diagnose(self) -> str:
        """The slip, and the listener where that is wished; what of it was done."""
        refused: AgentError | None = None
        try:
            await self._slip()
        except AgentError as error:
            refused = error
        if not self._config.request_opens:
            if refused is not None:
                raise refused
            return "slip"
        # Also without the slip: whoever has the code on a screen by another way may need it.
        await self._do("page_open", PageOpenArgs(), "terminal")
        return "page" if refused is not None else "slip page"

    async def _slip(self) -> None:
        operation = BY_NAME.get("slip_print")
        if operation is None:
            raise OperatorError("slip.unknown", "this version prints no slips")
        arguments = arguments_of(operation, {"kind": "diagnostic"}, {}, b"")
        await self._do("slip_print", arguments, "terminal")

    async def _bundle(self, medium: Medium) -> str:
        made = await self._do("bundle", Nothing(), "terminal:stick")
        assert isinstance(made, BundleOut)
        file = self._bundle_file(made.bundle_id)
        try:
            await self._blocking.call("stick-copy", lambda: copied(file, medium, made.file), COPY_S)
        except (OSError, TimeoutError) as error:
            raise HardwareError("usb.failed", f"the stick hangs: {type(error).__name__}") from None
        log.info("event=bundle_on_stick file=%s size_bytes=%d", made.file, made.size_bytes)
        return "bundle"

    def _spawn(self, work: Coroutine[object, object, None], name: str) -> None:
        job = asyncio.create_task(work, name=name)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
