"""The payments that wait, in the local API: listing them and moving them.

Rows of `agent.wire.api.OPERATIONS`; what each does is in `agent.actions` under the same name.
"""

from __future__ import annotations

from agent.wire.arguments import AbandonArgs, HoldArgs, ListArgs, ReleaseArgs, RetryArgs, ShowArgs
from agent.wire.operation import (
    EVERYBODY_PAYING,
    LOOKERS,
    STORE_TROUBLE,
    TECHNICIANS,
    Operation,
)
from agent.wire.views import Moved, QueuePage, TransactionOut

QUEUE: tuple[Operation, ...] = (
    Operation(
        name="queue_list",
        method="GET",
        path="/v1/transactions",
        roles=LOOKERS,
        summary="List payments in order of acceptance; without a filter the unsent ones.",
        arguments=ListArgs,
        result=QueuePage,
        problems=("request.bad_field", "request.unknown_field", "store.unavailable"),
    ),
    Operation(
        name="queue_show",
        method="GET",
        path="/v1/transactions/{key}",
        roles=EVERYBODY_PAYING,
        summary="One payment: where it stands and, with history=true, how it got there.",
        arguments=ShowArgs,
        result=TransactionOut,
        problems=("key.bad", "transaction.unknown", "store.unavailable"),
    ),
    Operation(
        name="queue_retry",
        method="POST",
        path="/v1/queue/retry",
        roles=TECHNICIANS,
        summary="Try now instead of when it is due: one payment, or everything that waits.",
        arguments=RetryArgs,
        result=Moved,
        audited=True,
        problems=(
            "key.bad", "transaction.unknown", "uplink.unknown", "record.final",
            "record.sending", "record.held", "record.changed", *STORE_TROUBLE,
        ),
    ),
    Operation(
        name="queue_hold",
        method="POST",
        path="/v1/queue/hold",
        roles=TECHNICIANS,
        summary="Keep payments from being sent until they are released: one by key, or all that "
        "wait for one cause.",
        arguments=HoldArgs,
        result=Moved,
        disruptive=True,
        audited=True,
        problems=(
            "key.bad", "request.missing_field", "transaction.unknown", "record.final",
            "record.sending", "record.changed", *STORE_TROUBLE,
        ),
    ),
    Operation(
        name="queue_release",
        method="POST",
        path="/v1/queue/release",
        roles=TECHNICIANS,
        summary="Let held payments go on: one by key, or all held for one cause.",
        arguments=ReleaseArgs,
        result=Moved,
        disruptive=True,
        audited=True,
        problems=(
            "key.bad", "request.missing_field", "transaction.unknown", "record.not_held",
            "record.changed", *STORE_TROUBLE,
        ),
    ),
    Operation(
        name="queue_abandon",
        method="POST",
        path="/v1/queue/abandon",
        roles=TECHNICIANS,
        summary="Give up one held payment for good, on the host's confirmation. Where the host can "
        "be asked, it must have said that it does not have it. Repeating it is harmless.",
        arguments=AbandonArgs,
        result=TransactionOut,
        disruptive=True,
        audited=True,
        problems=(
            "key.bad", "request.bad_field", "request.missing_field", "transaction.unknown",
            "record.by_app", "record.final", "record.not_held", "record.not_asked",
            "record.changed", "card.clear_data", *STORE_TROUBLE,
        ),
    ),
)  # fmt: skip
