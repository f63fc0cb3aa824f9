"""What may not leave a terminal, whatever put it into a message."""

from __future__ import annotations

import pytest

from agent.core.fleet import outgoing
from agent.core.fleet.outgoing import Found

CARD = "4111111111111111"
RECEIPT = "ACME STORE\nTOTAL 12.50\nTHANK YOU"


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("printer_paper", "out", None),
        ("printer_error", "Cutter jam, open the cover", None),
        ("system_storage_free_mb", 1204, None),
        ("software_os_version", "Debian 12 (bookworm)", None),
        ("till_firmware", "v1.2.3-rc4", None),
        ("till_note", "Zhang San", Found.TEXT),
        ("till_note", "张三", Found.TEXT),
        ("till_note", RECEIPT, Found.TEXT),
        ("till_note", "x" * 65, Found.TEXT),
        ("till_operator_full", None, None),
        ("keypad_pin_pad", True, None),
        ("keypad_last_key", "5", Found.NAME),
        ("keypad_key_code", 30, Found.NAME),
        ("scanner_last_barcode", "6901234567892", Found.NAME),
        ("till_receipt", "a", Found.NAME),
        ("till_cardholder", "Z", Found.NAME),
        ("till_card_number", "1", Found.NAME),
    ],
)
def test_readings_are_words_and_numbers_under_harmless_names(
    name: str, value: object, found: Found | None
) -> None:
    """Sentences only where they are known to belong; names that announce secrets nowhere."""
    assert outgoing.reading(name, value) is found


@pytest.mark.parametrize(
    "fields",
    [
        {"a": CARD},
        {"a": f"saw {CARD} at 12:00"},
        {"a": "4111 1111 1111 1111"},
        {"a": int(CARD)},
        {"a": -int(CARD)},
        {"a": float(CARD)},
        {"a": {"deep": [{"deeper": CARD}]}},
        {"a": {CARD: 1}},
        {"a": [f";{CARD}=2512101?"]},
        {"a": "NDExMTExMTExMTExMTExMQ=="},
    ],
)
def test_a_card_is_found_in_every_place_and_form(fields: dict[str, object]) -> None:
    """In texts, numbers, names, lists and depths; the field is named."""
    assert outgoing.with_card({"b": "harmless text", **fields}) == ["a"]


def test_times_ids_and_amounts_are_no_cards() -> None:
    """What the contract itself puts into messages is never taken for a card."""
    assert (
        outgoing.with_card(
            {
                "ts": 1_795_000_000_000,
                "since_ts": 4_111_111_111_111_111,
                "amount_minor_cny": 4_111_111_111_111_111,
                "total_bytes": 4_111_111_111_111_111,
                "merchant_ids": ["305123456789014", "378282246310005"],
                "full": True,
                "gone": None,
                "ratio": 0.25,
                "count": 7,
                "short": "abc",
            }
        )
        == []
    )
    assert outgoing.with_card({"merchant_ids": [CARD]}) == ["merchant_ids"]


def test_a_number_that_only_several_fields_hold_together_names_them_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When only the whole looks like a card, nobody is cleared."""
    monkeypatch.setattr(outgoing.cards, "contains", lambda text: "\n" in text)
    assert outgoing.with_card({"a": "x" * 13, "b": "y" * 13, "c": 1}) == ["a", "b"]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"pan": "622202"}, True),
        ({"rows": [{"cardNumber": 5}]}, True),
        ({"last_key": "5"}, True),
        ({"pan": "622202******1234"}, False),
        ({"pan": None, "pin": True, "track": {}, "expiry": []}, False),
        ({"state": "held"}, False),
        ([1, "two"], False),
        (None, False),
    ],
)
def test_a_result_is_searched_for_names_that_announce_card_data(value: object, found: bool) -> None:
    """A masked or empty value under such a name is harmless."""
    assert outgoing.named(value) is found
