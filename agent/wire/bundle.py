"""A support bundle, as the local API makes it and hands it out.

The bytes travel as base64 in small JSON pieces, like a backup's. What is in them was redacted
before the file was written; nothing here adds to it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from agent.wire.arguments import Nothing
from agent.wire.operation import Operation, Role


class BundlePieceArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One piece of one bundle."""

    bundle_id: Annotated[str, Meta(pattern=r"^[0-9a-f]{16}$")]
    number: Annotated[int, Meta(ge=0, le=100_000)]
    """Counted from 0."""


class BundleFailureOut(Struct, frozen=True, kw_only=True):
    """Something that could not be collected, or not all of it."""

    name: str
    reason: str


class BundleOut(Struct, frozen=True, kw_only=True):
    """A bundle that was made and is kept on this terminal."""

    bundle_id: str
    file: str
    """A name to store it under."""
    made_at: datetime
    size_bytes: int
    sha256: str
    """Of the whole file, in hexadecimal."""
    pieces: int
    members: list[str]
    """Files in it; sizes and hashes stand in its manifest.json."""
    failed: list[BundleFailureOut]
    removed_cards: int
    """Places that looked like card numbers, taken out."""
    removed_secrets: int
    """Keys, passwords and tokens, taken out."""


class BundlePieceOut(Struct, frozen=True, kw_only=True):
    """Some bytes of it."""

    data: str
    """In base64."""
    last: bool


BUNDLE: tuple[Operation, ...] = (
    Operation(
        name="bundle",
        method="POST",
        path="/v1/bundles",
        roles=(Role.TECHNICIAN,),
        summary="Make a support bundle: verdict, status, health and its history, backlog, "
        "configuration with secrets masked, logs, versions; no card data, no keys, no payloads. "
        "The newest few are kept on this terminal.",
        arguments=Nothing,
        result=BundleOut,
        audited=True,
        problems=("bundle.failed",),
    ),
    Operation(
        name="bundle_piece",
        method="GET",
        path="/v1/bundles/{bundle_id}/{number}",
        roles=(Role.TECHNICIAN,),
        summary="A piece of a bundle that is kept.",
        arguments=BundlePieceArgs,
        result=BundlePieceOut,
        problems=("request.bad_field", "bundle.unknown"),
    ),
)
