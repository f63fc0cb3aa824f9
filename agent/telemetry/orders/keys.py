"""The key ring on disk: what the fleet taught about keys, over what is configured.

The file is as private as the payments; what is in it is believed, for whoever can write there is
this agent. Where it cannot be read no key of the fleet counts but the revoked ones are not known
either: then none counts at all. Rules are `core.fleet.keyring`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from agent.blocking import Blocking
from agent.core.audit import Deed
from agent.core.fleet import KEYS_FILE
from agent.core.fleet.commands import Key, Role, actor
from agent.core.fleet.keyring import Ring, RingError, Taught
from agent.durable import replaced
from agent.errors import StoreError

log = logging.getLogger(__name__)

MAX_BYTES = 65_536
#: Of one writing of the file.
CALL_S = 10.0
#: Writes a line into the trail.
Note = Callable[[Deed], Awaitable[None]]


class KeyRing:
    """Whose signature counts now. `replace` is for whoever believed an administrator's word."""

    def __init__(
        self,
        configured: Sequence[Key],
        directory: Path,
        blocking: Blocking,
        note: Note | None = None,
    ) -> None:
        self._path = directory / KEYS_FILE
        self._blocking = blocking
        self._note = note
        taught = _read(self._path)
        self._ring = Ring(
            configured=() if taught is None else tuple(configured), taught=taught or Taught()
        )

    def known(self, key_id: str) -> Key | None:
        """The key of this id, if its signature counts."""
        return self._ring.known(key_id)

    def revoked(self, key_id: str) -> bool:
        """Whether it once counted and never will again."""
        return self._ring.revoked(key_id)

    @property
    def ids(self) -> tuple[str, ...]:
        """Of all keys that count."""
        return tuple(sorted(self._ring.keys))

    async def replace(self, keys: Sequence[Key], revoked: Iterable[str], by: str) -> None:
        """These keys take the place of those taught before; on disk when it returns.

        Raises RingError (a stable word) and StoreError; then nothing has changed.
        """
        after = self._ring.replaced(keys, revoked, by)
        if after == self._ring:
            return
        content = _written(after.taught)
        try:
            await self._blocking.call("fleet-keys", lambda: replaced(self._path, content), CALL_S)
        except OSError as error:  # TimeoutError is one
            raise StoreError("store.unavailable", f"cannot keep {self._path}: {error}") from error
        self._ring = after
        log.warning(
            "event=fleet_keys_replaced by=%s keys=%s revoked=%d",
            by, ",".join(self.ids), len(after.taught.revoked),
        )  # fmt: skip
        if self._note is not None:
            target = ",".join(self.ids)
            await self._note(Deed(actor=actor(by), op="fleet_keys", target=target))


def key_of(key_id: str, public: bytes, roles: Iterable[str]) -> Key:
    """A key from plain words. Raises ValueError."""
    if len(public) != 32:
        raise ValueError("a public key has 32 bytes")
    return Key(key_id=key_id, public=public, roles=frozenset(Role(role) for role in roles))


def _written(taught: Taught) -> bytes:
    plain = {
        "keys": [
            {"id": key.key_id, "public_key": key.public.hex(), "roles": sorted(key.roles)}
            for key in taught.keys
        ],
        "revoked": sorted(taught.revoked),
        "revoked_digests": sorted(taught.revoked_digests),
    }
    return json.dumps(plain, indent=1).encode() + b"\n"


def _read(path: Path) -> Taught | None:
    """What was taught; None: there is a file and nobody can tell what it said."""
    try:
        with path.open("rb") as file:
            plain: Any = json.loads(file.read(MAX_BYTES))
        return Taught(
            keys=tuple(
                key_of(str(one["id"]), bytes.fromhex(one["public_key"]), one["roles"])
                for one in plain["keys"]
            ),
            revoked=frozenset(map(str, plain["revoked"])),
            revoked_digests=frozenset(map(str, plain["revoked_digests"])),
        )
    except FileNotFoundError:
        return Taught()
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.critical("event=fleet_keys_unreadable path=%s reason=%s", path, type(error).__name__)
        return None


__all__ = ["KeyRing", "RingError", "key_of"]
