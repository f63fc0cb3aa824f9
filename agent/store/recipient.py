"""The recovery key: who can open a backup that was made for any terminal.

A pair is made once, away from the terminals; they are given the public half, which carries a check
of its own, because a backup sealed to a mistyped key is sealed to nobody. PyNaCl's sealed boxes
(X25519, XSalsa20-Poly1305). Loaded only where a backup is made or restored.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Self

from agent.crypt import TamperedError
from agent.errors import OperatorError
from agent.record import dataclass

_PREFIX = "posr1-"
_SECRET = "posagent-recovery-secret-1 "
_FORM = re.compile(r"posr1-([0-9a-f]{64})-([0-9a-f]{8})")


@dataclass(frozen=True, slots=True)
class Recipient:
    """The public half."""

    public: bytes

    @classmethod
    def of(cls, text: str) -> Self:
        """Raises OperatorError for what is no recovery key, or a mistyped one."""
        found = _FORM.fullmatch(text.strip().lower())
        if found is None:
            raise OperatorError(
                "backup.bad_recipient", "that is no recovery key", "it looks like posr1-…"
            )
        one = cls(bytes.fromhex(found[1]))
        if one.text != found[0]:
            raise OperatorError("backup.bad_recipient", "the recovery key is mistyped")
        return one

    @property
    def text(self) -> str:
        """As it is given to people and configurations."""
        check = hashlib.blake2b(self.public, digest_size=4, person=b"pos/recovery").hexdigest()
        return f"{_PREFIX}{self.public.hex()}-{check}"


def box_to(recipient: Recipient, plain: bytes) -> bytes:
    """Sealed so that only the holder of the secret half can open it."""
    from nacl.bindings import crypto_box_seal

    return crypto_box_seal(plain, recipient.public)


def unbox(secret: bytes, box: bytes) -> bytes:
    """Raises TamperedError."""
    from nacl.bindings import crypto_box_seal_open, crypto_scalarmult_base
    from nacl.exceptions import CryptoError

    try:
        return crypto_box_seal_open(box, crypto_scalarmult_base(secret), secret)
    except (CryptoError, ValueError, TypeError):
        raise TamperedError("not sealed to this recovery key") from None


def generate(file: Path) -> Recipient:
    """A new pair: the secret half into `file`, for its owner only. Raises OperatorError."""
    from nacl.bindings import crypto_box_keypair

    public, secret = crypto_box_keypair()
    try:
        fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OperatorError(
            "backup.file", f"cannot write {file}: {(error.strerror or str(error)).lower()}"
        ) from error
    with os.fdopen(fd, "w", encoding="ascii") as out:
        out.write(f"{_SECRET}{secret.hex()}\n")
        out.flush()
        os.fsync(out.fileno())
    return Recipient(public)


def secret_of(file: Path) -> bytes:
    """The secret half from its file. Raises OperatorError."""
    try:
        text = file.read_text("ascii", errors="replace")
    except OSError as error:
        raise OperatorError(
            "backup.file", f"cannot read {file}: {(error.strerror or str(error)).lower()}"
        ) from error
    digits = text.removeprefix(_SECRET).strip()
    if not text.startswith(_SECRET) or not re.fullmatch("[0-9a-f]{64}", digits):
        raise OperatorError("backup.bad_key", f"{file} is no secret recovery key")
    return bytes.fromhex(digits)
