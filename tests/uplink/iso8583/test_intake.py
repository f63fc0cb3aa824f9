"""What may be handed over for an ISO 8583 uplink."""

from __future__ import annotations

from typing import Any

import pytest

from agent.config import Iso8583Uplink as Config
from agent.core.money.transaction import Delivery, Payload, Submission
from agent.sim.terminal import CONTENT_TYPE, PaymentApp
from agent.uplink import checks
from agent.wire.problem import RequestError
from tests.core.money.payments import transaction

PAN = "6222021234567890"


def check(submission: Submission, **keys: Any) -> None:
    config = Config(name="host", host="h", port=1, **keys)
    checks([config])["host"](submission)


def handed_over(message: bytes, **more: Any) -> Submission:
    of = more.pop("of", {})
    payload = Payload(content_type=CONTENT_TYPE, body=message)
    return Submission(transaction=transaction(stan="000001", **of), payload=payload, **more)


def advice(**fields: str) -> bytes:
    return PaymentApp().message("0220", "000001", amount=1250, **fields)


def refused(submission: Submission, **keys: Any) -> RequestError:
    with pytest.raises(RequestError) as caught:
        check(submission, **keys)
    assert PAN not in str(caught.value)
    assert caught.value.__context__ is None or PAN not in repr(vars(caught.value.__context__))
    return caught.value


def test_what_fits_passes() -> None:
    """A message, its query and its reversals."""
    app = PaymentApp()
    reversal = app.message("0400", "000001", amount=1250, f39="98")
    check(handed_over(advice(), query_payload=advice(), reversal_payloads={"98": reversal}))


@pytest.mark.parametrize(
    ("field", "value"),
    [("2", PAN), ("14", "3012"), ("35", f"{PAN}D3012"), ("36", "99" + PAN), ("45", "B" + PAN),
     ("52", "1234567890ABCDEF"), ("55", "5A08" + PAN)],
)  # fmt: skip
def test_card_data_in_clear_is_refused_by_field(field: str, value: str) -> None:
    """Rule 10, in the payload, the query and the reversals; declared protected it passes."""
    spoilt = advice(**{f"f{field}": value})
    error = refused(handed_over(spoilt))
    assert (error.code, error.field) == ("card.clear_data", f"payload:{field}")
    error = refused(handed_over(advice(), query_payload=spoilt))
    assert error.field == f"query_payload:{field}"
    reversal = PaymentApp().message("0400", "000001", f39="98", **{f"f{field}": value})
    error = refused(handed_over(advice(), reversal_payloads={"98": reversal}))
    assert error.field == f"reversal_payloads.98:{field}"
    check(handed_over(spoilt), protected_fields=(field,))


def test_card_numbers_in_free_fields_are_found() -> None:
    """A host's own field is no way around: as text, and as bytes of text."""
    number = "4111111111111111"
    error = refused(handed_over(advice(f63=f"PAN {number} ")))
    assert (error.code, error.field) == ("card.clear_data", "payload:63")
    error = refused(handed_over(advice(f62=number.encode().hex().upper())))
    assert error.field == "payload:62"


def test_what_is_no_message_is_refused() -> None:
    """Also when it begins somewhere else than the profile says."""
    assert refused(handed_over(b"{}")).code == "payload.not_iso8583"
    framed = bytes.fromhex("6000030000") + advice()
    keys = {"tpdu": "6000030000"}
    assert refused(handed_over(framed), **keys).code == "payload.not_iso8583"
    check(handed_over(framed), payload_begins="tpdu", **keys)


def test_message_and_transaction_must_say_the_same() -> None:
    """What could not be bound later is refused now."""
    assert refused(handed_over(advice(f41="T9999999"))).code == "payload.field_mismatch"
    assert refused(handed_over(advice(), of={"amount_minor": 1})).code == "payload.field_mismatch"


def test_what_the_app_sends_itself_needs_no_message() -> None:
    """`delivery: app` without a payload is not looked at; with one it is."""
    check(handed_over(b"", of={"delivery": Delivery.APP}))
    assert refused(handed_over(b"{}", of={"delivery": Delivery.APP})).code == "payload.not_iso8583"


def test_other_uplinks_are_not_checked() -> None:
    """Only uplinks of this type have a check."""
    from agent.config import Uplink

    assert checks([Uplink(name="host", url="https://h/")]) == {}
