"""What every table of the configuration is made of."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Seconds = Annotated[float, Meta(ge=0.05, le=86_400)]
Identifier = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Directory = Annotated[str, Meta(min_length=1, max_length=200)]


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every table. The options are repeated below: type checkers do not inherit them."""
