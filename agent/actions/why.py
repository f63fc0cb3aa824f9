"""Why money has not arrived: gathers the case, asks the explain engine, hands on its verdict.

Works with a dead store or no daemon too: what cannot be read is handed over as unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.actions.ports import Ports
from agent.actions.stages import batch_of
from agent.core.moment import at_ms
from agent.core.money.channel import ChannelState
from agent.core.money.journal import Backlog, Record
from agent.core.why.case import (
    Case,
    ChannelView,
    JournalView,
    Payment,
    PutAside,
    Said,
    VersionChange,
    conditions_of,
    unknown_of,
)
from agent.errors import StoreError
from agent.wire.api import Nothing, OneKey
from agent.wire.verdict import VerdictOut, verdict_out

if TYPE_CHECKING:
    from agent.core.why.verdict import Verdict

STEPS = 100
CHANGES = 50


async def one(ports: Ports, args: OneKey) -> VerdictOut:
    """About one payment; an unknown key is an answer too, not an error."""
    return verdict_out(await verdict(ports, args.key), ports.daemon_alive)


async def terminal(ports: Ports, args: Nothing) -> VerdictOut:
    """About the whole terminal."""
    del args
    return verdict_out(await verdict(ports, None), ports.daemon_alive)


async def verdict(ports: Ports, key: str | None) -> Verdict:
    """The verdict itself, for readers that render it their own way."""
    # Loaded when first asked for: most days nobody asks.
    from agent.core.why.explain import explain

    return explain(await gather(ports, key))


async def gather(ports: Ports, key: str | None) -> Case:
    """The case as far as it can be known here and now."""
    journal: JournalView | None = None
    backlog: Backlog | None = None
    payment = None if key is None else Payment(key=key, record=None)
    try:
        facts = await ports.journal.facts()
        aside = await ports.journal.quarantined()
        backlog = await ports.journal.backlog()
        if key is not None:
            payment = await _payment(ports, key)
        journal = JournalView(
            born_at=facts.born_at,
            quarantined=tuple(
                PutAside(path=item.path, records=item.records, amounts=item.amounts or {})
                for item in aside
            ),
        )
    except StoreError:
        # The engine says that the journal could not be read, and why health thinks so.
        journal = backlog = None
    return Case(
        now=ports.clock.now(),
        daemon_alive=ports.daemon_alive,
        payment=payment,
        conditions=conditions_of(ports.health.alarms()),
        unknown=unknown_of(ports.health.components()),
        backlog=backlog,
        channels=_channels(ports),
        journal=journal,
        changes=await _changes(ports),
        said=await _said(ports, None if payment is None else payment.record, key),
    )


async def _changes(ports: Ports) -> tuple[VersionChange, ...]:
    """What changed on this terminal; unreadable is as good as none."""
    if ports.software is None:
        return ()
    try:
        changes = await ports.software.changes(CHANGES)
    except StoreError:
        return ()
    return tuple(VersionChange(what=one.what, at=at_ms(one.at_ms)) for one in changes)


async def _said(ports: Ports, record: Record | None, key: str | None) -> tuple[Said, ...]:
    """What others know; nobody can know anything of a payment that is not here."""
    if key is not None and record is None:
        return ()
    said: list[Said] = []
    for one in ports.evidence:
        try:
            said += await one.about(record)
        except StoreError:
            continue
    return tuple(said)


async def _payment(ports: Ports, key: str) -> Payment:
    record = await ports.journal.record(key)
    if record is None:
        return Payment(key=key, record=None)
    return Payment(
        key=key,
        record=record,
        steps=tuple(await ports.journal.steps(record.seq, STEPS)),
        reports=() if ports.told is None else tuple(await ports.told.stages(record.seq)),
        batch=await batch_of(ports, record.transaction),
    )


def _channels(ports: Ports) -> tuple[ChannelView, ...] | None:
    if ports.channels is None:
        return None
    return tuple(
        ChannelView(
            name=channel.name,
            state=ChannelState(channel.state),
            cause=channel.cause,
            since_at=channel.since_at,
            next_attempt_at=channel.next_attempt_at,
            last_success_at=channel.last_success_at,
            evidence=tuple(getattr(channel, "evidence", ())),
        )
        for channel in ports.channels.channels()
    )
