"""The list of currencies."""

from __future__ import annotations

from agent.core.money.currencies import EXPONENT


def test_every_code_is_three_capital_letters() -> None:
    """Nothing else can be compared with what a payment app sends."""
    assert all(len(code) == 3 and code.isalpha() and code.isupper() for code in EXPONENT)


def test_the_currencies_of_the_trade_are_there_with_their_decimals() -> None:
    """Two decimals for most, none for yen, three for dinars."""
    assert {c: EXPONENT[c] for c in ("CNY", "HKD", "USD", "EUR", "JPY", "KWD", "CLF")} == {
        "CNY": 2, "HKD": 2, "USD": 2, "EUR": 2, "JPY": 0, "KWD": 3, "CLF": 4,
    }  # fmt: skip
    assert "XXX" not in EXPONENT
    assert "XTS" not in EXPONENT
