"""Lists as payment platforms and acquirers export them are read without any mapping."""

from __future__ import annotations

import re

import pytest

from agent.core.why.reconcile import values
from agent.core.why.reconcile.encoding import lines_of
from agent.core.why.reconcile.kept import stan_text
from agent.core.why.reconcile.lines import AMOUNTS, NAMES, Line
from agent.core.why.reconcile.profile import HEADINGS, ListError, Profile
from agent.core.why.reconcile.tables import read
from agent.core.why.reconcile.words import refusal, zone_note

WECHAT = """\ufeff交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,\
交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,\
退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注
`2026-11-17 10:00:00,`wx0,`1900000001,`0,`,`4200000000000000000000000001,`k-1,`o1,`MICROPAY,\
`SUCCESS,`OTHERS,`CNY,`12.00,`0.50,`0,`0,`0.00,`0.00,`,`,`tea,`,`0.06800,`0.60%,`12.50,`0.00,`
`2026-11-17 11:00:00,`wx0,`1900000001,`0,`,`4200000000000000000000000001,`k-1,`o1,`MICROPAY,\
`REFUND,`OTHERS,`CNY,`0.00,`0.00,`503,`r-1,`5.00,`0.00,`ORIGINAL,`SUCCESS,`tea,`,`-0.03000,`0.60%,\
`0.00,`5.00,`
总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额
`2,`12.00,`5.00,`0.00,`0.04000,`12.50,`5.00
"""
ALIPAY = """#支付宝业务明细查询
#账号：[2088000000000000]
#起始日期：[2026年11月17日 00:00:00]   终止日期：[2026年11月18日 00:00:00]
#-----------------------------------------业务明细列表----------------------------------------
支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,\
订单金额（元）,商家实收（元）,支付宝红包（元）,退款批次号/请求号,服务费（元）,备注
2026111722001400000000000001\t,k-1\t,交易,tea,2026-11-17 09:59:50,2026-11-17 10:00:00,\t,\t,\t,7\t,\
*,12.50,12.00,0.00,\t,-0.07,
2026111722001400000000000001\t,k-1\t,退款,tea,2026-11-17 10:59:50,2026-11-17 11:00:00,\t,\t,\t,7\t,\
*,-5.00,-5.00,0.00,r-1\t,0.03,
#-----------------------------------------业务明细列表结束------------------------------------
#交易合计：1笔，商家实收共12.00元
"""
ACQUIRER = """#商户清算明细
#商户代码\t终端代码\t主账号\t交易日期\t交易时间\t清算日期\t系统跟踪号\t检索参考号码\t交易类型\t\
交易金额\t手续费\t净额\t交易状态
898000000000001\t00000001\t622588******1234\t20261117\t100000\t20261118\t000007\t000000000001\t\
刷卡消费\t12.50\t0.07\t12.43\t交易成功
898000000000001\t00000001\t622588******1234\t20261117\t110000\t20261118\t000008\t000000000002\t\
消费退货\t5.00\t0.00\t-5.00\t交易成功
合计\t2\t\t7.50

合计手续费\t0.07
"""
ORDERS = """商户订单号,总金额,完成时间,业务类型
`k-1,￥12.50,2026/11/17 10:00,收款
`k-2,5.00,2026/11/17 11:00,退款
总笔数：2
"""


def lines(told: str) -> list[Line]:
    return list(read(Profile(), lines_of([told])))


@pytest.mark.parametrize("told", [WECHAT, ALIPAY, ACQUIRER, ORDERS])
def test_a_platforms_list_is_read_as_it_is(told: str) -> None:
    """A payment and what is given back of it; marks, titles and totals are passed over."""
    sale, refund = lines(told)
    assert (sale.amount_minor, sale.kind, sale.status) == (1250, "sale", "settled")
    assert (refund.amount_minor, refund.kind) == (-500, "refund")
    assert (sale.occurred_ms, sale.timed) == (1_794_880_800_000, True)
    assert (sale.key, sale.rrn) in (("k-1", ""), ("", "000000000001"))
    assert not told.startswith(("\ufeff", "#支付宝")) or not sale.terminal_id + sale.merchant_id


def test_fees_and_the_acquirers_numbers() -> None:
    """As they stand in the columns."""
    assert [lines(one)[0].fee_minor for one in (WECHAT, ALIPAY, ACQUIRER)] == [7, 7, 7]
    first = lines(ACQUIRER)[0]
    assert (first.stan, first.card, first.terminal_id) == ("7", "1234", "00000001")
    assert first.merchant_id == "898000000000001"
    assert first.settled_day == values.day("20261118")


def test_an_order_number_that_begins_like_a_total_is_none() -> None:
    """In Latin letters only the word itself begins the totals."""
    found = lines("key,amount\ntotal-1,5.00\nk-2,5.00\nTotal,10.00\n")
    assert [one.key for one in found] == ["total-1", "k-2"]


def test_a_status_alone_says_what_is_taken_back() -> None:
    """Also where no column tells how much of it; a word of the column of kinds goes first."""
    head = "商户订单号,订单金额,交易状态,申请退款金额\n"
    assert [(one.kind, one.amount_minor) for one in lines(
        f"{head}a,5.00,REVOKED,\nb,5.00,SUCCESS,2.00\nc,0.00,SUCCESS,2.00\nd,0,REFUND,3\n"
    )] == [("void", -500), ("sale", 500), ("refund", -200), ("refund", -300)]  # fmt: skip
    (one,) = lines("商户订单号,订单金额,业务类型,交易状态\na,5.00,撤销,REFUND\n")
    assert (one.kind, one.amount_minor) == ("void", -500)


@pytest.mark.parametrize(
    ("told", "why", "line"),
    [
        ("标题\n商户订单号,完成时间,备注\nk,2026-11-17,x\nk,2026-11-17,x\n", "no_amount", 2),
        ("标题,x\n总金额,服务费\n1,2\n", "nothing_to_go_by_at_all", 2),
        ("手续费,备注\n1,2\n", "no_amount_nor_name", 1),
        ("甲,乙,丙\n1,2,3\n", "heading", 1),
        (ORDERS + "\n`k-3,1.00,2026/11/17 10:00,收款\n", "after_totals", 6),
        (ORDERS + '"', "quotes", 5),
    ],
)
def test_a_heading_that_lacks_something_is_named(told: str, why: str, line: int) -> None:
    """The line of the heading, what is missing, and what would have been taken; never a payment
    below the totals left out unsaid."""
    with pytest.raises(ListError) as caught:
        lines(told)
    assert (caught.value.why, caught.value.line) == (why, line)
    for lang in ("zh", "en"):
        said = refusal(caught.value.plain(), lang)  # type: ignore[arg-type]
        assert "…" not in said
        assert (AMOUNTS in said) == (why in ("no_amount", "no_amount_nor_name", "heading"))
        assert (NAMES in said) == (why.startswith(("nothing", "no_amount_nor", "heading")))


def test_what_a_refusal_names_is_taken() -> None:
    """Every word of it is a heading."""
    known = {heading for of in HEADINGS.values() for heading in of}
    assert not set(re.split(r"[/,; ]+", f"{AMOUNTS},{NAMES}")) - known


def test_a_list_of_another_time_zone_is_said() -> None:
    """In words, and only where it is so."""
    assert zone_note(0, "en") == ""
    assert "8 h behind" in zone_note(-8, "en")
    assert "晚8小时" in zone_note(8, "zh")


def test_trace_numbers_have_six_digits() -> None:
    """As they are printed; what is none stays."""
    assert [stan_text(one) for one in ("7", "1234567", "x", "")] == ["000007", "1234567", "x", ""]
