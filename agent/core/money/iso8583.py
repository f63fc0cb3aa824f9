"""ISO 8583 as far as money depends on it: which answer belongs to which message, and what it says.

Works on decoded fields; bytes, framing and the codec are the uplink's. A message is bound to its
answer by message type and by the fields both must carry; what does not bind is nobody's answer
(edge U5), whatever it says. Field 39 is judged by `field39`. Also decides what a payment app may
hand over for this kind of host, because a message that cannot be bound later must be refused now.

STAN is field 11, the terminal 41, the merchant 42, the host's reference 37; in a 0400 field 39 is
the reason, not an answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agent.core.money.delivery import Answer, Reply
from agent.core.money.field39 import Action, Nature, Side, Table
from agent.core.money.journal import HostResult, Record
from agent.core.money.transaction import Kind, Posting, Submission, Transaction
from agent.record import dataclass

#: Fields that hold what may not be stored in clear (money rule 10).
CARD_FIELDS: Mapping[str, str] = {
    "2": "account number",
    "14": "expiry date",
    "35": "track 2",
    "36": "track 3",
    "45": "track 1",
    "52": "PIN block",
    "55": "chip data",
}
#: What an answer must repeat, unless the profile says otherwise.
BOUND = ("11", "41", "42")
#: Compared wherever both carry them, whatever the profile says: amount and currency.
MONEY = ("4", "49")

#: MTI classes a payment can be handed over as, by what they do (second digit).
REVERSAL_CLASS = "4"
_CLASSES: Mapping[Kind, str] = {
    Kind.REVERSAL: REVERSAL_CLASS,
    Kind.BATCH_UPLOAD: "23",
    Kind.SETTLEMENT: "5",
}
_PAYMENT_CLASSES = "12"


@dataclass(frozen=True, slots=True)
class Message:
    """A decoded message: its type as four digits, its fields by number."""

    mti: str
    fields: Mapping[str, str]

    def get(self, field: str) -> str:
        """The field without padding; "" where it is absent."""
        return self.fields.get(field, "").strip(" ")


def answer_mti(mti: str) -> str:
    """The type of the answer: 0200 -> 0210, 0221 -> 0230, 0400 -> 0410, 0820 -> 0830."""
    return f"{mti[:2]}{int(mti[2]) + 1}0"


def is_question(mti: str) -> bool:
    """Whether this type asks something: requests and advices, original or repeated."""
    return len(mti) == 4 and mti.isdecimal() and mti[2] in "02" and mti[3] in "0123"


def side_of(transaction: Transaction) -> Side:
    """Which column of the table judges the answers to this payment."""
    if transaction.kind is Kind.REVERSAL:
        return Side.REVERSAL
    return Side.ADVICE if transaction.posting is Posting.ADVICE else Side.REQUEST


def differs(sent: Message, got: Message, bound: Iterable[str] = BOUND) -> str:
    """What makes `got` no answer to `sent`, as "field 11" or the like; "" when it is one."""
    if got.mti != answer_mti(sent.mti):
        return "the message type"
    for field in bound:
        if field in sent.fields and not same(field, sent.get(field), got.get(field)):
            return f"field {field}"
    partial = got.get("39") == "10"
    for field in MONEY:
        if field == "4" and partial:
            continue
        theirs = got.get(field)
        if field in sent.fields and theirs and not same(field, sent.get(field), theirs):
            return f"field {field}"
    return ""


def same(field: str, ours: str, theirs: str) -> bool:
    """Whether two values of one field are the same; amounts and STANs compare as numbers."""
    if field in ("4", "11") and ours.isdecimal() and theirs.isdecimal():
        return int(ours) == int(theirs)
    return ours == theirs


def judge(record: Record, sent: Message, got: Message, table: Table, side: Side) -> Reply:
    """The worth of an answer that is bound to `sent` already."""
    code = got.get("39")
    if len(code) != 2 or not code.isalnum() or not code.isascii():
        return Reply(answer=Answer.UNREADABLE, note="the answer carries no response code")
    ruling = table.rule(code, side)
    nature, answer = ruling.code.nature, ruling.answer
    posted_minor: int | None = None
    if nature is Nature.PARTIAL:
        posted_minor = _amount(got.get("4"))
        asked = record.transaction.amount_minor
        if posted_minor is None or (asked is not None and posted_minor > asked):
            note = "the host approved a part and did not say a possible amount"
            return Reply(answer=Answer.UNREADABLE, note=note)
    if answer is Answer.DECLINED and record.in_doubt and not ruling.proves:
        # A repeat that could not be processed says nothing about the first copy.
        answer = Answer.UNSETTLED
    rrn = got.get("37")
    result = HostResult(
        reference=rrn or None,
        response_code=code,
        rrn=rrn or None,
        posted_amount_minor=posted_minor,
    )
    return Reply(
        answer=answer,
        cause="" if answer is Answer.POSTED else ruling.code.cause,
        note=_note(code, nature, answer, ruling.code.action, side),
        result=result,
    )


def _note(code: str, nature: Nature, answer: Answer, action: Action, side: Side) -> str:
    if answer is Answer.POSTED and nature is Nature.NO_ORIGINAL:
        return f"the host does not know the original (field 39 = {code}); nothing to take back"
    if answer is Answer.POSTED and nature is not Nature.DEFECTIVE:
        return "" if code == "00" else f"field 39 = {code}"
    if nature is Nature.UNKNOWN:
        return f"field 39 = {code}, which is not in the table of this host: {action}"
    asked = " to the query" if side is Side.QUERY else ""
    return f"field 39 = {code}{asked}: {action}"


def _amount(text: str) -> int | None:
    return int(text) if text.isdecimal() and text.isascii() else None


# -- what may be handed over ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Complaint:
    """Why a message cannot be taken: a stable code, where, and what is wrong; never a value."""

    code: str
    part: str  #: `payload`, `query_payload`, `reversal_payloads.98`
    what: str


def card_fields(message: Message, protected: Iterable[str]) -> list[str]:
    """Fields of card data that are present and that the profile does not declare protected."""
    allowed = frozenset(protected)
    return [f for f in CARD_FIELDS if message.fields.get(f) and f not in allowed]


def complaint(
    submission: Submission, parts: Mapping[str, Message], bound: Iterable[str] = BOUND
) -> Complaint | None:
    """The first reason why these messages could not be delivered as this payment."""
    t = submission.transaction
    bound = tuple(bound)
    for part, message in parts.items():
        found = _misfit(t, part, message, bound)
        if found is not None:
            return found
    original = parts.get("payload")
    for part, message in parts.items():
        if not part.startswith("reversal_payloads.") or original is None:
            continue
        reason = part.partition(".")[2]
        if not same("11", original.get("11"), message.get("11")):
            return Complaint(
                "payload.field_mismatch", part, "field 11 is not that of the payment it reverses"
            )
        if message.get("39") != reason:
            return Complaint("payload.field_mismatch", part, f"field 39 is not its reason {reason}")
    return None


def _misfit(
    t: Transaction, part: str, message: Message, bound: tuple[str, ...]
) -> Complaint | None:
    mti = message.mti
    if not is_question(mti):
        return Complaint("payload.bad_mti", part, "its message type is no request and no advice")
    if part.startswith("reversal_payloads."):
        fits = mti[1] == REVERSAL_CLASS
    elif part == "payload":
        fits = mti[1] in _CLASSES.get(t.kind, _PAYMENT_CLASSES)
    else:
        fits = True
    if not fits:
        return Complaint("payload.bad_mti", part, f"message type {mti} is not that of a {t.kind}")
    for field in bound:
        if field != "37" and not message.get(field):
            return Complaint(
                "payload.field_missing", part, f"field {field} is missing; answers are bound by it"
            )
    known = {"41": t.terminal_id, "42": t.merchant_id}
    if part == "payload":
        known["11"] = t.stan or ""
        known["4"] = "" if t.amount_minor is None else str(t.amount_minor)
    for field, value in known.items():
        theirs = message.get(field)
        if value and theirs and not same(field, value, theirs):
            return Complaint(
                "payload.field_mismatch", part, f"field {field} is not what the transaction says"
            )
    return None
