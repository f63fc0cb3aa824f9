"""Runs one pull hook: a request on its stdin, its answer from its stdout, or why there is none.

Decides what counts as an answer: exit code 0 within the deadline and the size, one JSON object that
keeps the contract. Everything else is a HookError with a finding of its own, never an exception
somebody else has to know. After three in a row the hook is left alone for a while. What a reading
means for the terminal is left to the watchers.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

from agent import __version__
from agent.blocking import Blocking
from agent.clock import Clock
from agent.config.hooks import Hooks
from agent.core.money.cards import masked
from agent.hooks import child
from agent.hooks.breaker import Breaker
from agent.hooks.child import Child, Launch
from agent.hooks.files import signature
from agent.hooks.findings import Finding, HookError, trouble
from agent.record import dataclass
from agent.wire.hook_table import ContractError, Hook, answer_from, hook_named, request_bytes

log = logging.getLogger(__name__)

SIGNATURE_DEADLINE_S = 2.0
#: Of stderr, in one line of the log.
COMPLAINT_SHOWN = 500
BEGINNING_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a hook said."""

    answer: Any  #: one of the types of its row in the contract
    left_children: bool  #: it ended before everything it had started


class Puller:
    """Runs the pull hooks of one directory."""

    def __init__(self, config: Hooks, clock: Clock, blocking: Blocking) -> None:
        self.directory = Path(config.directory)
        self.deadline_s = config.deadline_s
        self._config = config
        self._clock = clock
        self._blocking = blocking
        self._breakers: dict[str, Breaker] = {}
        self._signatures: dict[str, object] = {}

    async def ask(self, name: str, **fields: object) -> Answered:
        """Run the hook `name` with these fields of its request. Raises HookError."""
        hook = hook_named(name)
        if hook is None or hook.action:
            raise ValueError(f"{name} is not a pull hook of the contract")
        breaker = self._breakers.setdefault(
            name, Breaker(self._config.rest_s, self._config.rest_max_s)
        )
        await self._let_rest(name, breaker)
        try:
            answered = await self.run(hook, name, self.request(hook, name, **fields))
        except HookError as error:
            await self._failed(name, breaker, error.finding)
            raise
        failures = breaker.worked()
        if failures:
            log.info("event=hook_works hook=%s failures=%d", name, failures)
        return answered

    def request(self, hook: Hook, name: str, **fields: object) -> bytes:
        """The bytes of a request."""
        return request_bytes(
            hook.request(
                contract=1,
                agent_version=__version__,
                deadline_ms=round(self.deadline_s * 1000),
                hook=name,
                **fields,
            )
        )

    async def run(self, hook: Hook, name: str, request: bytes) -> Answered:
        """The same without the breaker, for `hooks check`. Raises HookError."""
        launch = Launch(directory=self.directory, name=name)
        running = await child.start(launch, self._blocking)
        output = bytearray()
        try:
            running.feed(request)
            async with asyncio.timeout(self.deadline_s):
                await self._collect(name, running, output)
                code = await running.ended()
            left = await running.end(self._blocking)
        except TimeoutError:
            await running.end(self._blocking)
            raise trouble(
                "hangs", hook=name, deadline_s=self.deadline_s, printed=len(output)
            ) from None
        except HookError:
            await running.end(self._blocking)
            raise
        except BaseException:
            running.drop()
            raise
        finally:
            self._complained(hook, name, running)
        return Answered(
            answer=_judged(hook, name, code, bytes(output), running.complaint), left_children=left
        )

    async def _collect(self, name: str, running: Child, output: bytearray) -> None:
        limit = self._config.output_max_bytes
        while some := await running.read():
            output += some
            if len(output) > limit:
                raise trouble("too_much", hook=name, limit=limit)

    async def _let_rest(self, name: str, breaker: Breaker) -> None:
        left_s = breaker.left_s(self._clock.now().boot_ms)
        if left_s and await self._signature(name) == self._signatures.get(name):
            raise trouble(
                "resting", hook=name, failures=breaker.failures, rest_s=left_s, last=breaker.last
            )

    async def _failed(self, name: str, breaker: Breaker, finding: Finding) -> None:
        rest_s = breaker.failed(self._clock.now().boot_ms, finding.what())
        self._signatures[name] = await self._signature(name)
        level = logging.WARNING if breaker.failures == 1 else logging.DEBUG
        log.log(
            level,
            "event=hook_failed hook=%s finding=%s failures=%d rest_s=%.0f reason=%r",
            name, finding.word, breaker.failures, rest_s, finding.what(),
        )  # fmt: skip

    async def _signature(self, name: str) -> object:
        path = self.directory / name
        try:
            return await self._blocking.call(
                f"hook.stat.{name}", lambda: signature(path), SIGNATURE_DEADLINE_S
            )
        except TimeoutError:
            return None

    def _complained(self, hook: Hook, name: str, running: Child) -> None:
        if running.complaint and not hook.secret:
            log.info("event=hook_said hook=%s stderr=%r", name, shown(running.complaint))


def shown(complaint: bytes) -> str:
    """The beginning of a hook's stderr, on one line, masked."""
    text = masked(complaint.decode("utf-8", "replace"))
    return " | ".join(text.split("\n"))[:COMPLAINT_SHOWN].strip(" |")


def _judged(hook: Hook, name: str, code: int, output: bytes, complaint: bytes) -> Any:
    said = "" if hook.secret or not complaint else f": {shown(complaint)[:120]}"
    if code < 0:
        raise trouble("signal", hook=name, signal=-code, complaint=said)
    if code > 0:
        raise trouble("exit", hook=name, code=code, complaint=said)
    if not output.strip():
        raise trouble("no_output", hook=name)
    try:
        return answer_from(hook, output)
    except ContractError as error:
        if hook.secret:  # the sentence could quote what it said
            word = "contract" if error.is_json else "not_json"
            why = "what it said is secret and not shown"
            raise trouble(word, hook=name, why=why, begins="", schema=hook.answer_schema) from None
        why = masked(str(error))
        if not error.is_json:
            begins = masked(output[:BEGINNING_SHOWN].decode("utf-8", "replace"))
            raise trouble("not_json", hook=name, why=why, begins=begins) from None
        raise trouble("contract", hook=name, why=why, schema=hook.answer_schema) from None
