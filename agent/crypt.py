"""Sealing at rest: a key ring, a key of its own for every record, nothing derived from a counter.

A payload is sealed under a random key of its own with XChaCha20-Poly1305, and that key is wrapped
by the newest key of the ring. Rotation wraps the small keys again and leaves the payloads alone;
destroying a wrapped key destroys the payload for whoever has only the flash. Nonces are random,
192 bits wide: a counter kept in the database would be issued again after a power cut or a restore
(delivery facts, section 5). This file decides what is bound to what and what a key file must look
like. It knows no rows.

libsodium is called as PyNaCl binds it, below its Python layer: the layer takes 3 MB of the daemon
where the library itself takes 0.6, and twice the time (docs/decisions.md).
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from nacl._sodium import ffi, lib  # type: ignore[import-not-found]

from agent.durable import replaced, sync_directory
from agent.errors import HardwareError, OperatorError
from agent.record import dataclass

log = logging.getLogger(__name__)

KEY_BYTES = 32
NONCE_BYTES = 24
TAG_BYTES = 16
#: What sealing adds to a payload, and what a wrapped key takes.
OVERHEAD_BYTES = NONCE_BYTES + TAG_BYTES
WRAPPED_BYTES = KEY_BYTES + OVERHEAD_BYTES

if lib.sodium_init() < 0:
    raise ImportError("libsodium does not start")

_encrypt = lib.crypto_aead_xchacha20poly1305_ietf_encrypt
_decrypt = lib.crypto_aead_xchacha20poly1305_ietf_decrypt
_new, _buffer, _NULL = ffi.new, ffi.buffer, ffi.NULL


class TamperedError(Exception):
    """The bytes are not what was sealed, or not for this record."""


def seal(key: bytes, plain: bytes, bound_to: bytes) -> bytes:
    """Nonce and ciphertext. `bound_to` must be the same when it is opened."""
    return _sealed(key, os.urandom(NONCE_BYTES), plain, bound_to)


def unseal(key: bytes, sealed: bytes, bound_to: bytes) -> bytes:
    """The plain bytes. Raises TamperedError."""
    size = len(sealed) - OVERHEAD_BYTES
    if size < 0:
        raise TamperedError("too short to be sealed")
    nonce, text = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    plain = _new("unsigned char[]", max(size, 1))
    if _decrypt(plain, _NULL, _NULL, text, len(text), bound_to, len(bound_to), nonce, key):
        raise TamperedError("not what was sealed here")
    return bytes(_buffer(plain, size))


def _sealed(key: bytes, nonce: bytes, plain: bytes, bound_to: bytes) -> bytes:
    size = len(plain) + TAG_BYTES
    text = _new("unsigned char[]", size)
    if _encrypt(
        text, _NULL, plain, len(plain), bound_to, len(bound_to), _NULL, nonce, key
    ):  # pragma: no cover - only for more than 256 GiB
        raise ValueError("too much to be sealed at once")
    return nonce + bytes(_buffer(text, size))


#: Of an Ed25519 signature, its public key, and the seed of its secret one.
SIGNATURE_BYTES = 64
PUBLIC_BYTES = 32
SEED_BYTES = 32


def signed_by(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether this is the signature of these very bytes by the owner of `public` (Ed25519)."""
    if len(public) != PUBLIC_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    signed = signature + message
    room, size = _new("unsigned char[]", len(signed)), _new("unsigned long long *")
    wrong = lib.crypto_sign_open(room, size, signed, len(signed), public)
    return not wrong


def sign(seed: bytes, message: bytes) -> bytes:
    """The signature of `message`. ValueError for a seed that is none."""
    secret = _signing_pair(seed)[1]
    room = _new("unsigned char[]", SIGNATURE_BYTES + len(message))
    if lib.crypto_sign(room, _new("unsigned long long *"), message, len(message), secret):
        raise ValueError("libsodium does not sign")
    return bytes(_buffer(room, SIGNATURE_BYTES))


def public_of(seed: bytes) -> bytes:
    """The public key that belongs to a seed. ValueError for a seed that is none."""
    return _signing_pair(seed)[0]


#: Of the salt that a passphrase is stretched with.
SALT_BYTES = 16


def stretched(passphrase: bytes, salt: bytes, passes: int, memory_bytes: int) -> bytes:
    """A key made of a passphrase (Argon2id). ValueError where libsodium cannot; never in a daemon.

    It takes as much memory and time as asked for: that is its point.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes")
    key = _new("unsigned char[]", KEY_BYTES)
    kind = lib.crypto_pwhash_alg_argon2id13()
    if lib.crypto_pwhash(
        key, KEY_BYTES, passphrase, len(passphrase), salt, passes, memory_bytes, kind
    ):
        raise ValueError("libsodium cannot stretch this passphrase: is there memory?")
    return bytes(_buffer(key, KEY_BYTES))


def _signing_pair(seed: bytes) -> tuple[bytes, bytes]:
    if len(seed) != SEED_BYTES:
        raise ValueError(f"a signing seed has {SEED_BYTES} bytes")
    public, secret = _new("unsigned char[]", PUBLIC_BYTES), _new("unsigned char[]", 64)
    if lib.crypto_sign_seed_keypair(public, secret, seed):
        raise ValueError("libsodium makes no keys of this seed")
    return bytes(_buffer(public, PUBLIC_BYTES)), bytes(_buffer(secret, 64))


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
        self.newest = max(keys)

    @property
    def ids(self) -> frozenset[int]:
        return frozenset(self._keys)

    @property
    def keys(self) -> Mapping[int, bytes]:
        """For the key file only."""
        return self._keys

    def fresh(self, bound_to: bytes) -> tuple[bytes, SealedKey]:
        """A new record's key, and the same wrapped for the row."""
        drawn = os.urandom(KEY_BYTES + NONCE_BYTES)
        key, key_id = drawn[:KEY_BYTES], self.newest
        wrapped = _sealed(self._keys[key_id], drawn[KEY_BYTES:], key, _bound(key_id, bound_to))
        return key, SealedKey(key_id=key_id, wrapped=wrapped)

    def unwrap(self, sealed: SealedKey, bound_to: bytes) -> bytes:
        """The record's key. Raises TamperedError, or OperatorError for a key the ring lacks."""
        return unseal(self._key(sealed.key_id), sealed.wrapped, _bound(sealed.key_id, bound_to))

    def rewrap(self, sealed: SealedKey, bound_to: bytes) -> SealedKey:
        """The same record's key under the newest key of the ring."""
        key, key_id = self.unwrap(sealed, bound_to), self.newest
        wrapped = seal(self._keys[key_id], key, _bound(key_id, bound_to))
        return SealedKey(key_id=key_id, wrapped=wrapped)

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
    """The ring in a file of the agent's own, 0600, in two copies that are replaced one by one.

    The copies add up: whichever was written last before a power cut, no key is lost, and a ring
    that is put back from a backup does not hide a key that was made since. `unwrap` is the seam for
    firmware that keeps the file wrapped (a TPM, a keystore): it turns the bytes of the file into
    the ring's JSON.
    """

    def __init__(self, path: Path, unwrap: Callable[[bytes], bytes] | None = None) -> None:
        self.path = path
        self._unwrap = unwrap

    @property
    def copies(self) -> tuple[Path, Path]:
        """Where the ring lies, twice."""
        return self.path, self.path.with_name(self.path.name + ".copy")

    def read(self) -> KeyRing | None:
        """The ring, or None where there is none. Raises OperatorError for a file others can read,
        HardwareError where the firmware does not unwrap it."""
        found, _ = self._found()
        return KeyRing(found) if found else None

    def load(self, after: int = 0) -> tuple[KeyRing, bool]:
        """The ring, and whether it had to be made; its first key gets a number above `after`.

        Copies that differ or are missing are written again.
        """
        found, whole = self._found()
        if not found:
            self._writable()
            return self._save({after + 1: os.urandom(KEY_BYTES)}), True
        if not whole and self._unwrap is None:
            try:
                self._save(found)
            except OSError as error:  # full, or read-only: the keys are known all the same
                log.warning("event=key_copy_not_written reason=%r", error.strerror)
        return KeyRing(found), False

    def rotate(self, ring: KeyRing, after: int = 0) -> KeyRing:
        """A ring with one more key. The old ones stay until no row names them."""
        self._writable()
        return self._save({**ring.keys, max(ring.newest, after) + 1: os.urandom(KEY_BYTES)})

    def put(self, keys: Mapping[int, bytes]) -> KeyRing:
        """A ring that was kept elsewhere."""
        self._writable()
        return self._save(keys)

    def forget(self, ring: KeyRing, *key_ids: int) -> KeyRing:
        """The ring without keys nothing is wrapped by any more."""
        self._writable()
        if ring.newest in key_ids:
            raise OperatorError("keys.newest", "the newest key is in use")
        return self._save({i: key for i, key in ring.keys.items() if i not in key_ids})

    def _writable(self) -> None:
        if self._unwrap is not None:
            raise OperatorError(
                "keys.vendor", "these keys belong to the firmware", "make and rotate them there"
            )

    def _found(self) -> tuple[dict[int, bytes], bool]:
        """All keys of both copies, and whether both say the same."""
        if self._unwrap is not None:
            raw = _owned(self.path)
            return (self._unwrapped(raw) if raw is not None else {}), True
        read = [self._copy(path) for path in self.copies]
        merged: dict[int, bytes] = {}
        for path, keys in zip(self.copies, read, strict=True):
            for number, key in (keys or {}).items():
                if merged.setdefault(number, key) != key:
                    log.error("event=key_differs path=%s key=%s", path, number)
                    _put_aside(path)
                    break
        return merged, all(keys == merged for keys in read)

    def _copy(self, path: Path) -> dict[int, bytes] | None:
        raw = _owned(path)
        if raw is None:
            return None
        keys = _decoded(raw)
        if keys is None:
            log.error("event=key_file_damaged path=%s", path)
            _put_aside(path)
        return keys

    def _unwrapped(self, raw: bytes) -> dict[int, bytes]:
        assert self._unwrap is not None
        try:
            keys = _decoded(self._unwrap(raw))
        except OSError as error:
            raise HardwareError("keys.unwrap", f"the key store does not open: {error}") from error
        if keys is None:
            raise HardwareError("keys.unwrap", "what the key store gave is not a key ring")
        return keys

    def _save(self, keys: Mapping[int, bytes]) -> KeyRing:
        text = _encoded(keys)
        for path in self.copies:
            replaced(path, text)
        return KeyRing(keys)


def _owned(path: Path) -> bytes | None:
    """The bytes of a file that is nobody else's. None: there is none. Raises OperatorError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OperatorError("keys.file", f"cannot read {path}: {error.strerror}") from error
    try:
        _nobody_elses(path, os.fstat(fd))
        return os.read(fd, 65_536)
    finally:
        os.close(fd)


def _nobody_elses(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OperatorError("keys.file", f"{path} is not a file", "put the key ring there")
    if os.geteuid() not in (0, status.st_uid) and status.st_uid != 0:
        raise OperatorError(
            "keys.file",
            f"{path} belongs to user {status.st_uid}",
            "whoever owns it may know the keys: give it to the agent's user, then rotate them",
        )
    if status.st_mode & 0o077:
        raise OperatorError(
            "keys.file",
            f"{path} can be read by others (mode {stat.S_IMODE(status.st_mode):04o})",
            f"chmod 0600 {path}, then rotate the keys: treat them as known",
        )


def _put_aside(path: Path) -> None:
    """Out of the way of the next writing, and kept: a key may still be read out of it."""
    for number in range(1, 100):
        aside = path.with_name(f"{path.name}.bad{number}")
        if not aside.exists():
            try:
                path.rename(aside)
                sync_directory(path.parent)
            except OSError as error:
                log.warning("event=key_file_not_moved path=%s reason=%r", path, error.strerror)
            return


def _encoded(keys: Mapping[int, bytes]) -> bytes:
    ring = {str(number): key.hex() for number, key in sorted(keys.items())}
    return json.dumps({**ring, "sum": _sum(ring.items())}).encode("ascii")


def _decoded(raw: bytes) -> dict[int, bytes] | None:
    """None for what is no key ring. One bit of a key that is another would pass for tampering with
    every payload; the sum says where the damage is."""
    try:
        ring = json.loads(raw)
        written = ring.pop("sum", None)
        keys = {int(number): bytes.fromhex(key) for number, key in ring.items()}
        if written is not None and written != _sum(ring.items()):
            return None
    except (ValueError, AttributeError, TypeError):
        return None
    if not keys or any(
        len(key) != KEY_BYTES or not 0 < number < 2**31 for number, key in keys.items()
    ):
        return None
    return keys


def _sum(ring: Iterable[tuple[str, str]]) -> str:
    return hashlib.blake2b(repr(sorted(ring)).encode(), digest_size=8).hexdigest()
