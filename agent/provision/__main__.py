"""`python -m agent.provision request|accept|for_page`: a document in on stdin, one out on stdout.

`request` makes a key, lays it beside the one in force as `<key_file>.pending` and tells the
certificate request for it; the key itself never leaves this process but into that file. `accept`
looks at the certificate that came back and, if it is the one asked for, lays both beside the pair
in force as `<file>.new`, the certificate last: a pair is complete or not there. Who shows it to the
broker and when the old one goes is `agent.telemetry.credentials`' business. `for_page` makes a pair
for one opening of the service listener. Called by `agent.telemetry.renewal` and
`agent.main.listeners`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from agent.durable import replaced, sync_directory

MAX_BYTES = 65_536
MAX_CHAIN = 4
#: The issuer's clock may be ahead of ours.
SLACK = timedelta(hours=1)
PENDING, NEW = ".pending", ".new"
_PUBLIC = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


class ProvisionError(Exception):
    """It cannot be done; the text is a stable word."""


def request(told: Mapping[str, Any]) -> dict[str, Any]:
    """A new key on disk, and the request that belongs to it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, str(told["tenant"])),
            x509.NameAttribute(NameOID.COMMON_NAME, str(told["device_id"])),
        ]
    )
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    replaced(
        Path(str(told["key_file"]) + PENDING),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
    return {"csr": made.public_bytes(serialization.Encoding.PEM).decode("ascii")}


def accept(told: Mapping[str, Any]) -> dict[str, Any]:
    """The certificate that was asked for, laid down with its key."""
    pending = Path(str(told["key_file"]) + PENDING)
    chain_pem = str(told["chain"]).encode()
    try:
        key_pem = pending.read_bytes()
    except FileNotFoundError:
        raise ProvisionError("nothing_requested") from None
    key = serialization.load_pem_private_key(key_pem, password=None)
    chain = _certificates(chain_pem, "not_a_certificate")
    leaf = chain[0]
    if leaf.public_key().public_bytes(*_PUBLIC) != key.public_key().public_bytes(*_PUBLIC):
        raise ProvisionError("another_key")
    _named(leaf, str(told["device_id"]))
    _timely(leaf, told.get("now_ms"))
    if told.get("ca_file"):
        _issued(chain, _certificates(Path(str(told["ca_file"])).read_bytes(), "ca_unreadable"))
    new_cert = Path(str(told["cert_file"]) + NEW)
    new_key = Path(str(told["key_file"]) + NEW)
    # Never an older certificate beside this key, nor this one without it.
    new_cert.unlink(missing_ok=True)
    sync_directory(new_cert.parent)
    replaced(new_key, key_pem)
    replaced(new_cert, chain_pem)
    pending.unlink(missing_ok=True)
    return {"expires_ts": int(leaf.not_valid_after_utc.timestamp() * 1000)}


def for_page(told: Mapping[str, Any]) -> dict[str, Any]:
    """A key and a certificate for one opening of the page's service listener; kept nowhere.

    Browsers take no Ed25519 here, and the terminal's clock may be off by years: the dates are wide,
    the life of the key is the listener's.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "posagent page")])
    where = x509.IPAddress(ip_address(str(told["address"])))
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=300))
        .not_valid_after(now + timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([where]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return {
        "certificate": made.public_bytes(serialization.Encoding.PEM).decode("ascii"),
        "key": key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode("ascii"),
    }


def _certificates(pem: bytes, word: str) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise ProvisionError(word) from None
    return found


def _named(leaf: x509.Certificate, device_id: str) -> None:
    names = [one.value for one in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names != [device_id]:
        raise ProvisionError("another_name")
    try:
        uses = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if ExtendedKeyUsageOID.CLIENT_AUTH not in uses:
        raise ProvisionError("not_for_clients")


def _timely(leaf: x509.Certificate, now_ms: int | None) -> None:
    """Whether its time is now; a clock nobody vouches for is not asked."""
    if now_ms is None:
        return
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    if leaf.not_valid_before_utc > now + SLACK:
        raise ProvisionError("not_yet_valid")
    if leaf.not_valid_after_utc <= now:
        raise ProvisionError("already_expired")


def _issued(chain: Sequence[x509.Certificate], authorities: Sequence[x509.Certificate]) -> None:
    """Each by the next one, and the last by an authority this terminal trusts."""
    if len(chain) > MAX_CHAIN:
        raise ProvisionError("chain_too_long")
    for below, (one, issuer) in enumerate(pairwise(chain)):
        if not (_signs(issuer, below) and _by(one, issuer)):
            raise ProvisionError("chain_broken")
    if chain[-1] not in authorities and not any(_by(chain[-1], one) for one in authorities):
        raise ProvisionError("another_authority")


def _by(one: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        one.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _signs(one: x509.Certificate, below: int = 0) -> bool:
    """Whether it may sign with so many authorities beneath it (RFC 5280, 4.2.1.3, 4.2.1.9)."""
    try:
        limits = one.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return False
    try:
        usage = one.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        usage = None
    deep = limits.path_length is not None and below > limits.path_length
    return limits.ca and not deep and (usage is None or usage.key_cert_sign)


def main(argv: Sequence[str]) -> int:
    """One request, with no more of the processor than is left over."""
    with suppress(OSError):  # a sandbox may forbid even that
        os.nice(10)
    works = {"request": request, "accept": accept, "for_page": for_page}
    return carried_out(works[argv[0]], MAX_BYTES)


def carried_out(work: Callable[[Mapping[str, Any]], Mapping[str, Any]], most_bytes: int) -> int:
    """From standard input to standard output; `problem` says what could not be done."""
    told = json.loads(sys.stdin.buffer.read(most_bytes))
    try:
        answer = work(told)
    except ProvisionError as error:
        answer = {"problem": str(error)}
    except OSError as error:
        answer = {"problem": "not_kept", "detail": error.strerror or ""}
    sys.stdout.write(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
