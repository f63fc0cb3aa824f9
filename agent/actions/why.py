"""Why money has not arrived: gathers the case, asks the explain engine, hands on its verdict.

Works with a dead store or no daemon too: what cannot be read is handed over as unknown.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agent.actions.ports import Ports
from agent.actions.stages import batch_of
from agent.core.health.reading import Value
from agent.core.moment import at_ms, to_ms
from agent.core.money.channel import ChannelState
from agent.core.money.journal import Backlog, Record
from agent.core.money.transaction import Kind
from agent.core.why.case import (
    Case,
    ChannelView,
    Condition,
    JournalView,
    Payment,
    PutAside,
    Said,
    Settled,
    Stretch,
    VersionChange,
    conditions_of,
    unknown_of,
)
from agent.errors import StoreError
from agent.wire.api import Nothing, OneKey
from agent.wire.questions import QuestionArgs
from agent.wire.verdict import VerdictOut, verdict_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.core.fleet.inventory import ItemChange
    from agent.core.why.text import Args, Line
    from agent.core.why.verdict import Verdict

STEPS = 100
CHANGES = 50
#: Lines of the history of health that are read for one payment.
PAST = 500
LEAD_MS = 60_000


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


async def question(ports: Ports, args: QuestionArgs) -> VerdictOut:
    """About several payments at once, the batches or the slip."""
    return verdict_out(await answered(ports, args.question), ports.daemon_alive)


async def answered(ports: Ports, about: str) -> Verdict:
    """The verdict itself."""
    from agent.actions.asked import read
    from agent.core.why.questions import Question, answer

    asked = await read(ports, Question(about))
    return answer(await gather(ports, None), asked)


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
    record = None if payment is None else payment.record
    said, unheard = await _said(ports, record, key)
    if payment is not None and record is not None:
        (proof, compared), heard = await _settled(ports, record)
        payment = replace(payment, settled=proof, compared=compared)
        unheard = unheard if heard else (*unheard, "ListEvidence")
    return Case(
        now=ports.clock.now(),
        daemon_alive=ports.daemon_alive,
        payment=payment,
        conditions=_conditions(ports, backlog),
        unknown=unknown_of(ports.health.components()),
        backlog=backlog,
        channels=_channels(ports),
        journal=journal,
        changes=await _changes(ports),
        said=said,
        unheard=tuple(dict.fromkeys(unheard)),
        past=await _past(ports, record),
        known=await _known(ports, record),
    )


def _conditions(ports: Ports, backlog: Backlog | None) -> tuple[Condition, ...]:
    """What stands, with what others know of it: a device's numbers, what waits unsent."""
    items = (
        {} if ports.inventory is None else {one.component: one for one in ports.inventory.items()}
    )
    unsent = None if backlog is None else backlog.total.count
    found = []
    for one in conditions_of(ports.health.alarms()):
        more: dict[str, Value] = dict(one.args)
        item = items.get(one.component)
        if item is not None:
            more = {"model": item.model or None, "serial": item.serial or None, **more}
        if one.code == "tls.ca_expired":
            more = {"version": ports.identity.version, **more}
        elif one.code == "power.battery_low":
            more = {"count": unsent, **more}
        found.append(replace(one, args=more))
    return tuple(found)


async def _known(ports: Ports, record: Record | None) -> Args:
    """The terminal's numbers, where it has one: every text may name them."""
    if record is not None or ports.kinds is None:
        return {}
    try:
        terminals = await ports.kinds.terminals()
    except StoreError:
        return {}
    if len(terminals) != 1:
        return {}
    return {"terminal_id": terminals[0][0], "merchant_id": terminals[0][1]}


async def _changes(ports: Ports) -> tuple[VersionChange, ...]:
    """What changed on this terminal, software and devices; unreadable is as good as none."""
    software, devices = ports.software, ports.inventory
    try:
        versions = [] if software is None else await software.changes(CHANGES)
        swapped = [] if devices is None else await devices.changes(CHANGES)
    except StoreError:
        return ()
    told = [(one.what, one.at_ms) for one in versions]
    told += [(what, one.at_ms) for one in swapped if (what := _of_device(one))]
    return tuple(VersionChange(what=what, at=at_ms(ms)) for what, ms in told)


def _of_device(change: ItemChange) -> str:
    """A device's new firmware or driver in words both languages share; "" for what else changed."""
    before, after = change.before, change.after
    if before is None or after is None:
        return ""
    parts = [
        f"{name} {old} → {new}"
        for name, old, new in (
            ("firmware", before.firmware, after.firmware),
            ("driver", before.driver, after.driver),
        )
        if old and new and old != new
    ]
    return f"{change.component}: {', '.join(parts)}" if parts else ""


async def _past(ports: Ports, record: Record | None) -> tuple[Stretch, ...] | None:
    """Health from before this payment until it came to its end; None: it could not be read."""
    if record is None or ports.past is None:
        return ()
    from agent.core.why.past import stretches

    until_at = record.changed_at if record.final else ports.clock.now().at
    captured_at = record.transaction.occurred_at
    try:
        # The newest page up to its end reaches back beyond its capture, unless much happened.
        newest = await ports.past.page(0, to_ms(until_at) + 1, 0, PAST)
        if len(newest) < PAST or newest[-1][1].at <= captured_at:
            return stretches(line for _, line in reversed(newest))
        older = await ports.past.page(0, to_ms(captured_at) + LEAD_MS, 0, PAST)
    except StoreError:
        return None
    return (
        *stretches((line for _, line in reversed(older)), until_at=captured_at),
        *stretches((line for _, line in reversed(newest)), since_at=newest[-1][1].at),
    )


async def _said(
    ports: Ports, record: Record | None, key: str | None
) -> tuple[tuple[Said, ...], tuple[str, ...]]:
    """What others know, and who could not be asked; nobody can know anything of a payment that is
    not here."""
    if key is not None and record is None:
        return (), ()
    said: list[Said] = []
    unheard: list[str] = []
    for one in ports.evidence:
        try:
            said += await one.about(record)
        except StoreError:
            unheard.append(type(one).__name__)
    try:
        said += await _preauth(ports, record)
    except StoreError:
        unheard.append("Kinds")
    return tuple(said), tuple(unheard)


async def _preauth(ports: Ports, record: Record | None) -> Sequence[Said]:
    """Whether a pre-authorisation the host has was ever completed."""
    if record is None or record.transaction.kind is not Kind.PREAUTH or ports.kinds is None:
        return ()
    from agent.core.why.preauths import PREAUTH_FAMILY, said_of

    taken_at = min(record.stored_at, record.transaction.occurred_at)
    family, back_to = await ports.kinds.of_kinds(PREAUTH_FAMILY, taken_at)
    if back_to is not None and back_to > record.stored_at:
        return ()  # its completion may be among those that were not looked at
    return said_of(record, family, ports.clock.now())


async def _settled(ports: Ports, record: Record) -> tuple[tuple[Settled | None, Line | None], bool]:
    """The proof in a list that was read, what it says, and whether that could be asked."""
    from agent.actions.listed import settled

    try:
        return await settled(ports.lists, record), True
    except StoreError:
        return (None, None), False


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
