"""Looking after the store from outside: what goes in and out of backups, and their rows in the API.

The bytes of a backup travel as base64 in small JSON pieces, so that a copy of a large journal needs
nothing that a payment does not. What is in them is sealed; only the store knows how.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from agent.wire.operation import Operation, Role

_STORE = ("store.full", "store.unavailable", "store.unknown")


class BackupArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Begin a backup; one that is under way ends."""

    recipient: Annotated[str, Meta(max_length=120)] = ""
    """Recovery key it is sealed to (`posr1-…`); empty: this terminal's own key ring."""
    hand_over: bool = False
    """This journal stops for good: another terminal goes on with what is restored from it."""


class BackupOut(Struct, frozen=True, kw_only=True):
    """A backup that has begun."""

    backup: str
    """Names it in the requests for its pieces."""
    data: str
    """The first bytes of the file, in base64."""


class PieceArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One more piece; the one given last may be asked for again."""

    backup: Annotated[str, Meta(pattern=r"^[0-9a-f]{16}$")]
    piece: Annotated[int, Meta(ge=0, le=100_000_000)]
    """Counted from 0."""


class PieceOut(Struct, frozen=True, kw_only=True):
    """More bytes of the file."""

    data: str
    last: bool
    """The file is complete with this piece."""
    records: int
    """Payments in it so far."""


CARE: tuple[Operation, ...] = (
    Operation(
        name="backup",
        method="POST",
        path="/v1/backup",
        roles=(Role.TECHNICIAN,),
        summary="Begin a sealed backup of the journal while it works; with hand_over this "
        "terminal stops sending and taking payments for good.",
        arguments=BackupArgs,
        result=BackupOut,
        disruptive=True,
        audited=True,
        problems=("request.bad_field", "backup.bad_recipient", "backup.no_key", *_STORE),
    ),
    Operation(
        name="backup_piece",
        method="POST",
        path="/v1/backup/pieces",
        roles=(Role.TECHNICIAN,),
        summary="The next piece of the backup that was begun last.",
        arguments=PieceArgs,
        result=PieceOut,
        problems=("request.bad_field", "request.missing_field", "backup.unknown", *_STORE),
    ),
)
