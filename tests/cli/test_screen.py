"""Chinese and Latin text line up, and nothing a device says steers the terminal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agent.cli.screen import Screen, age, clean, cut, local_time, pad, width, wrap, wrap_items

CHINESE = "打印机没有纸\uff0c付款本身不受影响。请装入新纸卷"


@pytest.mark.parametrize(
    ("text", "columns"),
    [("abc", 3), ("打印机", 6), ("a打b", 4), ("e\u0301", 1), ("", 0), ("✓", 1), ("\uff08", 2)],
)
def test_width(text: str, columns: int) -> None:
    """Wide characters count two columns, combining marks none."""
    assert width(text) == columns


def test_padding_lines_up() -> None:
    """Cells in both scripts end in the same column."""
    assert {width(pad(text, 10)) for text in ("abc", "打印机", "")} == {10}
    assert pad("too long", 3) == "too long"


def test_cutting_keeps_the_width() -> None:
    """A cut text fits, says that it was cut, and never splits a wide character."""
    assert cut("打印机缺纸", 10) == "打印机缺纸"
    assert cut("打印机缺纸", 9) == "打印机缺…"
    assert cut("打印机缺纸", 8) == "打印机…"
    assert cut("abcdef", 4) == "abc…"


def test_wrapping_latin_and_chinese() -> None:
    """Lines fit their columns, words stay whole, Chinese breaks anywhere but before a comma."""
    text = "one two three four five six"
    assert wrap(text, 14, indent="  ", first="- ") == ["- one two", "  three four", "  five six"]
    lines = wrap(CHINESE, 16)
    assert all(width(line) <= 18 for line in lines)
    assert not any(line.startswith(("\uff0c", "\u3002")) for line in lines)
    assert "".join(lines) == CHINESE
    mixed = wrap("主机 host.example 不可达 pay-0123456789", 20)
    assert all(width(line) <= 20 for line in mixed)
    assert any("host.example" in line for line in mixed)
    assert wrap("", 10) == [""]
    assert wrap("x" * 30, 10) == ["x" * 30]


def test_items_break_between_items() -> None:
    """`name: value` stays together; only an item wider than the line is broken inside."""
    items = ["printer: ok", "network: ok", "打印机: 正常"]
    assert wrap_items(items, 26, "  ", "X ") == [
        "X printer: ok",
        "  network: ok",
        "  打印机: 正常",
    ]
    assert wrap_items(items[:2], 27, "  ", "X ") == ["X printer: ok · network: ok"]
    assert all(
        width(line) <= 20 for line in wrap_items(["one two three four five six"], 20, "", "")
    )


def test_control_characters_do_not_reach_the_terminal() -> None:
    """Escape sequences in a host's or device's words are taken out."""
    assert clean("a\x1b[2Jb\x07\x9bc\u202e") == "a [2Jb  c "


def test_times_are_local_and_short() -> None:
    """Today needs no date, another day does."""
    now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    assert len(local_time(now, now)) == 8
    assert local_time(now - timedelta(days=2), now).count("-") == 2


@pytest.mark.parametrize(
    ("seconds", "en", "zh"),
    [
        (-5, "0 s", "0秒"),
        (59, "59 s", "59秒"),
        (61, "1 min 1 s", "1分1秒"),
        (7_260, "2 h 1 min", "2小时1分"),
        (90_000, "1 d 1 h", "1天1小时"),
    ],
)
def test_ages(seconds: float, en: str, zh: str) -> None:
    """Ages are as precise as a person needs."""
    assert age(seconds, "en") == en
    assert age(seconds, "zh") == zh


def test_plain_table_lines_up(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal a table is plain text in columns, nothing cut off."""
    long = "k" * 64
    Screen().table(("key", "状态", "x"), [(long, "暂停", "a" * 90), ("b", "held", "")])
    lines = capsys.readouterr().out.splitlines()
    assert "\x1b" not in "".join(lines)
    assert long in lines[1]
    assert "a" * 90 in lines[1]
    assert width(lines[1].partition("a" * 90)[0]) == width(lines[0].partition("x")[0])
    assert lines[2] == lines[2].rstrip()
