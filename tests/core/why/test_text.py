"""Sentences with facts: what is missing vanishes, what is strange does no harm."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from agent.core.why.text import (
    Arg,
    Language,
    Line,
    Money,
    Text,
    format_at,
    format_money,
    show,
    verbatim,
)

HOST = Text("主机[{host}]不应答[,自{since}起]", "the host[ {host}] is silent[ since {since}]")
AT = datetime(2026, 11, 21, 14, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("args", "zh", "en"),
    [
        ({}, "主机不应答", "the host is silent"),
        ({"host": "a:1"}, "主机a:1不应答", "the host a:1 is silent"),
        ({"host": "", "since": None}, "主机不应答", "the host is silent"),
        (
            {"host": "a:1", "since": AT},
            "主机a:1不应答\N{FULLWIDTH COMMA}自2026-11-21 14:05:09起",
            "the host a:1 is silent since 2026-11-21 14:05:09",
        ),
    ],
)
def test_missing_facts_drop_their_clause(args: dict[str, Arg], zh: str, en: str) -> None:
    """A clause is said only when all its facts are known."""
    text = Text(HOST.zh.replace(",", "\N{FULLWIDTH COMMA}"), HOST.en)
    assert text.render("zh", args) == zh
    assert text.render("en", args) == en


def test_missing_fact_outside_a_clause() -> None:
    """A fact the sentence cannot do without becomes a neutral word, never an error."""
    text = Text("密钥{key}", "key {key}")
    assert text.render("en") == "key (unknown)"
    assert "未知" in text.render("zh")


def test_values_are_not_templates() -> None:
    """Brackets and braces inside a value are shown as they are."""
    assert Text("{a}", "{a} and {b}").render("en", {"a": "[{b}]", "b": "x"}) == "[{b}] and x"


def test_control_characters_never_reach_the_screen() -> None:
    """A host's text cannot move a technician's cursor, break a line or run on for ever."""
    assert verbatim("a\x1b[31m\nb").render("en") == "a [31m b"
    long = verbatim("x" * 5000).render("zh")
    assert len(long) == 120
    assert long.endswith("…")


@pytest.mark.parametrize(
    ("value", "zh", "en"),
    [
        (True, "是", "yes"),
        (False, "否", "no"),
        (0, "0", "0"),
        (1234567, "1234567", "1234567"),
        (2.5, "2.5", "2.5"),
        (71.0, "71", "71"),
        (Text("等待", "waiting"), "等待", "waiting"),
        (Money(5, "CNY"), "CNY 0.05", "CNY 0.05"),
        ((Money(5, "CNY"), Money(7, "JPY")), "CNY 0.05、JPY 7", "CNY 0.05, JPY 7"),
        ("plain", "plain", "plain"),
        (None, "None", "None"),
    ],
)
def test_values_as_people_write_them(value: Arg, zh: str, en: str) -> None:
    """Every kind of fact has one way of being written in each language."""
    assert (show(value, "zh"), show(value, "en")) == (zh, en)


@pytest.mark.parametrize(
    ("money", "written"),
    [
        (Money(1250, "CNY"), "CNY 12.50"),
        (Money(5, "EUR"), "EUR 0.05"),
        (Money(0, "USD"), "USD 0.00"),
        (Money(-1, "USD"), "USD -0.01"),
        (Money(1250, "JPY"), "JPY 1250"),
        (Money(0, "KRW"), "KRW 0"),
        (Money(99, "VND"), "VND 99"),
        (Money(1250, ""), "12.50"),
        (Money(1250, "BHD"), "BHD 1.250"),
        (Money(5, "KWD"), "KWD 0.005"),
        (Money(-12345, "OMR"), "OMR -12.345"),
        (Money(1, "TND"), "TND 0.001"),
        (Money(1000, "JOD"), "JOD 1.000"),
        (Money(2**53, "CNY"), "CNY 90071992547409.92"),
    ],
)
def test_amounts_in_major_units(money: Money, written: str) -> None:
    """Amounts are exact, with as many places as the currency has."""
    assert format_money(money) == written


def test_times_are_local_to_the_reader() -> None:
    """A time is shown at the reader's distance from UTC, whatever zone it was kept in."""
    eastern = AT.astimezone(timezone(timedelta(hours=-5)))
    assert format_at(eastern, timedelta(hours=8)) == "2026-11-21 22:05:09"
    assert (
        Line(Text("{at}", "{at}"), {"at": AT}).render("en", timedelta(hours=8)).endswith("22:05:09")
    )


def test_impossible_times_stay_in_utc() -> None:
    """A clock at the end of time is shown, not raised."""
    last = datetime.max.replace(tzinfo=UTC)
    assert format_at(last, timedelta(hours=8)) == "9999-12-31 23:59:59Z"


@pytest.mark.parametrize(("lang", "words"), [("zh", "进纸键"), ("en", "FEED")])
def test_watchers_words_are_translated(lang: Language, words: str) -> None:
    """A watcher's code word is said in the reader's language; unknown ones as they are."""
    text = Text("[{offline_reason}]", "[{offline_reason}]")
    assert words in text.render(lang, {"offline_reason": "feed"})
    assert text.render(lang, {"offline_reason": "new"}) == "new"


def test_names() -> None:
    """A text tells which facts it can show."""
    assert HOST.names == {"host", "since"}
