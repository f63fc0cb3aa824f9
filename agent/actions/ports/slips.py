"""What slips need of the rooms: the printer, and what became of the last pre-settlement slip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from agent.record import dataclass

if TYPE_CHECKING:
    from agent.core.slips.layout import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """A slip that went to the printer in full."""

    by: str  #: `driver` or `hook`
    confirmed: bool  #: the printer said that it had worked through it


class Printing(Protocol):
    """The printer of this terminal; only a running daemon has it."""

    @property
    def how(self) -> str:
        """`driver`, `hook` or `off`."""
        ...

    @property
    def columns(self) -> int: ...

    @property
    def lang(self) -> str: ...

    async def put(self, rows: tuple[Row, ...], images: Mapping[bytes, Any]) -> Printed:
        """Raises RequestError: `slip.off`, `slip.paying`, `slip.not_ready`, `slip.owned`,
        `slip.not_printed`. `images`: QR codes as modules, where the printer draws none."""
        ...

    @property
    def wants_images(self) -> bool:
        """Whether QR codes are sent as images."""
        ...


class Memory(Protocol):
    """Small things that outlive the process."""

    async def load(self, name: str) -> dict[str, Any]: ...
    async def save(self, name: str, kept: Mapping[str, Any]) -> None: ...
