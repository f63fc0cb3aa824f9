"""The page's listeners, plugged together. Loaded by `agent.main.page` where [page] asks for one."""

from __future__ import annotations

import json
import os
import ssl
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.errors import OperatorError
from agent.main.floor import Floor
from agent.wire.problem import CODES, RequestError

if TYPE_CHECKING:
    from agent.local.door import Trail
    from agent.local.listeners import Certificate, Listeners
    from agent.local.sessions import Token

CHILD_S = 30.0
TOKEN_CHARS = 32


def listeners_of(floor: Floor, trail: Trail) -> Listeners:
    """The part. Raises OperatorError for a token file."""
    from agent.link.addresses import local
    from agent.local.listeners import Listeners

    config = floor.config.page
    return Listeners(
        config,
        clock=floor.clock,
        trail=trail,
        token=token_of(Path(config.token_file)) if config.token_file else _no_token(),
        certify=_Maker(floor),
        addresses=local,
    )


def _no_token() -> Token:
    from agent.local.sessions import Token

    return Token()


def token_of(file: Path) -> Token:
    """The secret in `file`, which only the agent may read; made where there is none."""
    from agent.local.sessions import Token

    if not file.exists() and not file.is_symlink():
        try:
            return Token(_made(file))
        except OSError as error:
            raise _unfit(file, f"cannot be made: {error.strerror}") from None
    try:
        fd = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _unfit(file, f"cannot be read: {error.strerror}") from None
    with os.fdopen(fd, "rb") as opened:
        told = os.fstat(fd)
        if not stat.S_ISREG(told.st_mode) or told.st_mode & 0o077:
            raise _unfit(file, "must be a file that only its owner can read (chmod 600)")
        if told.st_uid not in (0, os.geteuid()):
            raise _unfit(file, "belongs to somebody else")
        secret = opened.read(4096).decode("utf-8", "replace").strip()
    if len(secret) < TOKEN_CHARS:
        raise _unfit(file, f"holds fewer than {TOKEN_CHARS} characters")
    return Token(secret)


def _made(file: Path) -> str:
    secret = os.urandom(32).hex()
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w", encoding="ascii") as opened:
        opened.write(secret + "\n")
        opened.flush()
        os.fsync(fd)
    return secret


def _unfit(file: Path, why: str) -> OperatorError:
    return OperatorError(
        "page.token_file", f"[page] token_file {file} {why}",
        "Correct it, or remove it to have a new one made.",
    )  # fmt: skip


class _Maker:
    """Has a key and a certificate made by the program that knows how, for one opening."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    async def __call__(self, address: str) -> Certificate:
        told = json.dumps({"address": address}).encode()

        from agent.offload import HOME

        def run() -> subprocess.CompletedProcess[bytes]:
            return subprocess.run(
                [sys.executable, "-m", "agent.provision", "for_page"], cwd=HOME,
                input=told, capture_output=True, timeout=CHILD_S, check=False,
            )  # fmt: skip

        try:
            done = await self._floor.threads.call("page-certificate", run, CHILD_S + 5)
            answer: dict[str, Any] = json.loads(done.stdout)
            return self._loaded(str(answer["certificate"]), str(answer["key"]))
        except (OSError, ValueError, KeyError, TimeoutError, subprocess.TimeoutExpired) as error:
            raise RequestError(
                "page.no_certificate",
                f"no certificate could be made: {type(error).__name__}",
                hint=CODES["page.no_certificate"].hint,
            ) from None

    def _loaded(self, certificate: str, key: str) -> Certificate:
        """Through a file, because OpenSSL reads nothing else; it is gone before anyone connects."""
        import hashlib

        from agent.link.tls import server_context
        from agent.local.listeners import Certificate

        file = Path(self._floor.config.agent.run_dir) / f"page-{os.urandom(8).hex()}.pem"
        fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "w", encoding="ascii") as opened:
                opened.write(certificate + key)
            context = server_context(str(file))
        finally:
            file.unlink(missing_ok=True)
        shown = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()
        return Certificate(context=context, fingerprint=shown)
