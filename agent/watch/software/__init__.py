"""What is installed, what should be, and bringing the one to the other.

`watcher` reads versions (`sources`, `packages`, `files`) and holds them against the manifest in
force (`manifests`, `plain`); `history` remembers changes; `updates` installs through the vendor's
hooks and is loaded only in the daemon.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from agent.blocking import Blocking
from agent.clock import Clock, SystemClock
from agent.config.software import Component, Software
from agent.core.software.manifest import Terminal
from agent.watch.software.manifests import Manifests, Opener, known_of
from agent.watch.software.sources import Android, Sources
from agent.watch.software.watcher import SoftwareWatcher

if TYPE_CHECKING:
    from agent.config import Config
    from agent.core.money.journal import Backlog
    from agent.watch.software.gathering import Health, Money
    from agent.watch.software.history import Rows
    from agent.watch.software.room import Room
    from agent.watch.software.updates import Updates
    from agent.wire.hooks import ActionDone, ActionFailed, ActionRefused


def build(
    config: Software,
    components: Iterable[Component] = (),
    *,
    blocking: Blocking,
    root: Path = Path("/"),
    terminal: Terminal | None = None,
    state_dir: Path | None = None,
    clock: Clock | None = None,
    android: Android | None = None,
) -> SoftwareWatcher:
    """The watcher of what is installed on this machine. `state_dir` None: it keeps nothing."""
    names = {one.name: one for one in components}
    nobody = Terminal(
        device_id="", model=config.model, tenant="", groups=config.groups, channel=config.channel
    )
    manifests = Manifests(
        config,
        state_dir=state_dir,
        terminal=terminal or nobody,
        known=known_of(names),
        now=(clock or SystemClock()).now,
    )
    return SoftwareWatcher(
        config,
        names.values(),
        sources=Sources(root, android=android),
        manifests=manifests,
        blocking=blocking,
    )


def probing(config: Config, *, blocking: Blocking) -> SoftwareWatcher:
    """The same for one look by a person: nothing is kept."""
    from agent.identity import own_name

    return build(
        config.software,
        config.component,
        blocking=blocking,
        terminal=_terminal(config, own_name(config)),
    )


def watcher_of(
    config: Config,
    device_id: str,
    *,
    blocking: Blocking,
    clock: Clock,
    rows: Rows | None = None,
    android: Android | None = None,
) -> SoftwareWatcher:
    """The same for a daemon, which keeps the manifest in force and what changed."""
    from agent.watch.software.history import History

    settings = config.software
    watcher = build(
        settings,
        config.component,
        blocking=blocking,
        terminal=_terminal(config, device_id),
        state_dir=Path(config.agent.state_dir),
        clock=clock,
        android=android,
    )
    if rows is not None:
        watcher.history = History(rows, clock)
    return watcher


def room_of(
    config: Config,
    versions: SoftwareWatcher,
    *,
    backlog: Callable[[], Awaitable[Backlog]],
    money: Callable[[], Money],
    health: Health,
    clock: Clock,
    blocking: Blocking,
) -> Room:
    """What others ask about software, with the part that installs updates."""
    from agent.watch.software.installing import Installing
    from agent.watch.software.room import Room

    state_dir = Path(config.agent.state_dir)

    def updates() -> Updates:
        # Most terminals never install anything: 0.4 MB of a quiet daemon.
        from agent.watch.software.gathering import Ports
        from agent.watch.software.updates import Updates

        return Updates(
            config.software,
            state_dir,
            Ports(
                act=partial(_act, Path(config.hooks.actions_socket)),
                backlog=backlog,
                money=money(),
                keep_ms=config.store.retention_days * 86_400_000,
                health=health,
                versions=versions,
                clock=clock,
                blocking=blocking,
            ),
            signed=Opener(config.software).signed_only,
        )

    installing = Installing(state_dir, blocking, updates)
    versions.updates = installing
    return Room(versions, installing)


def _terminal(config: Config, device_id: str) -> Terminal:
    return Terminal(
        device_id=device_id,
        model=config.software.model,
        tenant=config.agent.tenant,
        groups=config.software.groups,
        channel=config.software.channel,
    )


async def _act(
    socket: Path, name: str, *, deadline_s: float, **fields: object
) -> ActionDone | ActionRefused | ActionFailed:
    """By posagent-actions; loaded when there is something to do."""
    from agent.hooks.actions import act

    return await act(name, deadline_s=deadline_s, socket=socket, **fields)


__all__ = ["Android", "SoftwareWatcher", "build", "probing", "room_of", "watcher_of"]
