"""Sealing at rest: a key ring, a key of its own for every record, nothing derived from a counter.

A payload is sealed under a random key of its own with XChaCha20-Poly1305, and that key is wrapped
by the newest key of the ring. Rotation wraps the small keys again and leaves the payloads alone;
destroying a wrapped key destroys the payload for whoever has only the flash. Nonces are random,
192 bits wide: a counter kept in the database would be issued again after a power cut or a restore
(delivery facts, section 5). PyNaCl (libsodium) does the work; this file decides what is bound to
what. It knows no rows and no files but its own.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_ABYTES as TAG_BYTES,
)
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt as _open,
)
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_encrypt as _seal,
)
from nacl.exceptions import CryptoError

from agent.errors import HardwareError, OperatorError

KEY_BYTES = 32
NONCE_BYTES = 24
#: What sealing adds to a payload, and what a wrapped key takes.
OVERHEAD_BYTES = NONCE_BYTES + TAG_BYTES
WRAPPED_BYTES = KEY_BYTES + OVERHEAD_BYTES


class TamperedError(Exception):
    """The bytes are not what was sealed, or not for this record."""


def seal(key: bytes, plain: bytes, bound_to: bytes) -> bytes:
    """Nonce and ciphertext. `bound_to` must be the same when it is opened."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + _seal(plain, bound_to, nonce, key)


def unseal(key: bytes, sealed: bytes, bound_to: bytes) -> bytes:
    """The plain bytes. Raises TamperedError."""
    if len(sealed) < OVERHEAD_BYTES:
        raise TamperedError("too short to be sealed")
    try:
        return _open(sealed[NONCE_BYTES:], bound_to, sealed[:NONCE_BYTES], key)
    except CryptoError:
        raise TamperedError("not what was sealed here") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedKey:
    """A record's own key, wrapped by key `key_id` of the ring."""

    key_id: int
    wrapped: bytes


class KeyRing:
    """The keys of this terminal, by number; new records use the newest."""

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        if not keys:
            raise OperatorError("keys.empty", "the key ring holds no key")
        self._keys = dict(keys)

    @property
    def newest(self) -> int:
        return max(self._keys)

    @property
    def ids(self) -> frozenset[int]:
        return frozenset(self._keys)

    def fresh(self, bound_to: bytes) -> tuple[bytes, SealedKey]:
        """A new record's key, and the same wrapped for the row."""
        key = secrets.token_bytes(KEY_BYTES)
        return key, self._wrap(key, bound_to)

    def unwrap(self, sealed: SealedKey, bound_to: bytes) -> bytes:
        """The record's key. Raises TamperedError, or OperatorError for a key the ring lacks."""
        return unseal(self._key(sealed.key_id), sealed.wrapped, _bound(sealed.key_id, bound_to))

    def rewrap(self, sealed: SealedKey, bound_to: bytes) -> SealedKey:
        """The same record's key under the newest key of the ring."""
        return self._wrap(self.unwrap(sealed, bound_to), bound_to)

    def _wrap(self, key: bytes, bound_to: bytes) -> SealedKey:
        key_id = self.newest
        return SealedKey(
            key_id=key_id, wrapped=seal(self._keys[key_id], key, _bound(key_id, bound_to))
        )

    def _key(self, key_id: int) -> bytes:
        try:
            return self._keys[key_id]
        except KeyError:
            raise OperatorError(
                "keys.missing",
                f"key {key_id} is not on this terminal",
                "restore the key ring from its backup: without it these payloads cannot be sent",
            ) from None


def _bound(key_id: int, bound_to: bytes) -> bytes:
    return key_id.to_bytes(4, "big") + bound_to


class KeyFile:
    """The ring in a file of the agent's own, 0600, replaced as a whole.

    `unwrap` is the seam for firmware that keeps the file wrapped (a TPM, a keystore): it turns the
    bytes of the file into the ring's JSON.
    """

    def __init__(self, path: Path, unwrap: Callable[[bytes], bytes] | None = None) -> None:
        self._path = path
        self._unwrap = unwrap

    def load(self) -> tuple[KeyRing, bool]:
        """The ring, and whether it had to be made. Raises OperatorError, HardwareError."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return self._save({1: secrets.token_bytes(KEY_BYTES)}), True
        except OSError as error:
            raise OperatorError(
                "keys.file", f"cannot read {self._path}: {error.strerror}"
            ) from error
        with os.fdopen(fd, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(65_536)
        if mode & 0o077:
            raise OperatorError(
                "keys.file",
                f"{self._path} can be read by others (mode {stat.S_IMODE(mode):04o})",
                f"chmod 0600 {self._path}, then rotate the keys: treat them as known",
            )
        return KeyRing(self._decoded(raw)), False

    def rotate(self, ring: KeyRing) -> KeyRing:
        """A ring with one more key. The old ones stay until no row names them."""
        self._writable()
        return self._save({**ring._keys, ring.newest + 1: secrets.token_bytes(KEY_BYTES)})  # noqa: SLF001

    def forget(self, ring: KeyRing, key_id: int) -> KeyRing:
        """The ring without a key nothing is wrapped by any more."""
        self._writable()
        if key_id == ring.newest:
            raise OperatorError("keys.newest", "the newest key is in use")
        return self._save({i: key for i, key in ring._keys.items() if i != key_id})  # noqa: SLF001

    def _writable(self) -> None:
        if self._unwrap is not None:
            raise OperatorError(
                "keys.vendor", "these keys belong to the firmware", "rotate them there"
            )

    def _decoded(self, raw: bytes) -> dict[int, bytes]:
        if self._unwrap is not None:
            try:
                raw = self._unwrap(raw)
            except OSError as error:
                raise HardwareError(
                    "keys.unwrap", f"the key store does not open: {error}"
                ) from error
        try:
            keys = {int(number): bytes.fromhex(key) for number, key in json.loads(raw).items()}
        except (ValueError, AttributeError):
            keys = {}
        if not keys or any(len(key) != KEY_BYTES for key in keys.values()):
            raise OperatorError(
                "keys.file",
                f"{self._path} is not a key ring",
                "restore it from its backup: without it stored payloads cannot be sent",
            )
        return keys

    def _save(self, keys: Mapping[int, bytes]) -> KeyRing:
        beside = self._path.with_name(self._path.name + ".new")
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="ascii") as file:
            json.dump({str(number): key.hex() for number, key in sorted(keys.items())}, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return KeyRing(keys)
