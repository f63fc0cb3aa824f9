"""The watchers of this terminal, built from its configuration.

Each is imported only when it is built: a terminal without a printer loads no serial code.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from agent.blocking import Blocking
from agent.clock import Clock
from agent.config import Config
from agent.config.page import Page
from agent.core.fleet.inventory import covered
from agent.core.health.conditions import Override
from agent.core.health.standard import STANDARD
from agent.watch.runner import Records, Timers, Watch, Watcher

if TYPE_CHECKING:
    from agent.link.contact import Contacts
    from agent.watch.channels import Known
    from agent.watch.clock import Hearing, Notes
    from agent.watch.connectivity import Around
    from agent.watch.discovery.hotplug import Hotplug
    from agent.watch.discovery.watcher import DevicesWatcher
    from agent.watch.hooked import Doors
    from agent.watch.payment_app import AppPorts
    from agent.watch.software import SoftwareWatcher


log = logging.getLogger(__name__)


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
    app: AppPorts | None = None,
    software: SoftwareWatcher | None = None,
    contacts: Contacts | None = None,
    hearing: Hearing | None = None,
    notes: Notes | None = None,
    around: Around | None = None,
    pressed: Callable[[], object] | None = None,
    built: Callable[[Watcher], None] | None = None,
) -> tuple[Watch, Watch]:
    """The part `watch` and the view of it (one object, two roles).

    `extra` are watchers for what the agent knows of itself (`uplink`, `queue`, `agent`); `trust`
    makes a TLS context of (CA, certificate, key) files, `agent.link.tls.client_context` if None;
    watchers with `heard` hear of all `contacts`, those with `listens` read what the others said.
    `hearing` collects what is said about the time, `notes` are what outlives the process;
    `around`: channels and uplinks, as far as the way to the hosts depends on them; `pressed`:
    somebody held the keys that [page] names; `built` is told of every watcher.
    """
    watch_all = [
        *watchers(
            config,
            clock=clock,
            blocking=blocking,
            trust=trust,
            devices=devices,
            doors=doors,
            app=app,
            software=software,
            hearing=hearing,
            notes=notes,
            around=around,
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
    for one in watch_all if built is not None else ():
        built(one)  # type: ignore[misc]  # asked above
    _let_listen(watch, watch_all)
    _let_hear(contacts, watch_all)
    _let_ask(config.page, watch_all, pressed)
    return watch, watch


def _let_listen(watch: Watch, watch_all: Sequence[Watcher]) -> None:
    """Who makes something of what the others said reads it."""
    for one in watch_all:
        listens = getattr(one, "listens", None)
        if listens is not None:
            listens(watch.components)


def _let_ask(
    config: Page, watch_all: Sequence[Watcher], pressed: Callable[[], object] | None
) -> None:
    """Whose keys a person may hold together hears which."""
    for one in watch_all if config.keys and pressed is not None else ():
        combined = getattr(one, "combined", None)
        if combined is not None:
            combined(config.keys, config.keys_hold_s, pressed)


def _let_hear(contacts: Contacts | None, watch_all: Sequence[Watcher]) -> None:
    """Who makes something of other people's connections hears how they ended."""
    for one in watch_all:
        heard = getattr(one, "heard", None)
        if heard is not None and contacts is not None:
            contacts.listen(heard)


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
    app: AppPorts | None = None,
    software: SoftwareWatcher | None = None,
    hearing: Hearing | None = None,
    notes: Notes | None = None,
    around: Around | None = None,
) -> list[Watcher]:
    """The watchers of components; also for `posagent probe`, without a daemon."""
    from agent.link.tls import client_context
    from agent.watch.connectivity import build as connectivity
    from agent.watch.printer import build as printer
    from agent.watch.quality import build as quality
    from agent.watch.scanner import build as scanner
    from agent.watch.software import probing
    from agent.watch.system import build as system

    software = software or probing(config, blocking=blocking)
    own = [
        printer(config.printer, blocking),
        scanner(config.scanner, blocking, clock),
        connectivity(
            config.connectivity,
            config.uplink,
            clock=clock,
            blocking=blocking,
            trust=trust or client_context,
            around=around,
            compared=hearing.compared if hearing is not None else None,
        ),
        _clock(config, clock, blocking, trust or client_context, hearing=hearing, notes=notes),
        *quality(config, clock=clock, blocking=blocking),
        system(
            config.system,
            config.agent.state_dir,
            blocking=blocking,
            clock=clock,
            notes=notes,
            aging=config.aging,
            reserve_kb=config.store.reserve_kb,
        ),
        software,
        devices or devices_watcher(config, blocking),
        *_keypad(config, blocking),
        *_payment_app(config, app, clock, blocking),
    ]
    own += _on_android(config, own, clock, blocking)
    if not config.hook and not config.hooks.about_period_s:
        return own
    return _hooked(config, own, software, doors or _probing(config, clock, blocking))


def _probing(config: Config, clock: Clock, blocking: Blocking) -> Doors:
    """The vendor's firmware where no daemon listens to it."""
    from agent.hooks import ProbingDoors

    return ProbingDoors(config, clock=clock, blocking=blocking)


def _clock(
    config: Config,
    clock: Clock,
    blocking: Blocking,
    trust: Callable[[str, str, str], ssl.SSLContext],
    *,
    hearing: Hearing | None,
    notes: Notes | None,
) -> Watcher:
    from agent.link.dial import Dialer
    from agent.watch.clock import build as clock_watcher

    return clock_watcher(
        config.clock,
        config.uplink,
        clock=clock,
        dial=Dialer(blocking),
        trust=trust,
        hearing=hearing,
        notes=notes,
        root=Path(config.system.root),
    )


def _hooked(
    config: Config,
    own: list[Watcher],
    software: SoftwareWatcher,
    opened: Doors,
) -> list[Watcher]:
    """The same, with what the vendor's firmware says of them and beside them."""
    from agent.watch.hooked import plugged

    settings = config.hooks
    found = plugged(own, config.hook, opened, settings.deadline_s)
    if settings.about_period_s:
        from agent.watch.firmware import FirmwareWatcher

        about = FirmwareWatcher(opened.puller, settings.about_period_s, settings.deadline_s)
        software.installed_by_hooks = about.software
        found.append(about)
    return found


def _on_android(
    config: Config, others: Sequence[Watcher], clock: Clock, blocking: Blocking
) -> list[Watcher]:
    """On Android its own watcher; those that read files elsewhere are handed what it tells."""
    from agent.watch.android import build as android_here

    android = android_here(config.android, clock=clock, blocking=blocking)
    if android is None:
        return []
    from agent.watch.android.watcher import AndroidWatcher

    for one in others:
        takes = getattr(one, "on_android", None)
        if takes is not None:
            takes(android)
    return [AndroidWatcher(android)]


def _keypad(config: Config, blocking: Blocking) -> list[Watcher]:
    """None without one configured: most terminals keep theirs from the operating system."""
    if not config.keypad.device and not config.keypad.name:
        return []
    from agent.watch.keypad import build as keypad

    return [keypad(config.keypad, config.agent.state_dir, blocking)]


def _payment_app(
    config: Config, app: AppPorts | None, clock: Clock, blocking: Blocking
) -> list[Watcher]:
    """None where no daemon hears the app and nothing finds its process; with its settings."""
    from agent.watch.payment_app import build as payment_app

    watcher = payment_app(
        config.payment_app, config.app, app, clock=clock, blocking=blocking,
        actions_socket=Path(config.hooks.actions_socket),
    )  # fmt: skip
    hooked = any(one.component == watcher.component for one in config.hook)
    watched = app is not None or watcher.watched or hooked
    return [*([watcher] if watched else []), *_configuration(config, app, clock, blocking)]


def channels_watchers(known: Known | None) -> list[Watcher]:
    """The watcher of the ways out, where any are configured."""
    if known is None:
        return []
    from agent.watch.channels import ChannelsWatcher

    return [ChannelsWatcher(known)]


def _configuration(
    config: Config, app: AppPorts | None, clock: Clock, blocking: Blocking
) -> list[Watcher]:
    """None where nothing is named that could be held against anything."""
    settings, hooked = config.configuration, {one.component for one in config.hook}
    files = ("ca_file", "cert_file", "key_file", "password_file")
    named = [settings.profile, *settings.credentials, *settings.access]
    shown = (*config.uplink, config.telemetry)
    named += [getattr(one, name, "") for one in shown for name in files]
    if not any(named) and not config.settings_file and "configuration" not in hooked:
        return []
    from agent.watch.configuration import build as configuration

    return [
        configuration(
            config,
            app.device_id if app is not None else config.agent.device_id,
            clock=clock,
            blocking=blocking,
            payments=app.activity if app is not None else None,
        )
    ]


def devices_watcher(config: Config, blocking: Blocking) -> DevicesWatcher:
    """The watcher of what is attached at all."""
    from agent.watch.discovery.watcher import DevicesWatcher, configured

    return DevicesWatcher(config.discovery, configured(config), blocking)


def hotplug(
    config: Config,
    watch: Watch,
    devices: DevicesWatcher,
    plugged: Sequence[Callable[[], None]] = (),
) -> Hotplug:
    """The part that has devices read when they come or go; `plugged` hear of sticks and cards."""
    from agent.watch.discovery.hotplug import STORAGE, Hotplug, Interest
    from agent.watch.discovery.watcher import interests

    def poke(component: str) -> None:
        if component == STORAGE:
            for one in plugged:
                one()
        else:
            watch.poke(component)

    settings = config.discovery
    extra = [Interest(component=STORAGE, storage=True)] if plugged else []
    part = Hotplug(
        [*interests(config), *extra],
        poke,
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
