"""Slips as the local API tells them: which there are, one of them shown, one of them printed."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from agent.wire.arguments import Nothing
from agent.wire.operation import LOOKERS, TECHNICIANS, Operation
from agent.wire.views import Both

Kind = Annotated[str, Meta(pattern=r"^[a-z]{1,24}$")]
Key = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{0,64}$")]
Columns = Literal[32, 48]
Lang = Literal["zh", "en"]


class SlipShowArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One slip, rendered."""

    kind: Kind
    key: Key = ""
    """What it is about; see `slips`."""
    columns: Columns = 32
    """32 for paper of 58 mm, 48 for 80 mm."""
    lang: Lang = "zh"
    form: Literal["text", "png", "escpos"] = "text"


class SlipPrintArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One slip, printed on the terminal's own printer, as wide as that is."""

    kind: Kind
    key: Key = ""
    lang: Lang | None = None
    """Without: [agent] language."""


class SlipKindOut(Struct, frozen=True, kw_only=True):
    """One kind of slip."""

    kind: str
    title: Both
    about: str
    """What `key` is: `nothing`, `payment`, `any_payment`, `batch` (or a day) or `number`."""


class SlipsOut(Struct, frozen=True, kw_only=True):
    """Every kind of slip."""

    slips: list[SlipKindOut]
    printing: str
    """How they are printed: `driver`, `hook` or `off`; empty: not known here."""


class SlipShownOut(Struct, frozen=True, kw_only=True):
    """One slip."""

    kind: str
    key: str
    columns: int
    form: str
    lines: list[str]
    """Of form `text`; none is wider than `columns`, Chinese characters counted as two."""
    data: str | None
    """base64 of the other forms."""


class SlipPrintedOut(Struct, frozen=True, kw_only=True):
    """A slip that went to the printer."""

    kind: str
    key: str
    by: str
    """`driver` or `hook`."""
    confirmed: bool
    """Whether the printer said that it had worked through all of it."""
    lines: int


_SHOWING = ("request.bad_field", "request.unknown_field", "slip.unknown_kind", "slip.key",
            "slip.nothing", "slip.failed", "store.unavailable")  # fmt: skip

SLIPS: tuple[Operation, ...] = (
    Operation(
        name="slips",
        method="GET",
        path="/v1/slips",
        roles=LOOKERS,
        summary="Which slips there are, and what each is about.",
        arguments=Nothing,
        result=SlipsOut,
    ),
    Operation(
        name="slip_show",
        method="GET",
        path="/v1/slips/{kind}",
        roles=LOOKERS,
        summary="One slip as text, as an image (PNG) or as the bytes of an ESC/POS printer.",
        arguments=SlipShowArgs,
        result=SlipShownOut,
        problems=_SHOWING,
    ),
    Operation(
        name="slip_print",
        method="POST",
        path="/v1/slips/{kind}/print",
        roles=TECHNICIANS,
        summary="Print one slip on the terminal's printer: never while somebody is paying, only "
        "when the printer says that it is ready, and not claimed printed if it then stops.",
        arguments=SlipPrintArgs,
        result=SlipPrintedOut,
        disruptive=True,
        audited=True,
        problems=(
            *_SHOWING, "slip.off", "slip.paying", "slip.not_ready", "slip.owned",
            "slip.not_printed",
        ),
    ),
)  # fmt: skip
