"""Whether the credentials are there, valid and those that were issued; never what they are.

A certificate says itself until when, and so does a JSON web token; of keys and passwords only the
presence and a digest are known. Shown is a fingerprint: of a certificate the usual one, of a secret
a short keyed one. Blocking; called on a thread.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import UTC, datetime

from agent.config import Config
from agent.core.configuration.compare import Digest, Finding
from agent.core.moment import Moment
from agent.link.x509 import in_pem
from agent.record import dataclass
from agent.watch.configuration.files import FileError, State, read

DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What came of it."""

    checked: int = 0
    findings: tuple[Finding, ...] = ()
    lines: Mapping[str, str] = field(default_factory=dict)
    soonest_days: int | None = None  #: until the first expiry


def files(config: Config, issued: Mapping[str, str]) -> dict[str, str]:
    """Credential file -> SHA-256 of what it must hold; "" any."""
    found: dict[str, str] = {}
    for path in _named(config):
        found.setdefault(path, "")
    return {**found, **issued}


def authorities(config: Config) -> frozenset[str]:
    """The files of them that hold authorities: of those one may end while others serve."""
    named = (*(uplink.ca_file for uplink in config.uplink), config.telemetry.ca_file)
    return frozenset(filter(None, named))


def _named(config: Config) -> Iterator[str]:
    for uplink in config.uplink:
        yield from filter(None, (uplink.ca_file, uplink.cert_file, uplink.key_file))
    telemetry = config.telemetry
    yield from filter(
        None,
        (telemetry.ca_file, telemetry.cert_file, telemetry.key_file, telemetry.password_file),
    )
    yield from config.configuration.credentials


def look(
    wanted: Mapping[str, str],
    now: Moment,
    warn_days: int,
    digest: Digest,
    several: frozenset[str] = frozenset(),
) -> Credentials:
    """Every credential as it is now; `several`: those that hold authorities."""
    findings: list[Finding] = []
    lines: dict[str, str] = {}
    soonest: int | None = None
    for path, sha256 in wanted.items():
        try:
            raw = read(path, bytes)
        except FileError as error:
            if error.state is State.MISSING:
                findings.append(_missing(path, "is not there"))
            elif error.state is not State.DENIED:  # whose right is missing is said by `access`
                lines[path] = str(error)
            continue
        if not raw.strip():
            findings.append(_missing(path, "is empty"))
            continue
        if sha256 and hashlib.sha256(raw).hexdigest() != sha256:
            findings.append(_missing(path, "is not the one that was issued"))
        expires_at = expiry(raw, authority=path in several)
        lines[path] = _shown(raw, expires_at, digest)
        if expires_at is None or not now.trusted:
            continue
        left_s = (expires_at - now.at).total_seconds()
        days = int(left_s // DAY_S)
        soonest = days if soonest is None else min(soonest, days)
        if left_s <= 0:
            findings.append(_expired(path, expires_at))
        elif days <= warn_days:
            lines[path] += f"; expires in {days} days"
    return Credentials(
        checked=len(wanted), findings=tuple(findings), lines=lines, soonest_days=soonest
    )


def expiry(raw: bytes, *, authority: bool = False) -> datetime | None:
    """When a credential ends: the first certificate of a file, or a token; None: it does not say.

    Of several certificates the first is one's own; of authorities the last to end decides.
    """
    certificates = in_pem(raw)
    if certificates:
        ends = [one.expires_at for one in certificates]
        return max(ends) if authority else ends[0]
    return _token_expiry(raw.strip())


def _token_expiry(raw: bytes) -> datetime | None:
    parts = raw.split(b".")
    if len(parts) != 3 or len(raw) > 16_384:
        return None
    try:
        body = base64.urlsafe_b64decode(parts[1] + b"=" * (-len(parts[1]) % 4))
        claims = json.loads(body)
        ends = claims["exp"]
        return None if isinstance(ends, bool) else datetime.fromtimestamp(float(ends), UTC)
    except (
        binascii.Error, ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError,
    ):  # fmt: skip
        return None


def _shown(raw: bytes, expires_at: datetime | None, digest: Digest) -> str:
    certificates = in_pem(raw)
    if certificates:
        until = f", valid until {expires_at:%Y-%m-%d}" if expires_at else ""
        return f"certificate of {certificates[0].subject}{until}, sha256 {_sha256(raw)}"
    until = f", valid until {expires_at:%Y-%m-%d}" if expires_at else ""
    return f"present{until}, #{digest(raw.decode('latin-1'))}"


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:16]


def _missing(path: str, how: str) -> Finding:
    line = f"credential {path} {how}"
    return Finding(code="config.not_activated", setting=path, line=line, args={"gap": line})


def _expired(path: str, expires_at: datetime) -> Finding:
    until = f"{expires_at:%Y-%m-%d %H:%M}"
    return Finding(
        code="config.credential_expired",
        setting=path,
        line=f"expired {until} UTC",
        args={"subject": path, "expired_at": until},
    )
