"""The payment app as a component: its process, its calls, what it reported; and its restart.

Called by `agent.watch`. Without [payment_app] only what the app reported is watched, and the files
that find processes and ask for restarts are not loaded for more than their names.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agent.clock import Clock
from agent.config import App
from agent.config.terminal import PaymentApp
from agent.record import dataclass
from agent.watch.payment_app.activity import Activity
from agent.watch.payment_app.restarting import Marks, Restarting, by_hook
from agent.watch.payment_app.watcher import PaymentAppWatcher, Reports

if TYPE_CHECKING:
    from agent.blocking import Blocking
    from agent.watch.payment_app.presence import Presence
    from agent.watch.payment_app.restarting import RestartBy


@dataclass(frozen=True, slots=True)
class AppPorts:
    """What only a running daemon has for this watcher."""

    reports: Reports
    activity: Activity
    marks: Marks | None = None
    device_id: str = ""
    restart: RestartBy = by_hook


def build(
    config: PaymentApp,
    app: App,
    ports: AppPorts | None,
    *,
    clock: Clock,
    blocking: Blocking,
    actions_socket: Path = Path("/nonexistent"),
    root: Path = Path("/"),
) -> PaymentAppWatcher:
    """The watcher; `ports` None: for a look without a daemon, which restarts nothing."""
    presence = None
    if any((config.process, config.cmdline, config.package, config.pid_file, config.unit)):
        presence = _presence(config, clock, blocking, root)
    restart = None
    if ports is not None and config.restart:
        ask = ports.restart
        restart = lambda name, deadline_s: ask(name, deadline_s, actions_socket)  # noqa: E731
    return PaymentAppWatcher(
        config,
        app.batch_open_max_s,
        clock=clock,
        reports=None if ports is None else ports.reports,
        activity=Activity(clock) if ports is None else ports.activity,
        presence=presence,
        restarting=Restarting(
            config, clock, marks=None if ports is None else ports.marks, restart=restart
        ),
    )


def _presence(config: PaymentApp, clock: Clock, blocking: Blocking, root: Path) -> Presence:
    from agent.watch.payment_app.presence import Presence
    from agent.watch.payment_app.process import Processes, Target

    target = Target(
        process=config.process,
        cmdline=config.cmdline,
        package=config.package,
        pid_file=config.pid_file,
        unit=config.unit,
    )
    return Presence(target, Processes(root), blocking=blocking, clock=clock)


__all__ = ["Activity", "AppPorts", "PaymentAppWatcher", "build"]
