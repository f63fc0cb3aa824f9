"""What the actions need to know of software. A part of `agent.actions.ports`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from agent.core.software.standing import Compared, Installed, Known, VersionChanged
    from agent.core.software.update import Update, Verb
    from agent.core.software.wanted import Manifest, Wanted


class Verdict(Protocol):
    """What became of the manifest of required versions."""

    @property
    def in_force(self) -> Manifest | None: ...
    @property
    def standing(self) -> str: ...
    @property
    def what(self) -> str: ...
    def sentence(self, lang: str) -> str: ...


class SoftwareView(Protocol):
    """What was read of the software last."""

    @property
    def verdict(self) -> Verdict: ...
    @property
    def found(self) -> Mapping[str, Installed]: ...
    @property
    def compared(self) -> Sequence[Compared]: ...
    @property
    def wanted(self) -> Mapping[str, Wanted]: ...


class Software(Protocol):
    """What software runs here, and what became of updates."""

    def view(self) -> SoftwareView | None: ...
    def known(self) -> Mapping[str, Known]: ...
    async def changes(self, limit: int) -> Sequence[VersionChanged]: ...
    def updates(self) -> Sequence[Update]: ...


class Installing(Protocol):
    """Begins updates; only a running daemon does. Raises RequestError."""

    async def begin(self, request: UpdateAsked, actor: str) -> Update: ...
    async def end(self, name: str, verb: Verb, actor: str) -> Update: ...


class UpdateAsked(Protocol):
    """Which update a technician means."""

    @property
    def update(self) -> str: ...
    @property
    def file(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def component(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def any_time(self) -> bool: ...
