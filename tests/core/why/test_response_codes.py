"""The response-code table: every row leads to a cause and an owner."""

from __future__ import annotations

import pytest

from agent.core.why.causes import CATALOGUE
from agent.core.why.response_codes import RESPONSE_CODES


@pytest.mark.parametrize("code", sorted(RESPONSE_CODES))
def test_rows(code: str) -> None:
    """A code of field 39 has two characters, one of a platform is a word; each has a cause of the
    catalogue and words in both languages."""
    row = RESPONSE_CODES[code]
    assert len(code) == 2 or code.replace("_", "").replace(".", "").isupper()
    assert row.cause in CATALOGUE
    assert row.text.zh
    assert row.text.en
    assert row.owner is not CATALOGUE[row.cause].owner


def test_open_outcomes() -> None:
    """The codes after which money may have moved are marked."""
    assert {code for code, row in RESPONSE_CODES.items() if not row.charged_nothing} == {
        "09",
        "68",
        "94",
        "98",
    }
