"""May this payment be taken now? Limits, suspected duplicates, dates and identity, as one judge.

It decides what speaks against a payment (`examine`), what that means before the customer has paid
(`answer_of`) and what a submission of it meets (`rule_on`). What the customer already saw approved
is always taken and only flagged (money rule 3); so is whatever takes a payment back or closes a
batch. It does not count the backlog or look for twins itself: the store hands both in, from what
it maintains anyway. Sentences for people are made in `core.why.checked`. Called by the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from agent.core.moment import Moment, at_ms, to_ms
from agent.core.money.qr import Windows
from agent.core.money.transaction import Delivery, Kind, Posting, Transaction
from agent.errors import CallerError
from agent.record import dataclass

if TYPE_CHECKING:
    from agent.core.money.lately import Watch

#: Kinds that take new money or give it out. The others complete, undo or close something: to
#: refuse one of them for a limit would leave the money where it should not be.
TAKES_NEW = frozenset({Kind.SALE, Kind.PREAUTH, Kind.REFUND, Kind.QR_SALE, Kind.QR_REFUND})
#: Amounts this many times another of the same card look mistyped: one or two zeros too many.
MISTYPED = (10, 100)


class Level(StrEnum):
    """How much a finding says, least first."""

    WARN = "warn"  #: worth knowing, nothing more
    CONFIRM = "confirm"  #: the cashier should look before the payment is taken
    REFUSE = "refuse"  #: not to be taken now


class Answer(StrEnum):
    """What the payment app is told before the customer pays."""

    TAKE = "take"
    CONFIRM = "confirm"
    REFUSE = "refuse"


class Policy(StrEnum):
    """What a *request* meets that was submitted against a finding."""

    REFUSE = "refuse"
    HOLD = "hold"
    FLAG = "flag"


class Ground(StrEnum):
    """What a finding is about; each has its own policy."""

    LIMIT = "limit"
    DUPLICATE = "duplicate"
    AMOUNT = "amount"
    PARAMETER = "parameter"
    SUSPICION = "suspicion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What may be taken in one currency. None: without limit."""

    currency: str
    posting: Posting | None = None  #: None: requests and advices alike
    single_minor: int | None = None
    confirm_minor: int | None = None  #: from here on the cashier is asked to look again
    total_minor: int | None = None  #: unsent, with this payment
    count: int | None = None  #: unsent, with this payment
    age_s: int | None = None  #: of the oldest unsent payment
    warn_percent: int = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Everything a payment is held against. The defaults check nothing."""

    limits: tuple[Limit, ...] = ()
    duplicate_window_s: int = 0  #: same card
    trace_window_s: int = 0  #: same STAN and batch
    future_s: int = 0  #: how far a payment may lie in this terminal's future
    past_s: int = 0  #: how far a request may lie in its past
    terminal_ids: frozenset[str] = frozenset()
    merchant_ids: frozenset[str] = frozenset()
    currencies: frozenset[str] = frozenset()
    kinds: frozenset[Kind] = frozenset()
    policies: Mapping[Ground, Policy] = field(default_factory=dict)
    qr: Mapping[str, Windows] = field(default_factory=dict)  #: by uplink, for payments by code
    watch: Watch | None = None  #: None: nothing is compared with earlier payments

    @property
    def window_s(self) -> int:
        """How far back a twin can lie."""
        return max(self.duplicate_window_s, self.trace_window_s)

    def limits_on(self, currency: str, posting: Posting) -> Iterator[Limit]:
        """Those that bind a payment."""
        for limit in self.limits:
            if limit.currency == currency and limit.posting in (None, posting):
                yield limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """The unsent money in one currency."""

    count: int = 0
    total_minor: int = 0
    oldest_ms: int | None = None  #: age of the oldest unsent, never more than it can be


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A payment taken lately, as far as a twin is known by it."""

    key: str
    amount_minor: int
    occurred_ms: int
    card: str | None = None
    stan: str | None = None
    batch: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that speaks against a payment. `args` are facts for its sentence."""

    code: str  #: stable, such as limit.total
    cause: str  #: of the catalogue
    level: Level
    ground: Ground
    where: str = ""  #: the field it is about
    args: Mapping[str, str | int | datetime] = field(default_factory=dict)


class RefusedError(CallerError):
    """A request that is not taken, with everything that speaks against it."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        first = findings[0]
        super().__init__(first.code, f"not taken: {', '.join(one.code for one in findings)}")
        self.field = first.where
        self.findings = tuple(findings)


def examine(
    t: Transaction, rules: Rules, exposure: Exposure, seen: Sequence[Seen], now: Moment
) -> tuple[Finding, ...]:
    """All that speaks against taking it now, the gravest first.

    `exposure` is that of its currency, without it; `seen` are the payments of the same terminal,
    kind and currency whose amount is the same or a multiple that looks mistyped.
    """
    found: list[Finding] = []
    # Most rules are not set on most terminals, and this stands between a payment and its commit.
    if rules.terminal_ids or rules.merchant_ids or rules.currencies or rules.kinds:
        found += _parameters(t, rules)
    if rules.future_s or rules.past_s:
        found += _dates(t, rules, now)
    if rules.limits:
        found += _amounts(t, rules, exposure)
    if seen:
        found += twins(t, rules, seen)
    if not found:
        return ()
    return gravest_first(found)


def gravest_first(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """In the order a person should read them."""
    order = list(Level)
    return tuple(sorted(found, key=lambda one: -order.index(one.level)))


# -- parameters ----------------------------------------------------------------------------------


def _parameters(t: Transaction, rules: Rules) -> Iterator[Finding]:
    identity = (
        ("terminal_id", t.terminal_id, rules.terminal_ids),
        ("merchant_id", t.merchant_id, rules.merchant_ids),
    )
    for name, value, issued in identity:
        if issued and value not in issued:
            args = {"expected": ", ".join(sorted(issued)), "found": value}
            code = f"{name.removesuffix('_id')}.mismatch"
            yield _parameter(code, name, args, cause="config.merchant_mismatch")
    if rules.currencies and t.currency is not None and t.currency not in rules.currencies:
        args = {"expected": ", ".join(sorted(rules.currencies)), "found": t.currency}
        yield _parameter("currency.not_taken", "currency", args)
    if rules.kinds and t.kind not in rules.kinds:
        args = {"expected": ", ".join(sorted(rules.kinds)), "found": t.kind.value}
        yield _parameter("kind.not_taken", "kind", args)


def _dates(t: Transaction, rules: Rules, now: Moment) -> Iterator[Finding]:
    """The date against the clock, where the clock can be believed."""
    if not now.trusted:
        yield Finding(
            code="date.unchecked", cause="clock.wrong", level=Level.WARN,
            ground=Ground.PARAMETER, where="occurred_at", args={"now": now.at},
        )  # fmt: skip
        return
    ahead_ms = to_ms(t.occurred_at) - now.wall_ms
    # Advices are handed over however late; only a request is about a customer who is there now.
    asks = t.posting is Posting.REQUEST
    if rules.future_s and ahead_ms > rules.future_s * 1000:
        yield _parameter("date.future", "occurred_at", {"found": t.occurred_at, "now": now.at})
    if rules.past_s and asks and -ahead_ms > rules.past_s * 1000:
        yield _parameter("date.past", "occurred_at", {"found": t.occurred_at, "now": now.at})


def _parameter(
    code: str,
    name: str,
    args: Mapping[str, str | int | datetime],
    cause: str = "config.invalid_parameter",
) -> Finding:
    return Finding(
        code=code, cause=cause, level=Level.REFUSE, ground=Ground.PARAMETER, where=name, args=args
    )


# -- limits --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Use:
    """How far one limit is used up."""

    code: str
    currency: str
    found: int
    limit: int

    @property
    def percent(self) -> int:
        """100: full. A limit of 0 is always full."""
        return self.found * 100 // self.limit if self.limit else 100


_LIMIT_CAUSES = {"limit.single": "operator.wrong_amount"}


def _amounts(t: Transaction, rules: Rules, exposure: Exposure) -> Iterator[Finding]:
    if t.amount_minor is None or t.currency is None or t.kind not in TAKES_NEW:
        return
    with_it = Exposure(
        count=exposure.count + 1,
        total_minor=exposure.total_minor + t.amount_minor,
        oldest_ms=exposure.oldest_ms,
    )
    for limit in rules.limits_on(t.currency, t.posting):
        for use in (*_single(limit, t.amount_minor), *_uses(limit, with_it)):
            # A limit is what may still be there; an age that reaches it is over it.
            over = use.percent >= 100 if use.code == "limit.age" else use.found > use.limit
            if over or use.percent >= limit.warn_percent:
                yield Finding(
                    code=use.code,
                    cause=_LIMIT_CAUSES.get(use.code, "queue.limit_reached"),
                    level=Level.REFUSE if over else Level.WARN,
                    ground=Ground.LIMIT,
                    where="amount_minor" if use.code == "limit.single" else "",
                    args={"currency": use.currency, "found": use.found, "limit": use.limit},
                )
        if limit.confirm_minor is not None and t.amount_minor >= limit.confirm_minor:
            yield Finding(
                code="amount.large",
                cause="operator.wrong_amount",
                level=Level.CONFIRM,
                ground=Ground.AMOUNT,
                where="amount_minor",
                args={
                    "currency": t.currency,
                    "found": t.amount_minor,
                    "limit": limit.confirm_minor,
                },
            )


def _single(limit: Limit, amount_minor: int) -> Iterator[Use]:
    if limit.single_minor is not None:
        yield Use("limit.single", limit.currency, amount_minor, limit.single_minor)


def _uses(limit: Limit, exposure: Exposure) -> Iterator[Use]:
    rows = (
        ("limit.total", exposure.total_minor, limit.total_minor),
        ("limit.count", exposure.count, limit.count),
        ("limit.age", (exposure.oldest_ms or 0) // 1000, limit.age_s),
    )
    for code, found, bound in rows:
        if bound is not None:
            yield Use(code, limit.currency, found, bound)


def fullest(rules: Rules, exposures: Mapping[str, Exposure]) -> Use | None:
    """The limit on the backlog that is used up furthest; None without limits."""
    uses = [
        use
        for limit in rules.limits
        for use in _uses(limit, exposures.get(limit.currency, Exposure()))
    ]
    return max(uses, key=lambda use: use.percent, default=None)


# -- twins ---------------------------------------------------------------------------------------


def alike_amounts(amount_minor: int) -> tuple[int, ...]:
    """The amounts a twin can have, or a payment this one looks mistyped after."""
    divided = [amount_minor // by for by in MISTYPED if amount_minor % by == 0]
    multiplied = [amount_minor * by for by in MISTYPED]
    return tuple(dict.fromkeys((amount_minor, *divided, *multiplied)))


def twins(t: Transaction, rules: Rules, seen: Iterable[Seen]) -> Iterator[Finding]:
    """A twin if there is one, else the payment whose amount it may have been."""
    others = [other for other in seen if other.key != t.key]
    twin = next((one for one in others if _twin(t, one, rules)), None)
    if twin is not None:
        yield _alike("duplicate.suspected", "duplicate.suspected", Ground.DUPLICATE, t, twin)
        return
    model = next((one for one in others if _same_card(t, one, rules)), None)
    if model is not None:
        yield _alike("amount.mistyped", "operator.wrong_amount", Ground.AMOUNT, t, model)


def _twin(t: Transaction, other: Seen, rules: Rules) -> bool:
    if other.amount_minor != t.amount_minor:
        return False
    if _same_card(t, other, rules):
        return True
    traced = None not in (t.stan, t.batch) and (other.stan, other.batch) == (t.stan, t.batch)
    return traced and _within(t, other, rules.trace_window_s)


def _same_card(t: Transaction, other: Seen, rules: Rules) -> bool:
    card = t.card.masked if t.card else None
    return bool(card) and other.card == card and _within(t, other, rules.duplicate_window_s)


def _within(t: Transaction, other: Seen, window_s: int) -> bool:
    apart_ms = abs(other.occurred_ms - to_ms(t.occurred_at))
    return window_s > 0 and apart_ms <= window_s * 1000


def _alike(code: str, cause: str, ground: Ground, t: Transaction, other: Seen) -> Finding:
    return Finding(
        code=code,
        cause=cause,
        level=Level.CONFIRM,
        ground=ground,
        where="amount_minor",
        args={
            "currency": t.currency or "",
            "found": t.amount_minor or 0,
            "twin": other.key,
            "twin_at": at_ms(other.occurred_ms),
            "twin_minor": other.amount_minor,
            "twin_stan": other.stan or "",
        },
    )


# -- what it means -------------------------------------------------------------------------------


def answer_of(
    t: Transaction, findings: Iterable[Finding], confirmed: frozenset[str] = frozenset()
) -> Answer:
    """The word before the payment. What the cashier confirmed asks for no second look."""
    if t.kind not in TAKES_NEW:
        return Answer.TAKE
    levels = {
        one.level for one in findings if one.level is not Level.CONFIRM or one.code not in confirmed
    }
    if Level.REFUSE in levels:
        return Answer.REFUSE
    return Answer.CONFIRM if Level.CONFIRM in levels else Answer.TAKE


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What a submission meets. `held_for` is the finding it waits for, if it does."""

    flags: tuple[str, ...] = ()
    held_for: Finding | None = None


_NOTHING_AGAINST = Ruling()


def rule_on(
    t: Transaction,
    findings: Sequence[Finding],
    rules: Rules,
    confirmed: frozenset[str],
    *,
    in_doubt: bool,
) -> Ruling:
    """Flags, a hold, or RefusedError for a request that the policies refuse.

    A request that may have been at the host before (`in_doubt`) is no longer a question.
    """
    if not findings:
        return _NOTHING_AGAINST
    against = [one for one in findings if one.level is not Level.WARN]
    held_for: Finding | None = None
    asks = t.posting is Posting.REQUEST and t.delivery is Delivery.AGENT and not in_doubt
    if asks and t.kind in TAKES_NEW:
        by_policy: dict[Policy, list[Finding]] = {policy: [] for policy in Policy}
        for one in against:
            if one.level is Level.REFUSE or one.code not in confirmed:
                by_policy[rules.policies.get(one.ground, Policy.FLAG)].append(one)
        if by_policy[Policy.REFUSE]:
            raise RefusedError(by_policy[Policy.REFUSE])
        held_for = next(iter(by_policy[Policy.HOLD]), None)
    return Ruling(flags=tuple(dict.fromkeys(one.code for one in against)), held_for=held_for)
