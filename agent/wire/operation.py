"""What one row of the local API's table says. The table is `agent.wire.api.OPERATIONS`."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from agent.record import dataclass


class Role(StrEnum):
    """What a peer may do. Nobody holds one by holding another, except technicians, who read."""

    SUBMIT = "submit"  #: payment apps: hand over, withdraw, ask about payments
    READ = "read"  #: look at everything
    REPORT = "report"  #: vendor firmware: push readings
    TECHNICIAN = "technician"  #: change the queue


#: Who may look at the whole terminal; the same and payment apps; who may change the queue.
LOOKERS = (Role.READ, Role.TECHNICIAN)
EVERYBODY_PAYING = (Role.SUBMIT, Role.READ, Role.TECHNICIAN)
TECHNICIANS = (Role.TECHNICIAN,)
#: What every operation that changes the journal may be answered.
STORE_TROUBLE = ("store.full", "store.unavailable", "store.unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row."""

    name: str
    method: str
    path: str
    roles: tuple[Role, ...]  #: any of them will do
    summary: str
    arguments: type[Struct]
    result: type[Struct] | None  #: None: a stream or a document of its own
    disruptive: bool = False  #: changes what happens to money or to the people at the till
    audited: bool = False  #: who asked is kept
    statuses: tuple[int, ...] = (200,)
    opaque: str = ""  #: argument that carries bytes of a file, which are never kept as they are
    problems: tuple[str, ...] = ()  #: codes beyond those every operation can answer

    @property
    def changes(self) -> bool:
        """Whether it needs a running daemon to do it."""
        return self.method != "GET"
