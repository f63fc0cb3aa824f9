"""The table of operations and how arguments are read from requests."""

from __future__ import annotations

import base64
import json

import pytest

from agent.core.money.journal import UNSENT, State
from agent.wire.api import (
    BY_NAME,
    OPERATIONS,
    HoldArgs,
    ListArgs,
    Role,
    ShowArgs,
    arguments_of,
    states_of,
)
from agent.wire.problem import CODES, RequestError
from agent.wire.reconcile import ReconcilePieceArgs


def test_names_and_addresses_are_unique() -> None:
    """One row is one thing to ask."""
    assert len(BY_NAME) == len(OPERATIONS)
    assert len({(o.method, o.path) for o in OPERATIONS}) == len(OPERATIONS)


def test_every_code_an_operation_can_answer_is_in_the_table() -> None:
    """No operation promises a code nobody can look up."""
    for operation in OPERATIONS:
        assert set(operation.problems) <= set(CODES), operation.name


def test_only_technicians_change_the_queue() -> None:
    """Looking changes nothing, and what changes the queue is kept with who asked."""
    for operation in OPERATIONS:
        if operation.path.startswith("/v1/queue"):
            assert operation.roles == (Role.TECHNICIAN,)
            assert operation.audited
        assert operation.changes == (operation.method != "GET")


def test_queries_are_text_read_as_what_they_mean() -> None:
    """Numbers and booleans of a query arrive as such."""
    listed = arguments_of(BY_NAME["queue_list"], {}, {"limit": "7", "after": "3"}, b"")
    assert listed == ListArgs(limit=7, after=3)
    shown = arguments_of(BY_NAME["queue_show"], {"key": "k"}, {"history": "true"}, b"")
    assert shown == ShowArgs(key="k", history=True)


def test_bodies_are_taken_strictly() -> None:
    """In JSON a number is a number, and the query of a POST is no argument."""
    held = arguments_of(BY_NAME["queue_hold"], {}, {"key": "other"}, b'{"key": "k"}')
    assert held == HoldArgs(key="k")
    with pytest.raises(RequestError):
        arguments_of(BY_NAME["queue_hold"], {}, {}, b'{"key": 7}')


def test_a_reason_is_checked_like_everything_that_is_kept() -> None:
    """No card number gets into the history of a payment."""
    with pytest.raises(RequestError) as caught:
        arguments_of(
            BY_NAME["queue_hold"], {}, {}, b'{"key": "k", "reason": "card 4111111111111111"}'
        )
    assert (caught.value.code, caught.value.field) == ("card.clear_data", "reason")


def test_states_default_to_the_unsent() -> None:
    """A list without a filter is the money that has not arrived."""
    assert states_of(None) == UNSENT
    assert states_of("all") is None
    assert states_of("held,posted") == {State.HELD, State.POSTED}
    with pytest.raises(RequestError) as caught:
        states_of("held,odd")
    assert "queued" in caught.value.hint


def test_the_bytes_of_a_list_are_not_taken_for_words_that_are_kept() -> None:
    """One order number in forty looks like a card; a whole list of them would never get in, and
    looking through each piece would keep payments waiting. What is kept of it is masked later."""
    data = base64.b64encode(b"key,amount\n4111111111111111,1.00\n").decode()
    path = {"import_id": "0" * 16, "number": "0"}
    raw = json.dumps({"data": data}).encode()
    taken = arguments_of(BY_NAME["reconcile_piece"], path, {}, raw)
    assert isinstance(taken, ReconcilePieceArgs)
    assert taken.data == data
    raw = json.dumps({"file_name": "4111111111111111.csv"}).encode()
    with pytest.raises(RequestError) as caught:
        arguments_of(BY_NAME["reconcile_begin"], {}, {}, raw)
    assert caught.value.code == "card.clear_data"
