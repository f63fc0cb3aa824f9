"""Problem documents."""

from __future__ import annotations

import json

import pytest

from agent.errors import (
    AgentError,
    CallerError,
    HardwareError,
    InternalError,
    OperatorError,
    RemoteError,
    StoreError,
)
from agent.wire.problem import CODES, RequestError, encode, problem


def test_a_problem_has_what_a_program_and_a_person_need() -> None:
    """Type, title, status, code, detail, field and hint; nothing that is empty."""
    document = json.loads(encode(problem(RequestError("key.bad", "key is bad", field="key"))))
    assert document == {
        "type": "urn:posagent:problem:key.bad",
        "title": "Bad key",
        "status": 400,
        "code": "key.bad",
        "detail": "key is bad",
        "field": "key",
        "hint": CODES["key.bad"].hint,
    }


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (CallerError("a.b", "x"), 422),
        (OperatorError("a.b", "x"), 409),
        (StoreError("a.b", "x"), 503),
        (InternalError("a.b", "x"), 500),
        (RemoteError("a.b", "x"), 502),
        (HardwareError("a.b", "x"), 502),
    ],
)
def test_unknown_codes_get_the_status_of_whose_fault_it_is(error: AgentError, status: int) -> None:
    """A code the table does not have keeps its name under a fitting status."""
    document = problem(error)
    assert (document.status, document.code) == (status, "a.b")


@pytest.mark.parametrize(
    ("code", "recorded"),
    [("store.full", "no"), ("store.unknown", "unknown"), ("internal", "unknown")],
)
def test_a_refused_payment_says_whether_it_may_be_recorded(code: str, recorded: str) -> None:
    """Only where the commit may have happened is it unknown."""
    assert problem(StoreError(code, "x"), submitting=True).recorded == recorded
    assert problem(StoreError(code, "x")).recorded is None


def test_the_own_hint_of_an_error_comes_first() -> None:
    """The table's advice is used where the error has none of its own."""
    assert problem(StoreError("store.full", "x", "free some space")).hint == "free some space"
    assert problem(StoreError("store.full", "x")).hint == CODES["store.full"].hint
