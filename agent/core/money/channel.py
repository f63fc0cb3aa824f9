"""The way to one host: open, backing off, paused or switched off.

A channel is judged by what its attempts meet, apart from the records: one dead host must not burn
the retry budget of a thousand payments, and one poisonous payment must not close the channel for
the rest. After trouble one record at a time goes first; the first that gets through opens the
channel again. It does not know sockets or time of its own. Called by the uploader.
"""

from __future__ import annotations

from enum import StrEnum

from agent.core.moment import Moment
from agent.core.money.delivery import (
    RETRY_AFTER_MAX_S,
    RETRY_AFTER_MIN_S,
    ChannelTurn,
    Outcome,
    Reply,
    full_jitter_ms,
)
from agent.record import dataclass


class ChannelState(StrEnum):
    """What a person is told about the channel."""

    OK = "ok"
    BACKING_OFF = "backing_off"
    PAUSED = "paused"
    DISABLED = "disabled"
    SHADOW = "shadow"


@dataclass(slots=True, kw_only=True)
class Channel:
    """One uplink's state between attempts; in memory only, a restart begins afresh."""

    name: str
    base_s: float
    cap_s: float
    pause_s: float
    width: int  #: attempts at once while all is well
    switched: ChannelState = ChannelState.OK  #: DISABLED or SHADOW by configuration
    state: ChannelState = ChannelState.OK
    cause: str = ""
    note: str = ""
    since_wall_ms: int = 0
    failures: int = 0
    passed: int = 0  #: records that got through since the start; money rule 7 compares it
    last_success_wall_ms: int = 0
    open_at_boot_ms: int = 0
    asked_boot_ms: int = 0  #: the host wants to be left alone until then
    closures: int = 0  #: failures counted since the start; an attempt remembers it (see `turn`)

    def __post_init__(self) -> None:
        self.state = self.switched

    def slots(self, now: Moment) -> int:
        """How many attempts may be under way now."""
        if self.switched is not ChannelState.OK or now.boot_ms < self.open_at_boot_ms:
            return 0
        return self.width if self.state is ChannelState.OK else 1

    def wait_ms(self, now: Moment) -> int | None:
        """How long until it opens by itself; 0 = open, None = never."""
        if self.switched is not ChannelState.OK:
            return None
        return max(0, self.open_at_boot_ms - now.boot_ms)

    def turn(
        self, outcome: Outcome, reply: Reply, *, begun: int, now: Moment, drawn: float
    ) -> bool:
        """Take in what an attempt met. True when the published state changed.

        `begun`: `closures` when the attempt began. Those that were under way together and fail
        together are one failure: else an outage of a second would close a channel of 32 for as
        long as one of an hour.
        """
        before = self.state
        cause, note = reply.cause or outcome.cause, reply.note
        again = begun != self.closures
        if again and outcome.channel is ChannelTurn.DOWN:
            return False
        match outcome.channel:
            case ChannelTurn.NEUTRAL:
                return False
            case ChannelTurn.UP:
                self.passed += 1
                self._opened(now)
            case ChannelTurn.REACHED:
                self._opened(now)
            case ChannelTurn.DOWN:
                self._closed(ChannelState.BACKING_OFF, cause, note, now, again)
                self._rest(full_jitter_ms(self.failures, self.base_s, self.cap_s, drawn), now)
            case ChannelTurn.SLOW:
                self._closed(ChannelState.BACKING_OFF, cause, note, now, again)
                jitter_ms = full_jitter_ms(self.failures, self.base_s, self.cap_s, drawn)
                asked_s = min(max(reply.retry_after_s or 0.0, RETRY_AFTER_MIN_S), RETRY_AFTER_MAX_S)
                self._rest(round(asked_s * 1000) + jitter_ms, now)
                self.asked_boot_ms = self.open_at_boot_ms
            case _:  # PAUSE
                self._closed(ChannelState.PAUSED, cause, note, now, again)
                # Half to the whole pause: a fleet with one bad credential must not knock in step.
                self._rest(round(self.pause_s * 1000 * (0.5 + drawn / 2)), now)
        return self.state is not before

    def kick(self) -> None:
        """Forward now: forget the waiting time, not the trouble."""
        self.open_at_boot_ms = 0

    def moved(self) -> None:
        """There is another way to the host: nothing waits for failures on the old one, only for as
        long as the host itself asked for.

        Attempts that began there and fail now were under way together with those (see `turn`).
        """
        self.closures += 1
        if self.state is ChannelState.BACKING_OFF:
            self.failures = 0
            self.open_at_boot_ms = min(self.open_at_boot_ms, self.asked_boot_ms)

    def _opened(self, now: Moment) -> None:
        self.failures = 0
        self.last_success_wall_ms = now.wall_ms
        self.open_at_boot_ms = 0
        if self.state is not ChannelState.OK:
            self.state = self.switched
            self.cause = self.note = ""
            self.since_wall_ms = now.wall_ms

    def _closed(self, state: ChannelState, cause: str, note: str, now: Moment, again: bool) -> None:
        if not again:
            self.failures += 1
            self.closures += 1
        if self.state is not state or self.cause != cause:
            self.since_wall_ms = (
                now.wall_ms if self.state is ChannelState.OK else self.since_wall_ms
            )
        self.state, self.cause, self.note = state, cause, note

    def _rest(self, wait_ms: int, now: Moment) -> None:
        self.open_at_boot_ms = max(self.open_at_boot_ms, now.boot_ms + wait_ms)
