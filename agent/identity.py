"""Who this terminal is, for the fleet and for every message: found out once, at the start."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path
from typing import Protocol

from agent import __version__
from agent.config import Config
from agent.core.fleet.messages import Identity

MACHINE_ID = Path("/etc/machine-id")
OS_RELEASE = Path("/etc/os-release")


class Counters(Protocol):
    """The counters file; its random id names a terminal that has no better name."""

    def outbox_id(self) -> str: ...


def identity_of(config: Config, counters: Counters) -> Identity:
    """The identity as configured, filled up with what this machine says of itself."""
    return Identity(
        tenant=config.agent.tenant,
        device_id=config.agent.device_id or _derived(counters),
        agent_version=__version__,
        site=config.agent.site,
        os=_os(),
        uplinks=tuple(profile.name for profile in config.uplink),
        config_version=_fingerprint(config),
    )


def own_name(config: Config) -> str:
    """The device id as far as it can be known without a store; "" where only that has it."""
    if config.agent.device_id:
        return config.agent.device_id
    return _derived(None) if MACHINE_ID.exists() else ""


def _derived(counters: Counters | None) -> str:
    """From the machine id, hashed: the id itself is a secret of the host (machine-id(5))."""
    try:
        seed = MACHINE_ID.read_text("ascii").strip()
    except OSError:
        seed = ""
    seed = seed or ("" if counters is None else counters.outbox_id())
    return "pos-" + hashlib.blake2b(seed.encode(), digest_size=6, person=b"pos/device").hexdigest()


def _fingerprint(config: Config) -> str:
    """Equal on terminals that are configured alike: all but who and where the terminal is."""
    parts = (name for name in config.__struct_fields__ if name != "agent")
    told = "\n".join(f"{name}={getattr(config, name)!r}" for name in parts)
    return hashlib.blake2b(told.encode(), digest_size=6, person=b"pos/config").hexdigest()


def _os() -> str:
    try:
        for line in OS_RELEASE.read_text("utf-8").splitlines():
            if line.startswith("PRETTY_NAME="):
                return line.partition("=")[2].strip('"')[:64]
    except OSError:
        return platform.system()
    return platform.system()
