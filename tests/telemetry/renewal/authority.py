"""A fleet's own authority: signs what terminals request."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
PEM = serialization.Encoding.PEM


class Authority:
    """One of them, with its key."""

    def __init__(
        self,
        name: str = "fleet",
        issuer: Authority | None = None,
        *,
        below: int | None = None,
        signs: bool | None = None,
    ) -> None:
        """`below`: authorities it may have beneath it; `signs`: what its key usage says, if any."""
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        by = issuer or self
        made = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(by.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - DAY)
            .not_valid_after(NOW + 1000 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=below), critical=True)
        )
        if signs is not None:
            used = x509.KeyUsage(
                digital_signature=True, content_commitment=False, key_encipherment=False,
                data_encipherment=False, key_agreement=False, key_cert_sign=signs, crl_sign=False,
                encipher_only=False, decipher_only=False,
            )  # fmt: skip
            made = made.add_extension(used, critical=True)
        self.certificate = made.sign(by.key, hashes.SHA256())

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(PEM).decode()

    def issue(
        self,
        csr: str,
        *,
        name: str = "",
        use: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
        begins: datetime = NOW - DAY,
        ends: datetime = NOW + 89 * DAY,
        host: str = "localhost",
    ) -> str:
        asked = x509.load_pem_x509_csr(csr.encode())
        assert asked.is_signature_valid
        subject = asked.subject
        if name:
            subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(asked.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return made.public_bytes(PEM).decode()

    def pair(self, folder: Path, name: str, use: x509.ObjectIdentifier) -> tuple[Path, Path]:
        """Certificate and key of somebody, in files."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        asked = x509.CertificateSigningRequestBuilder().subject_name(subject)
        csr = asked.sign(key, hashes.SHA256()).public_bytes(PEM).decode()
        cert_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
        cert_file.write_text(self.issue(csr, use=use))
        private = serialization.PrivateFormat.PKCS8
        plain = key.private_bytes(PEM, private, serialization.NoEncryption())
        key_file.write_bytes(plain)
        return cert_file, key_file
