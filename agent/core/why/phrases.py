"""The verdict's own sentences: headlines, advice, evidence and what is unknown.

What a *cause* says is in the catalogue; what is said around it is here, so that both languages of
one sentence stand side by side.
"""

# ruff: noqa: E501  (a sentence is one line: that is how translators read it)

from __future__ import annotations

from collections.abc import Mapping

from agent.core.money.channel import ChannelState
from agent.core.money.journal import Event, State
from agent.core.money.stages import Effect, Said
from agent.core.money.stages import Stage as Told
from agent.core.why.text import Text
from agent.core.why.verdict import Stage

HEADLINES: Mapping[State, Text] = {
    State.QUEUED: Text(
        "这笔交易[{amount}]已存在本机，还没有上送",
        "This payment[ of {amount}] is stored here and has not been sent yet",
    ),
    State.SENDING: Text(
        "这笔交易[{amount}]正在上送，结果还不知道",
        "This payment[ of {amount}] is being sent; the outcome is not known yet",
    ),
    State.WAITING: Text(
        "这笔交易[{amount}]还没有送到主机，会自动重试",
        "This payment[ of {amount}] has not reached the host; it is tried again by itself",
    ),
    State.HELD: Text(
        "这笔交易[{amount}]已停下，等人决定",
        "This payment[ of {amount}] is held until someone decides",
    ),
    State.POSTED: Text(
        "这笔交易[{amount}]主机已入账，有应答为证",
        "This payment[ of {amount}] is posted at the host, with its answer as proof",
    ),
    State.DECLINED: Text(
        "这笔交易[{amount}]被主机拒绝",
        "This payment[ of {amount}] was declined by the host",
    ),
    State.REVERSED: Text(
        "这笔交易[{amount}]已冲正",
        "This payment[ of {amount}] was reversed",
    ),
    State.VOIDED: Text(
        "这笔交易[{amount}]在上送前已被收款应用撤回",
        "This payment[ of {amount}] was withdrawn by the payment app before it was sent",
    ),
    State.LAPSED: Text(
        "这笔交易[{amount}]过期未发送，没有扣款",
        "This payment[ of {amount}] ran out before it could be sent; nothing was charged",
    ),
}
GIVEN_UP = Text(
    "这笔交易[{amount}]已由人员凭主机方确认放弃上送，经过见其历史",
    "This payment[ of {amount}] was given up by a person on the host's word; its history says why",
)
IN_DOUBT = Text(
    "这笔交易[{amount}]结果未知：可能已到主机，还没有得到应答",
    "The outcome of this payment[ of {amount}] is unknown: the host may have it, no answer came",
)
BY_APP = Text(
    "这笔交易[{amount}]由收款应用自己上送，本机只存有记录",
    "This payment[ of {amount}] is sent by the payment app itself; only its record is here",
)
BY_APP_IN_DOUBT = Text(
    "这笔交易[{amount}]由收款应用自己上送，结果未知",
    "This payment[ of {amount}] was sent by the payment app itself and its outcome is unknown",
)
NO_SUCH_KEY = Text(
    "本机账本里没有交易键为{key}的交易",
    "This terminal's journal has no payment with the key {key}",
)
KEY_NOT_LOOKED_UP = Text(
    "账本打不开，查不到交易{key}",
    "The journal cannot be opened, so payment {key} could not be looked up",
)
NOTHING_UNSENT = Text("没有未上送的交易", "No payment is waiting to be sent")
UNSENT = Text(
    "有{count}笔交易未上送[，共{amounts}][，最早的一笔{oldest_at}]",
    "Payments not yet sent: {count}[, {amounts}][, the oldest from {oldest_at}]",
)
BACKLOG_UNKNOWN = Text(
    "不知道有多少交易未上送：账本读不出",
    "How many payments are unsent is unknown: the journal could not be read",
)

# -- may it be taken again ---------------------------------------------------------------------

DO_NOT = Text(
    "不要重新收款：主机可能已有这笔交易，重收会重复扣款",
    "Do not take this payment again: the host may have it, and the customer would pay twice",
)
DO_NOT_HELD = Text(
    "不要重新收款：先决定怎样处理这笔已停下的交易",
    "Do not take this payment again: first decide about the one that is held",
)
DO_NOT_GIVEN_UP = Text(
    "不要凭这条记录重新收款：先看历史里主机方是怎样确认的",
    "Do not take it again because of this record: its history says what the host confirmed",
)
DO_NOT_APP = Text(
    "先在收款应用里查这笔的结果，再决定是否重收",
    "Look up its outcome in the payment app before taking it again",
)
DO_NOT_UNKNOWN_KEY = Text(
    "先在收款应用里查，再向收单机构报TID、时间和金额核对，之前不要重收",
    "Do not take it again before the payment app, or the acquirer by TID, time and amount, was asked",
)
DO_NOT_LISTED = Text(
    "不要重新收款：收单机构的清单里可能有这笔钱，先按下面的原因核对",
    "Do not take it again: the acquirer's list may have its money; clear up the cause below first",
)
DO_NOT_TWIN = Text(
    "不要重新收款：另有一笔几乎相同的交易，先查那一笔的结果",
    "Do not take it again: there is another payment much like it; look up that one first",
)
DO_NOT_REVERSING = Text(
    "先不要重新收款：这笔正在冲正，等冲正完成",
    "Do not take it again yet: it is being reversed; wait until that is done",
)
DO_NOT_DECLINED = Text(
    "不要重新收款：应答码{response_code}表示别处可能已经成功，先向收单机构核对",
    "Do not take it again: response code {response_code} means it may have gone through; ask the acquirer first",
)
WILL_ADVICE = Text(
    "不用重新收款：已安全存储，会自动上送",
    "No need to take it again: it is stored safely and is sent by itself",
)
WILL_REQUEST = Text(
    "主机还没有批准，先不要交货；自动上送到{send_before}为止，之后作废",
    "Not approved yet, do not hand over the goods; it is tried until {send_before} and lapses then",
)
WILL_REQUEST_OPEN = Text(
    "主机还没有批准，先不要交货；会自动上送",
    "Not approved yet, do not hand over the goods; it is sent by itself",
)
SAFE = Text(
    "可以重新收款：这笔没有扣款",
    "It is safe to take the payment again: this one charged nothing",
)
SAFE_REVERSED = Text(
    "可以重新收款：这笔的钱已退回顾客",
    "It is safe to take the payment again: the money of this one went back",
)
DONE = Text("不要重新收款：这笔已经成功", "Do not take it again: this payment is done")
NOT_A_PAYMENT = Text("不涉及重新收款", "Nothing to take again here")

# -- facts ---------------------------------------------------------------------------------------

REFERENCES = Text(
    "查询用：TID {terminal_id}，MID {merchant_id}[，STAN {stan}][，批次{batch}][，RRN {rrn}][，{amount}]，{occurred_at}，交易键{key}",
    "References: TID {terminal_id}, MID {merchant_id}[, STAN {stan}][, batch {batch}][, RRN {rrn}][, {amount}], {occurred_at}, key {key}",
)
STORED = Text("{stored_at}存入本机", "Stored here at {stored_at}")
APP_TRIED = Text(
    "收款应用交来之前自己试过{attempts}次[，首次{first_attempt_at}]",
    "The payment app had tried {attempts} times before it handed this over[, first at {first_attempt_at}]",
)
TRIED = Text(
    "本机上送了{tried}次，其中{sent}次可能有数据发出",
    "Attempts from here: {tried}; in {sent} of them data may have left",
)
NEVER_TRIED = Text("本机没有尝试过上送", "No attempt was made from here")
NEXT_TRY = Text("下次尝试：{next_at}", "Next try at {next_at}")
WAY_IS_CLEAR = Text(
    "上次的问题：{title}；现在通路正常，等待轮到它",
    "The last trouble was: {title}; the way is clear now and it waits for its turn",
)
HOST_SAID = Text(
    "主机应答：[应答码{response_code}][（{meaning}）][，{text}][，主机流水{reference}][，RRN {rrn}][，{posted_at}]",
    "The host's answer:[ response code {response_code}][ ({meaning})][, {text}][, reference {reference}][, RRN {rrn}][, {posted_at}]",
)
HOST_SAID_NOTHING_MORE = Text("主机的应答没有更多内容", "The host's answer says no more")
PARTIAL = Text(
    "主机只入账{posted}，交易金额是{amount}",
    "The host posted {posted} of {amount}",
)
SLIP_DIFFERS = Text(
    "小票或屏幕曾显示成功，但这笔钱不会到账",
    "The slip or the screen said approved, but this money will not arrive",
)
TOLD = Text(
    "收款应用报告：{what}，{at}[（{effect}）]",
    "The payment app reported: {what}, {at}[ ({effect})]",
)
REPORTS: Mapping[str, Text] = {
    Told.CAPTURED: Text("已录入", "captured"),
    Told.SENT: Text("已发送", "sent"),
    Told.NOT_SENT: Text("没有发出", "nothing was sent"),
    Told.ANSWERED: Text("已应答", "answered"),
    Told.NO_ANSWER: Text("没有应答", "no answer"),
    Told.CANCELLED: Text("已取消", "given up"),
    Told.REVERSED: Text("已冲正", "reversed"),
    Told.BATCH_CLOSED: Text("批次已结算", "batch closed"),
    Said.APPROVED: Text("主机批准", "approved by the host"),
    Said.DECLINED: Text("主机拒绝", "declined by the host"),
}
EFFECTS: Mapping[str, Text] = {
    Effect.LATE: Text("迟到，未改变状态", "late, changed nothing"),
    Effect.CONTRADICTS: Text("与已证实的状态矛盾", "contradicts what is proven"),
}
AGREED = {True: Text("与主机一致", "totals agree"), False: Text("与主机不一致", "totals differ")}
BATCH = Text(
    "批次{batch}[：{opened_at}开][，{closed_at}结算][，{agreed}]",
    "Batch {batch}[, opened {opened_at}][, closed {closed_at}][, {agreed}]",
)
SETTLED = Text(
    "已清算[（{on}）]：收单机构清单{number}里有这笔[（{name}）]",
    "Settled[ on {on}]: list {number} of the acquirer has it[ ({name})]",
)
SETTLED_LIKELY = Text(
    "很可能已清算[（{on}）]：收单机构清单{number}里有金额和时间相同的一笔[（{name}）]",
    "Probably settled[ on {on}]: list {number} of the acquirer has one of the same amount and time[ ({name})]",
)
DISLIKED = Text("收款时的检查已指出", "The check pointed at it when the payment was taken")
FLAGGED = Text("标记：{flags}", "Flagged: {flags}")
IN_DOUBT_SUM = Text(
    "结果未知：{count}笔[，共{amounts}]", "Payments with unknown outcome: {count}[, {amounts}]"
)
HELD_SUM = Text("等人决定：{count}笔[，共{amounts}]", "Payments held: {count}[, {amounts}]")
LAST_CAUSE = Text(
    "{count}笔未上送的交易最后遇到的是它", "Unsent payments whose last trouble it was: {count}"
)
PAST_CAUSE = Text(
    "{count}笔交易上次遇到：{title}；现在通路正常",
    "Payments whose last trouble was this: {count} ({title}); the way is clear now",
)
PUT_ASIDE = Text(
    "已隔离：{path}[，{records}笔][，共{amounts}]",
    "Put aside: {path}[, {records} records][, {amounts}]",
)
DAEMON_DEAD = Text(
    "posagent没有运行：这些内容读自本机存储，停在它停止之时",
    "posagent is not running: all this is read from its store, as of when it stopped",
)
KEY_REASONS = (
    Text(
        "可能：收款应用从未把它交给本机；请在收款应用里查",
        "Perhaps the payment app never handed it over: look in the payment app",
    ),
    Text(
        "可能：它是在另一台终端上收的；请核对小票上的TID",
        "Perhaps it was taken on another terminal: check the TID on the slip",
    ),
    Text(
        "可能：它早于本账本[（本账本始于{born_at}）]",
        "Perhaps it is older than this journal[, which began at {born_at}]",
    ),
)

# -- evidence ------------------------------------------------------------------------------------

CHANNEL_STATES: Mapping[ChannelState, Text] = {
    ChannelState.OK: Text("正常", "open"),
    ChannelState.BACKING_OFF: Text("等待重试", "waiting to try again"),
    ChannelState.PAUSED: Text("暂停，等人处理", "paused until somebody mends it"),
    ChannelState.DISABLED: Text("已关闭", "switched off"),
    ChannelState.SHADOW: Text("试点模式，不发送", "shadow mode, sends nothing"),
}
CHANNEL = Text(
    "上送通道{name}：{state}[，自{since}起][，下次尝试{next_at}][，上次成功{success_at}]",
    "Uplink {name}: {state}[ since {since}][, next try {next_at}][, last success {success_at}]",
)
STEPS: Mapping[str, Text] = {
    Event.NOT_SENT: Text("没有发出", "nothing left this terminal"),
    Event.NO_ANSWER: Text("发出后没有可用的应答", "sent, no usable answer"),
    Event.REFUSED: Text("主机没有受理", "the host did not take it"),
    Event.ASKED: Text("查询过结果，仍未知", "asked for the outcome, still open"),
    Event.NOT_FOUND: Text("主机确认没有这笔", "the host has no such payment"),
    Event.HOLD: Text("停下等人决定", "held for a decision"),
    Event.RESTART: Text("发送中程序重启", "the agent restarted while sending"),
    Event.DAMAGE: Text("记录可能受损", "the record may be damaged"),
    Event.LAPSE: Text("过期", "lapsed"),
    Event.ABANDON: Text("由人员放弃上送", "given up by a person"),
}
STEP = Text(
    "{what}[{count}次]：{first_at}[ – {last_at}][，{note}]",
    "{what}[ {count} times]: {first_at}[ – {last_at}][, {note}]",
)
OBSERVED = Text("由{component}报告[，自{since}起]", "Told by {component}[ since {since}]")
NO_UPLINK = Text(
    "配置里没有上送通道[{name}]：交易只记录在本机",
    "No uplink[ {name}] is configured: payments are only recorded here",
)
JOURNAL_CLOSED = Text("账本打不开或读不出", "The journal cannot be opened or read")
CHANGED = Text("{at}变更：{what}", "Changed at {at}: {what}")
NOT_RUNNING = Text("posagent服务没有运行", "The posagent service is not running")
CLOCK_IMPOSSIBLE = Text(
    "本机时钟显示{at}，不可能正确", "This terminal's clock says {at}, which cannot be right"
)
CLOCK_STOOD = Text(
    "本机没有时钟芯片，断电期间时钟可能停走；在主机或网络时间确认之前，无法判断这笔请求是否已超时",
    "This terminal has no clock chip and its clock may have stood still while the power was off: "
    "until a host or network time confirms it, nobody can say whether this request is too late",
)
MAY_HAVE_LEFT = Text(
    "{at}可能有数据发出，之后没有应答", "Data may have left at {at}; no answer since"
)
SILENT_SINCE = Text(
    "之后该部件没有再应答：未确认是否仍存在",
    "Its component has been silent since: not confirmed that it still stands",
)

AT_CAPTURE = Text("收款时", "when it was taken")
STOOD = Text(
    "{title}：{from_at}[ – {until_at}][，{capture}][，第{attempts}次尝试期间]",
    "{title} stood from {from_at}[ to {until_at}][, {capture}][, during attempts {attempts}]",
)
STOOD_BEFORE = Text(
    "{title}：到{until_at}为止[，{capture}][，第{attempts}次尝试期间]",
    "{title} stood until {until_at}[, {capture}][, during attempts {attempts}]",
)
PAST_UNKNOWN = Text(
    "当时的状态：监测记录读不出", "What was wrong at that time: the history could not be read"
)

# -- questions about more than one payment -------------------------------------------------------

LATE = Text(
    "有{count}笔交易本该到账还没有[，共{amounts}][，最早的一笔{oldest_at}]",
    "Payments that should have arrived and have not: {count}[, {amounts}][, the oldest from {oldest_at}]",
)
LATE_NONE = Text("没有该到未到的交易", "No payment is late")
SETTLING = Text(
    "批次和清算：{batches}个批次要处理[，{count}笔交易还没有送到主机]",
    "Batches and settlement: {batches} batches need somebody[; payments not yet at the host: {count}]",
)
SETTLING_NONE = Text(
    "批次和清算：本机看不到要处理的问题",
    "Batches and settlement: nothing to act on is seen from here",
)
PREAUTHS = Text(
    "有{count}笔预授权没有完成[，共{amounts}]",
    "Pre-authorisations not completed: {count}[, {amounts}]",
)
PREAUTHS_NONE = Text("没有未完成的预授权", "No pre-authorisation is waiting to be completed")
SLIP_FAILS = Text("预结算单生成不了：{failed}", "The pre-settlement slip cannot be made: {failed}")
SLIP_FINE = Text(
    "本机看不到妨碍生成预结算单的问题",
    "Nothing seen from here keeps the pre-settlement slip from being made",
)
FAILED_PARTS: Mapping[str, Text] = {
    "printer": Text("打印机", "printer"),
    "data": Text("交易数据", "records"),
    "rights": Text("权限", "rights"),
    "software": Text("软件", "software"),
}
ONE_PAYMENT = Text(
    "[{amount}，]{occurred_at}，{state}[，{doubt}][：{title}]，交易键{key}",
    "[{amount}, ]{occurred_at}, {state}[, {doubt}][: {title}], key {key}",
)
ONE_PREAUTH = Text(
    "[{amount}，]{occurred_at}，{state}[，最后期限{last_day}][，{expired}]，交易键{key}",
    "[{amount}, ]{occurred_at}, {state}[, last day {last_day}][, {expired}], key {key}",
)
DOUBT = Text("结果未知", "outcome unknown")
EXPIRED = Text("已过期", "expired")
STATES: Mapping[State, Text] = {
    State.QUEUED: Text("未上送", "not sent"),
    State.SENDING: Text("正在上送", "being sent"),
    State.WAITING: Text("等待重试", "waiting to be tried again"),
    State.HELD: Text("等人决定", "held"),
    State.POSTED: Text("主机已入账", "posted"),
    State.DECLINED: Text("被拒绝", "declined"),
    State.REVERSED: Text("已冲正", "reversed"),
    State.VOIDED: Text("已撤回", "withdrawn"),
    State.LAPSED: Text("过期未发送", "lapsed"),
}
BATCH_OPEN = Text(
    "TID {terminal_id}批次{batch}：{opened_at}开，还没有结算",
    "TID {terminal_id}, batch {batch}: opened {opened_at}, not closed",
)
BATCH_DIFFERS = Text(
    "TID {terminal_id}批次{batch}：{closed_at}结算，与主机不一致[，{count}笔]",
    "TID {terminal_id}, batch {batch}: closed {closed_at}, its totals differ from the host's[, {count} payments]",
)
BATCH_AGREED = Text(
    "TID {terminal_id}批次{batch}：{closed_at}结算，与主机一致[，{count}笔]",
    "TID {terminal_id}, batch {batch}: closed {closed_at}, totals agree[, {count} payments]",
)
BATCH_CLOSED = Text(
    "TID {terminal_id}批次{batch}：{closed_at}结算，是否与主机一致没有报告[，{count}笔]",
    "TID {terminal_id}, batch {batch}: closed {closed_at}; whether totals agree was not told[, {count} payments]",
)
BATCH_UNSENT = Text(
    "结算报文还没有送到主机：{count}条", "Settlement messages not yet at the host: {count}"
)
BATCHES_UNKNOWN = Text("批次：收款应用没有报告过", "Batches: the payment app has not reported any")
NO_LIST = Text(
    "清算：没有导入过收单机构的清单，款项是否到账未知",
    "Settlement: no list of the acquirer was imported, so whether money arrived is unknown",
)
PREAUTH_PROOF = Text(
    "{occurred_at}的预授权[{amount}]，本机没有它的完成或撤销，最后期限{last_day}",
    "The pre-authorisation[ of {amount}] of {occurred_at} has no completion or void here; its last day is {last_day}",
)
LOOKED_BACK = Text(
    "更早的交易没有查：只查到{until_at}为止",
    "Older payments were not looked at: only back to {until_at}",
)
QUESTION_UNREAD = Text("交易：账本读不出", "Payments: the journal could not be read")
SPEAKERS: Mapping[str, Text] = {
    "ListEvidence": Text("收单机构的清单", "the acquirer's lists"), "Kinds": Text("本机其他交易", "this terminal's other payments"),
}  # fmt: skip
NOT_HEARD = Text("{who}：问不到", "{who}: could not be asked")

# -- unknown -------------------------------------------------------------------------------------

STAGES: Mapping[Stage, Text] = {
    Stage.CAPTURED: Text("已收款", "captured"),
    Stage.STORED: Text("已存储", "stored"),
    Stage.SENT: Text("已发送", "sent"),
    Stage.HOST_ANSWERED: Text("主机已应答", "host answered"),
    Stage.BATCH_CLOSED: Text("批次已结算", "batch closed"),
    Stage.SETTLED: Text("已清算", "settled"),
}
COMPONENT_UNKNOWN = Text("{component}：状态未知[（{reason}）]", "{component}: unknown[ ({reason})]")
COMPONENT_UNSEEN = Text(
    "{component}：终端上无法观察[（{reason}）]",
    "{component}: cannot be seen from here[ ({reason})]",
)
CHANNELS_UNKNOWN = Text("上送通道：现在的状态未知", "Uplinks: their present state is not known")
CHANNEL_UNEXPLAINED = Text(
    "上送通道{name}：不通的原因没有记录", "Uplink {name}: why it is stopped was not recorded"
)
STRANGE_CODE = Text(
    "记录里的原因码{code}本版本不认识", "Cause code {code} is not known to this version"
)
SETTLEMENT_UNSEEN = Text(
    "批结算和清算：本机看不到，没有与收单机构的清单核对过",
    "Batch close and settlement cannot be seen from here; the acquirer's list was not compared",
)
PAYOUT_UNSEEN = Text(
    "清算到账：本机看不到，没有与收单机构的清单核对过",
    "The payout cannot be seen from here; the acquirer's list was not compared",
)
NOT_ASKED = Text("还没有向主机查询过这笔的结果", "The host has not been asked for its outcome yet")
APP_STAGES_UNKNOWN = Text(
    "收款应用没有报告发送进度", "The payment app has not reported how far it came"
)
NOT_REACHED = Text(
    "主机现在是否可用：眼下没有数据能到达主机，无法判断",
    "Whether the host works now is unknown: nothing reaches it at the moment",
)
