"""What may be handed over for an `iso8583` uplink: checked before anything is recorded.

Every message must be readable in the profile's dialect, must be the payment the transaction says
it is, must carry what its answer is bound by, and must hold no card data in clear (money rule 10):
fields 2, 14, 35, 36, 45, 52, 55 are refused unless the profile declares them encrypted or
tokenised. Problems name the field, never the value. Plugged into the local API by main.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.core.money import cards
from agent.core.money.iso8583 import CARD_FIELDS, Message, card_fields, complaint
from agent.core.money.iso8583_fields import FREE_FORM
from agent.core.money.transaction import Delivery, Submission
from agent.uplink.iso8583.codec import BrokenMessageError
from agent.uplink.iso8583.uplink import Terms
from agent.wire.problem import RequestError


class Intake:
    """The check of one uplink."""

    def __init__(self, terms: Terms, protected: tuple[str, ...]) -> None:
        self._terms = terms
        self._protected = frozenset(protected)

    def check(self, submission: Submission) -> None:
        """Raises RequestError for the first thing wrong."""
        if submission.transaction.delivery is Delivery.APP and not submission.payload.body:
            return
        parts = {part: self._decoded(part, body) for part, body in _parts(submission).items()}
        for part, message in parts.items():
            self._check_cards(part, message)
        found = complaint(submission, parts, self._terms.bound)
        if found is not None:
            raise RequestError(found.code, f"{found.part}: {found.what}", field=found.part)

    def _decoded(self, part: str, body: bytes) -> Message:
        try:
            return self._terms.codec.decode(self._terms.layout.message(body))
        except BrokenMessageError as error:
            raise RequestError(
                "payload.not_iso8583",
                f"{part} is no ISO 8583 message as this uplink's profile describes it: {error}",
                field=part,
            ) from None

    def _check_cards(self, part: str, message: Message) -> None:
        for number in card_fields(message, self._protected):
            raise RequestError(
                "card.clear_data",
                f"{part} has field {number} ({CARD_FIELDS[number]}), which this uplink's profile "
                "does not declare encrypted or tokenised",
                field=f"{part}:{number}",
                hint="Leave the field out, hand over ciphertext or a token and set "
                "protected_fields, or let the app talk to the host itself (delivery = app).",
            )
        for number in FREE_FORM:
            text = message.fields.get(number, "")
            if number not in self._protected and cards.contains(_readable(text)):
                raise RequestError(
                    "card.clear_data",
                    f"{part} field {number} holds a clear card number",
                    field=f"{part}:{number}",
                )


def _readable(text: str) -> str:
    """A binary field's hexadecimal digits as the characters they stand for, beside themselves."""
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        return text
    return f"{text}\n{raw.decode('latin-1')}"


def _parts(submission: Submission) -> Mapping[str, bytes]:
    parts = {"payload": submission.payload.body}
    if submission.query_payload is not None:
        parts["query_payload"] = submission.query_payload
    for reason, body in submission.reversal_payloads.items():
        parts[f"reversal_payloads.{reason}"] = body
    return parts
