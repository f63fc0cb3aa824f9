"""The arguments of the operations that need no shapes of their own."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from agent.core.money.transaction import KEY_PATTERN

Key = Annotated[str, Meta(pattern=KEY_PATTERN)]
Code = Annotated[str, Meta(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)+$", max_length=64)]
Uplink = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class Nothing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No arguments."""


class OneKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A payment by its key."""

    key: Key


class ShowArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A payment by its key, with its history if asked for."""

    key: Key
    history: bool = False


class WhyArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why: one payment, or the terminal when no key is given."""

    key: Key | None = None


class ListArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which payments. Without `state`: the unsent ones."""

    state: Annotated[str, Meta(pattern=r"^[a-z]+(,[a-z]+)*$", max_length=100)] | None = None
    """One state or several with commas between; `all` for every state."""
    cause: Code | None = None
    uplink: Uplink | None = None
    after: Annotated[int, Meta(ge=0)] = 0
    """`next_after` of the page before."""
    limit: Annotated[int, Meta(ge=1, le=500)] = 100


class RetryArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Try now. Without a key: everything that waits on the uplink, or on all of them."""

    key: Key | None = None
    uplink: Uplink | None = None


class HoldArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keep payments from being sent until they are released: one, or all that wait for a cause."""

    key: Key | None = None
    cause: Code | None = None
    reason: Annotated[str, Meta(max_length=120)] = ""


class ConfirmationIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the host says about a payment it was asked about by other means, and who said so."""

    outcome: Literal["not_at_host", "settled_elsewhere", "posted_manually"]
    reference: Annotated[str, Meta(min_length=3, max_length=120)]
    """Where that can be looked up: the host's ticket, letter or list."""
    said_by: Annotated[str, Meta(min_length=2, max_length=60)]
    """Who confirmed it."""


class AbandonArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give up one held payment, with the host's confirmation."""

    key: Key
    confirmation: ConfirmationIn


class ReleaseArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let held payments go on: one by key, or all that are held for one cause."""

    key: Key | None = None
    cause: Code | None = None
