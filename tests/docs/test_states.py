"""docs/states.md says what the table says."""

from __future__ import annotations

from agent.core.money.journal import TRANSITIONS, Event, State
from tests.docs.states import DOCUMENT, comments, document


def test_the_document_is_current() -> None:
    """A changed table without a changed document fails here: run `make contracts`."""
    assert DOCUMENT.read_text("utf-8") == document()


def test_every_state_and_event_is_explained_where_it_is_declared() -> None:
    """The texts come from the comments beside the members; none is missing."""
    assert comments(State).keys() == {state.name for state in State}
    assert comments(Event).keys() == {event.name for event in Event}


def test_every_row_of_the_table_is_in_the_document() -> None:
    """Not one transition is left out."""
    rows = [line for line in document().splitlines() if line.count("|") == 5]
    assert len(rows) == len(TRANSITIONS) + 2
