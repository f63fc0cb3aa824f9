"""Certificates of the lab: one authority, and every way in which one of them can be wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST_NAME = "acquirer.test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Certificate chain and key, as files."""

    cert: Path
    key: Path


class Certificates:
    """Files below `home`, made when they are first asked for."""

    def __init__(self, home: Path) -> None:
        self._home = home
        home.mkdir(parents=True, exist_ok=True)
        self._ca = trustme.CA(organization_name="Lab Acquirer CA")
        self._strange = trustme.CA(organization_name="Shop Proxy CA")
        self.ca = home / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.ca))
        self.strange_ca = home / "strange-ca.pem"
        self._strange.cert_pem.write_to_path(str(self.strange_ca))

    def host(self, kind: str) -> Pair:
        """`good`, `expired`, `early`, `wrong_ca` (as an intercepting proxy shows it), `wrong_name`,
        `old_authority` (its authority has expired)."""
        now = datetime.now(UTC)
        authority, name = self._ca, HOST_NAME
        begins, ends = now - timedelta(days=30), now + timedelta(days=300)
        match kind:
            case "expired":
                begins, ends = now - timedelta(days=60), now - timedelta(days=2)
            case "early":
                begins, ends = now + timedelta(days=3), now + timedelta(days=300)
            case "wrong_ca":
                authority = self._strange
            case "wrong_name":
                name = "other.test"
            case "old_authority":
                return self._old()
            case _:
                pass
        return self._issued(authority, f"host-{kind}", name, begins, ends)

    def broker(self) -> Pair:
        """The fleet's broker."""
        now = datetime.now(UTC)
        begins, ends = now - timedelta(days=30), now + timedelta(days=300)
        return self._issued(self._ca, "broker", "broker.test", begins, ends)

    def client(self, kind: str) -> Pair:
        """`good`, `expired`, `strange` (of another authority)."""
        now = datetime.now(UTC)
        begins, ends = now - timedelta(days=30), now + timedelta(days=300)
        if kind == "expired":
            ends = now - timedelta(days=2)
        authority = self._strange if kind == "strange" else self._ca
        return self._issued(authority, f"client-{kind}", "terminal.test", begins, ends)

    def _issued(
        self, authority: trustme.CA, file: str, name: str, begins: datetime, ends: datetime
    ) -> Pair:
        pair = Pair(cert=self._home / f"{file}.pem", key=self._home / f"{file}.key")
        if not pair.cert.exists():
            made = authority.issue_cert(name, not_before=begins, not_after=ends)
            chain = b"".join(one.bytes() for one in made.cert_chain_pems)
            pair.key.write_bytes(made.private_key_pem.bytes())
            pair.cert.write_bytes(chain)
        return pair

    def _old(self) -> Pair:
        """A chain whose authority expired; the authority is `old_ca`, trusted by the terminal."""
        pair = Pair(cert=self._home / "host-old.pem", key=self._home / "host-old.key")
        if pair.cert.exists():
            return pair
        now = datetime.now(UTC)
        ca_key, key = (
            ec.generate_private_key(ec.SECP256R1()),
            ec.generate_private_key(ec.SECP256R1()),
        )
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Lab Old CA")])
        ca = (
            x509.CertificateBuilder(issuer, issuer, ca_key.public_key(), 1)
            .not_valid_before(now - timedelta(days=900))
            .not_valid_after(now - timedelta(days=5))
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .sign(ca_key, hashes.SHA256())
        )
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST_NAME)])
        leaf = (
            x509.CertificateBuilder(issuer, subject, key.public_key(), 2)
            .not_valid_before(now - timedelta(days=10))
            .not_valid_after(now + timedelta(days=100))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST_NAME)]), critical=False)
            .sign(ca_key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        self.old_ca.write_bytes(ca.public_bytes(pem))
        pair.key.write_bytes(
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        pair.cert.write_bytes(leaf.public_bytes(pem))
        return pair

    @property
    def old_ca(self) -> Path:
        return self._home / "old-ca.pem"
