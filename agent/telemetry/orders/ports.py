"""What commands need of the others; `main` plugs it in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from agent.core.audit import Deed
from agent.core.fleet.commands import Args, Key
from agent.core.fleet.ledger import Order, Standing
from agent.core.fleet.messages import ResMessage
from agent.core.moment import Moment
from agent.record import dataclass
from agent.wire.api import Message


class Clock(Protocol):
    """The terminal's clocks, and the newest time it knows to have lived through."""

    @property
    def last_seen_ms(self) -> int: ...
    def now(self) -> Moment: ...
    def seen(self, wall_ms: int) -> None: ...


class Ledger(Protocol):
    """Commands on disk (`store.orders`); every method raises StoreError."""

    async def standing(self, cmd_id: str, key_id: str) -> Standing: ...
    async def begin(self, now_ms: int) -> None: ...
    async def take(self, order: Order, deed: Deed) -> None:
        """Kept, and its sequence synced twice, when this returns."""
        ...

    async def move(self, order: Order, deed: Deed | None = None) -> None: ...
    async def unfinished(self) -> list[Order]: ...
    async def write(self, deed: Deed) -> None: ...


class Keys(Protocol):
    """Whose signature counts."""

    def known(self, key_id: str) -> Key | None: ...
    def revoked(self, key_id: str) -> bool: ...


#: Runs the action of a name with checked arguments on behalf of an actor.
Do = Callable[[str, Message, str], Awaitable[Message]]
#: What the daemon does itself, by the operation's name. Returns what there is to tell.
Own = Callable[[Args, str], Awaitable[Mapping[str, object]]]
#: True: it is kept until the broker has it.
Tell = Callable[[ResMessage], Awaitable[bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything commands use."""

    tenant: str
    device_id: str
    clock: Clock
    ledger: Ledger
    keys: Keys
    do: Do
    tell: Tell
    operations: Callable[[], frozenset[str]]  #: names the Desk knows
    own: Mapping[str, Own]
    idle: Callable[[], bool]
    per_hour: int
    #: Something nobody proved to have sent arrived, and why it was not believed.
    ignored: Callable[[str], None] = lambda reason: None
