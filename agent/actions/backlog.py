"""The unsent money of this terminal: how many, how much, how old, and what stops it."""

from __future__ import annotations

from agent.actions.ports import Ports
from agent.actions.ports.rooms import Channel
from agent.core.money.journal import Backlog
from agent.wire.api import Nothing
from agent.wire.views import BacklogOut, backlog_out


async def run(ports: Ports, args: Nothing) -> BacklogOut:
    del args
    return report(ports, await ports.journal.backlog())


def report(ports: Ports, backlog: Backlog) -> BacklogOut:
    """The backlog with what the channels say about it. Also feeds the event stream."""
    channels = [] if ports.channels is None else list(ports.channels.channels())
    due = [c.next_attempt_at for c in channels if c.next_attempt_at is not None]
    return backlog_out(
        backlog,
        ports.clock.now().at,
        blocking_cause(channels, backlog),
        min(due, default=None),
    )


def blocking_cause(channels: list[Channel], backlog: Backlog) -> str:
    """Why nothing moves: trouble in a channel, no channel, else what most payments met."""
    if not backlog.total.count:
        return ""
    troubled = [channel for channel in channels if channel.cause and channel.state != "ok"]
    if troubled:
        return min(troubled, key=lambda c: (c.since_at is None, c.since_at or 0, c.name)).cause
    if not channels:
        return "config.not_activated"  # recorded, and nobody to send it to
    met = {code: count for code, count in backlog.by_cause.items() if code}
    return max(met, key=lambda code: (met[code], code), default="")
