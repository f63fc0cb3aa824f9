"""Is money unsent? Asked before an update, a removal, a purge or a downgrade."""

from __future__ import annotations

from pathlib import PurePath

from agent.actions.backlog import blocking_cause
from agent.actions.ports import Ports
from agent.core.money.guarding import guarded
from agent.wire.guard import GuardArgs, GuardForceArgs, GuardOut
from agent.wire.views import AmountsOut


async def show(ports: Ports, args: GuardArgs) -> GuardOut:
    """Works on a dead daemon's store too."""
    return await _look(ports, args.purpose)


async def force(ports: Ports, args: GuardForceArgs) -> GuardOut:
    """The line in the trail is written by the desk; here is what it was about."""
    return await _look(ports, args.purpose)


async def _look(ports: Ports, purpose: str) -> GuardOut:
    backlog, now = await ports.journal.backlog(), ports.clock.now()
    found = guarded(backlog, (await ports.journal.facts()).damage, now.at)
    channels = [] if ports.channels is None else list(ports.channels.channels())
    aside = await ports.journal.quarantined()
    return GuardOut(
        at=now.at,
        purpose=purpose,
        standing=found.standing,
        total=AmountsOut(count=found.total.count, by_currency=dict(found.total.by_currency)),
        in_doubt=backlog.in_doubt.count,
        held=backlog.held.count,
        quarantined=None if backlog.quarantined is None else backlog.quarantined.count,
        oldest_at=backlog.oldest_at,
        oldest_age_s=found.oldest_age_s,
        cause=blocking_cause(channels, backlog),
        reason=found.reason,
        aside=[PurePath(one.path).name for one in aside],
    )
