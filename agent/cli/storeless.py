"""The ports of the actions where not even a store can be read: everything says why.

For the support bundle of a terminal whose journal is gone, damaged or somebody else's: what does
not need it goes in all the same.
"""

from __future__ import annotations

from typing import Never

from agent import __version__
from agent.actions.ports import Identity, Ports
from agent.cli.offline import LastHealth
from agent.clock import SystemClock
from agent.config import Config
from agent.errors import AgentError, StoreError


class Unreadable:
    """A journal that answers every question with the same sentence."""

    def __init__(self, error: AgentError) -> None:
        self._error = error

    def _no(self) -> Never:
        raise StoreError(self._error.code, self._error.what, self._error.hint)

    async def record(self, key: str) -> Never:
        del key
        self._no()

    async def steps(self, seq: int, limit: int = 100) -> Never:
        del seq, limit
        self._no()

    async def page(self, *, states: object = None, after_seq: int = 0, limit: int = 100) -> Never:
        del states, after_seq, limit
        self._no()

    async def backlog(self) -> Never:
        self._no()

    async def facts(self) -> Never:
        self._no()

    async def quarantined(self) -> Never:
        self._no()


def ports(config: Config, error: AgentError) -> Ports:
    """`error`: what stood in the way of reading the store."""
    return Ports(
        journal=Unreadable(error),
        mover=None,
        health=LastHealth([], []),
        channels=None,
        identity=Identity(
            device_id=config.agent.device_id,
            tenant=config.agent.tenant,
            site=config.agent.site,
            version=__version__,
        ),
        clock=SystemClock(),
        actor="cli",
    )
