"""Certificates made by the script of the recipes, and what they open."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

FLEET = Path(__file__).parents[2] / "packaging" / "fleet"


def make(directory: Path, *names: str) -> Path:
    """An authority, a server for localhost, and a certificate for each name."""
    certify(directory, "ca")
    certify(directory, "server", "localhost", "127.0.0.1")
    for name in names:
        if name.startswith("operator"):
            certify(directory, "operator", name)
        else:
            certify(directory, "terminal", "acme", name)
    return directory


def certify(directory: Path, what: str, *words: str) -> None:
    subprocess.run(
        ["sh", str(FLEET / "certificates.sh"), what, str(directory), *words],
        check=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


def context(directory: Path, name: str) -> ssl.SSLContext:
    """A client's TLS context with the certificate of that name."""
    made = ssl.create_default_context(cafile=str(directory / "ca.pem"))
    if name:
        made.load_cert_chain(directory / f"{name}.pem", directory / f"{name}.key")
    return made
