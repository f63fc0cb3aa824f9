"""The issued profile as it travels: bare, or the payload of a signed envelope.

Decides form only; the envelope is `agent.wire.signed`, and whether a profile comes into force
`agent.core.configuration.profile`. Called by `agent.watch.configuration`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from agent.core.configuration.causes import OTHERWISE, Kind, trait
from agent.core.configuration.compare import Issued
from agent.core.configuration.profile import Profile
from agent.core.configuration.values import Raw, canonical, text_of
from agent.core.moment import to_ms
from agent.wire.signed import DocumentError, converted

Word = Annotated[str, Meta(max_length=200)]
Whole = Annotated[int, Meta(ge=-9_007_199_254_740_992, le=9_007_199_254_740_992)]
One = Word | Whole | float | bool
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
At = Annotated[datetime, Meta(tz=True)]


class SettingIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One setting, where its value alone does not say enough."""

    expected: One | tuple[One, ...] | None = None
    """Several: any of them is right; of a set: its members."""
    sha256: Sha256 | None = None
    """Instead of `expected`, for a secret: of its UTF-8 bytes."""
    kind: Kind | None = None
    cause: Literal[
        "config.merchant_mismatch", "config.wrong_mode", "config.limit_wrong",
        "network.config_invalid", "config.not_signed_on", "config.not_activated",
        "settlement.not_realtime_mode", "settlement.account_limit",
    ] | None = None  # fmt: skip
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$")] = ""
    secret: bool | None = None
    required: bool = False
    """It is a finding when nobody tells it."""


class ProfileIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is signed."""

    profile: Annotated[str, Meta(min_length=1, max_length=64)]
    """Its name, for people."""
    settings: Annotated[dict[Name, One | tuple[One, ...] | SettingIn], Meta(max_length=500)]
    sequence: Annotated[int, Meta(ge=1, le=9_007_199_254_740_992)] = 1
    """Higher with every one issued."""
    devices: Annotated[tuple[Word, ...], Meta(max_length=1_000)] = ()
    credentials: Annotated[
        dict[Annotated[str, Meta(pattern=r"^/", max_length=300)], Sha256 | Literal[""]],
        Meta(max_length=32),
    ] = {}
    valid_from: At | None = None
    expires: At | None = None


def profile_from(whole: object, signed_by: str = "") -> Profile:
    """The profile of a document. Raises DocumentError."""
    one = converted(whole, ProfileIn)
    return Profile(
        profile=one.profile,
        sequence=one.sequence,
        issued=tuple(_issued(name, given) for name, given in one.settings.items()),
        credentials=one.credentials,
        devices=one.devices,
        valid_from_ms=None if one.valid_from is None else to_ms(one.valid_from),
        expires_ms=None if one.expires is None else to_ms(one.expires),
        signed_by=signed_by,
    )


def _issued(name: str, given: Any) -> Issued:
    one = given if isinstance(given, SettingIn) else SettingIn(expected=given)
    known = trait(name)
    if (one.expected is None) is (one.sha256 is None):
        raise DocumentError(f"{name}: either `expected` or `sha256`")
    kind = one.kind or known.kind
    currency = one.currency or known.currency
    if one.sha256 is not None:
        values: tuple[Raw, ...] = (one.sha256,)
    elif not isinstance(one.expected, tuple):
        values = (one.expected if one.expected is not None else "",)
    elif kind is Kind.SET:
        values = (tuple(text_of(value) for value in one.expected),)
    else:
        values = one.expected
    if one.sha256 is None and any(
        canonical(value, kind, currency=currency) is None for value in values
    ):
        raise DocumentError(f"{name}: not of the kind {kind}")
    return Issued(
        name=name,
        values=values,
        kind=kind,
        code=one.cause or known.code or OTHERWISE,
        currency=currency,
        secret=known.secret if one.secret is None else one.secret,
        hashed=one.sha256 is not None,
        required=one.required,
    )
