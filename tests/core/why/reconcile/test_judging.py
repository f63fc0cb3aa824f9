"""Every line and every payment is in exactly one class, the right one, in any order of lines."""

from __future__ import annotations

import base64
import json
import random
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.why.causes import CATALOGUE
from agent.core.why.reconcile import matching
from agent.core.why.reconcile.classes import CONFIDENCE, MEANINGS, UNTOLD, By, Class
from agent.core.why.reconcile.cycle import Cycle, Due, start_ms
from agent.core.why.reconcile.judging import Days, Finding
from agent.core.why.reconcile.lines import Line
from agent.core.why.reconcile.matching import Row
from agent.core.why.reconcile.parts import SEQ, packed, unpacked
from agent.core.why.reconcile.payments import Payment
from agent.core.why.reconcile.profile import ListError, Profile, to_plain
from agent.core.why.reconcile.session import Session
from agent.offloaded.reconcile import answer
from tests.reconcile_rig.generator import as_csv, rows_of, world

#: 2026-11-17 10:00 in China, a Tuesday.
AT = 1_794_880_800_000
TUESDAY = date(2026, 11, 17).toordinal()


class Shelf:
    """Rows in memory."""

    def __init__(self) -> None:
        self._rows: list[Row] = []

    def add(self, row: Row) -> None:
        self._rows.append(row)

    def rows(self) -> Iterator[Row]:
        return iter(self._rows)

    def clear(self) -> None:
        self._rows = []


def line(number: int = 2, **changes: Any) -> Line:
    usual = Line(
        number, "", f"{number:012d}", "", "", "T1", "M1", 1250, None, "CNY", "sale", AT, True,
        TUESDAY + 1, "", "settled",
    )  # fmt: skip
    return usual._replace(**changes)


def payment(seq: int = 2, **changes: Any) -> Payment:
    usual = Payment(
        seq, f"k-{seq}", f"{seq:012d}", "", "", "T1", "M1", 1250, "CNY", "sale", AT, "", "posted",
        False, "", 0, 0, "",
    )  # fmt: skip
    return usual._replace(**changes)


def judged(
    lines: list[Line],
    payments: list[Payment],
    covered: tuple[Days, ...] = (),
    elsewhere: Sequence[Payment] = (),
    **profile: Any,
) -> list[Finding]:
    session = Session(Profile(**profile), Shelf, covered)
    for one in lines:
        session.add_line(one)
    session.window()
    for each in payments:
        session.add_payment(each)
    found = list(session.findings())
    for each in elsewhere:
        session.add_elsewhere(each)
    found += session.rest()
    found.sort(key=lambda one: not one.line)  # payments that stand alone are the last
    assert sum(session.totals()["counts"].values()) == len(found)
    return found


def classes(lines: list[Line], payments: list[Payment], **profile: Any) -> list[str]:
    return sorted(one.result for one in judged(lines, payments, **profile))


OTHER = line(90, rrn="other", amount_minor=1)


@pytest.mark.parametrize(
    ("changed_line", "changed_payment", "result", "detail"),
    [
        ({}, {}, "matched", ""),
        ({"amount_minor": 1247, "fee_minor": 3}, {}, "amount_differs", "fee"),
        ({"amount_minor": 1247}, {}, "amount_differs", "partial"),
        ({"amount_minor": 1251}, {}, "amount_differs", "more"),
        ({"settled_day": TUESDAY + 2}, {}, "late", ""),
        ({"status": "held"}, {}, "risk_hold", ""),
        ({"status": "restricted"}, {}, "restricted", ""),
        ({"status": "failed"}, {}, "failed_there", ""),
        ({}, {"state": "reversed"}, "reversed_here", ""),
        ({}, {"state": "declined"}, "refused_here", "declined"),
        ({}, {"state": "waiting", "in_doubt": True}, "open_here", "in_doubt"),
        ({}, {"state": "queued"}, "open_here", "queued"),
        ({}, {"earlier": 1, "earlier_day": TUESDAY}, "duplicate", "earlier"),
        ({}, {"earlier": 1, "earlier_day": TUESDAY + 1}, "matched", ""),
    ],
)
def test_a_line_and_its_payment(
    changed_line: dict[str, Any], changed_payment: dict[str, Any], result: str, detail: str
) -> None:
    """Brought together by RRN, they say one thing."""
    (found,) = judged([line(**changed_line)], [payment(**changed_payment)])
    assert (found.result, found.detail, found.by) == (result, detail, "rrn")
    assert (found.line, found.seq) == (2, 2)


def test_a_fee_may_be_known_by_its_rate() -> None:
    """Where no column tells it, up to the configured share is a fee."""
    (found,) = judged([line(amount_minor=1245)], [payment()], fee_percent=0.5)
    assert found.detail == "fee"


@pytest.mark.parametrize(
    ("changed", "result"),
    [
        ({}, "missing_there"),
        ({"state": "queued"}, "open"),
        ({"state": "declined"}, "not_expected"),
        ({"kind": "preauth"}, "not_expected"),
        ({"earlier": 1}, "earlier"),
        ({"occurred_ms": AT + 86_400_000}, "not_due"),
        ({"occurred_ms": AT - 86_400_000}, "outside"),
    ],
)
def test_a_payment_no_line_is(changed: dict[str, Any], result: str) -> None:
    """It is missing only if it was due."""
    found = judged([OTHER], [payment(rrn="", **changed)])
    assert [one.result for one in found if one.seq] == [result]


def test_real_time_payout_that_did_not_apply_is_said() -> None:
    """Switched off, outside its window, over its limit: it comes the next paying day."""
    day = line(90, rrn="other", amount_minor=1, settled_day=TUESDAY)
    for changes, reason in (
        ({"realtime": False}, "off"),
        ({"realtime_from": 660}, "window"),
        ({"realtime_limit_minor": 1000}, "limit"),
    ):
        found = judged([day], [payment(rrn="")], cycle="T+0", **changes)  # type: ignore[arg-type]
        (one,) = [each for each in found if each.seq]
        assert (one.result, one.detail, one.due_day) == ("not_realtime", reason, TUESDAY + 1)
    found = judged([day], [payment(rrn="")], cycle="T+0", realtime_limit_minor=5000)
    assert [one.result for one in found if one.seq] == ["missing_there"]


def test_lines_nobody_here_knows() -> None:
    """Unknown, netted, or the account's own trouble."""
    lines = [
        line(2), line(3, kind="fee", amount_minor=-5), line(4, kind="chargeback", amount_minor=-9),
        line(5, status="restricted"),
    ]  # fmt: skip
    assert classes(lines, []) == ["missing_here", "offset", "offset", "restricted"]


def test_settled_twice_and_taken_off_again() -> None:
    """A further line of a payment is a duplicate; one that takes money off is netted."""
    twice = judged([line(2), line(3, rrn=line(2).rrn)], [payment(2)])
    assert [one.result for one in twice] == ["matched", "duplicate"]
    assert twice[1].key == "k-2"
    off = judged([line(2), line(3, rrn=line(2).rrn, kind="refund", amount_minor=-50)], [payment(2)])
    assert [one.result for one in off] == ["matched", "offset"]
    by_key = [line(2, key="k-2", rrn=""), line(3, key="k-2", rrn="", stan="9")]
    assert classes(by_key, [payment(2)]) == ["duplicate", "matched"]
    other = [line(2), line(3, rrn=line(2).rrn, amount_minor=7)]
    assert classes(other, [payment(2)]) == ["matched", "missing_here"]


def test_refunds_and_voids_are_matched_or_netted() -> None:
    """A refund is found by the payment it names; a void nobody lists nets its payment."""
    refund = payment(3, kind="refund", amount_minor=-1250, refers_to="k-2", rrn="x")
    listed = [line(2, key="k-2"), line(3, key="k-2", rrn="", kind="refund", amount_minor=-1250)]
    found = judged(listed, [payment(2), refund])
    assert [(one.result, one.by) for one in found] == [("matched", "key"), ("matched", "reference")]
    void = refund._replace(kind="void")
    assert classes([OTHER], [payment(2, rrn=""), void]) == ["missing_here", "offset", "offset"]
    partly = void._replace(amount_minor=-50)
    assert classes([OTHER], [payment(2, rrn=""), partly])[1:] == ["missing_there", "missing_there"]


def test_what_they_are_brought_together_by() -> None:
    """Key, RRN, trace number with day, amount and time, each with its confidence."""
    by_key = judged([line(rrn="", key="k-2")], [payment()])
    by_stan = judged([line(rrn="", stan="7", batch="1")], [payment(stan="7", batch="1")])
    by_card = judged([line(rrn="", card="1234")], [payment(card="1234")])
    by_amount = judged([line(rrn="")], [payment()])
    all_day = judged([line(rrn="", timed=False, occurred_ms=AT - 36_000_000)], [payment()])
    assert [one[0].by for one in (by_key, by_stan, by_card, by_amount, all_day)] == [
        "key", "stan", "amount_card", "amount", "amount",
    ]  # fmt: skip
    assert CONFIDENCE[By.AMOUNT] == "weak"
    for strange in (
        {"terminal_id": "T2"}, {"merchant_id": "M2"}, {"currency": "USD"}, {"stan": "9"},
        {"batch": "9"}, {"card": "9999"}, {"key": "k-9"}, {"occurred_ms": AT + 400_000},
    ):  # fmt: skip
        told = line(rrn="", **strange)
        here = payment(rrn="", stan="7", batch="1", card="1234")
        assert "missing_here" in classes([told], [here]), strange
    elsewhere = judged([line()], [payment(terminal_id="T2")])
    assert [one.result for one in elsewhere] == ["missing_here", "missing_there"]
    wrong_batch = judged([line(rrn="", stan="7", batch="2")], [payment(stan="7", batch="1")])
    assert [one.result for one in wrong_batch] == ["missing_here", "missing_there"]
    untimed = judged([line(rrn="", stan="7", occurred_ms=None)], [payment(stan="7")])
    assert [one.result for one in untimed] == ["missing_here", "missing_there"]


def test_the_better_line_is_the_payments() -> None:
    """Of two lines under one RRN the one with the payment's amount; of two payments likewise."""
    same = line(2).rrn
    found = judged([line(4, rrn=same, amount_minor=9), line(5, rrn=same)], [payment(2)])
    assert [(one.result, one.line) for one in found] == [("matched", 5), ("missing_here", 4)]
    two = judged([line(2)], [payment(2), payment(3, rrn=same, terminal_id="T2")])
    assert [(one.result, one.seq) for one in two] == [("matched", 2), ("missing_there", 3)]


def test_what_fits_several_stays_ambiguous() -> None:
    """Nobody guesses with money."""
    lines = [line(2, rrn=""), line(3, rrn="")]
    assert classes(lines, [payment(2), payment(3)]) == ["ambiguous"] * 4
    many = [payment(seq, rrn="") for seq in range(1, 260)]
    assert "ambiguous" in classes([line(2, rrn="")], many)


def test_a_column_of_zeros_is_no_name() -> None:
    """So many under one RRN say nothing, and take no time."""
    lines = [line(number, rrn="0", amount_minor=number) for number in range(2, 120)]
    payments = [payment(seq, rrn="0", amount_minor=seq) for seq in range(2, 120)]
    assert Counter(one.by for one in judged(lines, payments)) == {"amount": 118}


def test_another_acquirers_payments_are_not_missing() -> None:
    """A profile's merchant and terminals bound what it is asked about."""
    here = payment(rrn="")
    assert classes([OTHER], [here], merchant_ids=("M2",)) == ["missing_here"]
    assert classes([OTHER], [here], terminal_ids=("T2",)) == ["missing_here"]


def test_a_payment_no_list_has_does_not_vanish() -> None:
    """Due before this list's days: missing once a list of its day was read, before that nobody
    knows. What reached the host late is due later: after these days, or of them."""
    day_ms = 86_400_000
    late_list = line(90, rrn="other", amount_minor=1, settled_day=TUESDAY + 3)
    before = Days(TUESDAY + 1, TUESDAY + 1)
    for posted_ms, covered, result, due in (
        (0, (), "outside", 1),
        (AT, (Days(TUESDAY, TUESDAY),), "outside", 1),
        (AT, (before,), "missing_there", 1),
        (AT + 2 * day_ms, (), "missing_there", 3),
        (AT + 3 * day_ms, (before,), "not_due", 6),  # posted on Friday: due on Monday
    ):
        found = judged([late_list], [payment(posted_ms=posted_ms)], covered)
        (of_it,) = [one for one in found if one.seq == 2]
        assert (of_it.result, of_it.due_day) == (result, TUESDAY + due)
    at_once = judged([late_list], [payment(posted_ms=AT + 4 * day_ms)], cycle="T+0")
    assert [one.result for one in at_once if one.seq == 2] == ["not_due"]


def test_many_lines_that_are_left_are_looked_at_in_buckets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It comes to the same as in memory."""
    lines = [line(number) for number in range(2, 12)]
    lines += [line(number + 50, rrn=f"{number:012d}") for number in range(2, 8)]
    lines += [line(number + 90, rrn=f"{number:012d}", amount_minor=-5) for number in range(2, 5)]
    payments = [payment(number) for number in range(2, 12)]
    few = judged(lines, payments)
    monkeypatch.setattr(matching, "FEW", 0)
    assert sorted(judged(lines, payments), key=repr) == sorted(few, key=repr)
    assert Counter(one.result for one in few) == {"matched": 10, "duplicate": 6, "offset": 3}


def test_parts_are_packed_and_what_is_spoilt_is_nothing() -> None:
    """Flash may leave anything: it is never believed, and nothing falls over."""
    assert Finding._fields[SEQ] == "seq"
    found = judged([line(), line(3)], [payment(), payment(3)])
    body = packed(found)
    assert unpacked(body) == [tuple(one) for one in found]
    for spoilt in (b"", body[:-3], b"x" + body, zlib.compress(b"7"), zlib.compress(b"[[1],[]]")):
        assert unpacked(spoilt) == []


def test_a_list_needs_days_that_can_be() -> None:
    """Neither none, nor centuries, nor the year 0."""
    for lines, why in (
        ([line(occurred_ms=None, settled_day=0)], "no_days"),
        ([line(), line(3, settled_day=TUESDAY + 900)], "too_many_days"),
        ([line(settled_day=5)], "date"),
    ):
        with pytest.raises(ListError) as caught:
            judged(lines, [])
        assert caught.value.why == why


def test_days_are_reckoned_where_no_column_tells_them() -> None:
    """From when the payments were made and when such are due."""
    session = Session(Profile(), Shelf)
    session.add_line(line(settled_day=0))
    since, until = session.window()
    assert session.totals()["days"] == [TUESDAY + 1, TUESDAY + 1]
    assert since <= AT < until
    at_once = Session(Profile(cycle="T+0"), Shelf)
    at_once.add_line(line(settled_day=0))
    at_once.window()
    assert at_once.totals()["days"] == [TUESDAY, TUESDAY]
    bare = Session(Profile(), Shelf)
    bare.add_line(line(occurred_ms=None))
    assert bare.window()[0] < bare.window()[1]


def test_the_calendar() -> None:
    """Weekends, holidays, make-up days, cut-off, and a rest nobody believes."""
    friday = TUESDAY + 3
    plain = Cycle(Profile())
    assert plain.due(start_ms(friday, Profile()), 1) == Due(TUESDAY + 6, "")
    assert Cycle(Profile(weekends=True)).next_paying(friday) == friday + 1
    assert Cycle(Profile(workdays=(friday + 1,))).next_paying(friday) == friday + 1
    assert Cycle(Profile(holidays=(TUESDAY + 1,))).next_paying(TUESDAY) == TUESDAY + 2
    late = Profile(cut_off_minute=600)
    assert Cycle(late).due(AT, 1).day == TUESDAY + 2
    assert Cycle(Profile(cycle="D+1")).due(start_ms(friday, Profile()), 1).day == friday + 1
    assert Cycle(Profile(cycle="D+1", cut_off_minute=600)).latest(friday) == friday + 2
    assert Cycle(Profile(cycle="D+1")).latest(friday) == friday + 1
    assert Cycle(late).reaches_back(TUESDAY + 6) == TUESDAY + 2
    closed = Cycle(Profile(holidays=tuple(range(TUESDAY, TUESDAY + 60))))
    assert closed.next_paying(TUESDAY) == TUESDAY + 1
    refund = Cycle(Profile(cycle="T+0", realtime_limit_minor=100))
    assert Cycle(Profile(cycle="T+0")).due(AT, 1) == Due(TUESDAY, "")
    assert [refund.due(AT, amount).reason for amount in (100, -50, 50, 1)] == ["", "", "", "limit"]


def test_every_class_has_words_and_a_cause_of_the_catalogue() -> None:
    """In both languages."""
    for one in Class:
        meaning = MEANINGS[one]
        assert meaning.text.zh
        assert meaning.text.en
        assert not meaning.code or meaning.code in CATALOGUE


_DRAWN = st.tuples(
    st.integers(0, 5), st.integers(0, 5), st.integers(0, 5), st.integers(1, 3), st.integers(0, 3),
    st.sampled_from([1, -1]),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(_DRAWN, max_size=14), st.lists(_DRAWN, max_size=14), st.randoms())
def test_each_is_in_one_class_whatever_the_order(
    told: list[tuple[int, ...]], here: list[tuple[int, ...]], rng: random.Random
) -> None:
    """Random journals and lists: nothing lost, nothing twice, the same for every order of lines."""
    lines = [OTHER]
    for number, (key, rrn, stan, amount, minutes, sign) in enumerate(told, 2):
        lines.append(
            line(number, key=f"k-{key}" if key > 2 else "", rrn=f"r{rrn}" if rrn > 2 else "",
                 stan=str(stan) if stan > 2 else "", amount_minor=amount * sign,
                 kind="sale" if sign > 0 else "refund", occurred_ms=AT + minutes * 100_000)
        )  # fmt: skip
    payments = [
        payment(seq, key=f"k-{seq}", rrn=f"r{rrn}" if rrn > 2 else "", stan=str(stan),
                amount_minor=amount * sign, kind="sale" if sign > 0 else "refund",
                refers_to=f"k-{key}" if sign < 0 else "", occurred_ms=AT + minutes * 100_000,
                state=("posted", "posted", "posted", "waiting", "declined")[minutes + (key > 4)])
        for seq, (key, rrn, stan, amount, minutes, sign) in enumerate(here, 1)
    ]  # fmt: skip
    found = judged(lines, payments)
    assert sorted(one.line for one in found if one.line) == sorted(one.number for one in lines)
    assert sorted(one.seq for one in found if one.seq) == [one.seq for one in payments]
    shuffled = list(lines)
    rng.shuffle(shuffled)
    assert sorted(judged(shuffled, payments), key=repr) == sorted(found, key=repr)


def test_generated_lists_come_to_their_known_truth() -> None:
    """Every story the generator tells is recognised, through the program as it is run."""
    made = world(3_000, seed=7)

    def told() -> Iterator[bytes]:
        yield json.dumps(to_plain(Profile())).encode()
        yield b"F" + base64.b64encode(as_csv(made.rows))
        yield b"E"
        for page in rows_of(made.payments):
            yield json.dumps(page).encode()

    found: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    seqs = []
    for document in map(json.loads, answer(told())):
        rows = document.get("found", ())
        if "part" in document:
            rows = unpacked(base64.b64decode(document["body"]))
            seqs += [one[2] for one in rows]
            assert document["part"] == [rows[0][2], rows[-1][2], len(rows)]
        for one in rows:
            found[one[0]] += 1
            assert not one[2] or made.by_key.get(one[3], one[0]) == one[0]
        counts += document.get("done", {}).get("counts", {})
    assert seqs == sorted(seqs)
    assert counts == made.truth
    told_of = {name: count for name, count in made.truth.items() if name not in set(UNTOLD)}
    assert found == told_of


def test_moments_are_those_of_the_rig() -> None:
    """The figures above are what they say."""
    assert datetime.fromtimestamp(AT / 1000, UTC) == datetime(2026, 11, 17, 2, tzinfo=UTC)
    assert timedelta(milliseconds=start_ms(TUESDAY, Profile())) == timedelta(
        milliseconds=AT, hours=-10
    )
