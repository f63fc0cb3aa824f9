"""`python -m agent.provision.factory prepare|install`: a document in on stdin, one out on stdout.

For a terminal that is set up, without a network: `prepare` tells the request for a key that it
makes at most once, `install` puts the certificate that came back in force with its key, or beside
the pair in force, where the daemon shows it to the broker first. Both may be cut off anywhere and
asked again. The key leaves this process only into its own file, for its owner alone. Called by
`agent.cli.provision`.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent.durable import sync_directory
from agent.provision.__main__ import (
    _PUBLIC,
    MAX_BYTES,
    NEW,
    PENDING,
    ProvisionError,
    _certificates,
    _issued,
    _named,
    _signs,
    _timely,
    carried_out,
)


def prepare(told: Mapping[str, Any]) -> dict[str, Any]:
    """The request for this device id: of the key that waits, or of a new one."""
    if (in_force := _in_force(told)) is not None:
        return {"state": "in_force", **in_force}
    pending = Path(str(told["key_file"]) + PENDING)
    key = _key(pending)
    made = key is None
    if key is None:
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        owned(pending, pem, told.get("owner"))
    names = (
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, str(told["tenant"])),
        x509.NameAttribute(NameOID.COMMON_NAME, str(told["device_id"])),
    )
    subject = x509.Name(names)
    if before := _same_request(told.get("csr"), key, subject):
        return {"state": "unchanged", "csr": before}
    signed = x509.CertificateSigningRequestBuilder().subject_name(subject)
    csr = signed.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return {"state": "made" if made else "told_again", "csr": csr.decode("ascii")}


def install(told: Mapping[str, Any]) -> dict[str, Any]:
    """The certificate in force with its key; nothing is touched where it is refused."""
    cert_file, key_file = Path(str(told["cert_file"])), Path(str(told["key_file"]))
    chain_pem = str(told["chain"]).encode()
    chain = _certificates(chain_pem, "not_a_certificate")
    leaf = chain[0]
    ca = None if told.get("ca") is None else str(told["ca"]).encode()
    trusted = ca if ca is not None else _read(told.get("ca_file"))
    if trusted is None:
        raise ProvisionError("no_authority")
    authorities = _certificates(trusted, "ca_unreadable")
    if not all(_signs(one) for one in authorities):
        raise ProvisionError("ca_unreadable")
    _named(leaf, str(told["device_id"]))
    _timely(leaf, told.get("now_ms"))
    _issued(chain, authorities)
    key, source = _key_of(leaf, key_file)
    before = _read(told.get("ca_file"))
    if ca is not None and before is not None and before != ca:
        raise ProvisionError("another_ca_in_place")
    expires = {"expires_ts": int(leaf.not_valid_after_utc.timestamp() * 1000)}
    changed = ca is not None and before is None
    if changed and ca is not None:
        owned(Path(str(told["ca_file"])), ca, told.get("owner"), 0o644)
    if source == key_file and _read(str(cert_file)) == chain_pem:
        Path(str(key_file) + PENDING).unlink(missing_ok=True)
        return {"state": "made" if changed else "unchanged", **expires}
    # A pair that works is replaced by the daemon, once the broker has taken the new one.
    beside = "" if _in_force(told) is None else NEW
    if beside:
        cert_file.with_name(cert_file.name + NEW).unlink(missing_ok=True)
    if source != key_file or beside:
        owned(key_file.with_name(key_file.name + beside), key, told.get("owner"))
    owned(cert_file.with_name(cert_file.name + beside), chain_pem, told.get("owner"), 0o644)
    Path(str(key_file) + PENDING).unlink(missing_ok=True)
    return {"state": "laid_beside" if beside else "made", **expires}


def owned(path: Path, content: bytes, owner: Any, mode: int = 0o600) -> None:
    """`path` holds exactly this for `owner` ([uid, gid]; None: us) when it returns."""
    beside = path.with_name(path.name + ".part")
    beside.unlink(missing_ok=True)
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb") as file:
        if owner is not None:
            os.fchown(fd, int(owner[0]), int(owner[1]))
        os.fchmod(fd, mode)
        file.write(content)
        file.flush()
        os.fsync(fd)
    beside.replace(path)
    sync_directory(path.parent)


def _in_force(told: Mapping[str, Any]) -> dict[str, Any] | None:
    """The pair that works for this device id already; None: there is none."""
    chain, key_file = _read(told["cert_file"]), Path(str(told["key_file"]))
    if chain is None or not key_file.exists():
        return None
    key = _key(key_file)
    with suppress(ProvisionError):
        leaf = _certificates(chain, "not_a_certificate")[0]
        _named(leaf, str(told["device_id"]))
        _timely(leaf, told.get("now_ms"))
        if key is not None and _public(leaf) == _public(key):
            return {"expires_ts": int(leaf.not_valid_after_utc.timestamp() * 1000)}
    return None


def _key_of(leaf: x509.Certificate, key_file: Path) -> tuple[bytes, Path]:
    """The key this certificate belongs to: the one in force, or the one that waits."""
    found = False
    for file in (key_file, Path(str(key_file) + PENDING)):
        key = _key(file)
        found = found or key is not None
        if key is not None and _public(key) == _public(leaf):
            return file.read_bytes(), file
    raise ProvisionError("another_key" if found else "nothing_requested")


def _public(one: Any) -> bytes:
    public: bytes = one.public_key().public_bytes(*_PUBLIC)
    return public


def _key(file: Path) -> Any:
    """The key in a file that nobody else can read; None: there is no file."""
    try:
        fd = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(fd, "rb") as opened:
        if stat.S_IMODE(os.fstat(fd).st_mode) & 0o077:
            raise ProvisionError("key_exposed")
        pem = opened.read(MAX_BYTES)
    try:
        return serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        raise ProvisionError("key_unreadable") from None


def _same_request(csr: Any, key: Any, subject: x509.Name) -> str:
    """The request that was told before, if it is for this key and name."""
    if not csr:
        return ""
    try:
        before = x509.load_pem_x509_csr(str(csr).encode())
    except ValueError:
        return ""
    same = _public(before) == _public(key) and before.subject == subject
    return str(csr) if same and before.is_signature_valid else ""


def _read(file: Any) -> bytes | None:
    try:
        return Path(str(file)).read_bytes()[:MAX_BYTES] if file else None
    except FileNotFoundError:
        return None


def main(argv: Sequence[str]) -> int:
    """One request; the answer has `problem` where it could not be done."""
    return carried_out({"prepare": prepare, "install": install}[argv[0]], 4 * MAX_BYTES)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
