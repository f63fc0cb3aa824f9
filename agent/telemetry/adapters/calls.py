"""What adapters share: which call of a server belongs to which command of ours, and reading JSON.

Servers name their calls by numbers or topics of their own; what is obeyed, answered and remembered
is the signed `cmd_id`. The name is read from inside the envelope without believing it: whether it
is obeyed decides whoever has the keys.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from agent.telemetry.adapters import Packet
from agent.wire import command, mqtt
from agent.wire.signed import DocumentError

log = logging.getLogger(__name__)

C = TypeVar("C")

#: Calls remembered; a terminal obeys one at a time.
MOST = 32
#: What is not known any more, where null would leave the old value standing.
UNKNOWN = "unknown"
_ABOUT_IT = frozenset({"ts", "seq", "outbox_id", "clock_suspect", "full"})


class Calls(Generic[C]):
    """The last calls by the command they brought; the oldest are forgotten."""

    def __init__(self) -> None:
        self._by_command: OrderedDict[str, C] = OrderedDict()

    def remember(self, cmd_id: str, call: C) -> None:
        """This call waits for the answer to that command."""
        self._by_command[cmd_id] = call
        self._by_command.move_to_end(cmd_id)
        while len(self._by_command) > MOST:
            self._by_command.popitem(last=False)

    def of(self, cmd_id: str) -> C | None:
        """The call that waits for this command."""
        return self._by_command.get(cmd_id)

    def first(self, fits: Callable[[C], bool]) -> str | None:
        """A command whose call fits."""
        return next((name for name, call in self._by_command.items() if fits(call)), None)

    def forget(self, cmd_id: str) -> None:
        """Nobody waits for this command any more."""
        self._by_command.pop(cmd_id, None)


def cmd_id_in(envelope: bytes) -> str:
    """The name inside a signed command; "" if there is none to be read."""
    try:
        return command.command_in(command.opened(envelope).payload).cmd_id
    except DocumentError:
        return ""


def envelope_of(told: Any) -> bytes:
    """An envelope as the server's own JSON carries it: an object, or its text.

    Anything else is handed on as it is: it will be refused where signatures are looked at.
    """
    return told.encode("utf-8", "replace") if isinstance(told, str) else mqtt.written(told)


def told_in(payload: bytes) -> dict[str, Any]:
    """A JSON object that arrived; empty if it is none."""
    try:
        return mqtt.decode(payload)
    except (ValueError, RecursionError):
        return {}


def without(told: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """What a message says, without what it says about itself, and without `names`."""
    return {name: told[name] for name in told if name not in _ABOUT_IT and name not in names}


def translated(
    kind: str, body: bytes, make: Callable[[dict[str, Any]], Sequence[Packet]]
) -> Sequence[Packet]:
    """The packets of a row; none of one that is damaged, or it would stop all behind it."""
    try:
        return make(mqtt.decode(body))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        log.warning("event=row_unreadable kind=%s reason=%s", kind, type(error).__name__)
        return ()
