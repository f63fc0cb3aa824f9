"""What a manifest says: which versions a terminal should have, and which files bring it there.

Loaded where there is one. What is made of it is `manifest`'s; called by whoever reads one.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.software.versions import Scheme


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A file that brings a component to its required version."""

    update: str
    package: str
    version: str
    file: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One component as it should be. Empty: nothing is asked."""

    component: str
    required: str = ""
    least: str = ""
    most: str = ""
    absent: bool = False
    channel: str = ""  #: only for terminals of this channel
    optional: bool = False  #: a terminal that does not know the component leaves it out
    scheme: Scheme | None = None
    installed_by: str = ""  #: how it is read, where the terminal's own configuration does not say
    package: str = ""
    path: str = ""
    key: str = ""  #: name of the value inside the file
    offer: Offer | None = None

    @property
    def asked(self) -> str:
        """What is asked, for people."""
        if self.absent:
            return "absent"
        bounds = [f">= {self.least}" if self.least else "", f"<= {self.most}" if self.most else ""]
        return self.required or " ".join(bound for bound in bounds if bound)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What was signed. The times are UTC milliseconds; None: without limit."""

    sequence: int
    wanted: tuple[Wanted, ...]
    valid_from_ms: int | None = None
    expires_ms: int | None = None
    devices: tuple[str, ...] = ()  #: empty: any
    models: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    tenant: str = ""
    digest: str = ""  #: of the exact bytes
    signed_by: str = ""  #: key id; empty: unsigned

    def for_channel(self, channel: str) -> tuple[Wanted, ...]:
        """What is asked of a terminal of this channel."""
        return tuple(one for one in self.wanted if one.channel in ("", channel))
