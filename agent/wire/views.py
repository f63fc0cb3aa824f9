"""What the local API shows: the types of every successful answer, and how they are filled.

An allow-list: a field exists here or it does not leave. Payload bytes, keys of secrets and clear
card numbers have no field. Both languages go out together; the reader picks one. Called by the
actions; the types are the source of the schemas in the contracts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from agent.core.health.reading import NotFitted, NotObservable, Reading, Unknown, Value
from agent.core.health.tracker import Alarm, ComponentState
from agent.core.moment import at_ms
from agent.core.money.journal import Amounts, Backlog, HostResult, Record, State, Step
from agent.wire.inventory import DeviceOut
from agent.wire.session import ListenerOut

if TYPE_CHECKING:
    from agent.core.why.text import Args, Text


class Both(Struct, frozen=True):
    """One sentence in both languages."""

    zh: str
    en: str


class StepOut(Struct, frozen=True, kw_only=True):
    """One line of a payment's history; repeats of one trouble are one line with a count."""

    event: str
    state: State
    in_doubt: bool
    cause: str
    note: str
    count: int
    first_at: datetime
    last_at: datetime
    actor: str
    """`agent`, or who did it: `uid:` and the number of a user of this terminal."""


class ResultOut(Struct, frozen=True, kw_only=True):
    """What the host said, bound to the payment by its own echo."""

    reference: str | None
    response_code: str | None
    rrn: str | None
    posted_amount_minor: int | None
    posted_at: datetime | None
    text: str | None


class CardOut(Struct, frozen=True, kw_only=True):
    """Scheme and masked number."""

    scheme: str | None
    masked: str | None


class AppOut(Struct, frozen=True, kw_only=True):
    """The payment app that handed the record over."""

    name: str
    version: str


class TransactionOut(Struct, frozen=True, kw_only=True):
    """One payment: what was handed over, and where it stands."""

    key: str
    state: State
    final: bool
    in_doubt: bool
    """The host may have this payment already: do not take it again."""
    cause: str
    """Cause code of the last trouble, or empty."""
    note: str
    sent: int
    """Attempts by the agent in which a byte may have left."""
    tried: int
    next_attempt_at: datetime | None
    result: ResultOut | None
    seq: int
    version: int
    stored_at: datetime
    changed_at: datetime
    first_sent_at: datetime | None
    last_sent_at: datetime | None
    terminal_id: str
    merchant_id: str
    kind: str
    posting: str
    occurred_at: datetime
    uplink: str
    amount_minor: int | None
    currency: str | None
    posted_amount_minor: int | None
    send_before: datetime | None
    stan: str | None
    batch: str | None
    rrn: str | None
    refers_to: str | None
    covers: tuple[str, ...]
    first_attempt_at: datetime | None
    attempts: int
    reversal_key: str | None
    customer_saw: str
    card: CardOut | None
    app: AppOut | None
    delivery: str
    lane: str | None
    payload_version: int
    flags: tuple[str, ...]
    """What the check disliked when it was taken all the same."""
    history: list[StepOut] | None = None
    """With `?history=true`; the newest 100 lines, oldest first."""


class QueuePage(Struct, frozen=True, kw_only=True):
    """Payments in order of acceptance."""

    items: list[TransactionOut]
    next_after: int | None
    """Pass as `after` for the next page; null: this was the last."""


class AmountsOut(Struct, frozen=True, kw_only=True):
    """A number of payments and their sums by currency, in minor units."""

    count: int
    by_currency: dict[str, int]


class BacklogOut(Struct, frozen=True, kw_only=True):
    """The unsent money of this terminal."""

    at: datetime
    total: AmountsOut
    by_state: dict[str, AmountsOut]
    in_doubt: AmountsOut
    held: AmountsOut
    quarantined: AmountsOut | None
    """Damaged records put aside; null: there are some and their number is not known."""
    oldest_at: datetime | None
    by_cause: dict[str, int]
    blocking_cause: str
    """Why nothing moves right now, or empty."""
    next_attempt_at: datetime | None


class AlarmOut(Struct, frozen=True, kw_only=True):
    """One open trouble."""

    code: str
    component: str
    severity: str
    title: Both
    since_at: datetime
    shown_at: datetime | None
    owner: str
    """Who must act."""
    step: Both
    """What to do next."""
    suppressed_by: str
    """Code of the trouble it follows from; empty: it stands for itself."""
    flaps: int
    known: bool
    """False: its component fell silent, so nobody knows whether it still holds."""
    args: dict[str, Value]
    acknowledged_by: str = ""
    """Who took note of it; empty: nobody."""
    acknowledged_at: datetime | None = None
    acknowledged_until: datetime | None = None
    """When that ends by itself; null: with the alarm."""
    acknowledged_note: str = ""
    acknowledged_to: str = ""
    """Who has it in hand; empty: whoever took note."""


class ComponentOut(Struct, frozen=True, kw_only=True):
    """The last word of one component. unknown is neither a fault nor fine."""

    component: str
    outcome: str
    """`reading`, `not_fitted`, `not_observable` or `unknown`."""
    at: datetime
    duration_ms: int
    values: dict[str, Value]
    evidence: dict[str, str]
    reason: str
    code: str


class HealthOut(Struct, frozen=True, kw_only=True):
    """What is wrong with this terminal, and what each component last said."""

    at: datetime
    alarms: list[AlarmOut]
    components: list[ComponentOut]


class ChannelOut(Struct, frozen=True, kw_only=True):
    """One uplink as the uploader sees it."""

    name: str
    state: str
    cause: str
    since_at: datetime | None
    next_attempt_at: datetime | None
    last_success_at: datetime | None
    in_flight: int


class TelemetryOut(Struct, frozen=True, kw_only=True):
    """The way to the fleet's broker, and what waits for it."""

    configured: bool
    """False: no broker is configured; reports are kept on this terminal."""
    connected: bool
    endpoint: str
    protocol: str
    """MQTT version in use or tried last."""
    queued: int
    """Messages the broker has not acknowledged yet."""
    lost: int
    """Messages given up because there was no room or the broker refuses them."""
    alarm: str
    error: str
    """Code of the last failure while not connected, or empty."""
    reason: str
    spent_today_bytes: int = 0
    """On the wire, in both directions, since midnight UTC."""
    spent_is_estimate: bool = False
    """True: the kernel did not count all of it."""
    budget_kb: int = 0
    """What a day may cost on the network in use; 0: no limit."""
    budget_step: str = ""
    """What is still told: `full`, `no_history`, `fewer_readings` or `alarms_and_money`."""
    thinned: int = 0
    """Readings folded into later ones while they waited."""
    withheld: int = 0
    """Fields and messages kept back since the start: they might have told too much."""


class StoreOut(Struct, frozen=True, kw_only=True):
    """Where the money lies."""

    path: str
    schema: int
    born_at: datetime
    clean_start: bool
    damage: str
    """What start-up found wrong, or empty."""


class StatusOut(Struct, frozen=True, kw_only=True):
    """Everything a person asks first."""

    at: datetime
    version: str
    device_id: str
    tenant: str
    site: str
    daemon_alive: bool
    """False: read from the store without a daemon; channels and health may be old."""
    started_at: datetime | None
    clock_trusted: bool
    store: StoreOut | None
    """null: the store cannot be read; `store_problem` says why."""
    store_problem: str
    backlog: BacklogOut | None
    alarms: list[AlarmOut]
    channels: list[ChannelOut]
    telemetry: TelemetryOut | None
    """null: not known without a daemon."""
    devices: tuple[DeviceOut, ...] = ()
    """Those that are watched, as the inventory has them."""
    listeners: tuple[ListenerOut, ...] = ()
    """Where the technician's page is served."""


class Moved(Struct, frozen=True, kw_only=True):
    """What a command to the queue did."""

    moved: int
    skipped: int
    """Changed or became impossible in the meantime; repeat to see them."""
    more: bool
    """There were more than one call moves: repeat."""
    items: list[TransactionOut]
    """At most 100 of those moved."""


def transaction_out(record: Record, steps: Iterable[Step] | None = None) -> TransactionOut:
    """A record as the API shows it."""
    t = record.transaction
    due_ms = 0 if record.final or record.state is State.HELD else record.next_wall_ms
    return TransactionOut(
        key=t.key, state=record.state, final=record.final, in_doubt=record.in_doubt,
        cause=record.cause, note=record.note, sent=record.sent, tried=record.tried,
        next_attempt_at=at_ms(due_ms) if due_ms else None,
        result=None if record.result is None else result_out(record.result),
        seq=record.seq, version=record.version, stored_at=record.stored_at,
        changed_at=record.changed_at,
        first_sent_at=at_ms(record.first_sent.wall_ms) if record.first_sent else None,
        last_sent_at=at_ms(record.last_sent.wall_ms) if record.last_sent else None,
        terminal_id=t.terminal_id, merchant_id=t.merchant_id, kind=t.kind, posting=t.posting,
        occurred_at=t.occurred_at, uplink=t.uplink, amount_minor=t.amount_minor,
        currency=t.currency, posted_amount_minor=t.posted_amount_minor,
        send_before=t.send_before, stan=t.stan, batch=t.batch, rrn=t.rrn,
        refers_to=t.refers_to, covers=t.covers, first_attempt_at=t.first_attempt_at,
        attempts=t.attempts, reversal_key=t.reversal_key, customer_saw=t.customer_saw,
        card=CardOut(scheme=t.card.scheme, masked=t.card.masked) if t.card else None,
        app=AppOut(name=t.app.name, version=t.app.version) if t.app else None,
        delivery=t.delivery, lane=record.lane, payload_version=record.payload_version,
        flags=record.flags,
        history=None if steps is None else [_step(step) for step in steps],
    )  # fmt: skip


def result_out(result: HostResult) -> ResultOut:
    """What the host said, as the API shows it."""
    return ResultOut(
        reference=result.reference,
        response_code=result.response_code,
        rrn=result.rrn,
        posted_amount_minor=result.posted_amount_minor,
        posted_at=result.posted_at,
        text=result.text,
    )


def _step(step: Step) -> StepOut:
    return StepOut(
        event=step.event,
        state=step.state,
        in_doubt=step.in_doubt,
        cause=step.cause,
        note=step.note,
        count=step.count,
        first_at=step.first_at,
        last_at=step.last_at,
        actor=step.actor,
    )


def amounts_out(amounts: Amounts) -> AmountsOut:
    """A number and its sums."""
    return AmountsOut(count=amounts.count, by_currency=dict(amounts.by_currency))


def backlog_out(
    backlog: Backlog, at: datetime, blocking_cause: str, next_attempt_at: datetime | None
) -> BacklogOut:
    """The backlog as the API shows it; states without a record are left out."""
    aside = backlog.quarantined
    return BacklogOut(
        at=at,
        total=amounts_out(backlog.total),
        by_state={
            state.value: amounts_out(amounts)
            for state, amounts in backlog.by_state.items()
            if amounts.count
        },
        in_doubt=amounts_out(backlog.in_doubt),
        held=amounts_out(backlog.held),
        quarantined=None if aside is None else amounts_out(aside),
        oldest_at=backlog.oldest_at,
        by_cause=dict(backlog.by_cause),
        blocking_cause=blocking_cause,
        next_attempt_at=next_attempt_at,
    )


def alarm_out(alarm: Alarm) -> AlarmOut:
    """An alarm with the texts of its cause; an unknown code shows itself."""
    # Loaded when somebody first looks: 122 causes in two languages are 1 MB of a quiet daemon.
    from agent.core.why.causes import CATALOGUE

    cause = CATALOGUE.get(alarm.code)
    nothing = Both("", "")
    return AlarmOut(
        code=alarm.code,
        component=alarm.component,
        severity=alarm.severity,
        title=both(cause.title, alarm.args) if cause else Both(alarm.code, alarm.code),
        since_at=alarm.since_at,
        shown_at=alarm.shown_at,
        owner=cause.owner if cause else "technician",
        step=both(cause.step, {"since": alarm.since_at, **alarm.args}) if cause else nothing,
        suppressed_by=alarm.suppressed_by,
        flaps=alarm.flaps,
        known=alarm.known,
        args=dict(alarm.args),
        acknowledged_by=alarm.acknowledged_by,
        acknowledged_at=alarm.acknowledged_at,
        acknowledged_until=alarm.acknowledged_until,
        acknowledged_note=alarm.acknowledged_note,
        acknowledged_to=alarm.acknowledged_to,
    )


def both(text: Text, args: Args) -> Both:
    """A text of the catalogue in both languages, its times in this terminal's zone."""
    offset = datetime.now(UTC).astimezone().utcoffset() or timedelta(0)
    return Both(text.render("zh", args, offset), text.render("en", args, offset))


def component_out(state: ComponentState) -> ComponentOut:
    """The last word of a component."""
    values: Mapping[str, Value] = {}
    evidence: Mapping[str, str] = {}
    reason = code = ""
    match state.outcome:
        case Reading(values, evidence):
            kind = "reading"
        case NotFitted():
            kind = "not_fitted"
        case NotObservable(reason):
            kind = "not_observable"
        case Unknown(reason, code, evidence):
            kind = "unknown"
    return ComponentOut(
        component=state.component,
        outcome=kind,
        at=state.at,
        duration_ms=state.duration_ms,
        values=dict(values),
        evidence=dict(evidence),
        reason=reason,
        code=code,
    )
