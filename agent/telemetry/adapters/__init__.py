"""How one kind of fleet server wants to be spoken to: its topics and its bytes, and nothing else.

A `Scheme` is asked by `telemetry.conversation`, which alone knows connections, windows and rows. It
holds no message back and sends none by itself: a row that a server has no place for is answered
with no packets and counts as told. The contract's own scheme is `native`; servers with rules of
their own get theirs by configuration.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from agent.core.fleet.messages import StateMessage
from agent.record import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One PUBLISH, QoS 1."""

    topic: str
    payload: bytes
    retained: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandIn:
    """A signed command arrived for this terminal; not yet believed."""

    cmd_id: str
    payload: bytes
    #: This server keeps commands as retained messages: being one is no reason to refuse it. What
    #: guards against old ones is inside the signature (number, expiry, stored result).
    kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredIn:
    """A signed statement of how this terminal should be; not yet believed."""

    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StateAsked:
    """Somebody wants to hear again who and how we are: `state("online")`, and our introduction."""


Heard = CommandIn | DesiredIn | StateAsked


class Scheme(Protocol):
    """Topics and bytes of one kind of server. One per connection's line; may remember."""

    @property
    def subscriptions(self) -> Sequence[str]:
        """Topic filters to subscribe to (QoS 1) after every CONNACK; none: nothing is taken."""
        ...

    def will(self, lost: StateMessage) -> Packet | None:
        """What the broker says for us when we vanish; None: this server knows no Will."""
        ...

    def state(self, message: StateMessage) -> Sequence[Packet]:
        """Our own state, after CONNACK (SUBSCRIBE goes first) and before DISCONNECT."""
        ...

    def packets(
        self, kind: str, body: bytes, *, seq: int, outbox_id: str, retained: bool
    ) -> Sequence[Packet]:
        """A row of the outbox. `kind` is the tail of the native topic: `health`, `res/4711`.

        Told when all its packets are acknowledged, at once when there are none. May be asked for
        the same row again (on the next connection): the answer must not grow by it.
        """
        ...

    def heard(self, topic: str, payload: bytes) -> Heard | None:
        """What arrived on a subscription; None: nothing of ours. Never raises."""
        ...
