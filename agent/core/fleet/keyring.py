"""Whose signature counts: configured keys and those the fleet taught, less what was revoked.

Decides what a ring may become; it checks no signature and keeps nothing. A revocation is for ever:
neither the id nor the bytes of a revoked key come back, whoever names them. Called by
`telemetry.orders.keys`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from agent.core.fleet.commands import Key, Role
from agent.record import dataclass

MOST_KEYS = 8
MOST_REVOKED = 256


class RingError(ValueError):
    """This ring must not be; the text is a stable word."""


def digest_of(public: bytes) -> str:
    """By what a revoked key is known."""
    return hashlib.blake2b(public, digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """What the fleet said about keys, as it is kept."""

    keys: tuple[Key, ...] = ()
    revoked: frozenset[str] = frozenset()  #: ids
    revoked_digests: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """Configured and taught keys together."""

    configured: tuple[Key, ...] = ()
    taught: Taught = Taught()

    @property
    def keys(self) -> Mapping[str, Key]:
        """By id. What the fleet taught goes before what is configured under the same id."""
        told = self.taught
        found: dict[str, Key] = {}
        digests: set[str] = set()
        for key in (*told.keys, *self.configured):
            digest = digest_of(key.public)
            if key.key_id in told.revoked or digest in told.revoked_digests:
                continue
            if key.key_id in found or digest in digests or len(found) == MOST_KEYS:
                continue  # one key, one id: else its commands could be taken once under each
            found[key.key_id] = key
            digests.add(digest)
        return found

    def known(self, key_id: str) -> Key | None:
        return self.keys.get(key_id)

    def revoked(self, key_id: str) -> bool:
        return key_id in self.taught.revoked

    def replaced(self, keys: Sequence[Key], revoked: Iterable[str], by: str) -> Ring:
        """The ring after an `administer` key said so. Raises RingError and changes nothing.

        `keys` take the place of those taught before; what was revoked stays revoked.
        """
        signer = self.known(by)
        if signer is None or not signer.may(Role.ADMINISTER):
            raise RingError("not_allowed")
        gone = self.taught.revoked | frozenset(revoked)
        every = {**{key.key_id: key for key in self.configured}, **self.keys}
        digests = self.taught.revoked_digests | {
            digest_of(every[key_id].public) for key_id in gone if key_id in every
        }
        for key in keys:
            if key.key_id in gone or digest_of(key.public) in digests:
                raise RingError("key_revoked")
        names = {key.key_id for key in keys}
        if len(names) < len(keys) or len({key.public for key in keys}) < len(keys):
            raise RingError("key_twice")
        if len(names) > MOST_KEYS or len(gone) > MOST_REVOKED:
            raise RingError("too_many_keys")
        after = Ring(
            configured=self.configured,
            taught=Taught(keys=tuple(keys), revoked=gone, revoked_digests=frozenset(digests)),
        )
        if not any(key.may(Role.ADMINISTER) for key in after.keys.values()):
            raise RingError("last_administrator")
        return after
