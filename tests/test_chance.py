"""Names by chance."""

from __future__ import annotations

import pytest

from agent import chance
from agent.core.money import cards


def test_a_name_is_never_taken_for_a_card_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the guard would refuse is drawn again; the form is always the same."""
    drawn = iter(map(bytes.fromhex, ["b378282246310005", "000000000000abcd", "b378282e46310005"]))
    assert cards.contains("b378282246310005", identifier=True)  # a bundle of this name was refused
    monkeypatch.setattr(chance.os, "urandom", lambda _bytes: next(drawn))
    assert chance.name() == "b378282e46310005"


def test_names_differ() -> None:
    """A thousand of them, each of 16 digits."""
    names = {chance.name() for _ in range(1_000)}
    assert len(names) == 1_000
    assert {len(name) for name in names} == {16}
