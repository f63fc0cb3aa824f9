"""A private certificate authority for demo and tests: one host, one terminal, made in a second.

Decides names and file rights only; the cryptography is trustme's (the `demo` extra). Nothing here
is for a real terminal: the authority's key is thrown away with the process that made it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.errors import OperatorError

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Paths of PEM files; keys are 0600."""

    ca_file: Path
    host_cert_file: Path
    host_key_file: Path
    terminal_cert_file: Path
    terminal_key_file: Path


def available() -> bool:
    """Whether certificates can be made here."""
    try:
        import trustme  # noqa: F401
    except ImportError:
        return False
    return True


def make_certificates(
    directory: Path,
    *,
    names: Sequence[str] = LOOPBACK_NAMES,
    terminal: str = "demo-terminal",
) -> Certificates:
    """Write a new authority, a host certificate for `names` and a client certificate.

    `terminal` becomes the common name of the client certificate, as the device id does in a fleet.
    """
    try:
        import trustme
    except ImportError as error:
        raise OperatorError(
            "sim.no_trustme",
            "certificates cannot be made here: the Python package trustme is not installed",
            "install the demo extra (pip install 'posagent[demo]') or use http on loopback",
        ) from error
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = trustme.CA(organization_name="posagent simulators")
    host = authority.issue_cert(*names)
    client = authority.issue_cert(f"{terminal}.terminal.invalid", common_name=terminal)
    made = Certificates(
        ca_file=directory / "ca.pem",
        host_cert_file=directory / "host.pem",
        host_key_file=directory / "host.key",
        terminal_cert_file=directory / "terminal.pem",
        terminal_key_file=directory / "terminal.key",
    )
    _write(made.ca_file, authority.cert_pem.bytes())
    _write(made.host_cert_file, _chain(host))
    _write(made.host_key_file, host.private_key_pem.bytes())
    _write(made.terminal_cert_file, _chain(client))
    _write(made.terminal_key_file, client.private_key_pem.bytes())
    return made


def _chain(leaf: Any) -> bytes:
    return b"".join(blob.bytes() for blob in leaf.cert_chain_pems)


def _write(path: Path, content: bytes) -> None:
    # A key must never exist readable by others, not even for the moment before a chmod.
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as out:
        os.fchmod(fd, 0o600)
        out.write(content)
