"""The wiring: a floor, about ten builds and an order. Nothing is decided here.

The store opens first, because money is taken over as soon as the local API listens; the API opens
last and closes first, so that nobody is answered by half a daemon.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from agent.clock import BOOT_ID, CHIPS, SystemClock, chip
from agent.config import Config
from agent.core.fleet import DESIRED_FILE
from agent.core.money.lanes import Order
from agent.errors import AgentError
from agent.logs import configure
from agent.main.floor import Ending, laid, wrapped
from agent.main.house import house
from agent.main.machine import Machine
from agent.settings.checks import rules_of
from agent.store import Store
from agent.supervise import EXIT_AGAIN

log = logging.getLogger(__name__)


def _carried(config: Config) -> bool:
    """Whether the clock ran on while the power was off."""
    if config.clock.chip == "auto":
        return chip(Path(config.system.root + str(CHIPS)))
    return config.clock.chip == "yes"


async def _daemon(config: Config, source: Path | None) -> int:
    clock = SystemClock(
        boot_id_file=Path(config.system.root + str(BOOT_ID)), carried=_carried(config)
    )
    ending = Ending()
    orders = {profile.name: Order(profile.order) for profile in config.uplink}
    machine = Machine(config, clock)
    await machine.ask()
    store = Store(
        Path(config.agent.state_dir), clock, orders, ending.store_failed, rules_of(config),
        storage=config.store, sealing=wrapped(config), elsewhere=machine.look,
    )  # fmt: skip
    await store.start()
    try:
        return await house(laid(config, clock, store, ending, source, machine))
    finally:
        if not store.stop():
            log.error("event=store_hangs reason='a sync did not come back; the lock ends with us'")


def run(
    config: Config, source: Path | None = None, tell: Callable[[AgentError], None] | None = None
) -> int:
    """Run the daemon until it is told to stop. Returns the process's exit code.

    `source`: the file the configuration came from, to be read again; None: the usual one.
    `tell`: says why it cannot start, in the reader's language.
    """
    configure(config.agent.log_level)
    # Path.exists would raise where the directory is closed to us; the store says that better.
    wished = os.path.exists(Path(config.agent.state_dir) / DESIRED_FILE)  # noqa: PTH110
    if wished:
        from agent.main.overlay import starting

        config = starting(config, source)
        configure(config.agent.log_level)
    try:
        code = asyncio.run(_daemon(config, source))
    except AgentError as error:
        print(f"posagent: {error}", file=sys.stderr)
        if tell is not None:
            tell(error)
        code = 2
        wished = wished and error.code != "store.busy"  # the trial is another process's
    if wished and code not in (0, EXIT_AGAIN):
        from agent.main.overlay import ended

        code = EXIT_AGAIN if ended(config) else code
    if code == EXIT_AGAIN:
        from agent.main.restart import anew

        anew(SystemClock())
    return code
