"""The tables about the payment app as a program, and about settings against the issued profile."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from agent.config.section import Section

Path = Annotated[str, Meta(max_length=300)]


class PaymentApp(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[payment_app]: the payment app as a program. Nothing that finds it: its process is not
    watched, only what it reports."""

    name: Annotated[str, Meta(pattern=r"^([A-Za-z][A-Za-z0-9._-]{0,127})?$")] = ""
    """What it is called for people and for the hook `app.restart`."""
    process: Annotated[str, Meta(max_length=200)] = ""
    """Name of its program."""
    cmdline: Annotated[str, Meta(max_length=200)] = ""
    """Part of its command line, where the program is an interpreter."""
    package: Annotated[str, Meta(max_length=200)] = ""
    """Its Android package."""
    pid_file: Path = ""
    unit: Annotated[str, Meta(max_length=200)] = ""
    """Its systemd unit."""
    version_file: Path = ""
    """Its version, on the first line; empty: as it says itself."""
    period_s: Annotated[float, Meta(ge=5, le=3_600)] = 10.0
    start_grace_s: Annotated[float, Meta(ge=0, le=86_400)] = 60.0
    """How long it may take to start after the agent did."""
    heartbeat_s: Annotated[float, Meta(ge=0, le=604_800)] = 0.0
    """Alive and without a call to the agent for longer: it hangs; 0: not watched."""
    crash_limit: Annotated[int, Meta(ge=1, le=1_000)] = 3
    """Ends within 24 h from which on it keeps crashing."""
    restart: tuple[Literal["stopped", "hung"], ...] = ()
    """When the hook `app.restart` is asked; empty: never."""
    restart_wait_s: Annotated[float, Meta(ge=0, le=86_400)] = 15.0
    """Before the first restart; doubles with each further one of the last 24 h."""
    restart_wait_max_s: Annotated[float, Meta(ge=0, le=86_400)] = 1_800.0
    restart_daily: Annotated[int, Meta(ge=1, le=1_000)] = 6
    """Restarts asked for in 24 h at most."""
    quiet_s: Annotated[float, Meta(ge=0, le=3_600)] = 30.0
    """No restart this soon after its last call."""
    pause_file: Path = ""
    """While this file is there it is not restarted."""


class Configuration(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[configuration]: the terminal's settings against the profile it was issued."""

    profile: Path = ""
    """The issued profile, JSON or TOML; empty: nothing to compare with."""
    profile_keys: dict[
        Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")],
        Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")],
    ] = field(default_factory=dict)
    """Who may issue it: key id -> Ed25519 public key; any key: an unsigned one is refused."""
    period_s: Annotated[float, Meta(ge=5, le=86_400)] = 300.0
    credentials: tuple[Path, ...] = ()
    """Further certificates, keys and tokens that must be there and valid."""
    access: tuple[Path, ...] = ()
    """Further files, directories and devices the agent must be able to use."""
    expiry_warn_days: Annotated[int, Meta(ge=0, le=365)] = 14
    """A credential that expires sooner is told beforehand."""


class SettingsFile(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[[settings_file]]: a file with settings of the terminal, such as the payment app exports."""

    path: Annotated[str, Meta(pattern=r"^/", max_length=300)]
    format: Literal["auto", "json", "toml", "ini", "properties", "xml"] = "auto"
    encoding: Literal["auto", "utf-8", "gb18030", "utf-16"] = "auto"
    amounts: Literal["minor", "major"] = "minor"
    """What an amount without a decimal point is in: fen or yuan."""
    settings: dict[
        Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$")],
        Annotated[str, Meta(min_length=1, max_length=200)],
    ] = field(default_factory=dict)
    """Setting -> where it stands in the file; empty: the names are those of the profile."""
