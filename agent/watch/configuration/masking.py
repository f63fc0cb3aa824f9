"""What stands for a secret where people look: a short digest under this terminal's own key.

The same secret has the same digest on one terminal and another on the next, so that nobody can look
a short password up in a table. The key lies in the state directory; where it cannot be kept, one of
this run serves. Blocking; first called on a thread.
"""

from __future__ import annotations

import hmac
import os
from pathlib import Path

from agent.durable import replaced

KEY_BYTES = 32
SHOWN = 8


class Masking:
    """The digests of one terminal."""

    def __init__(self, state_dir: Path) -> None:
        self._file = state_dir / "digest.key"
        self._key = b""

    def __call__(self, secret: str) -> str:
        if not self._key:
            self._key = self._kept() or os.urandom(KEY_BYTES)
        raw = secret.encode("utf-8", "surrogatepass")
        return hmac.new(self._key, raw, "sha256").hexdigest()[:SHOWN]

    def _kept(self) -> bytes:
        try:
            key = self._file.read_bytes()
            if len(key) == KEY_BYTES:
                return key
        except OSError:
            key = b""
        fresh = os.urandom(KEY_BYTES)
        try:
            replaced(self._file, fresh)
        except OSError:
            return b""
        return fresh
