"""A settlement list is read strictly: what is wrong is named by line and column, or it is read."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.money import cards
from agent.core.why.reconcile import tables, values
from agent.core.why.reconcile.encoding import Trial, decoded, lines_of, shown
from agent.core.why.reconcile.lines import Line
from agent.core.why.reconcile.profile import ListError, Profile, profile_from, to_plain
from agent.core.why.reconcile.tables import read
from agent.core.why.reconcile.words import REASONS, refusal

HEAD = "终端号,交易日期,交易时间,清算日期,参考号,流水号,卡号,交易类型,交易金额,手续费,状态"
ROW = "T1,20261117,10:00:00,2026-11-18,000000000001,000007,622588******1234,消费,12.50,0.03,成功"


def text(*rows: str, head: str = HEAD) -> str:
    return "\n".join([head, *rows]) + "\n"


def lines(told: str, **changes: Any) -> list[Line]:
    return list(read(Profile(**changes), lines_of([told])))


def refused(told: str, **changes: Any) -> ListError:
    with pytest.raises(ListError) as caught:
        lines(told, **changes)
    return caught.value


def test_a_chinese_list_is_read_without_any_mapping() -> None:
    """Headings as acquirers write them mean what they say; the card is cut to four digits."""
    (line,) = lines(text(ROW))
    assert (line.number, line.terminal_id, line.rrn, line.stan) == (2, "T1", "000000000001", "7")
    assert (line.amount_minor, line.fee_minor, line.currency) == (1250, 3, "CNY")
    assert (line.kind, line.status, line.card, line.timed) == ("sale", "settled", "1234", True)
    assert line.occurred_ms == 1_794_880_800_000
    assert line.settled_day == values.day("2026-11-18")


def test_titles_comments_empty_lines_and_a_footer_are_passed_over() -> None:
    """What banks put around their lists is not taken for payments, and totals are checked."""
    told = (
        "\ufeff某某银行对账单\n\n# note\n" + text(ROW + ",", "", "#end", ROW) + "合计,2,25.00\nleft"
    )
    found = lines(told, footer="合计", footer_count=2, footer_sum=3)
    assert [line.number for line in found] == [5, 8]
    assert lines(text(ROW) + "合计\n", footer="合计")
    assert [line.number for line in lines("\n \n" + text(ROW))] == [4]


@pytest.mark.parametrize(
    ("footer", "why", "line"),
    [
        ("", "footer_missing", 2),
        ("合计\n", "footer_short", 3),
        ("合计,2,12.50\n", "footer_count", 3),
        ("合计,x,12.50\n", "footer_count", 3),
        ("合计,1,12.51\n", "footer_sum", 3),
        ("合计,1,--\n", "amount", 3),
    ],
)
def test_a_footer_that_does_not_fit_refuses_the_list(footer: str, why: str, line: int) -> None:
    """A list that was cut off is not believed up to where it was cut."""
    error = refused(text(ROW) + footer, footer="合计", footer_count=2, footer_sum=3)
    assert (error.why, error.line) == (why, line)


@pytest.mark.parametrize(
    ("told", "why", "line", "column"),
    [
        (text(ROW, ROW.replace("12.50", "12.5x")), "amount", 3, "交易金额"),
        (text(ROW.replace("12.50", "+-1")), "amount", 2, "交易金额"),
        (text(ROW.replace("12.50", "12.505")), "amount_decimals", 2, "交易金额"),
        (text(ROW.replace("12.50", "9007199254740993")), "amount", 2, "交易金额"),
        (text(ROW.replace("20261117", "20261317")), "date", 2, "交易日期"),
        (text(ROW.replace("20261117", "today")), "date", 2, "交易日期"),
        (text(ROW.replace("10:00:00", "25:00:00")), "time", 2, "交易时间"),
        (text(ROW.replace("消费", "什么")), "kind", 2, "交易类型"),
        (text(ROW.replace("成功", "什么")), "status", 2, "状态"),
        (text(ROW, ROW[:40]), "width", 3, ""),
        (text(ROW, '"T1,'), "quotes", 3, ""),
        (text(ROW.replace("T1", "x" * 600)), "quotes", 2, ""),
        (HEAD + "\n", "no_lines", 0, ""),
        ("", "empty", 0, ""),
        ("a,b\n1,2\n", "heading", 1, ""),
        ('"a,b\n' * 40, "heading", 0, ""),
        ("交易金额,手续费\n1,2\n", "nothing_to_go_by_at_all", 1, ""),
        ("参考号,金额\n,2\n", "nothing_to_go_by", 2, ""),
        ("参考号,金额,币种\n1,2,QQQ\n", "currency", 2, "币种"),
        ("参考号,金额,交易时间\n1,2,noon\n", "time", 2, "交易时间"),
    ],
)
def test_what_is_wrong_is_named_by_line_and_column(
    told: str, why: str, line: int, column: str
) -> None:
    """In the terms of the file, in both languages, and without the value."""
    error = refused(told)
    assert (error.why, error.line, error.column) == (why, line, column)
    for lang in ("zh", "en"):
        said = refusal(error.plain(), lang)  # type: ignore[arg-type]
        assert "12.5x" not in said
        assert not line or str(line) in said


def test_reasons_are_told_with_a_column_alone_and_for_unknown_words() -> None:
    """A refusal of another version of this program is still a sentence."""
    assert refusal({"why": "amount", "column": "A"}, "en").startswith("column A")
    assert refusal({"why": "of tomorrow"}, "en") == REASONS["heading"].render("en")


def test_a_list_of_somebody_else_is_refused() -> None:
    """Another merchant's or terminal's list would make every payment look missing."""
    assert refused(text(ROW), terminal_ids=("T2",)).why == "not_ours"
    assert lines(text(ROW), terminal_ids=("T1",))


def test_more_lines_than_allowed_are_refused() -> None:
    """At the line where it became too many."""
    assert refused(text(ROW, ROW, ROW), max_lines=2).line == 4


def test_a_mapping_overrides_the_usual_headings() -> None:
    """A bank's own words, and fen instead of yuan, and signs the other way round."""
    told = "单号;数额;金额;说明;日\nA-1;-1250;9;进;17.11.2026\n"
    (line,) = lines(
        told, delimiter=";", amounts="minor", signs="turned", date_formats=("%d.%m.%Y",),
        columns={"key": "单号", "amount": "数额", "kind": "说明", "date": "日"},
        kinds={"进": "sale"},
    )  # fmt: skip
    assert (line.key, line.amount_minor, line.timed) == ("A-1", 1250, False)
    error = refused("参考号,金额\n1,2\n", columns={"key": "没有"})
    assert (error.why, error.told) == ("column_missing", "没有")
    assert refused("参考号,金额\n1,2.5\n", amounts="minor").why == "amount_minor"
    assert (
        refused("参考号,金额,日期x\n1,2,3\n", columns={"date": "日期x"}, date_formats=("%Y",)).why
        == "date"
    )


def test_refunds_take_money_off_and_net_amounts_get_their_fee_back() -> None:
    """Towards the merchant is plus, whatever way the bank writes it."""
    refunds = lines(
        "参考号,金额,类型\n1,5.00,退款\n2,-5.00,退款\n3,￥5.00,\n".replace(",\n", ",消费\n")
    )
    assert [line.amount_minor for line in refunds] == [-500, -500, 500]
    (line,) = lines("参考号,到账金额,手续费\n1,9.97,0.03\n")
    assert (line.amount_minor, line.kind) == (1000, "sale")
    (line,) = lines("参考号,到账金额\n1,-9.97\n")
    assert (line.amount_minor, line.kind) == (-997, "refund")
    (line,) = lines("RRN,Amount,Currency,Datetime\n1,500,JPY,2026-11-17 10:00:00\n")
    assert (line.amount_minor, line.currency) == (500, "JPY")


@pytest.mark.parametrize(
    "told",
    ["2026-11-17 10:00:00", "2026/11/17 10:00", "20261117100000", "2026-11-17T02:00:00Z",
     "2026-11-17T05:00:00+03:00", "2026-11-16T22:00:00-04:00", "2026年11月17日 10:00:00"],
)  # fmt: skip
def test_moments_are_read_as_the_trade_writes_them(told: str) -> None:
    """With and without a zone; without one in the list's own."""
    assert values.moment(told, (), 480) == (1_794_880_800_000, True)


def test_moments_by_format_say_whether_a_time_was_told() -> None:
    """A format of one's own is the only one then."""
    assert values.moment("17.11.2026 10", ("%Y %H", "%d.%m.%Y %H"), 480)[1]
    assert not values.moment("17.11.2026", ("%d.%m.%Y",), 480)[1]
    assert (
        values.moment("2026-11-17 02:00 +0000", ("%Y-%m-%d %H:%M %z",), 480)[0] == 1_794_880_800_000
    )
    assert not values.moment("2026-11-17", (), 480)[1]
    with pytest.raises(ListError):
        values.moment("x", ("%Y",), 480)


def test_fields_lose_what_spreadsheets_put_around_them() -> None:
    """And nothing else."""
    assert [values.cleaned(one) for one in ("`12", '="007"', "'7", " 8\t", "=1", "")] == [
        "12", "007", "7", "8", "=1", "",
    ]  # fmt: skip
    assert values.tail("12") == ""


# -- JSON --------------------------------------------------------------------------------------

OBJECT = '{"rrn": "1", "amount": 0.1, "datetime": "2026-11-17 10:00:00", "fee": null}'


def test_json_arrays_and_lines_are_read_alike() -> None:
    """And 0.1 is ten fen."""
    for told in (f"[{OBJECT},\n{OBJECT}]", f"{OBJECT}\n\n{OBJECT}", f"[\n{OBJECT}\n,{OBJECT}\n]\n"):
        found = lines(told)
        assert [(line.rrn, line.amount_minor) for line in found] == [("1", 10), ("1", 10)]
    spread = OBJECT.replace(",", ",\n")
    assert [line.number for line in lines(f"[{spread},\n{spread}]")] == [1, 5]


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ("[]", "no_lines"), ("[", "json"), (f"[{OBJECT}", "json"), (f"[{OBJECT}] x", "json"),
        (f"[{OBJECT} {OBJECT}]", "json"), ("[1]", "not_object"), (f"{OBJECT} x", "json"),
        ("{", "json"), ('{"rrn": "1", "rrn": "2", "amount": 1}', "doubled"),
        ('{"rrn": [1], "amount": 1}', "not_text"), ('{"rrn": true, "amount": 1}', "not_text"),
        ('{"rrn": NaN, "amount": 1}', "json"), ('{"a": 1}', "heading"),
        ('{"amount": 1, "fee": 1}', "nothing_to_go_by_at_all"),
        ('{"rrn": "' + "x" * 600 + '", "amount": 1}', "not_text"),
        ("[" * 100_000, "json"), ("[" + '{"rrn": "' + "x" * 70_000, "json"),
    ],
)  # fmt: skip
def test_json_that_is_not_whole_is_refused(told: str, why: str) -> None:
    """Nothing of it is believed."""
    assert refused(told).why == why


# -- characters --------------------------------------------------------------------------------


def tried(file: bytes, asked: str = "auto", size: int = 7) -> str:
    trial = Trial(asked)
    for begin in range(0, len(file), size):
        trial.feed(file[begin : begin + size])
    trial.feed(b"", final=True)
    return trial.chosen()


@pytest.mark.parametrize(
    ("coded", "name"),
    [
        (text(ROW).encode(), "utf-8"),
        (codecs.BOM_UTF8 + text(ROW).encode(), "utf-8-sig"),
        (text(ROW).encode("gbk"), "gb18030"),
        ((text(ROW) + "𠮷").encode("gb18030"), "gb18030"),
        (text(ROW).encode("utf-16"), "utf-16"),
        (codecs.BOM_UTF16_BE + text(ROW).encode("utf-16-be"), "utf-16"),
        (b"a," * 50 + "金额".encode("gbk"), "gb18030"),
        ("rrn,amount\n".encode("utf-16-le"), "utf-16-le"),
        ("rrn,amount\n".encode("utf-16-be"), "utf-16-be"),
    ],
)
def test_characters_are_found_out(coded: bytes, name: str) -> None:
    """Whatever the size of the pieces, and though the first Chinese word stands at the end."""
    for size in (1, 64, 100_000):
        assert tried(coded, size=max(size, 64)) == name
    assert "".join(decoded([coded[:5], coded[5:]], name)).encode("gb18030")
    assert shown(name)


def test_what_was_tried_is_said() -> None:
    """With the line at which each failed; an empty file is said to be empty."""
    with pytest.raises(ListError) as caught:
        tried(b"ab\ncd\n\xff\xff\xff,\n")
    assert caught.value.told == "UTF-8 (3), GB18030 (3)"
    with pytest.raises(ListError) as caught:
        tried("金额".encode("gbk"), asked="utf-8")
    assert caught.value.why == "encoding"
    with pytest.raises(ListError):
        tried(b"a\0\n")
    with pytest.raises(ListError):
        tried("a\n\udcff".encode("utf-16-le", "surrogatepass")[:-1], asked="utf-16le")
    with pytest.raises(ListError) as caught:
        tried(b"")
    assert caught.value.why == "empty"


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["auto", "csv", "json", "jsonl"]))
def test_garbage_is_refused_and_nothing_else(garbage: bytes, kind: str) -> None:
    """Whatever bytes: lines, or one refusal in words."""
    for file in (garbage, text(ROW).encode() + garbage, b"[" + OBJECT.encode() + b"," + garbage):
        try:
            found: list[Any] = list(
                read(Profile(format=kind), lines_of(decoded([file], tried(file))))
            )
        except ListError as error:
            found = [refusal(error.plain(), "zh"), refusal(error.plain(), "en")]
        assert all(found)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=12), min_size=11, max_size=11))
def test_any_fields_are_a_line_or_a_refusal_at_that_line(fields: Sequence[str]) -> None:
    """Never an exception of another kind."""
    told = io.StringIO()
    csv.writer(told, lineterminator="\n").writerow(fields)
    refusals = []
    try:
        lines(text(ROW) + told.getvalue())
    except ListError as error:
        refusals.append(error.line)
    assert all(line >= 2 for line in refusals)


def test_a_profile_travels_as_plain_values() -> None:
    """What the reading program is told is what was configured."""
    profile = Profile(name="x", holidays=(1, 2), columns={"key": "A"})
    assert profile_from({**to_plain(profile), "of_tomorrow": 1, "holidays": [1, 2]}) == profile


def test_a_card_number_in_a_wrong_column_is_masked() -> None:
    """A shifted column may put one anywhere; what is only as long as one stays as it is."""
    head = "商户订单号,参考号,批次号,流水号,终端号,商户号,交易日期,交易金额"
    number, order = "4111111111111111", "202611220000001234"
    (line,) = lines(text(",".join([number] * 6 + ["20261117", "1.00"]), head=head))
    assert {line.key, line.rrn, line.batch, line.stan, line.terminal_id, line.merchant_id} == {
        "411111******1111"
    }
    (line,) = lines(text(f"{order},T{number[1:]},,,,,20261117,1.00", head=head))
    assert (line.key, line.rrn) == (order, f"T{number[1:]}")
    for low, _, (length, *_) in cards.ISSUERS:
        digits = low.ljust(length - 1, "0")
        card = next(f"{digits}{last}" for last in range(10) if cards.luhn(f"{digits}{last}"))
        assert values.harmless(card) == cards.mask(card)
        wide = card.translate({48 + digit: 0xFF10 + digit for digit in range(10)})
        assert "*" in values.harmless(wide)
    told = refused(f'[{{"参考号": "1", "金额": "1", "日{number}": {{}}}}]')
    assert (told.why, told.column) == ("not_text", "日411111******1111")


def test_an_endless_count_in_a_footer_is_no_number() -> None:
    """Python refuses to read thousands of digits; the list is refused, by its line."""
    told = text(ROW) + f"合计,{'9' * 5_000},12.50\n"
    error = refused(told, footer="合计", footer_count=2)
    assert (error.why, error.line) == ("footer_count", 3)


def test_an_object_of_thousands_of_lines_is_not_tried_at_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A file of such objects would keep the reading program busy until it is given up."""
    tries = []
    whole = tables._DECODER.raw_decode

    def counted(told: str, at: int = 0) -> Any:
        tries.append(at)
        return whole(told, at)

    monkeypatch.setattr(tables._DECODER, "raw_decode", counted)
    one = '{"参考号": "000000000001",' + "\n" * 20_000 + '"金额": "1", "日期": "20261117"}'
    found = lines(f"[{one},\n{one}]")
    assert [line.rrn for line in found] == ["000000000001"] * 2
    assert [line.number for line in found] == [1, 20_002]
    assert len(tries) < 60
