"""What the actions need of the rooms: the journal, health, the channels, who we are.

The daemon plugs in the live rooms, the command line its offline readers; an action cannot tell,
except that nothing can be changed without a daemon. Called by main and by the offline CLI.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING

from agent.errors import OperatorError
from agent.record import dataclass
from agent.wire.problem import CODES

if TYPE_CHECKING:
    from agent.actions.inspecting import Inspecting, Inspections
    from agent.actions.ports.audit import Noting, Read
    from agent.actions.ports.drill import Arounds, Drilling, Drills, Timings
    from agent.actions.ports.page import Asking, Page, Past
    from agent.actions.ports.questions import Kinds
    from agent.actions.ports.reconcile import Lists
    from agent.actions.ports.rooms import (
        AppSeen,
        Backups,
        Care,
        Channels,
        Evidence,
        Health,
        Hearing,
        Inventory,
        Journal,
        Judge,
        Mover,
        Prepared,
        Pushed,
        Reports,
        Telemetry,
        Told,
        Verifier,
    )
    from agent.actions.ports.slips import Memory, Printing
    from agent.actions.ports.software import Installing, Software
    from agent.actions.pulling import Pulling
    from agent.actions.reconciling import Reconciler
    from agent.bundles import Surroundings
    from agent.clock import Clock
    from agent.core.money.transaction import Submission
    from agent.offload import Offload


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who this agent is."""

    device_id: str
    tenant: str
    site: str
    version: str
    started_at: datetime | None = None  #: None: no daemon


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything an action may use, and on whose behalf it runs."""

    journal: Journal
    mover: Mover | None  #: None: no daemon, nothing can be changed
    health: Health
    channels: Channels | None  #: None: not known without a daemon
    identity: Identity
    clock: Clock
    telemetry: Callable[[], Telemetry] | None = None  #: None: not known without a daemon
    judged: Judge | None = None  #: None: no daemon
    prepared: Prepared | None = None  #: None: no daemon
    told: Told | None = None  #: None: not kept here
    reports: Reports | None = None  #: None: no daemon
    backups: Backups | None = None  #: None: not made here
    care: Care | None = None  #: None: no daemon
    verifier: Verifier | None = None  #: None: not stored here
    pushed: Pushed | None = None  #: None: no daemon, or no hooks
    hearing: Hearing | None = None  #: None: no daemon
    inventory: Inventory | None = None  #: None: not kept here
    inspections: Inspections | None = None  #: None: not kept here
    inspector: Inspecting | None = None  #: None: no daemon
    drills: Drills | None = None  #: None: not kept here
    driller: Drilling | None = None  #: None: no daemon
    arounds: Arounds | None = None  #: None: not kept here
    timings: Timings | None = None  #: None: nothing to count here
    late_after_s: float = 60.0  #: [stats]
    app: AppSeen | None = None  #: None: no daemon
    software: Software | None = None  #: None: not kept here
    installer: Installing | None = None  #: None: no daemon
    trail: Read | None = None  #: None: not kept here
    noting: Noting | None = None  #: None: no daemon
    page: Page | None = None  #: None: not served
    asking: Asking | None = None  #: None: no daemon
    past: Past | None = None  #: None: not kept here
    kinds: Kinds | None = None  #: None: not stored here
    printing: Printing | None = None  #: None: no daemon
    memory: Memory | None = None  #: None: not kept here
    offload: Offload | None = None  #: runs what computes for long; None: not here
    bundling: Callable[[], Surroundings] | None = None  #: None: no bundle is made here
    lists: Lists | None = None  #: settlement lists that were read; None: not kept here
    reconciler: Callable[[], Reconciler] | None = None  #: None: no daemon
    puller: Callable[[], Pulling] | None = None  #: fetches settlement lists; None: no daemon
    #: What others know that a verdict should say: reconciliation, slips, checks.
    evidence: tuple[Evidence, ...] = ()
    #: By uplink, what holds a payment against it before it is recorded. Raises RequestError.
    checks: Mapping[str, Callable[[Submission], None]] = field(default_factory=dict)
    actor: str = "agent"  #: kept in the history of what is changed

    @property
    def daemon_alive(self) -> bool:
        return self.mover is not None

    def moving(self) -> Mover:
        """The way to change a record. Raises OperatorError without a daemon."""
        if self.mover is None:
            raise _down("nothing can be changed")
        return self.mover

    def judge(self) -> Judge:
        """Who holds payments against the rules. Raises OperatorError without a daemon."""
        if self.judged is None:
            raise _down("no payment can be checked")
        return self.judged

    def reporting(self) -> Reports:
        """Who takes reports. Raises OperatorError without a daemon."""
        if self.reports is None:
            raise _down("nothing can be reported")
        return self.reports

    def printer(self) -> Printing:
        """The printer of this terminal. Raises OperatorError without a daemon."""
        if self.printing is None:
            raise _down("nothing can be printed")
        return self.printing

    def preparing(self) -> Prepared:
        """What uses prepared messages. Raises OperatorError without a daemon."""
        if self.prepared is None:
            raise _down("nothing can be changed")
        return self.prepared

    def keeping(self) -> Backups:
        """Who makes backups. Raises OperatorError where nobody does."""
        if self.backups is None:
            raise _down("no backup can be made")
        return self.backups

    def caring(self) -> Care:
        """Who looks after stored rows. Raises OperatorError without a daemon."""
        if self.care is None:
            raise _down("nothing can be changed")
        return self.care

    def verifying(self) -> Verifier:
        """Who checks what is stored. Raises OperatorError where nobody does."""
        if self.verifier is None:
            raise _down("nothing can be verified")
        return self.verifier

    def reconciling(self) -> Reconciler:
        """Who reads settlement lists. Raises OperatorError without a daemon."""
        if self.reconciler is None:
            raise _down("no settlement list can be kept")
        return self.reconciler()

    def pulling(self) -> Pulling:
        """Who fetches settlement lists. Raises OperatorError without a daemon."""
        if self.puller is None:
            raise _down("no settlement list can be fetched")
        return self.puller()

    def inspecting(self) -> Inspecting:
        """Who inspects. Raises OperatorError without a daemon."""
        if self.inspector is None:
            raise _down("nothing can be inspected")
        return self.inspector


def _down(what: str) -> OperatorError:
    return OperatorError(
        "daemon.down", f"{what} while the agent is not running", CODES["daemon.down"].hint
    )
