"""Field 39, the two characters an ISO 8583 host answers with: what each does to a payment.

The shipped table is UnionPay's terminal annex; a profile may replace any row of it. A code is not
a verdict by itself: it falls into one `Nature`, and what a nature means depends on the side it
answers. "Issuer down" ends a request, because the customer has left by the time it is up again; an
advice is sent again, because the sale has happened. The words a person reads about a code are in
`core.why.response_codes`. Called by `core.money.iso8583` and by the uplink's builder.

The annex contradicts itself and its editions one another; decided here, not averaged:
- Its class letters are not used. One copy marks 04 "A, successful" (copied from the row of 00);
  03, 51, 54, 77 change letter between sources; 30, 68 and 90 to 96 are "do not retry" beside a
  display text that says "please retry". The posting decides instead.
- 05, 12, 21 and 94 changed their texts between editions, not their effect here: 05, 12 and 21
  refuse, 94 means "may have gone through before" in both.
- 98 as an answer says "the issuer was silent"; as field 39 of a 0400 it is the terminal's own
  reason, "no answer came". Only answers come through this table.
- An unknown code is "failed" in the annex. That ends a request; an advice of money already taken
  is not given up on a code nobody knows: its outcome counts as open.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from agent.core.money.delivery import Answer
from agent.core.money.journal import KEY_LOSS, Record
from agent.record import dataclass


class Side(StrEnum):
    """What kind of message is answered."""

    REQUEST = "request"
    ADVICE = "advice"
    REVERSAL = "reversal"
    QUERY = "query"


class Nature(StrEnum):
    """What a code is about. The values are also the words of `[uplink.codes]`."""

    APPROVED = "approved"  #: done
    PARTIAL = "partial"  #: done, for the amount in the answer's field 4
    DEFECTIVE = "defective"  #: done, to be confirmed with the issuer
    REFUSED = "refused"  #: a decision about this payment
    NO_ORIGINAL = "no_original"  #: the payment it refers to is not there
    WORKING = "working"  #: the host is at it
    OPEN = "open"  #: the host itself does not know, or may have it already
    ISSUER = "issuer"  #: whoever issued the card cannot be reached
    HOST = "host"  #: the host as a whole cannot work now
    KEYS = "keys"  #: sign on again: keys, MAC, batch
    FORMAT = "format"  #: the same bytes will fail again
    ENROLMENT = "enrolment"  #: the terminal or the merchant is not set up for it
    BATCH = "batch"  #: totals differ: the batch must be uploaded
    UNKNOWN = "unknown"  #: not in the table


class Action(StrEnum):
    """The one thing to do about a code."""

    NOTHING = "nothing"
    CONFIRM = "confirm with the issuer"
    STOP = "stop"
    CALL_BANK = "have the cardholder call the bank"
    OPERATOR = "the cashier acts"
    WAIT = "wait, then ask"
    ASK = "ask or reverse, never send again"
    RETRY = "try again later"
    SIGN_ON = "sign on again"
    CALL_ACQUIRER = "call the acquirer"
    CALL_VENDOR = "call the payment app's vendor"
    UPLOAD = "upload the batch"


@dataclass(frozen=True, slots=True)
class Code:
    """One row: what a code is about, whose fault it is, what to do."""

    nature: Nature
    cause: str  #: of the catalogue; "" where nothing is wrong
    action: Action


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one code means for one side."""

    answer: Answer
    code: Code
    #: Whether it speaks about the payment itself. A host that could not read, check or forward a
    #: repeat has said nothing about the first copy of it.
    proves: bool


def _rows() -> Mapping[str, Code]:
    rows: dict[str, Code] = {}

    def add(codes: str, nature: Nature, cause: str, action: Action) -> None:
        for code in codes.split():
            rows[code] = Code(nature, cause, action)

    refused = Nature.REFUSED
    add("00 11", Nature.APPROVED, "", Action.NOTHING)
    add("10", Nature.PARTIAL, "", Action.NOTHING)
    add("A2 A4 A5 A6", Nature.DEFECTIVE, "", Action.CONFIRM)
    add("01 02 05", refused, "host.rejected", Action.CALL_BANK)
    add("04 07 34 35 36 37 41 43 59 60 62 63 66 67", refused,
        "card.restricted_or_reported", Action.OPERATOR)  # fmt: skip
    add("12 15 20 21 31 64 93 A1 A7", refused, "host.rejected", Action.STOP)
    add("13", refused, "config.invalid_parameter", Action.OPERATOR)
    add("14 19", refused, "host.rejected", Action.OPERATOR)
    add("33 54", refused, "card.expired", Action.STOP)
    add("38 55 75", refused, "card.pin_error", Action.OPERATOR)
    add("39 40 42 44 52 53 56 57 A3", refused, "account.cardholder_restricted", Action.STOP)
    add("51", refused, "card.insufficient_funds", Action.STOP)
    add("61 65", refused, "card.limit_exceeded", Action.STOP)
    add("25", Nature.NO_ORIGINAL, "host.rejected", Action.STOP)
    add("09", Nature.WORKING, "host.no_reply", Action.WAIT)
    add("68 98", Nature.OPEN, "issuer.unavailable", Action.ASK)
    add("94", Nature.OPEN, "duplicate.suspected", Action.ASK)
    add("06 91 92", Nature.ISSUER, "issuer.unavailable", Action.RETRY)
    add("90", Nature.HOST, "host.maintenance", Action.RETRY)
    add("96", Nature.HOST, "host.down", Action.RETRY)
    add("22 77 99 A0", Nature.KEYS, "config.not_signed_on", Action.SIGN_ON)
    add("30", Nature.FORMAT, "host.format_error", Action.CALL_VENDOR)
    add("03", Nature.ENROLMENT, "config.merchant_mismatch", Action.CALL_ACQUIRER)
    add("58", Nature.ENROLMENT, "config.permission_denied", Action.CALL_ACQUIRER)
    add("97", Nature.ENROLMENT, "config.device_unregistered", Action.CALL_ACQUIRER)
    add("79 95", Nature.BATCH, "settlement.batch_not_closed", Action.UPLOAD)
    return rows


#: UnionPay's terminal annex (银联终端规范 附录: 应答码), as decided above.
UNIONPAY: Mapping[str, Code] = _rows()

#: A row for a code no table has.
UNLISTED = Code(Nature.UNKNOWN, "host.rejected", Action.CALL_ACQUIRER)

#: Cause and action of a row a profile adds without the shipped table knowing the code.
_DEFAULTS: Mapping[Nature, Code] = {
    code.nature: code
    for key in ("00", "10", "A2", "05", "25", "09", "68", "91", "96", "A0", "30", "97", "95")
    for code in (UNIONPAY[key],)
} | {Nature.UNKNOWN: UNLISTED}

#: request, advice, reversal. A request is over with any answer but "open"; an advice is given up
#: only on a decision about the payment; a reversal may always be sent again, and is never given up.
_POSTS: Mapping[Nature, tuple[Answer, Answer, Answer]] = {
    Nature.APPROVED: (Answer.POSTED, Answer.POSTED, Answer.POSTED),
    Nature.PARTIAL: (Answer.POSTED, Answer.POSTED, Answer.POSTED),
    Nature.DEFECTIVE: (Answer.POSTED, Answer.POSTED, Answer.POSTED),
    Nature.REFUSED: (Answer.DECLINED, Answer.DECLINED, Answer.BLOCKED),
    # A reversal of what the host never had leaves nothing to take back: it is done.
    Nature.NO_ORIGINAL: (Answer.DECLINED, Answer.DECLINED, Answer.POSTED),
    Nature.WORKING: (Answer.IN_PROGRESS, Answer.IN_PROGRESS, Answer.LATER),
    Nature.OPEN: (Answer.UNSETTLED, Answer.UNSETTLED, Answer.LATER),
    Nature.ISSUER: (Answer.DECLINED, Answer.LATER, Answer.LATER),
    Nature.HOST: (Answer.DECLINED, Answer.BUSY, Answer.BUSY),
    Nature.KEYS: (Answer.DECLINED, Answer.BLOCKED, Answer.BLOCKED),
    Nature.FORMAT: (Answer.DECLINED, Answer.BLOCKED, Answer.BLOCKED),
    Nature.ENROLMENT: (Answer.DECLINED, Answer.UNAUTHORISED, Answer.UNAUTHORISED),
    Nature.BATCH: (Answer.DECLINED, Answer.BLOCKED, Answer.BLOCKED),
    Nature.UNKNOWN: (Answer.DECLINED, Answer.UNSETTLED, Answer.UNSETTLED),
}
_ORDER = (Side.REQUEST, Side.ADVICE, Side.REVERSAL)

#: Answers to a query the app prepared. Whether 51 means "it was refused then" or "this question is
#: refused" differs from host to host, so nothing but these three is taken for an outcome.
_QUERIES: Mapping[Nature, Answer] = {
    Nature.APPROVED: Answer.POSTED,
    Nature.PARTIAL: Answer.POSTED,
    Nature.DEFECTIVE: Answer.POSTED,
    Nature.NO_ORIGINAL: Answer.NOT_FOUND,
    Nature.WORKING: Answer.IN_PROGRESS,
}

#: Natures that decide about the payment itself.
_PROVING = frozenset(
    {
        Nature.APPROVED,
        Nature.PARTIAL,
        Nature.DEFECTIVE,
        Nature.REFUSED,
        Nature.NO_ORIGINAL,
    }
)
#: After these a payment in doubt may be sent again as it is: the host did not take the copy it
#: answered, or says that it is still working on it.
_RESENDABLE = frozenset(
    {Nature.WORKING, Nature.ISSUER, Nature.HOST, Nature.KEYS, Nature.FORMAT, Nature.ENROLMENT}
)


class Table:
    """The rows in force at one host: UnionPay's, with a profile's own laid over them."""

    def __init__(
        self,
        codes: Mapping[str, str] | None = None,
        queries: Mapping[str, str] | None = None,
    ) -> None:
        """`codes`: code -> nature for this host. `queries`: code -> `posted`, `declined`,
        `not_found` or `in_progress` for answers to a query."""
        own = {code: _row(code, Nature(word)) for code, word in (codes or {}).items()}
        self._rows: Mapping[str, Code] = {**UNIONPAY, **own}
        self._queries = {code: Answer(word) for code, word in (queries or {}).items()}

    def rule(self, code: str, side: Side) -> Ruling:
        """What `code` means for this side; every two characters mean something."""
        row = self._rows.get(code, UNLISTED)
        if side is Side.QUERY:
            answer = self._queries.get(code) or _QUERIES.get(row.nature, Answer.UNSETTLED)
            return Ruling(answer, row, proves=True)
        # 94 to a reversal, "taken before", is the one open answer a repeat would not settle.
        if side is Side.REVERSAL and row.cause == "duplicate.suspected":
            return Ruling(Answer.UNSETTLED, row, proves=False)
        answer = _POSTS[row.nature][_ORDER.index(side)]
        return Ruling(answer, row, proves=row.nature in _PROVING)

    def resendable(self) -> frozenset[str]:
        """Codes after which a payment in doubt may be sent again; 68, 94, 98 never are."""
        return frozenset(code for code, row in self._rows.items() if row.nature in _RESENDABLE)


def may_replace(record: Record) -> bool:
    """Whether the host has said that this payment's bytes need new keys (money rule 9)."""
    code = record.result.response_code if record.result is not None else None
    known = UNIONPAY.get(code or "")
    return record.cause == KEY_LOSS or (known is not None and known.nature is Nature.KEYS)


def _row(code: str, nature: Nature) -> Code:
    known = UNIONPAY.get(code)
    if known is not None and known.nature is nature:
        return known
    return _DEFAULTS[nature]
