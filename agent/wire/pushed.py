"""What firmware and payment apps report of devices, as rows of the local API's table.

Firmware reports readings (the push door of the hook contract); a payment app that owns a device's
port passes on the bytes it got, as numbers, for their text might look like a card number.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from agent.wire.hooks import Name, ReadingsIn, ReadingsOut
from agent.wire.operation import Operation, Role

Byte = Annotated[int, Meta(ge=0, le=255)]


class BytesIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bytes a device sent to whoever owns its port."""

    component: Name
    bytes: Annotated[tuple[Byte, ...], Meta(min_length=1, max_length=4_096)]
    query: Annotated[int, Meta(ge=0, le=255)] = 0
    """n of the DLE EOT they answer; 0: they came by themselves (automatic status)."""


class BytesOut(Struct, frozen=True, kw_only=True):
    """What was made of them."""

    understood: int
    """Status bytes or frames; 0: none, or nobody here takes any for this component."""


PUSHED: tuple[Operation, ...] = (
    Operation(
        name="readings",
        method="POST",
        path="/v1/readings",
        roles=(Role.REPORT,),
        summary="Vendor firmware reports how a component is that it was given in [[hook]]. All of "
        "the readings are taken, or none.",
        arguments=ReadingsIn,
        result=ReadingsOut,
        problems=(
            "request.bad_field", "request.missing_field", "request.unknown_field",
            "card.clear_data", "reading.bad", "reading.component",
        ),
    ),
    Operation(
        name="device_bytes",
        method="POST",
        path="/v1/devices/{component}/bytes",
        roles=(Role.SUBMIT, Role.REPORT),
        summary="A payment app that owns a printer's port passes on the status bytes it got.",
        arguments=BytesIn,
        result=BytesOut,
        problems=("request.bad_field", "request.missing_field", "request.unknown_field"),
    ),
)  # fmt: skip
