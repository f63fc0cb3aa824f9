"""The watchers of this terminal, built from its configuration.

Each is imported only when it is built: a terminal without a printer loads no serial code.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from agent.clock import Clock
from agent.config import Config
from agent.core.fleet.inventory import covered
from agent.core.health.conditions import Override
from agent.core.health.standard import STANDARD
from agent.watch.runner import Records, Timers, Watch, Watcher

if TYPE_CHECKING:
    from agent.watch.discovery.hotplug import Hotplug
    from agent.watch.discovery.watcher import DevicesWatcher
    from agent.watch.hooked import Doors

T = TypeVar("T")

log = logging.getLogger(__name__)


class Blocking(Protocol):
    """Runs a call that may hang, off the loop. See `agent.supervise`."""

    async def call(self, name: str, function: Callable[[], T], deadline_s: float) -> T:
        """The function's result; TimeoutError at the deadline."""
        ...


def build(
    config: Config,
    *,
    clock: Clock,
    timers: Timers,
    blocking: Blocking,
    records: Records,
    trust: Callable[[str, str, str], ssl.SSLContext] | None = None,
    extra: Sequence[Watcher] = (),
    devices: DevicesWatcher | None = None,
    doors: Doors | None = None,
) -> tuple[Watch, Watch]:
    """The part `watch` and the view of it (one object, two roles).

    `extra` are watchers for what the agent knows of itself (`uplink`, `queue`, `agent`); `trust`
    makes a TLS context of (CA, certificate, key) files, `agent.link.tls.client_context` if None.
    """
    watch_all = [
        *watchers(
            config, clock=clock, blocking=blocking, trust=trust, devices=devices, doors=doors
        ),
        *extra,
    ]
    watch = Watch(
        STANDARD.overridden(_overrides(config)),
        watch_all,
        clock=clock,
        timers=timers,
        records=records,
        cover=partial(covered, policy=config.inventory.serials),
    )
    _let_announce(watch, watch_all)
    return watch, watch


def _let_announce(watch: Watch, watch_all: Sequence[Watcher]) -> None:
    """Who hears from a device at once has it read at once."""
    for one in watch_all:
        heed = getattr(one, "heed", None)
        if heed is not None:
            heed(partial(watch.poke, one.component))


def watchers(
    config: Config,
    *,
    clock: Clock,
    blocking: Blocking,
    trust: Callable[[str, str, str], ssl.SSLContext] | None = None,
    devices: DevicesWatcher | None = None,
    doors: Doors | None = None,
) -> list[Watcher]:
    """The watchers of components; also for `posagent probe`, without a daemon."""
    from agent.link.dial import Dialer
    from agent.link.tls import client_context
    from agent.watch.connectivity import build as connectivity
    from agent.watch.printer import build as printer
    from agent.watch.scanner import build as scanner
    from agent.watch.software import build as software
    from agent.watch.system import build as system

    own = [
        printer(config.printer, blocking),
        scanner(config.scanner, blocking, clock),
        connectivity(
            config.connectivity,
            config.uplink,
            clock=clock,
            blocking=blocking,
            dial=Dialer(blocking),
            trust=trust or client_context,
        ),
        system(config.system, config.agent.state_dir, blocking=blocking),
        software(config.software, blocking=blocking),
        devices or devices_watcher(config, blocking),
        *_keypad(config, blocking),
    ]
    if not config.hook and not config.hooks.about_period_s:
        return own
    from agent.hooks import ProbingDoors
    from agent.watch.hooked import plugged

    opened = doors or ProbingDoors(config, clock=clock, blocking=blocking)
    settings = config.hooks
    found = plugged(own, config.hook, opened, settings.deadline_s)
    if settings.about_period_s:
        from agent.watch.firmware import FirmwareWatcher

        about = FirmwareWatcher(opened.puller, settings.about_period_s, settings.deadline_s)
        found.append(about)
    return found


def _keypad(config: Config, blocking: Blocking) -> list[Watcher]:
    """None without one configured: most terminals keep theirs from the operating system."""
    if not config.keypad.device and not config.keypad.name:
        return []
    from agent.watch.keypad import build as keypad

    return [keypad(config.keypad, config.agent.state_dir, blocking)]


def devices_watcher(config: Config, blocking: Blocking) -> DevicesWatcher:
    """The watcher of what is attached at all."""
    from agent.watch.discovery.watcher import DevicesWatcher, configured

    return DevicesWatcher(config.discovery, configured(config), blocking)


def hotplug(config: Config, watch: Watch, devices: DevicesWatcher) -> Hotplug:
    """The part that has devices read when they come or go."""
    from agent.watch.discovery.hotplug import Hotplug
    from agent.watch.discovery.watcher import interests

    settings = config.discovery
    part = Hotplug(
        interests(config),
        watch.poke,
        mode=settings.hotplug,
        poll_s=settings.poll_s,
        sysfs=settings.sysfs,
        dev=settings.dev,
    )
    devices.how = lambda: part.how
    return part


def _overrides(config: Config) -> dict[str, Override]:
    overrides: dict[str, Override] = {}
    for code, delay in config.health.items():
        if code not in STANDARD:
            # A known cause, or the configuration would not have loaded, but nothing watches it.
            log.warning("event=delay_unused code=%s reason='nothing watches this yet'", code)
            continue
        overrides[code] = Override(
            visible_after_s=delay.visible_after_s,
            clear_after_s=delay.clear_after_s,
            enabled=delay.enabled,
        )
    return overrides
