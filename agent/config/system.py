"""The tables about the machine itself: what is watched of it, its clock, and its age."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from agent.config.section import Seconds, Section

Folder = Annotated[str, Meta(pattern=r"^/", max_length=200)]


class System(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[system]: storage, memory, CPU, temperature, battery, uptime, restarts."""

    period_s: Seconds = 60.0
    storage_path: str = ""
    """The file system to watch; empty: the one that holds `state_dir`."""
    mounts: tuple[Folder, ...] = ("/", "/data")
    """Further file systems to watch; what is not mounted there, or built read-only, is left out."""
    storage_low_mb: Annotated[int, Meta(ge=1, le=1_000_000)] = 100
    wear_percent: Annotated[int, Meta(ge=10, le=110)] = 90
    """Of the flash's rated life used up."""
    memory_low_mb: Annotated[int, Meta(ge=1, le=100_000)] = 24
    memory_pressure_percent: Annotated[float, Meta(ge=1, le=100)] = 20.0
    """Share of a minute in which everything stood still for want of memory."""
    temperature_max_c: Annotated[float, Meta(ge=30, le=125)] = 75.0
    battery_low_percent: Annotated[int, Meta(ge=1, le=99)] = 15
    restarts_limit: Annotated[int, Meta(ge=1, le=1_000)] = 3
    """Unexpected restarts within 24 h from which on the supply counts as unstable."""
    root: Folder = "/"
    """Where /proc, /sys and /dev are looked for."""


class Clock(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[clock]: who is heard about the time, and from when on the terminal's own is wrong."""

    sources: tuple[Literal["kernel", "http", "iso8583", "mqtt"], ...] = (
        "kernel",
        "http",
        "iso8583",
        "mqtt",
    )
    """The kernel's NTP state, headers `Date`, fields 12 and 13 of answers, a broker's property."""
    wrong_after_s: Annotated[int, Meta(ge=5, le=86_400)] = 120
    zone_minutes: Annotated[int, Meta(ge=-840, le=840)] = 480
    """Local time of fields 12 and 13, east of UTC: China's is 480."""
    chip: Literal["auto", "yes", "no"] = "auto"
    """Whether a battery keeps the clock while the power is off; auto: as /sys/class/rtc shows."""
    ask_hosts: bool = True
    """Whether an https host whose certificate's dates do not fit is asked for its own time."""
    broker_property: Annotated[str, Meta(max_length=64)] = ""
    """User property of MQTT 5 in which this broker tells UTC since 1970, s or ms; empty: none."""


class Aging(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[[aging]]: a counter of this terminal against the maker's limit."""

    measure: Annotated[str, Meta(min_length=1, max_length=60)]
    """What people call it: `printed paper (m)`."""
    source: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}\.[a-z][a-z0-9_]{0,63}$")]
    """COMPONENT.VALUE of its reading: system.running_hours, system.power_cycles, printer.cuts..."""
    limit: Annotated[float, Meta(gt=0)]
    """In `measure`'s unit."""
    scale: Annotated[float, Meta(gt=0)] = 1.0
    """The value times this is in `measure`'s unit: 0.001 for printed_mm and metres."""
    kind: Literal["counter", "level"] = "counter"
    """counter: only rises, is added up here, and may begin anew at 0; level: is what it is."""
