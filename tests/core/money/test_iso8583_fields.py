"""The notation of fields."""

from __future__ import annotations

import pytest

from agent.core.money.iso8583_fields import CUPS, FREE_FORM, Form, form_of


@pytest.mark.parametrize(
    ("notation", "form"),
    [
        ("n6", Form(True, False, 0, 6)),
        ("n..19", Form(True, False, 2, 19)),
        ("z..37", Form(True, False, 2, 37)),
        ("ans...999", Form(False, False, 3, 999)),
        ("b64", Form(False, True, 0, 8)),
        ("B...999", Form(False, True, 3, 999)),
    ],
)
def test_notation(notation: str, form: Form) -> None:
    """Kind, length prefix and size."""
    assert form_of(notation) == form


@pytest.mark.parametrize("notation", ["", "n", "q6", "n.6", "n..100", "n0", "b12", "n6 "])
def test_impossible_notation(notation: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="'"):
        form_of(notation)


def test_the_shipped_table_is_well_formed() -> None:
    """Every row can be read, and what is searched for card numbers is in it."""
    assert all(form_of(notation) for notation in CUPS.values())
    assert set(FREE_FORM) <= set(CUPS)
