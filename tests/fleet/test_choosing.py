"""Filters, groups and sorting say what they mean."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.fleet import groups
from agent.fleet.filters import SORTS, FilterError, ordered, read
from agent.fleet.reader import Reader
from agent.fleet.view import Row, rows
from tests.fleet.contract import backlog, body, event

AT = 1_795_000_500_000


@pytest.fixture(scope="module")
def reader() -> Reader:
    """Four terminals: stuck in two currencies, stuck in doubt, an alarm, silent."""
    found = Reader()

    def say(device: str, tail: str, payload: bytes) -> None:
        assert found.hear(f"pos/1/acme/{device}/{tail}", payload, AT)

    for device in ("A-1", "A-2", "B-1"):
        say(device, "state", b'{"state":"online","connects":1,"ts":1}')
        say(device, "info", body(1, contract=1, site=f"shop {device[0]}", agent_version="0.1.0"))
    say("B-2", "state", b'{"state":"lost","connects":1}')
    money = {"amount_minor_cny": 5000, "amount_minor_eur": 700}
    say("A-1", "backlog", backlog(2, 4, "host.down", oldest_age_s=75, **money))
    say("A-2", "backlog", backlog(2, 1, "host.down", oldest_age_s=7200, amount_minor_cny=100,
                                  in_doubt_count=1))  # fmt: skip
    say("B-1", "backlog", backlog(2, 0))
    say("B-1", "event", event(3, "printer.paper_out"))
    say("B-1", "health", body(4, full=True, system_storage_free_mb=120, printer_paper="out"))
    return found


def chosen(reader: Reader, *words: str) -> str:
    test = read(words)
    reader.keep(test.fields)
    return " ".join(sorted(row.one.device for row in test.chosen(rows(reader, AT))))


@pytest.mark.parametrize(
    ("words", "devices"),
    [
        ("", "A-1 A-2 B-1 B-2"),
        ("A-*", "A-1 A-2"),
        ("-2", "A-2 B-2"),
        ("count>0", "A-1 A-2"),
        ("count=0", "B-1"),
        ("count!=0", "A-1 A-2 B-2"),
        ("count<1", "B-1"),
        ("age>1h", "A-2"),
        ("age>=75 age<2h", "A-1"),
        ("cause:host.*", "A-1 A-2"),
        ("alarm:printer.*", "B-1"),
        ("state=lost", "B-2"),
        ("site:shop?A", "A-1 A-2"),
        ("version:0.1.*", "A-1 A-2 B-1"),
        ("amount.eur>0", "A-1"),
        ("amount.cny>=5000", "A-1"),
        ("in_doubt_count>0", "A-2"),
        ("system_storage_free_mb<500", "B-1"),
        ("printer_paper=out,count=0", "B-1"),
    ],
)
def test_a_filter_means_what_it_says(reader: Reader, words: str, devices: str) -> None:
    """Unknown is not zero: B-2, of which nothing is known, fits only `!=`."""
    assert chosen(reader, words) == devices


@pytest.mark.parametrize("word", ["count>many", "~", "age>1y"])
def test_what_is_no_filter_is_refused(word: str) -> None:
    """With the word itself, never by fitting nothing in silence."""
    with pytest.raises(FilterError, match=r"."):
        read([word])


@given(st.text(max_size=30))
def test_any_text_is_a_filter_or_refused(text: str) -> None:
    """What a person types never breaks the screen."""
    with contextlib.suppress(FilterError):
        assert read([text]).chosen([]) == []


def test_money_is_added_per_currency(reader: Reader) -> None:
    """Never two currencies into one number; terminals that say nothing add nothing."""
    found = groups.totals(rows(reader, AT))
    assert found.sums.by_currency == {"CNY": 5100, "EUR": 700}
    assert (found.sums.terminals, found.stuck, found.told, found.alarmed) == (4, 2, 3, 1)
    assert (found.sums.payments, found.sums.in_doubt, found.sums.oldest_age_s) == (5, 1, 7200)
    assert found.states == {"online": 3, "lost": 1}


def test_groups_by_cause_and_site(reader: Reader) -> None:
    """The largest first, with their own sums."""
    told = rows(reader, AT)
    assert {n: s.terminals for n, s in groups.grouped(told, "cause").items()} == {"host.down": 2}
    assert {n: s.terminals for n, s in groups.grouped(told, "site").items()} == {
        "shop A": 2, "": 1, "shop B": 1,
    }  # fmt: skip
    assert set(groups.grouped(told, "alarm")) == {"printer.paper_out"}


@pytest.mark.parametrize("by", [*SORTS, "amount.eur", "system_storage_free_mb"])
def test_every_sort_puts_all_in_one_order(reader: Reader, by: str) -> None:
    """The same rows whatever they came in as."""
    told = rows(reader, AT)
    forward = [row.one.device for row in ordered(told, by)]
    assert forward == [row.one.device for row in ordered(told[::-1], by)]
    assert len(forward) == 4


def test_the_oldest_money_comes_first(reader: Reader) -> None:
    """Then terminals in trouble, then the rest."""
    assert [row.one.device for row in ordered(rows(reader, AT), "age")] == [
        "A-2", "A-1", "B-1", "B-2",
    ]  # fmt: skip


def test_a_row_knows_no_field_it_was_not_told(reader: Reader) -> None:
    """A field nobody sent is None, whatever its name."""
    one = reader.get("acme", "B-2")
    assert one is not None
    assert Row(one, reader, AT).value("anything_at_all") is None
