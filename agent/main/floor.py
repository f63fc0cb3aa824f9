"""What every room stands on, laid before anything is built: store, clock, threads, channels."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from agent import hooks
from agent.clock import SystemClock
from agent.config import Config
from agent.link.contact import Contacts
from agent.main.exposed import Exposure
from agent.main.machine import Machine
from agent.record import dataclass
from agent.settings.checks import rules_of
from agent.store import Store
from agent.store.care import Care
from agent.store.checks import Checks
from agent.store.part import StorePart
from agent.store.prepared import Prepared
from agent.store.reports import Reports
from agent.store.sealing import Sealing
from agent.supervise import EXIT_AGAIN, EXIT_STORE, DaemonThreads, Supervisor, Timers
from agent.watch.clock import Hearing

if TYPE_CHECKING:
    from agent.link.channels import ChannelsPart


@dataclass(slots=True)
class Ending:
    """Carries a failed store to the supervisor, whichever of the two comes first."""

    supervisor: Supervisor | None = None
    code: str = ""

    def told_to(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        if self.code:
            self.store_failed(self.code)

    def store_failed(self, code: str) -> None:
        self.code = code
        if self.supervisor is not None:
            self.supervisor.end(EXIT_STORE, f"the store failed: {code}")

    def again(self, reason: str) -> None:
        """Stop, to be started anew."""
        if self.supervisor is not None:
            self.supervisor.end(EXIT_AGAIN, reason)

    def restarts(self) -> dict[str, int]:
        return {} if self.supervisor is None else self.supervisor.restarts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """What every room stands on."""

    config: Config
    clock: SystemClock
    threads: DaemonThreads
    timers: Timers
    store: Store
    keeper: StorePart
    checks: Checks
    prepared: Prepared
    reports: Reports
    care: Care
    ending: Ending
    contacts: Contacts  #: what became of connections; whoever watches the network listens
    hearing: Hearing  #: what others say about the time
    ways: ChannelsPart | None  #: None: the system chooses which way connections leave
    exposure: Exposure  #: files in wrong hands
    source: Path | None = None  #: the file the configuration came from; None: the usual one
    machine: Machine | None = None  #: the hardware, beside that on which the store was begun


def laid(  # noqa: PLR0917 - what the floor is made of
    config: Config, clock: SystemClock, store: Store, ending: Ending, source: Path | None = None,
    machine: Machine | None = None,
) -> Floor:  # fmt: skip
    """The floor over an open store."""
    threads, contacts = DaemonThreads(), Contacts()
    keeper = StorePart(store)
    return Floor(
        config=config,
        clock=clock,
        threads=threads,
        timers=Timers(clock),
        store=store,
        keeper=keeper,
        checks=Checks(store, clock, rules_of(config)),
        prepared=Prepared(store, clock),
        reports=Reports(store, clock),
        care=Care(store, clock, threads, config.store.verify_period_s),
        ending=ending,
        contacts=contacts,
        hearing=Hearing(config.clock, clock, clock, keeper.clock_proved),
        ways=_ways(config, clock, threads, contacts),
        exposure=Exposure(),
        source=source,
        machine=machine,
    )


def wrapped(config: Config) -> Sealing | None:
    """The payload keys where the firmware keeps them; None: as [store] says."""
    unwrap = hooks.unwrapper(config, DaemonThreads())
    if unwrap is None:
        return None
    return Sealing(file=Path(config.hooks.wrapped_keys), on=config.store.seal, unwrap=unwrap)


def _ways(
    config: Config, clock: SystemClock, threads: DaemonThreads, contacts: Contacts
) -> ChannelsPart | None:
    """The channels as a part, where there are any."""
    if not config.channel:
        return None
    from agent.hooks.actions import select_channel
    from agent.link.channel_build import build

    part = build(
        config, clock=clock, blocking=threads, draw=random.Random().random,
        select=partial(select_channel, socket=Path(config.hooks.actions_socket)),
        told=contacts.tell,
    )  # fmt: skip
    contacts.listen(part.heard)
    return part
