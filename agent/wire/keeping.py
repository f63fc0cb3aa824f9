"""What is asked about stored rows: acknowledgement, keys, verification, taking back."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from agent.wire.arguments import Nothing, OneKey
from agent.wire.operation import Operation, Role
from agent.wire.views import TransactionOut

_TECHNICIAN = (Role.TECHNICIAN,)
_STORE = ("store.full", "store.unavailable", "store.unknown")


class VerifyArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to go on: `after` of the answer before, empty to begin."""

    after: Annotated[str, Meta(pattern=r"^([a-z]{1,16}(:[0-9a-f]{1,400})?)?$")] = ""


class FoundOut(Struct, frozen=True, kw_only=True):
    """Something that is not what was written."""

    what: str
    """record, payload, key, history, report, stray, index or structure."""
    key: str
    """Of the payment, if it is one's; as it was read, so perhaps altered."""
    number: int
    detail: str


class VerifiedOut(Struct, frozen=True, kw_only=True):
    """What was checked by this call; add the calls up until `after` is null."""

    after: str | None
    permille: int
    """How far the pass is."""
    checked: dict[str, int]
    found: dict[str, int]
    findings: list[FoundOut]
    """The first hundred. Altered records and payloads are put aside, and nothing unsent is sent
    before it was looked at."""
    structure: str
    """ok, damaged, or long: too large to be checked while payments may come (do it offline);
    empty: not reached yet."""


class SalvageArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A journal in `quarantine/` by its file name."""

    file: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
    after: Annotated[int, Meta(ge=0)] = 0
    """`after` of the answer before; 0 to begin."""


class SalvagedOut(Struct, frozen=True, kw_only=True):
    """What this call took back; add the calls up until `after` is null."""

    after: int | None
    held: int
    """Unsent payments, now held and in doubt."""
    final: int
    known: int
    """Their keys are in the journal already."""
    unproved: int
    """Unsent, and altered: left where they are, still counted as put aside."""
    unproved_amounts: dict[str, int]


class KeysOut(Struct, frozen=True, kw_only=True):
    """The key ring payloads are sealed with."""

    sealing: bool
    file: str
    newest: int | None
    held: list[int]
    in_use: list[int]
    """Keys that rows may be sealed with."""
    missing: list[int]
    """In use and not on this terminal: what is sealed with them is held and cannot be sent."""
    turning: bool
    """Rows are being brought under the newest key."""


KEEPING: tuple[Operation, ...] = (
    Operation(
        name="acknowledge",
        method="POST",
        path="/v1/transactions/{key}/ack",
        roles=(Role.SUBMIT,),
        summary="The app has taken note of a final payment: all payloads handed over with it are "
        "destroyed, result and history stay. Repeating it is harmless.",
        arguments=OneKey,
        result=TransactionOut,
        problems=("key.bad", "transaction.unknown", "record.not_final", *_STORE),
    ),
    Operation(
        name="verify",
        method="POST",
        path="/v1/verify",
        roles=_TECHNICIAN,
        summary="Check rows, history, payloads and structure against what was written, a few "
        "seconds at a time. What was altered is put aside.",
        arguments=VerifyArgs,
        result=VerifiedOut,
        audited=True,
        problems=("request.bad_field", *_STORE),
    ),
    Operation(
        name="salvage",
        method="POST",
        path="/v1/salvage",
        roles=_TECHNICIAN,
        summary="Take back what is proved in a journal that was put aside: held and in doubt, "
        "never sent by itself. Repeating it is harmless.",
        arguments=SalvageArgs,
        result=SalvagedOut,
        disruptive=True,
        audited=True,
        problems=("request.bad_field", "salvage.unknown", "salvage.unreadable", *_STORE),
    ),
    Operation(
        name="key_show",
        method="GET",
        path="/v1/keys",
        roles=(Role.READ, Role.TECHNICIAN),
        summary="Which keys payloads are sealed with, and whether one is missing. No key itself.",
        arguments=Nothing,
        result=KeysOut,
        problems=("store.unavailable",),
    ),
    Operation(
        name="key_rotate",
        method="POST",
        path="/v1/keys/rotate",
        roles=_TECHNICIAN,
        summary="One more key for new payments; what is stored follows in quiet moments, then the "
        "old key is removed.",
        arguments=Nothing,
        result=KeysOut,
        disruptive=True,
        audited=True,
        problems=("keys.off", "keys.vendor", *_STORE),
    ),
)
