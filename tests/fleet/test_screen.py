"""What a fleet manager sees, in both languages and any width."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

import pytest

from agent.cli.fleet_screen import Stage, press
from agent.cli.fleet_table import Picture, draw, look, short_money
from agent.cli.screen import Screen
from agent.cli.session import Session
from agent.cli.texts import Language, Words
from agent.core.columns import width
from agent.fleet.line import Access, Line
from agent.fleet.reader import Reader
from agent.fleet.view import rows
from tests.fleet.contract import backlog, body, event

AT = 1_795_000_500_000
NOW = datetime(2026, 11, 18, 9, 0, tzinfo=UTC)
SITES = ("上海南京路店", "Berlin", "")


@pytest.fixture(scope="module")
def reader() -> Reader:
    """Thirty terminals of a morning on which the host is down."""
    found = Reader()
    for n in range(30):
        start = f"pos/1/acme/T-{n:04d}/"
        word = "lost" if n == 3 else "online"
        ts = "" if n == 3 else ',"ts":1'
        found.hear(f"{start}state", f'{{"state":"{word}","connects":1{ts}}}'.encode(), AT)
        told = {"site": SITES[n % 3], "agent_version": "0.1.0", "model": "A8"}
        found.hear(f"{start}info", body(1, contract=1, **told), AT)
        if n % 5:
            cause = "network.dns_failed" if n % 10 == 4 else "host.down"
            money = {"amount_minor_cny" if n % 2 else "amount_minor_eur": 123_456_789 + n}
            found.hear(
                f"{start}backlog",
                backlog(2, n, cause, oldest_age_s=5_700 + n, in_doubt_count=int(n == 7), **money),
                AT,
            )
        if n % 11 == 0:
            found.hear(f"{start}event", event(3, "printer.paper_out"), AT)
    return found


def picture(reader: Reader, lang: Language, columns: int, lines: int = 24) -> list[str]:
    shown = Picture()
    seen = look(rows(reader, AT), shown)
    drawn = draw(seen, shown, Words(lang), columns=columns, lines=lines, title="acme", now=NOW)
    return [line.text for line in drawn]


EN = """\
  online 29 · lost 1
  UNSENT MONEY: 24 terminals, 360 payments
    CNY 14,814,816.48 + EUR 14,814,816.48 · oldest 1h35 · 1 in doubt
  6 terminals have not told their unsent money yet: ? is not zero

  WHY MONEY IS STUCK        terminals  unsent  oldest  amount
  host answers with errors         21     318    1h35  CNY 14.8M + EUR 11.1M
  name resolution failed            3      42    1h35  EUR 3,703,704

  ALARMS        terminals
  out of paper          3

  terminal  state   unsent            amount  oldest  why, and alarms
  T-0029    online      29  CNY 1,234,568.18    1h35  host answers with errors
  T-0028    online      28  EUR 1,234,568.17    1h35  host answers with errors"""
ZH = """\
  在线 29 · 断线 1
  未上送款项：24 台，360 笔 · CNY 14,814,816.48 + EUR 14,814,816.48 · 最久 1时35分 · 1 笔结果不明
  6 台尚未报告未上送款项：? 不等于零

  款项滞留原因  台数  失联  未送     最久  处理方    金额
  收单系统故障    21     1   318  1时35分  收单机构  CNY 14,814,816.48 + EUR 11,111,112.39
  域名解析失败     3          42  1时35分  技术员    EUR 3,703,704.09

  告警        台数
  打印机缺纸     3

  终端    状态  未送              金额     最久  静默  版本   地点          原因与告警
  T-0029  在线    29  CNY 1,234,568.18  1时35分   0秒  0.1.0                收单系统故障
  T-0028  在线    28  EUR 1,234,568.17  1时35分   0秒  0.1.0  Berlin        收单系统故障"""


@pytest.mark.parametrize(("lang", "columns", "golden"), [("en", 80, EN), ("zh", 120, ZH)])
def test_the_first_screen(reader: Reader, lang: Language, columns: int, golden: str) -> None:
    """How many, how much per currency, since when, why, who acts; then the worst terminals."""
    drawn = picture(reader, lang, columns)
    assert "\n".join(drawn[1 : len(golden.splitlines()) + 1]) == golden


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("columns", [40, 60, 80, 100, 120, 160, 200])
def test_it_fits_and_columns_stand_below_each_other(
    reader: Reader, lang: Language, columns: int
) -> None:
    """No line is wider than the screen or taller; Chinese characters take two columns."""
    drawn = picture(reader, lang, columns)
    assert len(drawn) <= 24
    assert max(width(line) for line in drawn) <= columns
    states = (" online ", " lost ") if lang == "en" else (" 在线 ", " 断线 ")
    table = [line for line in drawn if line.startswith("  T-")]
    assert len(table) >= 5
    begins = {width(line[: line.index(word)]) for line in table for word in states if word in line}
    assert len(begins) == 1


def test_a_picture_without_an_end_has_one(reader: Reader) -> None:
    """`--once` shows all of a small fleet."""
    assert sum(line.startswith("  T-") for line in picture(reader, "en", 80, lines=0)) == 30


def test_large_sums_in_few_columns() -> None:
    """Rounded down, each currency for itself, in the units people count in."""
    told = {"CNY": 1_234_567_890, "JPY": 999}
    assert short_money(told, Words("en")) == "CNY 12.3M + JPY 999"
    assert short_money(told, Words("zh")) == "CNY 1,234万 + JPY 999"


def test_the_keys(reader: Reader) -> None:
    """Choose, look into a group, open a terminal, group, sort, filter, acknowledge, end."""
    session = Session(args=argparse.Namespace(tenant="+"), words=Words("en"), screen=Screen())
    stage = Stage(Line(Access(broker="mqtt://127.0.0.1:1")), reader, Picture(), None)
    shown = stage.picture

    def keys(*names: str) -> None:
        for name in names:
            stage.seen = look(rows(reader, AT), shown)
            assert press(session, stage, name)

    keys("j", "k", "down", "enter")
    assert shown.into == "network.dns_failed"
    keys("down", "enter")
    assert stage.open == ("acme", "T-0024")
    keys("down", "x")
    assert (stage.open, stage.scroll) == (None, 0)
    keys("escape", "g", "s")
    assert (shown.into, shown.group, shown.sort) == ("", "alarm", "count")
    keys("/", *"count>2", "\x7f", "9", "enter")
    assert shown.chosen.text == "count>9"
    keys("/", "escape", "/", *">", "enter")
    assert "is no number" in shown.note
    assert shown.chosen.text == "count>9"
    keys("a")
    assert "--sign-key" in shown.note
    assert not press(session, stage, "q")


def test_acknowledging_sends_a_signed_command(reader: Reader) -> None:
    """Without a connection it says so; only a terminal with an alarm can be meant."""

    class Signer:
        key_id = "ops"

        def sign(self, message: bytes) -> bytes:
            return b"\0" * 64

        def numbers(self, count: int, now_ms: int) -> int:
            return now_ms

    session = Session(args=argparse.Namespace(tenant="+"), words=Words("en"), screen=Screen())
    line = Line(Access(broker="mqtt://127.0.0.1:1"))
    stage = Stage(line, reader, Picture(), Signer())  # type: ignore[arg-type]
    stage.seen = look(rows(reader, AT), stage.picture)
    press(session, stage, "a")
    assert "no alarm" in stage.picture.note
    stage.open = ("acme", "T-0011")
    press(session, stage, "a")
    assert "no connection" in stage.picture.note


def test_every_letter_can_be_typed_into_a_filter(reader: Reader) -> None:
    """j and k move the choice, but not while a filter is typed; what fits nothing is said so."""
    session = Session(args=argparse.Namespace(tenant="+"), words=Words("zh"), screen=Screen())
    stage = Stage(Line(Access(broker="mqtt://127.0.0.1:1")), reader, Picture(), None)
    stage.seen = look(rows(reader, AT), stage.picture)
    for key in ("/", *"cause:jk*", "enter"):
        assert press(session, stage, key)
    assert stage.picture.chosen.text == "cause:jk*"
    seen = look(rows(reader, AT), stage.picture)
    drawn = draw(seen, stage.picture, Words("zh"), columns=80, lines=24, title="", now=NOW)
    assert drawn[1].text == "  没有符合过滤条件的终端"


@pytest.mark.parametrize(
    ("lang", "told", "noted"),
    [
        ("en", "told 2h10 ago · host answers with errors", "out of paper (noted)"),
        ("zh", "前上报 · ", "（已知悉）"),
    ],
)
def test_what_a_lost_terminal_last_said_has_an_age_and_alarms_a_mark(
    lang: Language, told: str, noted: str
) -> None:
    """Old money is not shown as if it were told now; nobody goes twice for one alarm."""
    found = Reader(started_ms=AT)
    start, then = "pos/1/acme/T-1/", AT - 7_800_000
    found.hear(f"{start}state", b'{"state":"lost","connects":1}', AT, retained=True)
    kept = backlog(2, 4, "host.down", ts=then, oldest_age_s=60)
    found.hear(f"{start}backlog", kept, AT, retained=True)
    health = body(3, full=True, alarms=["printer.paper_out"], acknowledged=["printer.paper_out"])
    found.hear("pos/1/acme/T-2/health", health, AT)
    shown = "\n".join(picture(found, lang, 200))
    assert told in shown
    assert noted in shown
