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
from agent.wire.card_check import check_metadata
from agent.wire.care import CARE
from agent.wire.check import CheckArgs, CheckOut
from agent.wire.inspection import INSPECTION
from agent.wire.inventory import INVENTORY
from agent.wire.keeping import KEEPING
from agent.wire.operation import Operation, Role
from agent.wire.prepared import ReplaceArgs, ReverseArgs
from agent.wire.problem import RequestError
from agent.wire.pushed import PUSHED
from agent.wire.software import SOFTWARE
from agent.wire.stages import (
    AliveArgs,
    AliveOut,
    AppStateArgs,
    AppStateOut,
    ReportedOut,
    ResolveArgs,
    StagesArgs,
)
from agent.wire.submit import MAX_BODY_BYTES, TransactionIn, convert, decode_object
from agent.wire.verdict import VerdictOut
from agent.wire.views import BacklogOut, HealthOut, Moved, QueuePage, StatusOut, TransactionOut

JSON = "application/json"
#: What every argument and every answer is; the rooms name it without knowing the library.
Message = Struct


_LOOK = (Role.READ, Role.TECHNICIAN)
_PAYMENT = (Role.SUBMIT, Role.READ, Role.TECHNICIAN)
_TECHNICIAN = (Role.TECHNICIAN,)
_CHECK = (
    "limit.single", "limit.total", "limit.count", "limit.age", "duplicate.suspected",
    "amount.large", "amount.mistyped", "date.future", "date.past", "terminal.mismatch",
    "merchant.mismatch", "currency.not_taken", "kind.not_taken",
)  # fmt: skip
_STORE = ("store.full", "store.unavailable", "store.unknown")

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        name="submit",
        method="POST",
        path="/v1/transactions",
        roles=(Role.SUBMIT,),
        summary="Hand over one payment. 201 and 200 mean: it is on disk. "
        "Repeat with the same key until one of them is answered.",
        arguments=TransactionIn,
        result=TransactionOut,
        statuses=(201, 200),
        problems=(
            "request.not_json", "request.not_object", "request.unknown_field",
            "request.missing_field", "request.bad_field", "request.control_character",
            "request.media_type", "request.body_too_large", "key.missing", "key.bad",
            "key.mismatch", "key.retired", "store.capped", "store.handed_over", "amount.bad",
            "amount.missing", "amount.forbidden",
            "currency.bad", "time.bad", "send_before.forbidden", "send_before.bad",
            "attempts.contradiction", "refers_to.missing", "refers_to.self", "covers.forbidden",
            "uplink.unknown", "payload.missing", "payload.ambiguous", "payload.bad_base64",
            "payload.bad_type", "payload.charset", "payload.type_mismatch", "payload.too_large",
            "reversal.contradiction", "payload.not_iso8583", "payload.bad_mti",
            "payload.field_missing", "payload.field_mismatch", "card.clear_data",
            "card.bad_mask", *_CHECK, *_STORE,
        ),
    ),
    Operation(
        name="check",
        method="POST",
        path="/v1/check",
        roles=(Role.SUBMIT,),
        summary="May I take this payment now? Limits, duplicates, date, TID and MID; "
        "changes nothing.",
        arguments=CheckArgs,
        result=CheckOut,
        problems=(
            "request.missing_field", "request.bad_field", "request.unknown_field",
            "amount.missing", "card.clear_data", "store.unavailable", "store.unknown",
        ),
    ),
    Operation(
        name="queue_list",
        method="GET",
        path="/v1/transactions",
        roles=_LOOK,
        summary="List payments in order of acceptance; without a filter the unsent ones.",
        arguments=ListArgs,
        result=QueuePage,
        problems=("request.bad_field", "request.unknown_field", "store.unavailable"),
    ),
    Operation(
        name="queue_show",
        method="GET",
        path="/v1/transactions/{key}",
        roles=_PAYMENT,
        summary="One payment: where it stands and, with history=true, how it got there.",
        arguments=ShowArgs,
        result=TransactionOut,
        problems=("key.bad", "transaction.unknown", "store.unavailable"),
    ),
    Operation(
        name="why_transaction",
        method="GET",
        path="/v1/transactions/{key}/explain",
        roles=_PAYMENT,
        summary="Why this payment's money has not arrived, with evidence and one next step.",
        arguments=OneKey,
        result=VerdictOut,
        problems=("key.bad",),
    ),
    Operation(
        name="void",
        method="POST",
        path="/v1/transactions/{key}/void",
        roles=(Role.SUBMIT,),
        summary="Withdraw a payment nothing was sent of. Repeating it is harmless.",
        arguments=OneKey,
        result=TransactionOut,
        disruptive=True,
        audited=True,
        problems=(
            "key.bad", "transaction.unknown", "record.final", "record.in_doubt",
            "record.sending", "record.held", "record.changed", *_STORE,
        ),
    ),
    Operation(
        name="reverse",
        method="POST",
        path="/v1/transactions/{key}/reverse",
        roles=(Role.SUBMIT,),
        summary="Take a payment back with the reversal handed over with it, for this reason. "
        "Repeating it answers the same reversal.",
        arguments=ReverseArgs,
        result=TransactionOut,
        disruptive=True,
        audited=True,
        problems=(
            "key.bad", "transaction.unknown", "record.final", "record.by_app",
            "record.changed", "reversal.none_prepared", "reversal.key_taken", *_STORE,
        ),
    ),
    Operation(
        name="replace",
        method="PUT",
        path="/v1/transactions/{key}/payload",
        roles=(Role.SUBMIT,),
        summary="New bytes for the same payment after the host answered A0, 77, 99 or 22. "
        "Repeating it is harmless.",
        arguments=ReplaceArgs,
        result=TransactionOut,
        disruptive=True,
        audited=True,
        problems=(
            "key.bad", "transaction.unknown", "record.final", "record.sending",
            "record.changed", "payload.immutable", "payload.missing", "payload.ambiguous",
            "payload.bad_base64", "payload.bad_type", "payload.charset", "payload.type_mismatch",
            "payload.too_large", "payload.not_iso8583", "payload.bad_mti",
            "payload.field_missing", "payload.field_mismatch", "card.clear_data", *_STORE,
        ),
    ),
    Operation(
        name="stages_report",
        method="POST",
        path="/v1/transactions/{key}/stages",
        roles=(Role.SUBMIT,),
        summary="Report how far a payment came that the app sends itself (`delivery: app`). "
        "Repeating it is harmless.",
        arguments=StagesArgs,
        result=ReportedOut,
        problems=(
            "key.bad", "request.bad_field", "request.missing_field", "request.unknown_field",
            "transaction.unknown", "record.by_agent", "record.changed", "stage.bad",
            "stage.mismatch", "stage.too_many", "card.clear_data", *_STORE,
        ),
    ),
    Operation(
        name="stages",
        method="GET",
        path="/v1/transactions/{key}/stages",
        roles=_PAYMENT,
        summary="What was reported of one payment, and of its batch.",
        arguments=OneKey,
        result=ReportedOut,
        problems=("key.bad", "transaction.unknown", "store.unavailable"),
    ),
    Operation(
        name="resolve",
        method="POST",
        path="/v1/transactions/{key}/resolve",
        roles=_TECHNICIAN,
        summary="Settle a payment the app sent and whose outcome nobody reported, on the word of "
        "a person who looked it up.",
        arguments=ResolveArgs,
        result=TransactionOut,
        disruptive=True,
        audited=True,
        problems=(
            "key.bad", "request.bad_field", "request.missing_field", "transaction.unknown",
            "record.by_agent", "record.final", "record.changed", *_STORE,
        ),
    ),
    Operation(
        name="app_state",
        method="POST",
        path="/v1/app/state",
        roles=(Role.SUBMIT, Role.REPORT),
        summary="Report whether a terminal is signed on, and that its batch was opened or closed.",
        arguments=AppStateArgs,
        result=AppStateOut,
        problems=(
            "request.bad_field", "request.missing_field", "request.unknown_field",
            "currency.bad", "card.clear_data", *_STORE,
        ),
    ),
    Operation(
        name="app_alive",
        method="POST",
        path="/v1/app/alive",
        roles=(Role.SUBMIT,),
        summary="The payment app says that it is there, where it has nothing else to say.",
        arguments=AliveArgs,
        result=AliveOut,
        problems=("request.bad_field", "request.unknown_field"),
    ),
    Operation(
        name="queue_retry",
        method="POST",
        path="/v1/queue/retry",
        roles=_TECHNICIAN,
        summary="Try now instead of when it is due: one payment, or everything that waits.",
        arguments=RetryArgs,
        result=Moved,
        audited=True,
        problems=(
            "key.bad", "transaction.unknown", "uplink.unknown", "record.final",
            "record.sending", "record.held", "record.changed", *_STORE,
        ),
    ),
    Operation(
        name="queue_hold",
        method="POST",
        path="/v1/queue/hold",
        roles=_TECHNICIAN,
        summary="Keep payments from being sent until they are released: one by key, or all that "
        "wait for one cause.",
        arguments=HoldArgs,
        result=Moved,
        disruptive=True,
        audited=True,
        problems=(
            "key.bad", "request.missing_field", "transaction.unknown", "record.final",
            "record.sending", "record.changed", *_STORE,
        ),
    ),
    Operation(
        name="queue_release",
        method="POST",
        path="/v1/queue/release",
        roles=_TECHNICIAN,
        summary="Let held payments go on: one by key, or all held for one cause.",
        arguments=ReleaseArgs,
        result=Moved,
        disruptive=True,
        audited=True,
        problems=(
            "key.bad", "request.missing_field", "transaction.unknown", "record.not_held",
            "record.changed", *_STORE,
        ),
    ),
    Operation(
        name="queue_abandon",
        method="POST",
        path="/v1/queue/abandon",
        roles=_TECHNICIAN,
        summary="Give up one held payment for good, on the host's confirmation. Where the host can "
        "be asked, it must have said that it does not have it. Repeating it is harmless.",
        arguments=AbandonArgs,
        result=TransactionOut,
        disruptive=True,
        audited=True,
        problems=(
            "key.bad", "request.bad_field", "request.missing_field", "transaction.unknown",
            "record.by_app", "record.final", "record.not_held", "record.not_asked",
            "record.changed", "card.clear_data", *_STORE,
        ),
    ),
    Operation(
        name="backlog",
        method="GET",
        path="/v1/backlog",
        roles=_PAYMENT,
        summary="The unsent money of this terminal: count, amounts, age, cause.",
        arguments=Nothing,
        result=BacklogOut,
        problems=("store.unavailable",),
    ),
    Operation(
        name="health",
        method="GET",
        path="/v1/health",
        roles=(*_PAYMENT, Role.REPORT),
        summary="Open alarms, and what each component last said.",
        arguments=Nothing,
        result=HealthOut,
    ),
    Operation(
        name="why",
        method="GET",
        path="/v1/explain",
        roles=_PAYMENT,
        summary="Why money of this terminal has not arrived.",
        arguments=Nothing,
        result=VerdictOut,
        problems=("store.unavailable",),
    ),
    Operation(
        name="status",
        method="GET",
        path="/v1/status",
        roles=_LOOK,
        summary="Agent, store, backlog, alarms and channels at a glance.",
        arguments=Nothing,
        result=StatusOut,
    ),
    Operation(
        name="events",
        method="GET",
        path="/v1/events",
        roles=_PAYMENT,
        summary="Server-sent events: `transaction`, `health`, `device`, `backlog`, "
        "`inspection`, `software`.",
        arguments=Nothing,
        result=None,
        problems=("events.too_many",),
    ),
    Operation(
        name="openapi",
        method="GET",
        path="/v1/openapi.json",
        roles=tuple(Role),
        summary="This contract.",
        arguments=Nothing,
        result=None,
    ),
    *PUSHED,
    *CARE,
    *INVENTORY,
    *INSPECTION,
    *SOFTWARE,
    *KEEPING,
    *AUDIT,
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
    check_metadata({**given, **in_path}, frozenset(operation.arguments.__struct_fields__))
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
