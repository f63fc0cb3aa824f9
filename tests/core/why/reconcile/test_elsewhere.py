"""A line that names a payment of ours is that payment, whatever day the list gives it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from agent.core.why.reconcile.cycle import local
from agent.core.why.reconcile.profile import ListError, Profile, to_plain
from agent.core.why.reconcile.session import Session
from agent.core.why.reconcile.tables import read
from agent.offloaded import reconcile as offloaded
from agent.offloaded.reconcile import answer
from tests.core.why.reconcile.test_judging import AT, TUESDAY, Shelf, judged, line, payment

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@pytest.mark.parametrize(
    ("told", "here", "by"),
    [
        ({"key": "k-2", "rrn": ""}, {}, "key"),
        ({}, {}, "rrn"),
        ({"rrn": "", "stan": "7", "batch": "1"}, {"stan": "7", "batch": "1"}, "stan"),
    ],
)
def test_a_name_is_enough_for_a_payment_of_another_day(
    told: dict[str, Any], here: dict[str, Any], by: str
) -> None:
    """With the days said that the two are apart; the class is that of any other pair."""
    ours = payment(occurred_ms=AT - 2 * DAY_MS, **here)
    (found,) = judged([line(**told)], [], elsewhere=[ours])
    assert (found.result, found.by, found.detail) == ("late", by, "other_day +2")
    (found,) = judged([line(settled_day=TUESDAY - 1, **told)], [], elsewhere=[ours])
    assert (found.result, found.detail) == ("matched", "other_day +2")


def test_neither_amount_and_time_nor_another_merchants_payment_is_enough() -> None:
    """What was only asked about is nobody's finding either."""
    ours = payment(rrn="", occurred_ms=AT)
    for changes in ({}, {"merchant_ids": ("M2",)}):
        found = judged([line(key="k-2")], [], elsewhere=[ours], **changes)
        expected = "missing_here" if changes else "matched"
        assert [one.result for one in found] == [expected]
        found = judged([line(rrn="")], [], elsewhere=[ours], **changes)
        assert [one.result for one in found] == ["missing_here"]


def test_twice_in_the_list_is_twice_on_any_day() -> None:
    """The second line of a payment of another day is a duplicate, a refund of it is netted."""
    ours = payment(occurred_ms=AT - 9 * DAY_MS)
    lines = [line(2, key="k-2", rrn=""), line(3, key="k-2", rrn="", kind="sale"),
             line(4, key="k-2", rrn="", amount_minor=-50, kind="refund")]  # fmt: skip
    found = judged(lines, [], elsewhere=[ours])
    assert [one.result for one in found] == ["late", "offset", "duplicate"]


def test_trace_number_batch_and_amount_hold_across_midnight() -> None:
    """In a list of another time zone the day is another one."""
    told = line(rrn="", stan="7", batch="1", occurred_ms=AT - 11 * HOUR_MS)
    (found,) = judged([told], [payment(stan="7", batch="1")])
    assert (found.result, found.by, found.detail) == ("matched", "stan", "other_day -1")
    two = judged([told._replace(batch="")], [payment(stan="7", batch="1")])
    assert [one.result for one in two] == ["missing_here", "missing_there"]


def session_of(lines: list[Any], payments: list[Any], **profile: Any) -> Session:
    session = Session(Profile(**profile), Shelf)
    for one in lines:
        session.add_line(one)
    session.window()
    for one in payments:
        session.add_payment(one)
    assert session.totals()["zone_hours"] == 0
    assert list(session.findings()) is not None
    return session


def test_most_times_so_many_hours_away_are_said_once() -> None:
    """Whole hours only, the same for most, and no more than a zone can be."""
    payments = [payment(seq) for seq in range(2, 7)]
    for hours, zone in (
        ([-8] * 5, -8), ([-8, -8, -8, 0, 3], -8), ([-8, -8, 0, 0, 0], 0), ([0.5] * 5, 0),
        ([0] * 5, 0), ([-40] * 5, 0), ([1, 2, 3, 4, 5], 0),
    ):  # fmt: skip
        lines = [
            line(seq, occurred_ms=AT + int(away * HOUR_MS)) for seq, away in enumerate(hours, 2)
        ]
        session = session_of(lines, payments)
        assert list(session.rest()) == []
        assert session.totals()["zone_hours"] == zone, hours


def test_only_what_is_left_is_asked_for() -> None:
    """Keys in portions; days around those of the list where only numbers are told; else nothing."""
    assert list(session_of([line()], [payment()]).keys(5)) == []
    assert session_of([line()], [payment()]).spans() == []
    named = [line(seq, key=f"x-{seq}", rrn="") for seq in range(2, 9)]
    named += [line(9, key="no key\n", rrn=""), line(10, key="x" * 500, rrn="")]
    session = session_of(named, [])
    assert [len(some) for some in session.keys(3)] == [3, 3, 1]
    assert session.spans() == []
    for told in (line(), line(rrn="", stan="7", batch="1")):
        before, after = session_of([told], []).spans()
        window = session_of([told], []).window()
        assert (before[1], after[0]) == window
        assert all(begin < end <= begin + 9 * DAY_MS for begin, end in (before, after))
        assert local(after[1], Profile())[0] - local(after[0], Profile())[0] >= 2
    assert session_of([line(rrn="", stan="7")], []).spans() == []


def test_the_program_asks_and_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """By key first, then by span; what comes twice is one; unanswered is unknown."""
    monkeypatch.setattr(offloaded, "ASKED", 1)
    head = "参考号,商户订单号,交易日期,交易金额,清算日期\n"
    file = f"{head},k-5,20261117,12.50,20261118\n{6:012d},k-9,20261117,12.50,20261118\n"
    ours = [payment(5, occurred_ms=AT - 60 * DAY_MS), payment(6, occurred_ms=AT - DAY_MS)]

    def counts(*answers: bytes) -> tuple[list[Any], dict[str, int]]:
        told = [json.dumps(to_plain(Profile())).encode(), b"F" + base64.b64encode(file.encode()),
                b"E", b"[]", b"P", *answers]  # fmt: skip
        documents = [json.loads(one) for one in answer(told)]
        asked = [next(iter(one["wanted"])) for one in documents if "wanted" in one]
        return asked, documents[-1]["done"]["counts"]

    first, second = (json.dumps([one]).encode() for one in ours)
    earlier = json.dumps({"5": [3, TUESDAY - 40, ""]}).encode()
    assert counts() == (["keys", "keys", "span", "span"], {"missing_here": 2})
    asked, found = counts(first, b"P", b"P", first, second, b"P", second, b"P")
    assert asked == ["keys", "keys", "span", "span"]
    assert found == {"late": 2}
    assert counts(earlier, first, b"P", b"P", second)[1] == {"duplicate": 1, "late": 1}


def test_a_configured_column_that_json_lacks_is_named() -> None:
    """With the line of the object."""
    with pytest.raises(ListError) as caught:
        list(read(Profile(columns={"key": "nr"}), ['{"rrn": "1", "amount": 1}']))
    assert (caught.value.why, caught.value.line) == ("column_missing", 1)
