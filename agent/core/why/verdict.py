"""What the explain engine answers: one verdict, the same for every reader.

The command line, the page, the slip and the fleet render it; none of them adds, drops or reorders
a finding. Sentences stay `Line`s, so that each reader chooses language and time zone.
"""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from enum import StrEnum

from agent.core.money.journal import State
from agent.core.why.causes import CATALOGUE, Cause, Owner
from agent.core.why.text import Args, Line, Money
from agent.record import dataclass

#: Nobody acts on a longer list; the rest is counted in `omitted`.
MAX_FINDINGS = 5
#: The same for payments a question is about.
MAX_PAYMENTS = 20


class Stage(StrEnum):
    """The way of a payment's money, in order."""

    CAPTURED = "captured"
    STORED = "stored"
    SENT = "sent"
    HOST_ANSWERED = "host_answered"
    BATCH_CLOSED = "batch_closed"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class Stages:
    """How far the payment provably came. `missing` is None where it will not go further."""

    proven: Stage
    missing: Stage | None


class Retry(StrEnum):
    """May the payment be taken again?"""

    DO_NOT_RETRY = "do_not_retry"
    WILL_BE_SENT = "will_be_sent"
    SAFE_TO_RETRY = "safe_to_retry"
    ALREADY_DONE = "already_done"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, slots=True)
class Advice:
    """The answer to that, in one word for programs and one sentence for people."""

    retry: Retry
    line: Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One cause, with its evidence and exactly one owner and one next step."""

    code: str
    owner: Owner
    since_at: datetime | None = None
    args: Args = field(default_factory=dict)
    evidence: tuple[Line, ...] = ()
    consequences: tuple[str, ...] = ()  #: codes that follow from it

    @property
    def cause(self) -> Cause:
        return CATALOGUE[self.code]

    @property
    def title(self) -> Line:
        return Line(self.cause.title)

    @property
    def step(self) -> Line:
        return Line(self.cause.step, self.args)

    @property
    def reason(self) -> Line:
        return Line(self.cause.reason, self.args)


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """One payment a question is about."""

    key: str
    state: State
    in_doubt: bool
    code: str  #: the cause it waits for; "" where none is known
    amount: Money | None
    occurred_at: datetime
    line: Line  #: all of it in one sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The whole answer."""

    at: datetime
    key: str | None  #: None: the whole terminal
    headline: Line
    stages: Stages | None  #: None where there is no one payment to speak of
    facts: tuple[Line, ...]  #: references, amounts, what was done
    findings: tuple[Finding, ...]  #: at most MAX_FINDINGS, most important first
    omitted: int  #: findings beyond those
    advice: Advice
    unknowns: tuple[Line, ...]  #: what is not known, and what was not tried
    suggestions: tuple[Finding, ...]  #: what cannot be seen from here; only when all else is well
    question: str = ""  #: of `questions.Question`; "" for one payment and for the terminal
    payments: tuple[Affected, ...] = ()  #: at most MAX_PAYMENTS, worst first
    payments_total: int = 0  #: of them, shown or not
