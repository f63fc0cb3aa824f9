"""The terminal's settings as a component. Called by `agent.watch` where anything is to be held
against anything: a profile, a settings file, a credential or a path is named."""

from __future__ import annotations

from agent.blocking import Blocking
from agent.clock import Clock
from agent.config import Config
from agent.watch.configuration.watcher import ConfigurationWatcher, Payments


def build(
    config: Config,
    device_id: str,
    *,
    clock: Clock,
    blocking: Blocking,
    payments: Payments | None = None,
) -> ConfigurationWatcher:
    """The watcher; `payments`: what a running daemon hears of payments."""
    return ConfigurationWatcher(
        config, device_id, clock=clock, blocking=blocking, payments=payments
    )


__all__ = ["ConfigurationWatcher", "build"]
