"""The table about Android, where this terminal runs on it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from agent.config.section import Section

Package = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)+$", max_length=128)]


class Android(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[android]: what is read with getprop, dumpsys and cmd."""

    mode: Literal["auto", "on", "off"] = "auto"
    """auto: where /system/build.prop or getprop is there."""
    bin: Annotated[str, Meta(pattern=r"^/", max_length=200)] = "/system/bin"
    """Where those programs are."""
    period_s: Annotated[int, Meta(ge=60, le=86_400)] = 300
    """How long an answer counts: no program is started more often for the same question."""
    deadline_s: Annotated[float, Meta(ge=1, le=30)] = 8.0
    """How long one program may take."""
    packages: tuple[Package, ...] = ()
    """Apps whose versions are told."""
