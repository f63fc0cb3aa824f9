"""The receiver contract's requirements as a numbered table (docs/contracts/receiver.md, section 9).

Data only: what is asked, and what it costs when it is not kept, for the people who pay for it.
Numbers are never given to another requirement. Which request shows what is the examiners' business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from agent.core.why.text import Text


class Level(StrEnum):
    """How binding a requirement is."""

    MUST = "must"
    SHOULD = "should"
    #: MUST, but no request from outside can show it: somebody has to look inside.
    INSIDE = "inside"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One line of the contract."""

    number: int
    level: Level
    asks: Text
    costs: Text


def _table(*lines: tuple[int, Level, Text, Text]) -> Mapping[int, Requirement]:
    return {
        number: Requirement(number=number, level=level, asks=asks, costs=costs)
        for number, level, asks, costs in lines
    }


_MUST, _SHOULD, _INSIDE = Level.MUST, Level.SHOULD, Level.INSIDE

REQUIREMENTS: Mapping[int, Requirement] = _table(
    (
        1,
        _MUST,
        Text(
            "可经 TLS 1.2 以上连接，证书可验证；仅本机可用 http",
            "is reached over TLS 1.2 or newer with a certificate that verifies; http on loopback",
        ),
        Text(
            "终端无法上送：款项留在终端里",
            "no terminal can deliver: the money stays in the terminals",
        ),
    ),
    (
        2,
        _MUST,
        Text("拒绝 TLS 1.0 和 1.1", "refuses TLS 1.0 and 1.1"),
        Text(
            "旧版 TLS 可被破解：第三方能读取或改动交易",
            "old TLS can be broken: a third party reads or changes payments",
        ),
    ),
    (
        3,
        _SHOULD,
        Text("要求客户端证书", "demands a client certificate"),
        Text(
            "任何能连上的人都能以别家终端的名义入账",
            "anybody who can connect can post in the name of a terminal",
        ),
    ),
    (
        4,
        _MUST,
        Text(
            "每个正确的请求都在时限内得到完整应答（不超过 1 MiB）",
            "answers every well-formed request whole, in time, with at most 1 MiB",
        ),
        Text(
            "没有应答的交易结果不明：终端须逐笔查询或重发",
            "a payment without an answer is in doubt: it is asked about and repeated, each time",
        ),
    ),
    (
        5,
        _MUST,
        Text("从不以重定向应答", "never answers with a redirect"),
        Text(
            "监测程序不跟随重定向，整个通道会暂停",
            "the agent follows none with money in its hand: the whole channel pauses",
        ),
    ),
    (
        6,
        _SHOULD,
        Text("应答后保持连接", "keeps the connection open after an answer"),
        Text(
            "每笔交易都要重新握手：断网恢复后积压清空得慢，流量也更贵",
            "every payment pays for a handshake: backlogs drain slowly and data volume costs",
        ),
    ),
    (
        7,
        _MUST,
        Text(
            "新交易入账后答 201 及结果；被拒答 402",
            "posts a new payment and answers 201 with the result, or 402 where it declines it",
        ),
        Text(
            "款项未到账，或终端以为是旧交易",
            "the money does not arrive, or a new payment is taken for an old one",
        ),
    ),
    (
        8,
        _MUST,
        Text(
            "结果原样带回键、终端号、金额和币种",
            "echoes key, terminal, amount and currency in every result",
        ),
        Text(
            "不匹配的应答不能作为凭证：已入账的款项在终端上一直存疑",
            "an answer that does not match proves nothing: posted money stays in doubt",
        ),
    ),
    (
        9,
        _MUST,
        Text(
            "结果含流水号 reference 和带时区的入账时间",
            "gives every result a reference, and posted_at with a zone",
        ),
        Text(
            "对账和争议处理时无从查找该笔交易",
            "nobody can find the payment again in a dispute or a reconciliation",
        ),
    ),
    (
        10,
        _MUST,
        Text(
            "同键重发：不再入账，答 200、原结果和 duplicate: true",
            "the same key again: nothing is posted, 200 with the stored result and duplicate: true",
        ),
        Text(
            "应答丢失后重发会重复扣款",
            "every lost reply becomes a second charge to the customer",
        ),
    ),
    (
        11,
        _MUST,
        Text(
            "换了连接也认得键",
            "the same key over another connection is still the same payment",
        ),
        Text(
            "丢失应答时连接总是断的：恰好在需要时认不出重复",
            "a reply is lost with its connection: the key is forgotten exactly when it is needed",
        ),
    ),
    (
        12,
        _MUST,
        Text(
            "不凭 Attempt 判断交易是否新",
            "does not decide by Attempt whether a payment is new",
        ),
        Text(
            "换机或重启后计数可能从头开始：重复入账，或新交易被当作旧的丢弃",
            "counters start again after repairs: payments are doubled, or new ones dropped",
        ),
    ),
    (
        13,
        _MUST,
        Text("键只属于一个终端", "a key belongs to one terminal"),
        Text(
            "两台终端的同名键会相互顶替：其中一笔丢失",
            "two terminals with the same key hide each other's payment: one is lost",
        ),
    ),
    (
        14,
        _MUST,
        Text(
            "同键而内容不同：答 422，不入账，原交易不变",
            "the same key with other content: 422, nothing posted, the first payment unchanged",
        ),
        Text(
            "收款应用若误用旧键，第二位顾客的款项会丢失",
            "if an app reuses a key by mistake, the second customer's payment vanishes",
        ),
    ),
    (
        15,
        _MUST,
        Text(
            "同键同时到达：只入账一次；处理中答 409，之后答原结果",
            "the same key at the same moment: posted once; 409 while in progress, then the result",
        ),
        Text(
            "主备线路同时重发时会重复扣款",
            "a repeat over the backup line meets the first on its way: charged twice",
        ),
    ),
    (
        16,
        _MUST,
        Text(
            "“处理中”在时限内结束，且不用于已有结果的键",
            "says in progress only for a while, and never of a key that has its result",
        ),
        Text(
            "终端一直等待：款项长期悬而未决，须人工处理",
            "the terminal waits for ever: the payment stays open until a person looks",
        ),
    ),
    (
        17,
        _MUST,
        Text(
            "请求收齐后断线：要么入账一次，要么没有，之后不再变",
            "the line drops after the whole request: posted once or not at all, and it stays so",
        ),
        Text(
            "断线在终端上最常见：会多扣，或者查无此款",
            "dropped lines are everyday life: the customer is charged twice or the money is lost",
        ),
    ),
    (
        18,
        _MUST,
        Text(
            "请求只到一半：什么都不入账",
            "half a request posts nothing",
        ),
        Text(
            "半个报文入账：金额或内容错误",
            "a payment is booked from half a message: wrong amount, wrong content",
        ),
    ),
    (
        19,
        _MUST,
        Text(
            "查询已入账的键：答 200 及原结果",
            "asked for a posted key: 200 with the stored result",
        ),
        Text(
            "存疑的款项无法查清，只能重发或人工处理",
            "payments in doubt cannot be settled: they are repeated, or wait for a person",
        ),
    ),
    (
        20,
        _MUST,
        Text(
            "查询未知的键：答 404 及 status not_found，且查询不留痕迹",
            "asked for an unknown key: 404 with status not_found; asking leaves no trace",
        ),
        Text(
            "无法确认从未入账：终端不敢重发，款项滞留",
            "nobody knows that it never arrived: it is not sent again and the money stays behind",
        ),
    ),
    (
        21,
        _MUST,
        Text(
            "被拒就一直被拒：重发和查询都答原来的拒绝",
            "declined stays declined: repeat and status give the stored refusal",
        ),
        Text(
            "顾客已用别的方式付款后，被拒的交易又入账：多扣一次",
            "a refused payment is posted later, after the customer paid in another way",
        ),
    ),
    (
        22,
        _MUST,
        Text(
            "读不懂的请求答 4xx，从不答 5xx，也不入账",
            "answers what it cannot read with 4xx, never 5xx, and posts nothing",
        ),
        Text(
            "5xx 使终端对一笔永远不可能成功的交易反复查询；2xx 则入了错账",
            "after 5xx a hopeless message is asked about for ever; after 2xx it is booked wrongly",
        ),
    ),
    (
        23,
        _MUST,
        Text(
            "拒绝不留痕迹：同一个键之后仍可入账",
            "a refusal leaves no trace: the same key can be posted later",
        ),
        Text(
            "改正后的交易被挡住，款项收不回来",
            "the corrected payment is locked out: its money never arrives",
        ),
    ),
    (
        24,
        _MUST,
        Text(
            "5xx 不是结果：不对同一个键反复答同样的 5xx",
            "a 5xx is not a result: it is not given for the same key again and again",
        ),
        Text(
            "一次故障被存为结果后，该款项永远无法入账",
            "a moment's failure becomes the answer for ever: that payment can never be posted",
        ),
    ),
    (
        25,
        _MUST,
        Text(
            "Retry-After 若有，须为秒数或 HTTP 日期",
            "writes Retry-After, where it is given, as seconds or as an HTTP date",
        ),
        Text(
            "终端读不懂就按自己的节奏重试，繁忙的主机更繁忙",
            "terminals cannot obey it and go on at their own pace: a busy host gets busier",
        ),
    ),
    (
        26,
        _SHOULD,
        Text(
            "429 和 503 带 Retry-After",
            "says Retry-After with 429 and 503",
        ),
        Text(
            "终端只能猜测何时重试",
            "terminals can only guess when to come back",
        ),
    ),
    (
        27,
        _SHOULD,
        Text(
            "GET URL 声明 contract、key_window_s、in_flight_s",
            "declares contract, key_window_s and in_flight_s at GET URL",
        ),
        Text(
            "安装人员只能猜，猜错就会在窗口外重发",
            "installers guess the window; too long a guess posts twice",
        ),
    ),
    (
        28,
        _MUST,
        Text(
            "键至少保存 180 天（只能看声明）",
            "keeps keys at least 180 days (known by declaration only)",
        ),
        Text(
            "几个月后才联网的终端重发时会重复入账",
            "a terminal found in a drawer after months posts its payments a second time",
        ),
    ),
    (
        29,
        _INSIDE,
        Text(
            "数据库以 UNIQUE(终端, 键) 约束，指纹和结果与入账同一事务",
            "UNIQUE (terminal, key) in the database; fingerprint and result in the posting's own "
            "transaction",
        ),
        Text(
            "主机崩溃时键与入账脱节：多扣或丢失",
            "a crash of the host parts key and posting: doubled or lost",
        ),
    ),
    (
        30,
        _INSIDE,
        Text(
            "证书只能用于其名下终端；含卡数据的指纹须用带密钥的哈希",
            "each certificate reaches its own terminals only; card data is hashed with a key",
        ),
        Text(
            "一台失窃终端可读取或占用别台的键；指纹可被反推卡号",
            "one stolen terminal reads or blocks the keys of others; hashes give card numbers away",
        ),
    ),
)
