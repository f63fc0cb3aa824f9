"""Settlement lists of acquirers and banks as the local API takes and tells them."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from agent.wire.operation import LOOKERS, STORE_TROUBLE, TECHNICIANS, Operation

#: One piece of a list before base64.
PIECE_BYTES = 256 * 1024
MAX_WAIT_S = 20.0
_ID = r"^[0-9a-f]{16}$"
_BAD = ("request.bad_field", "request.unknown_field")

Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]


class ReconcileBeginArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A list that is about to be sent, in pieces."""

    profile: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{0,64}$")] = ""
    """A [[reconcile]] by its name; empty: the only one there is, or the built-in one."""
    file_name: Annotated[str, Meta(max_length=128)] = ""
    """What the file is called, to find it again."""
    sha256: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?$")] = ""
    """Of the whole file: a list that was read already need not be sent again."""
    size_bytes: Annotated[int, Meta(ge=0)] = 0
    """Of the whole file, if known: one too large is refused before it is sent."""
    settled_on: Day | None = None
    """The day the list settles, where no column says so."""


class ReconcileBegunOut(Struct, frozen=True, kw_only=True):
    """Where to send the pieces."""

    import_id: str
    """Empty: this very list was read already as `number`."""
    number: int
    piece_bytes: int
    """Largest piece before base64."""


class ReconcilePullArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A list that is to be fetched from where its profile says."""

    profile: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{0,64}$")] = ""
    """A [[reconcile]] with `pull`; empty: the only one there is."""
    settled_on: Day | None = None
    """Which settlement day is asked for; absent: the one of the schedule."""


class ReconcilePulledOut(Struct, frozen=True, kw_only=True):
    """It was fetched and is being read, or is the one that was read before."""

    number: int


class ReconcilePieceArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One piece, in order; the first is 0. The last one may be repeated."""

    import_id: Annotated[str, Meta(pattern=_ID)]
    number: Annotated[str, Meta(pattern=r"^[0-9]{1,6}$")]
    data: Annotated[str, Meta(max_length=PIECE_BYTES * 4 // 3 + 8)]
    """base64."""


class ReconcilePieceOut(Struct, frozen=True, kw_only=True):
    """What has come so far."""

    import_id: str
    size_bytes: int


class ReconcileEndArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The list is whole, or is given up."""

    import_id: Annotated[str, Meta(pattern=_ID)]
    give_up: bool = False


class ReconciliationsArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The last ones, the newest first."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20


class ReconciliationArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One list by its number, or `last`, and a page of its findings."""

    number: Annotated[str, Meta(pattern=r"^(last|[0-9]{1,9})$")]
    only: Annotated[str, Meta(pattern=r"^[a-z_]{0,32}(,[a-z_]{1,32}){0,30}$")] = ""
    """Classes, separated by commas; empty: all but `matched`; `all`."""
    after: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=0, le=500)] = 100
    wait_s: Annotated[float, Meta(ge=0, le=MAX_WAIT_S)] = 0.0
    """Answer when it is done, but after this at the latest."""


class ListFindingOut(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One finding: a line, a payment, or the two together."""

    n: int
    result: str
    """The class."""
    code: str = ""
    """The cause, where somebody must act."""
    owner: str = ""
    line: int = 0
    """In the file; 0: the list has none."""
    key: str = ""
    """Of the payment; empty: this terminal has none."""
    matched_by: str = ""
    """`key`, `reference`, `rrn`, `stan`, `amount_card` or `amount`."""
    confidence: str = ""
    """`certain`, `strong`, `fair` or `weak`."""
    amount_minor: int | None = None
    """Of the payment, towards the merchant: refunds are negative."""
    listed_minor: int | None = None
    """Of the line, likewise."""
    fee_minor: int | None = None
    currency: str = ""
    settled_on: str = ""
    due_on: str = ""
    occurred_at: str = ""
    rrn: str = ""
    stan: str = ""
    batch: str = ""
    terminal_id: str = ""
    detail: str = ""
    """More about it: `fee`, `partial`, `more`, `refund`, the state here …"""
    superseded_by: int = 0
    """A later list says otherwise."""


class ReconciliationLine(Struct, frozen=True, kw_only=True):
    """One list in the list."""

    number: int
    state: str
    """`running`, `done` or `refused`."""
    profile: str
    name: str
    started_at: str
    ended_at: str | None
    actor: str
    lines: int
    payments: int
    days: list[str]
    """First and last day it settles."""
    counts: dict[str, int]
    """Lines and payments by class."""
    sums: dict[str, int]
    """What the lines add up to by currency."""
    encoding: str
    problem: str
    """Why it was refused, in the terms of the file."""
    problem_zh: str
    code: str
    note: str = ""
    """What is strange about the whole list: its times look like another time zone."""
    note_zh: str = ""


class ReconciliationsOut(Struct, frozen=True, kw_only=True):
    """The last lists."""

    reconciliations: list[ReconciliationLine]


class ReconciliationOut(Struct, frozen=True, kw_only=True):
    """One list and a page of findings."""

    reconciliation: ReconciliationLine
    stage: Literal["", "reading", "matching", "keeping"]
    """What is being done while it runs."""
    findings: list[ListFindingOut]
    after: int | None
    """For the next page; null: there is none."""


RECONCILING: tuple[Operation, ...] = (
    Operation(
        name="reconcile_begin",
        method="POST",
        path="/v1/reconciliations",
        roles=TECHNICIANS,
        summary="A settlement list of the acquirer or the bank is about to be sent, in pieces. One "
        "at a time.",
        arguments=ReconcileBeginArgs,
        result=ReconcileBegunOut,
        audited=True,
        problems=(*_BAD, "reconcile.profile", "reconcile.busy", "reconcile.too_large",
                  *STORE_TROUBLE),
    ),
    Operation(
        name="reconcile_piece",
        method="POST",
        path="/v1/reconciliations/{import_id}/pieces/{number}",
        roles=TECHNICIANS,
        summary="One piece of the list, base64, in order.",
        arguments=ReconcilePieceArgs,
        result=ReconcilePieceOut,
        opaque="data",
        problems=(*_BAD, "reconcile.unknown", "reconcile.piece", "reconcile.too_large"),
    ),
    Operation(
        name="reconcile_end",
        method="POST",
        path="/v1/reconciliations/{import_id}/end",
        roles=TECHNICIANS,
        summary="The list is whole: read it strictly, hold it against the journal, keep what was "
        "found. Follow it at /v1/reconciliations/{number}. Changes no payment.",
        arguments=ReconcileEndArgs,
        result=ReconciliationOut,
        audited=True,
        problems=(*_BAD, "reconcile.unknown", *STORE_TROUBLE),
    ),
    Operation(
        name="reconcile_pull",
        method="POST",
        path="/v1/reconciliations/pull",
        roles=TECHNICIANS,
        summary="Fetch the list of a profile now from where its `pull` says, and read it. Follow "
        "it at /v1/reconciliations/{number}.",
        arguments=ReconcilePullArgs,
        result=ReconcilePulledOut,
        audited=True,
        problems=(*_BAD, "reconcile.profile", "reconcile.no_pull", "reconcile.pull",
                  "reconcile.busy", *STORE_TROUBLE),
    ),
    Operation(
        name="reconciliations",
        method="GET",
        path="/v1/reconciliations",
        roles=LOOKERS,
        summary="The last settlement lists that were read, the newest first.",
        arguments=ReconciliationsArgs,
        result=ReconciliationsOut,
        problems=(*_BAD, "store.unavailable"),
    ),
    Operation(
        name="reconciliation",
        method="GET",
        path="/v1/reconciliations/{number}",
        roles=LOOKERS,
        summary="One settlement list by its number, or `last`: counts by class and a page of "
        "findings.",
        arguments=ReconciliationArgs,
        result=ReconciliationOut,
        problems=(*_BAD, "reconcile.unknown", "store.unavailable"),
    ),
)  # fmt: skip
