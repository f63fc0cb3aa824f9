"""The profile a terminal was issued, and whether it may be believed.

It is addressed, numbered and dated; each reason for not using one is a state of its own. Signatures
are checked by whoever has the keys before anything here is asked. Called by
`agent.watch.configuration`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from agent.core.configuration.compare import Issued
from agent.core.moment import Moment
from agent.record import dataclass


class Standing(StrEnum):
    """What was made of the profile."""

    NONE = "none"  #: none is configured
    IN_FORCE = "in_force"
    MISSING = "missing"
    DENIED = "denied"
    UNREADABLE = "unreadable"
    HALF_WRITTEN = "half_written"
    GARBAGE = "garbage"  #: not the form of a profile
    UNSIGNED = "unsigned"
    UNKNOWN_KEY = "unknown_key"
    BAD_SIGNATURE = "bad_signature"
    OTHER_TERMINAL = "other_terminal"
    OLDER = "older"  #: its number is below that of the one in force
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What was issued. The times are UTC milliseconds; None: without limit."""

    profile: str
    sequence: int
    issued: tuple[Issued, ...]
    #: Credential file -> SHA-256 of what it must hold; "" any that is valid.
    credentials: Mapping[str, str] = field(default_factory=dict)
    devices: tuple[str, ...] = ()  #: empty: any
    valid_from_ms: int | None = None
    expires_ms: int | None = None
    signed_by: str = ""


def standing(
    offered: Profile, device_id: str, in_force: Profile | None, now: Moment
) -> tuple[Standing, str]:
    """Whether `offered` comes into force, and the particular why not. No `device_id`: not known."""
    if device_id and offered.devices and device_id not in offered.devices:
        return Standing.OTHER_TERMINAL, f"it is for {', '.join(offered.devices[:3])}"
    if in_force is not None and offered.sequence < in_force.sequence:
        return Standing.OLDER, f"number {offered.sequence} after {in_force.sequence}"
    # A clock nobody believes says nothing about dates.
    if now.trusted and offered.valid_from_ms is not None and now.wall_ms < offered.valid_from_ms:
        return Standing.NOT_YET_VALID, ""
    if now.trusted and offered.expires_ms is not None and now.wall_ms >= offered.expires_ms:
        return Standing.EXPIRED, ""
    return Standing.IN_FORCE, ""
