"""[page]: where the technician's page is served, and by which ways a person gets at it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from agent.config.section import Section

#: Only this terminal itself; port 0: a free one.
LOOPBACK = r"^((127(\.[0-9]{1,3}){3}|\[::1\]):[0-9]{1,5})?$"


class Page(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[page]: off unless `listen` or a service address is given."""

    listen: Annotated[str, Meta(pattern=LOOPBACK)] = ""
    """Such as 127.0.0.1:8470; empty: not served on this terminal."""
    token_file: Annotated[str, Meta(max_length=200)] = ""
    """A secret of at least 32 characters; made when it is not there. Empty: only codes."""
    token_roles: tuple[Literal["submit", "read", "report", "technician"], ...] = (
        "read", "technician",
    )  # fmt: skip
    """What a program may do that shows the token."""
    open_read: bool = False
    """Reading on loopback without signing in: for terminals where nobody else's apps run."""
    idle_s: Annotated[int, Meta(ge=30, le=86_400)] = 900
    absolute_s: Annotated[int, Meta(ge=60, le=604_800)] = 28_800
    sessions_max: Annotated[int, Meta(ge=1, le=32)] = 4
    max_connections: Annotated[int, Meta(ge=4, le=64)] = 16
    code_minutes: Annotated[int, Meta(ge=1, le=60)] = 5
    """How long a code may be used."""
    service_interface: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._@-]{0,15}$")] = ""
    """Where the listener for a technician's laptop may be opened, such as usb0; empty: nowhere."""
    service_address: Annotated[str, Meta(pattern=r"^[0-9A-Fa-f.:]{0,45}$")] = ""
    """One private or link-local address of this terminal; empty: the interface's."""
    service_port: Annotated[int, Meta(ge=0, le=65_535)] = 8_470
    service_minutes: Annotated[int, Meta(ge=1, le=120)] = 15
    service_tls: bool = True
    """false: whoever hears the line reads along."""
    keys: Annotated[
        tuple[
            Literal[
                "enter", "clear", "cancel", "f1", "f2", "f3", "f4", "star", "hash", "menu",
            ],
            ...,
        ],
        Meta(max_length=3),
    ] = ()  # fmt: skip
    """Keys held together that print the diagnostic slip; empty: none."""
    keys_hold_s: Annotated[float, Meta(ge=2, le=30)] = 5.0
    request_opens: bool = False
    """Whether the key combination and the hook's request also open the service listener."""
    request_every_s: Annotated[int, Meta(ge=10, le=86_400)] = 60
    """At most one request by keys, hook or stick in this time."""
    stick: Literal["off", "bundle"] = "off"
    """Whether a USB stick with a file named posagent-bundle gets the support bundle."""
