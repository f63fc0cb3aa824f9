"""The hosts of this terminal, as the configuration names them, and what was found on trying one.

Knows no socket. `files` are what a handshake needs, so that a host is greeted as its uplink does.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from urllib.parse import urlsplit

from agent.config import AnyUplink, Uplink
from agent.config.network import Connectivity
from agent.record import dataclass
from agent.watch import layers

OK, FAILED, NOT_TRIED, NOT_NEEDED = "ok", "failed", "not_tried", "not_needed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A host to reach; `files` are (CA, certificate, key) where it speaks TLS."""

    host: str
    port: int
    files: tuple[str, str, str] | None = None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def local(self) -> bool:
        """Whether it is on this machine, and needs no network."""
        return layers.loopback(self.host)

    @property
    def name(self) -> str:
        """The name somebody has to resolve; "" for an address."""
        return "" if self.local or layers.literal(self.host) else self.host


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far one target could be reached, and what was seen on the way."""

    target: Target
    tcp: str = NOT_TRIED
    tls: str = NOT_TRIED
    refused: bool = False  #: it answered, with a refusal
    dns_reason: str = ""
    tcp_reason: str = ""
    tcp_code: str = ""
    tls_reason: str = ""
    tls_code: str = ""
    connect_ms: int | None = None
    address: str = ""  #: the one that was tried last
    via: str = ""  #: the interface it leaves by, where the system says
    expires_at: datetime | None = None
    subject: str = ""
    issuer: str = ""

    @property
    def silent(self) -> bool:
        """Tried, and nothing at all came back."""
        return self.tcp == FAILED and not self.refused and not self.tcp_code.startswith("config.")

    @property
    def answered(self) -> bool:
        """Somebody there answered, be it with a refusal."""
        return self.tcp == OK or self.refused

    @property
    def fine(self) -> bool:
        """Whether nothing is left to doubt."""
        return self.tcp == OK and self.tls in (OK, NOT_NEEDED)


def targets(config: Connectivity, uplinks: Iterable[AnyUplink]) -> list[Target]:
    """The hosts of the configuration; without any, those of the uplinks that are switched on."""
    of_uplinks = {
        (one.host, one.port): one for one in (_of_uplink(link) for link in uplinks if link.enabled)
    }
    found = [parsed(text, ("", "", "")) for text in config.hosts]
    # A host that is also an uplink's is trusted, and greeted, as that uplink does it.
    known = [
        of_uplinks.get((one.host, one.port), one) if one.files is not None else one for one in found
    ]
    return list(dict.fromkeys(known or of_uplinks.values()))


def parsed(text: str, files: tuple[str, str, str] | None = None) -> Target:
    """`host:port` or a URL. The configuration has checked that it is one."""
    parts = urlsplit(text if "://" in text else f"tcp://{text}")
    secure = parts.scheme == "https"
    return Target(
        host=parts.hostname or "",
        port=parts.port or (80 if parts.scheme == "http" else 443),
        files=files if secure else None,
    )


def _of_uplink(link: AnyUplink) -> Target:
    files = (link.ca_file, link.cert_file, link.key_file)
    if isinstance(link, Uplink):
        return parsed(link.url, files)
    return Target(host=link.host, port=link.port, files=files if link.tls else None)
