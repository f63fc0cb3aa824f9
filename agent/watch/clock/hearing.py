"""Collects what everybody says about the time, and has the terminal's clock believed or not.

Rooms that hear a time hand it over here as they got it, with how long the question took; parsing,
judging and the consequences are this room's. Called on the loop only, by the uplinks for every
answer, so it is cheap: an unparsable date is dropped, a repeated one updates a number.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from agent.clock import Clock
from agent.config.system import Clock as Config
from agent.core.moment import SLACK_MS, Proof
from agent.core.terminal.witness import Kind, State, Verdict, Witnesses, nearest_ms, stated
from agent.errors import StoreError
from agent.watch.clock.dates import http_date_ms, number_ms

log = logging.getLogger(__name__)

#: A host names whole seconds.
SECOND_MS = 1_000

#: Keeps (UTC now, times up to which had not come although they were believed).
Keep = Callable[[int, int], Awaitable[None]]


class Proved(Protocol):
    """The clock that is judged (`agent.clock.SystemClock`)."""

    def prove(self, proof: Proof | None) -> int: ...
    def vouch(self) -> None: ...


class Hearing:
    """Everybody's word on the time."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        proved: Proved | None = None,
        keep: Keep | None = None,
    ) -> None:
        """`proved` is told what is proved of it, `keep` what must be forgotten for good."""
        self._config = config
        self._clock = clock
        self._proved = proved
        self._keep = keep
        self._witnesses = Witnesses(config.wrong_after_s * 1000)
        self._unkept: tuple[int, int] | None = None
        self._ahead_ms = 0  #: how far a wall clock that is proved wrong has run

    # -- what rooms hand over --------------------------------------------------------------

    def dated(self, name: str, date: str, took_s: float, *, asked: bool = False) -> None:
        """A header Date. `took_s`: from the question's first byte to the answer."""
        if "http" in self._config.sources and (says_ms := http_date_ms(date)) is not None:
            self._say(Kind.PROBE if asked else Kind.HTTP, name, says_ms, took_s, SECOND_MS)

    def compared(self, name: str, ahead_s: int, took_s: float) -> None:
        """Somebody held the Date of an answer against our clock: that is ahead by so much."""
        if "http" in self._config.sources:
            says_ms = self._clock.now().wall_ms - ahead_s * 1000 - SECOND_MS
            self._say(Kind.PROBE, name, says_ms, took_s, 2 * SECOND_MS)

    def fielded(self, name: str, month_day: str, time: str, took_s: float) -> None:
        """Fields 13 and 12 of an answer whose question had none."""
        if "iso8583" not in self._config.sources:
            return
        near_ms = self._clock.now().wall_ms
        says_ms = nearest_ms(month_day, time, self._config.zone_minutes, near_ms)
        if says_ms is not None:
            self._say(Kind.HOST, name, says_ms, took_s, SECOND_MS, years=False)

    def brokered(self, name: str, said: str, took_s: float) -> None:
        """A broker's user property."""
        if "mqtt" in self._config.sources and (says_ms := number_ms(said)) is not None:
            self._say(Kind.BROKER, name, says_ms, took_s, SECOND_MS)

    def disciplined(self, utc_ms: int, error_ms: int) -> None:
        """The kernel's own time, kept by NTP."""
        self._say(Kind.KERNEL, "", utc_ms - error_ms, 0.0, 2 * error_ms)

    def undisciplined(self) -> None:
        """It is not kept any more: what the kernel said before does not count."""
        self._witnesses.forget(Kind.KERNEL.value)

    # -- what it comes to ------------------------------------------------------------------

    def verdict(self) -> Verdict:
        """What the wall clock is worth now; the clock itself is told."""
        now = self._clock.now()
        found = self._witnesses.judge(now.wall_ms, now.boot_ms)
        if self._proved is None:
            return found
        not_yet_ms = self._proved.prove(found.proof)
        if found.state is State.RIGHT and found.vouched:
            self._proved.vouch()
        if found.state is State.WRONG and (found.offset_ms or 0) > SLACK_MS:
            # Whatever is stamped now is stamped with a time that has not come.
            self._ahead_ms = max(self._ahead_ms, now.wall_ms)
        elif found.state is State.RIGHT and found.proof is not None:
            not_yet_ms, self._ahead_ms = max(not_yet_ms, self._ahead_ms), 0
        if not_yet_ms and found.proof is not None:
            utc_ms = now.boot_ms + found.proof.base_ms
            log.warning("event=clock_was_ahead utc_ms=%d not_yet_ms=%d", utc_ms, not_yet_ms)
            self._unkept = (utc_ms, not_yet_ms)
        return found

    async def settle(self) -> None:
        """Have kept that times believed so far have not come; tried again until it is."""
        if self._unkept is None or self._keep is None:
            return
        try:
            await self._keep(*self._unkept)
        except StoreError as error:
            log.debug("event=clock_proof_unkept code=%s", error.code)
            return
        self._unkept = None

    def _say(
        self,
        kind: Kind,
        name: str,
        says_ms: int,
        took_s: float,
        exact_ms: int,
        *,
        years: bool = True,
    ) -> None:
        heard_ms = self._clock.now().boot_ms
        self._witnesses.hear(
            stated(
                f"{kind} {name}".strip(),
                kind,
                says_ms,
                exact_ms=exact_ms,
                sent_boot_ms=heard_ms - round(max(0.0, took_s) * 1000),
                heard_boot_ms=heard_ms,
                years=years,
            )
        )
