"""A sealed copy of the journal, piece by piece, for whoever asks for it."""

from __future__ import annotations

import base64
import logging

from agent.actions.ports import Ports
from agent.wire.care import BackupArgs, BackupOut, PieceArgs, PieceOut

log = logging.getLogger(__name__)


async def begin(ports: Ports, args: BackupArgs) -> BackupOut:
    """Begin one. A hand-over fences this journal before a byte of it is read."""
    begun = await ports.keeping().begin(args.recipient, hand_over=args.hand_over)
    log.warning(
        "event=backup_begun backup=%s hand_over=%s actor=%s",
        begun.backup_id, args.hand_over, ports.actor,
    )  # fmt: skip
    return BackupOut(backup=begun.backup_id, data=base64.b64encode(begun.head).decode())


async def piece(ports: Ports, args: PieceArgs) -> PieceOut:
    """The next bytes of it."""
    found = await ports.keeping().piece(args.backup, args.piece)
    return PieceOut(
        data=base64.b64encode(found.data).decode(), last=found.last, records=found.records
    )
