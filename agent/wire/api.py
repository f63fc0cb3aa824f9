"""The local API as a table: every address, who may use it, what goes in and what comes out.

One row per thing a payment app or a person can ask. The daemon's routes, the command line, the
closed list of fleet commands and the OpenAPI document all follow from `OPERATIONS`; what each row
*does* is in `agent.actions` under the same name.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from agent.core.money.journal import UNSENT, State
from agent.wire.arguments import (
    AbandonArgs,
    ConfirmationIn,
    HoldArgs,
    ListArgs,
    Nothing,
    OneKey,
    ReleaseArgs,
    RetryArgs,
    ShowArgs,
    WhyArgs,
)
from agent.wire.audit import AUDIT
from agent.wire.bundle import BUNDLE
from agent.wire.card_check import check_metadata
from agent.wire.care import CARE
from agent.wire.causes import CAUSES
from agent.wire.drill import DRILL
from agent.wire.guard import GUARD
from agent.wire.history import HISTORY
from agent.wire.inspection import INSPECTION
from agent.wire.inventory import INVENTORY
from agent.wire.keeping import KEEPING
from agent.wire.looking import LOOKING
from agent.wire.operation import Operation, Role
from agent.wire.payments import PAYMENTS
from agent.wire.problem import RequestError
from agent.wire.pushed import PUSHED
from agent.wire.questions import QUESTIONS
from agent.wire.queue import QUEUE
from agent.wire.reconcile import RECONCILING
from agent.wire.session import SESSIONS
from agent.wire.slips import SLIPS
from agent.wire.software import SOFTWARE
from agent.wire.stats import STATS
from agent.wire.submit import MAX_BODY_BYTES, convert, decode_object

JSON = "application/json"
#: What every argument and every answer is; the rooms name it without knowing the library.
Message = Struct

OPERATIONS: tuple[Operation, ...] = (
    *PAYMENTS,
    *QUEUE,
    *LOOKING,
    *PUSHED,
    *CARE,
    *INVENTORY,
    *INSPECTION,
    *DRILL,
    *STATS,
    *SOFTWARE,
    *KEEPING,
    *AUDIT,
    *BUNDLE,
    *SESSIONS,
    *HISTORY,
    *RECONCILING,
    *CAUSES,
    *QUESTIONS,
    *SLIPS,
    *GUARD,
)  # fmt: skip

BY_NAME: Mapping[str, Operation] = {operation.name: operation for operation in OPERATIONS}


def arguments_of(
    operation: Operation,
    in_path: Mapping[str, str],
    query: Mapping[str, str],
    body: bytes,
) -> Struct:
    """The checked arguments of a request. Raises RequestError naming the field.

    Queries and paths carry text, so `limit=50` and `history=true` are read as what they mean; a
    JSON body is taken strictly. What stands in the path cannot be given again elsewhere.
    """
    given: dict[str, object] = dict(query)
    if operation.method != "GET":
        given = dict(decode_object(body)) if body else {}
    # Reasons end up in the history, names of fields in problems and in the log, and a key nobody
    # knows in the answer.
    words = {name: value for name, value in given.items() if name != operation.opaque}
    check_metadata({**words, **in_path}, frozenset(operation.arguments.__struct_fields__))
    for name, value in in_path.items():
        if name in given:
            raise RequestError(
                "request.unknown_field", f"{name} stands in the path already", field=name
            )
        given[name] = value
    return convert(given, operation.arguments, strict=operation.changes)


def states_of(text: str | None) -> frozenset[State] | None:
    """The states of a list request: the unsent by default, None for all. Raises RequestError."""
    if text == "all":
        return None
    try:
        return UNSENT if text is None else frozenset(State(word) for word in text.split(","))
    except ValueError:
        raise RequestError(
            "request.bad_field",
            "state is not a state",
            field="state",
            hint=f"One or several of {', '.join(State)}, or all.",
        ) from None


def encode(document: Struct) -> bytes:
    """JSON bytes of an answer."""
    return msgspec.json.encode(document)


__all__ = [
    "BY_NAME", "MAX_BODY_BYTES", "OPERATIONS", "AbandonArgs", "ConfirmationIn", "HoldArgs",
    "ListArgs", "Message", "Nothing", "OneKey", "Operation", "ReleaseArgs", "RetryArgs", "Role",
    "ShowArgs", "WhyArgs",
]  # fmt: skip
