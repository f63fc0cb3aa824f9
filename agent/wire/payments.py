"""One payment in the local API: handing it over, asking, taking it back, telling what became of it.

Rows of `agent.wire.api.OPERATIONS`; what each does is in `agent.actions` under the same name.
"""

from __future__ import annotations

from agent.wire.arguments import OneKey
from agent.wire.check import CheckArgs, CheckOut
from agent.wire.operation import EVERYBODY_PAYING, STORE_TROUBLE, TECHNICIANS, Operation, Role
from agent.wire.prepared import ReplaceArgs, ReverseArgs
from agent.wire.stages import (
    AliveArgs,
    AliveOut,
    AppStateArgs,
    AppStateOut,
    ReportedOut,
    ResolveArgs,
    StagesArgs,
)
from agent.wire.submit import TransactionIn
from agent.wire.verdict import VerdictOut
from agent.wire.views import TransactionOut

_CHECK = (
    "limit.single", "limit.total", "limit.count", "limit.age", "duplicate.suspected",
    "amount.large", "amount.mistyped", "date.future", "date.past", "terminal.mismatch",
    "merchant.mismatch", "currency.not_taken", "kind.not_taken",
)  # fmt: skip

PAYMENTS: tuple[Operation, ...] = (
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
            "card.bad_mask", *_CHECK, *STORE_TROUBLE,
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
        name="why_transaction",
        method="GET",
        path="/v1/transactions/{key}/explain",
        roles=EVERYBODY_PAYING,
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
            "record.sending", "record.held", "record.changed", *STORE_TROUBLE,
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
            "record.changed", "reversal.none_prepared", "reversal.key_taken", *STORE_TROUBLE,
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
            "payload.field_missing", "payload.field_mismatch", "card.clear_data", *STORE_TROUBLE,
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
            "stage.mismatch", "stage.too_many", "card.clear_data", *STORE_TROUBLE,
        ),
    ),
    Operation(
        name="stages",
        method="GET",
        path="/v1/transactions/{key}/stages",
        roles=EVERYBODY_PAYING,
        summary="What was reported of one payment, and of its batch.",
        arguments=OneKey,
        result=ReportedOut,
        problems=("key.bad", "transaction.unknown", "store.unavailable"),
    ),
    Operation(
        name="resolve",
        method="POST",
        path="/v1/transactions/{key}/resolve",
        roles=TECHNICIANS,
        summary="Settle a payment the app sent and whose outcome nobody reported, on the word of "
        "a person who looked it up.",
        arguments=ResolveArgs,
        result=TransactionOut,
        disruptive=True,
        audited=True,
        problems=(
            "key.bad", "request.bad_field", "request.missing_field", "transaction.unknown",
            "record.by_agent", "record.final", "record.changed", *STORE_TROUBLE,
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
            "currency.bad", "card.clear_data", *STORE_TROUBLE,
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
)  # fmt: skip
