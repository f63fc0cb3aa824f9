"""The uplinks as a person sees them: what each does now, since when, and when it tries again."""

from __future__ import annotations

import sys
from datetime import datetime

from agent.clock import Clock
from agent.core.moment import at_ms
from agent.core.money.abandoning import Asking
from agent.core.money.channel import ChannelState
from agent.core.money.journal import Record
from agent.record import dataclass
from agent.uplink.uploader import Runner, Uploader


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelView:
    """One uplink at one moment."""

    name: str
    state: ChannelState
    cause: str
    since_at: datetime | None
    next_attempt_at: datetime | None
    last_success_at: datetime | None
    in_flight: int
    evidence: tuple[str, ...] = ()


class Channels:
    """Reads the runners; `kick` is "forward now"."""

    def __init__(self, uploader: Uploader, clock: Clock) -> None:
        self._uploader = uploader
        self._clock = clock

    def channels(self) -> list[ChannelView]:
        return [self._view(runner) for runner in self._uploader.runners.values()]

    def asking(self, record: Record) -> Asking:
        """What its host could still tell about this payment; nothing where no uplink is left."""
        runner = self._uploader.runners.get(record.transaction.uplink)
        return Asking.NO if runner is None else runner.asking(record)

    def next_attempt_ms(self) -> int | None:
        """UTC milliseconds of the earliest attempt any waiting channel will make."""
        now = self._clock.now()
        waits = [
            wait
            for runner in self._uploader.runners.values()
            if (wait := runner.channel.wait_ms(now)) is not None
        ]
        return now.wall_ms + min(waits) if waits else None

    def blocking_cause(self) -> str:
        """Why nothing leaves: that of the channel in trouble longest; empty: nothing blocks."""
        channels = [runner.channel for runner in self._uploader.runners.values()]
        troubled = [c for c in channels if c.cause and c.state is not ChannelState.OK]
        # A channel that was never well has no beginning: it comes last.
        troubled.sort(key=lambda c: c.since_wall_ms or sys.maxsize)
        return troubled[0].cause if troubled else ""

    async def kick(self, name: str | None) -> None:
        self._uploader.kick(name)

    def _view(self, runner: Runner) -> ChannelView:
        channel = runner.channel
        now = self._clock.now()
        wait_ms = channel.wait_ms(now)
        return ChannelView(
            name=channel.name,
            state=channel.state,
            cause=channel.cause,
            since_at=at_ms(channel.since_wall_ms) if channel.since_wall_ms else None,
            next_attempt_at=at_ms(now.wall_ms + wait_ms) if wait_ms else None,
            last_success_at=(
                at_ms(channel.last_success_wall_ms) if channel.last_success_wall_ms else None
            ),
            in_flight=runner.in_flight,
            evidence=(channel.note,) if channel.note else (),
        )
