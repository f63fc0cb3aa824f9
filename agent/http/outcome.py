"""What can become of a request we send, told by whether bytes left.

The difference between "not sent" and "unanswered" is the difference between trying again and being
in doubt about somebody's money; nothing in between exists. Made by the client, judged by the rooms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from agent.record import dataclass

Layer = Literal["dns", "tcp", "tls", "local"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where requests go."""

    scheme: Literal["http", "https"]
    host: str
    port: int

    @property
    def authority(self) -> str:
        """As the Host header wants it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.scheme == "https" else 80
        return host if self.port == usual else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A whole, well-formed answer, redirects included. `headers` have lower-case names."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """Not one byte of the request was handed to a connection."""

    layer: Layer
    reason: str
    #: A cause from the catalogue, or empty.
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """Bytes left, or may have left, and no whole answer came: the outcome is unknown."""

    reason: str
    #: Handed to the operating system's side of the connection; how many arrived nobody knows.
    sent_bytes: int
    #: A cause from the catalogue, or empty.
    code: str = ""


Outcome = Answered | NotSent | Unanswered
