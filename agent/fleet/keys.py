"""An operator's signing key: a file only its owner can read, and the numbers already used with it.

The number of a signed command grows with every one, across processes and power cuts: it is the
time, or one more than the last, and is on disk before it is used. A passphrase seals the seed
(Argon2id, XChaCha20-Poly1305). Decides nothing about what is signed. Called by the command line.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import json
import os
import re
import stat
from pathlib import Path
from typing import Any

from agent import crypt
from agent.durable import replaced
from agent.errors import OperatorError
from agent.record import dataclass

FORMAT = 1
KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
MAX_FILE_BYTES = 4_096
MAX_SEQ = 2**53 - 1
_BOUND_TO = b"posagent fleet signing key 1"
#: Argon2id as libsodium calls it "moderate": 256 MiB and three passes, 0.7 s on a small machine.
OPS, MEMORY_BYTES = 3, 268_435_456
#: A file may ask for no more than this of whoever opens it.
_MOST_OPS, _MOST_MEMORY = 16, 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Public:
    """What anybody may know of a key file."""

    key_id: str
    public: bytes
    sealed: bool
    last_seq: int


class Signer:
    """An opened key."""

    def __init__(self, path: Path, key_id: str, seed: bytes) -> None:
        self.key_id = key_id
        self.public = crypt.public_of(seed)
        self._path = path
        self._seed = seed

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature."""
        return crypt.sign(self._seed, message)

    def numbers(self, count: int, now_ms: int) -> int:
        """The first of `count` numbers nobody has used with this key. Raises OperatorError."""
        beside = _numbers_file(self._path)
        try:
            with beside.with_name(beside.name + ".lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                first = max(now_ms, _last(self._path) + 1)
                if first + count > MAX_SEQ:
                    raise OperatorError("fleet.seq", f"{beside}: the numbers are used up")
                replaced(beside, b"%d\n" % (first + count - 1))
        except OSError as error:
            raise OperatorError("fleet.seq", f"{beside}: {error.strerror}") from error
        return first


def new(path: Path, key_id: str, passphrase: bytes | None = None) -> Public:
    """Make a key file; never over another file. Raises OperatorError."""
    if not KEY_ID.fullmatch(key_id):
        raise OperatorError(
            "fleet.key_id", f"{key_id!r} is no key id", "letters, digits, . _ and -, at most 64"
        )
    seed = os.urandom(crypt.SEED_BYTES)
    public = crypt.public_of(seed)
    told: dict[str, Any] = {
        "posagent_signing_key": FORMAT,
        "key_id": key_id,
        "public_key": _text(public),
    }
    if passphrase is None:
        told["seed"] = _text(seed)
    else:
        salt = os.urandom(crypt.SALT_BYTES)
        key = crypt.stretched(passphrase, salt, OPS, MEMORY_BYTES)
        told["kdf"] = {"argon2id": [OPS, MEMORY_BYTES], "salt": _text(salt)}
        told["sealed"] = _text(crypt.seal(key, seed, _BOUND_TO))
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            json.dump(told, file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as error:
        hint = "choose another file: a key is never written over"
        raise OperatorError("fleet.key_file", f"{path} exists already", hint) from error
    except OSError as error:
        raise OperatorError("fleet.key_file", f"{path}: {error.strerror}") from error
    return Public(key_id=key_id, public=public, sealed=passphrase is not None, last_seq=0)


def show(path: Path) -> Public:
    """The public half; needs no passphrase. Raises OperatorError."""
    told = _read(path)
    return Public(
        key_id=told["key_id"],
        public=_bytes(path, told, "public_key"),
        sealed="sealed" in told,
        last_seq=_last(path),
    )


def sealed(path: Path) -> bool:
    """Whether a passphrase is needed. Raises OperatorError."""
    return "sealed" in _read(path)


def opened(path: Path, passphrase: bytes | None = None) -> Signer:
    """The key, to sign with. Raises OperatorError."""
    told = _read(path)
    if "sealed" not in told:
        seed = _bytes(path, told, "seed")
    else:
        if passphrase is None:
            raise OperatorError("fleet.passphrase", f"{path}: needs its passphrase", "--passphrase")
        seed = _unsealed(path, told, passphrase)
    try:
        signer = Signer(path, told["key_id"], seed)
    except ValueError as error:
        raise OperatorError("fleet.key_file", f"{path}: {error}") from error
    if signer.public != _bytes(path, told, "public_key"):
        raise OperatorError("fleet.key_file", f"{path}: its halves do not belong together")
    return signer


def _unsealed(path: Path, told: dict[str, Any], passphrase: bytes) -> bytes:
    kdf = told.get("kdf")
    cost = kdf.get("argon2id") if isinstance(kdf, dict) else None
    salt = _bytes(path, kdf if isinstance(kdf, dict) else {}, "salt")
    bounded = (
        isinstance(cost, list)
        and [type(each) for each in cost] == [int, int]
        and 1 <= cost[0] <= _MOST_OPS
        and 8_192 <= cost[1] <= _MOST_MEMORY
    )
    if not bounded or len(salt) != crypt.SALT_BYTES:
        raise OperatorError("fleet.key_file", f"{path}: is no signing key")
    assert isinstance(cost, list)
    try:
        key = crypt.stretched(passphrase, salt, cost[0], cost[1])
        return crypt.unseal(key, _bytes(path, told, "sealed"), _BOUND_TO)
    except crypt.TamperedError:
        raise OperatorError("fleet.passphrase", f"{path}: wrong passphrase") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            status = os.fstat(file.fileno())
            raw = file.read(MAX_FILE_BYTES)
    except OSError as error:
        raise OperatorError("fleet.key_file", f"{path}: {error.strerror}") from error
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise OperatorError("fleet.key_rights", f"{path}: others can read it", f"chmod 600 {path}")
    try:
        told = json.loads(raw)
    except (ValueError, RecursionError):
        told = None
    known = isinstance(told, dict) and told.get("posagent_signing_key") == FORMAT
    if not known or not KEY_ID.fullmatch(str(told.get("key_id"))):
        raise OperatorError("fleet.key_file", f"{path}: is no signing key")
    found: dict[str, Any] = told
    return found


def _last(path: Path) -> int:
    """The last number used. Raises OperatorError where it cannot be known."""
    beside = _numbers_file(path)
    try:
        told = beside.read_text("ascii").strip()
    except FileNotFoundError:
        return 0
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError("fleet.seq", f"{beside}: {error}") from error
    if not re.fullmatch(r"\d{1,16}", told):
        raise OperatorError("fleet.seq", f"{beside}: is no number")
    return int(told)


def _numbers_file(path: Path) -> Path:
    return path.with_name(path.name + ".seq")


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _bytes(path: Path, told: dict[str, Any], name: str) -> bytes:
    try:
        return base64.b64decode(str(told.get(name, "")), validate=True)
    except (binascii.Error, ValueError):
        raise OperatorError("fleet.key_file", f"{path}: {name} is not base64") from None
