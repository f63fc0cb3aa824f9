"""What a person reads in Chinese where the local API says no: title and advice of every code.

The English is in `problem.CODES`; a test holds both tables against each other. Loaded only when
somebody who reads Chinese is refused: by the page's door and by the command line.
"""

# ruff: noqa: E501  (a sentence is one line: that is how translators read it)

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from agent.core.why.reasons import in_chinese

_DRAIN = "积压的交易送出之前，不要再受理离线交易。"
_REPEAT = "用同一交易键重发同一请求，直到应答为200或201。"
_ASK = "先问收银员；确认无误后带confirmed重新提交。"
_LOOK = "先核实，再带confirmed重新提交。"

#: code -> title, advice ("" where the English has none)
CHINESE: Mapping[str, tuple[str, str]] = {
    "request.not_json": ("不是JSON", "请发送一个UTF-8编码的JSON对象。"),
    "request.not_object": ("不是JSON对象", "请发送一个JSON对象。"),
    "request.unknown_field": ("未知字段", "去掉该字段；接口文档列有全部字段。"),
    "request.missing_field": ("缺少字段", "补上该字段。"),
    "request.bad_field": ("内容不符合要求", ""),
    "request.control_character": ("文字里有控制字符", "去掉它。"),
    "request.media_type": ("媒体类型不对", "请带Content-Type: application/json。"),
    "request.body_too_large": ("请求太大", "分几次发送。"),
    "route.unknown": ("没有该地址", "见GET /v1/openapi.json。"),
    "route.method": ("该地址不支持此方法", "见应答的Allow头。"),
    "role.missing": ("没有权限", "由管理员在配置的[api]里授权，或换用有权限的用户（root）。"),
    "reading.component": ("不是你的部件", "由管理员在配置的[[hook]]里写明谁可以报告它。"),
    "reading.bad": ("状态不符合钩子约定", "见firmware_hooks/contract/README.md。"),
    "update.unknown": (
        "没有该更新",
        "查看进行中的更新和现行清单提供的更新：posagent update show（GET /v1/software）。",
    ),
    "update.unnamed": ("文件不属于已知的更新", "写明是哪个部件、哪个版本。"),
    "update.known": ("该更新已经开始过", "同一更新只执行一次，结果见posagent software。"),
    "update.busy": ("另一个更新正在进行", "等它结束。"),
    "update.not_now": ("更新当前阶段不能这样做", "等它进入下一阶段：posagent update show。"),
    "update.not_kept": ("更新没有记录下来", "先腾出本机存储空间。"),
    "key.missing": ("没有交易键", "首次尝试前生成交易键并保存，每次重发都带上它。"),
    "key.bad": ("交易键格式不对", "1到64个字符，只能用字母、数字、_和-。"),
    "key.retired": ("交易键早已用过", "该交易已结束，不要再发。"),
    "key.mismatch": ("交易键已用于另一笔交易", "一个交易键永远只属于一笔交易；新交易请用新键。"),
    "amount.bad": ("金额不对", "以最小货币单位（分）的整数填写，1到9007199254740992。"),
    "amount.missing": ("该类型缺少金额", "补上amount_minor和currency。"),
    "amount.forbidden": ("该类型不带金额", "去掉amount_minor、posted_amount_minor和currency。"),
    "currency.bad": ("币种不对", "ISO 4217的三个大写字母，如CNY。"),
    "time.bad": ("时间不对", "RFC 3339并带时区，如2026-11-02T14:05:09+08:00。"),
    "send_before.forbidden": ("通知类交易不能带send_before", "通知不会过期：去掉它，或改为请求。"),
    "send_before.bad": ("send_before不晚于occurred_at", ""),
    "attempts.contradiction": (
        "有first_attempt_at却没有attempts",
        "写明收款应用试过几次；试过的交易从结果未知开始。",
    ),
    "refers_to.missing": ("该类型缺少refers_to", "填写所针对交易的交易键。"),
    "refers_to.self": ("交易不能指向自己", ""),
    "covers.forbidden": ("covers只用于批上送", "去掉它。"),
    "uplink.unknown": ("没有这个上送通道", "请用已配置的通道。"),
    "payload.missing": ("没有报文", "填写content_type和text，或content_type和base64。"),
    "payload.ambiguous": ("报文给了两次", "text和base64只填一个。"),
    "payload.bad_base64": ("base64不正确", "按RFC 4648第4节，带补位，不换行。"),
    "payload.bad_type": ("content_type不正确", "如application/json。"),
    "payload.charset": ("文字用了别的字符集", "text按UTF-8发送；其他字符集请用base64。"),
    "payload.type_mismatch": ("content_type不一致", "查询和冲正报文与原报文类型相同。"),
    "payload.too_large": ("报文太大", "每个最多262144字节。"),
    "payload.not_iso8583": ("不是该通道的报文", "见docs/contracts/iso8583.md和该通道的配置。"),
    "payload.bad_mti": ("报文类型不对", "见docs/contracts/iso8583.md。"),
    "payload.field_missing": ("报文缺少域", "补上该域。"),
    "payload.field_mismatch": ("报文与交易不一致", "两处必须说的是同一笔付款。"),
    "payload.immutable": ("报文不能替换", "只有主机应答A0、77、99或22之后才可以：先签到，再替换。"),
    "reversal.none_prepared": ("没有交来这样的冲正", "另外提交一笔冲正（kind为reversal）。"),
    "reversal.key_taken": ("冲正键属于另一笔交易", "交易键不会用第二次。"),
    "record.by_app": ("这笔由收款应用自己与主机联系", "由收款应用冲正并报告结果。"),
    "reversal.contradiction": ("冲正不完整", "reversal_key和reversal_payloads要一起给。"),
    "card.clear_data": (
        "含明文卡数据",
        "请发送密文或令牌；卡号只留前六后四；去掉磁道、有效期、CVN和密码。该交易键仍可用。",
    ),
    "card.bad_mask": ("卡号没有掩码", "最多留前六后四，中间用星号。"),
    "transaction.unknown": ("本机没有这笔交易", ""),
    "cause.unknown": ("没有这个原因代码", "全部代码：posagent causes。"),
    "inspection.unknown": ("没有这份自检报告", "做一次自检：posagent inspect。"),
    "drill.unknown": ("没有这份演练报告", "做一次演练：posagent drill。"),
    "drill.in_doubt": (
        "有交易正在进行或结果未知",
        "不带--restart做演练，或等结果未知的交易查清（posagent queue list）。",
    ),
    "drill.not_here": ("这里不能做演练", "按上面的说明处理。"),
    "stats.failed": ("统计没有算出来", "再试一次，或缩短时间范围。"),
    "record.final": ("这笔交易已经结束", "不会再为它发送任何内容。"),
    "record.in_doubt": ("主机可能已有这笔交易", "不能撤回；请用撤销或冲正取消它。"),
    "record.sending": ("这笔交易正在发送", "稍后再试。"),
    "record.held": ("这笔交易已停下，等人决定", "先由技术人员放行：posagent queue release。"),
    "record.not_held": ("这笔交易没有停下", ""),
    "alarm.not_open": ("该告警没有发生或已经消除", "现有的告警见posagent status。"),
    "record.not_final": ("这笔交易还没有结束", "等它入账、被拒绝或撤回后再确认。"),
    "payload.destroyed": ("交来的报文已销毁", "它已被确认；请提交新的交易。"),
    "record.not_asked": (
        "还没有向主机查询，或主机没有确认不存在这笔",
        "现在就查：posagent queue retry 交易键；历史里有主机的答复后再做。",
    ),
    "record.unknown": ("没有这条记录", "重新列出队列。"),
    "record.changed": ("这笔交易刚刚有变化", "重新查看后再操作。"),
    "limit.single": ("超过单笔限额", "核对金额。"),
    "limit.total": ("未上送总额已到上限", _DRAIN),
    "limit.count": ("未上送笔数已到上限", _DRAIN),
    "limit.age": ("有交易太久未上送", _DRAIN),
    "duplicate.suspected": ("疑似重复交易", _ASK),
    "amount.large": ("金额较大", _ASK),
    "amount.mistyped": ("金额可能输错", _ASK),
    "refund.too_large": ("退款超过原金额", "核对金额和原交易。"),
    "amount.unusual": ("金额与平时相差很大", _ASK),
    "fraud.declines": ("之前多次被拒绝", _LOOK),
    "fraud.refunds": ("退款过多", _LOOK),
    "fraud.split": ("像是一笔拆成几笔", _LOOK),
    "date.future": ("交易时间在未来", "校准终端时间。"),
    "date.past": ("交易时间过早", "校准终端时间。"),
    "terminal.mismatch": ("终端号与下发的不一致", "改正终端号；见配置[check]。"),
    "merchant.mismatch": ("商户号与下发的不一致", "改正商户号；见配置[check]。"),
    "currency.not_taken": ("本机不收该币种", "见配置[check] currencies。"),
    "kind.not_taken": ("本机不做该类交易", "见配置[check] kinds。"),
    "stage.bad": ("报告自相矛盾", ""),
    "stage.mismatch": ("同一序号已有另一份报告", "序号继续往上数：每份报告有自己的n。"),
    "stage.too_many": ("这笔交易的报告太多", "最多100份。"),
    "record.by_agent": ("这笔由本机上送", "各阶段在它的历史里，无需报告。"),
    "backup.bad_recipient": ("没有这个恢复公钥", "请完整复制：posr1-…"),
    "backup.no_key": ("没有可用于加密的密钥", "请给出恢复公钥。"),
    "backup.unknown": ("没有正在进行的备份", "重新开始。"),
    "bundle.failed": ("支持包没有做成", "在终端上做：posagent bundle。"),
    "bundle.unknown": ("没有保存这个支持包", "重新做一个。"),
    "slip.unknown_kind": ("没有这种小票", "全部种类：posagent slip list。"),
    "slip.key": ("对象不对", "每种小票的对象见posagent slip list。"),
    "slip.nothing": ("没有可打印的内容", "按上面的说明核对编号或日期。"),
    "slip.failed": ("小票没有做成", "可以只看文字：不带--png。"),
    "slip.off": ("本机不打印小票", "配置[printer] print为driver或hook。"),
    "slip.paying": ("有人正在付款", "付款结束后再打印。"),
    "slip.not_ready": ("打印机未就绪", "按上面的原因处理打印机后再打印；这次什么都没有打印。"),
    "slip.owned": ("打印机由别的程序使用", '配置[printer] print = "hook"，并安装打印钩子。'),
    "slip.not_printed": ("小票没有打完", "先看打印出来的纸，再决定是否重打。"),
    "store.full": ("存储已满，没有记录", "停止受理离线交易。"),
    "store.unavailable": ("存储不可用，没有记录", _REPEAT),
    "store.unknown": ("不知道是否已记录", _REPEAT),
    "store.capped": ("账本已到上限，没有记录", _DRAIN),
    "store.handed_over": ("已移交给另一台终端", "请在接替的终端上收款。"),
    "store.busy": ("存储繁忙，没有记录", _REPEAT),
    "keys.off": ("本机不封存报文", "配置[store] seal = true。"),
    "keys.vendor": ("密钥由固件管理", "在固件里生成和轮换。"),
    "salvage.unknown": ("没有这样的隔离账本", "见state_dir里的quarantine/。"),
    "salvage.unreadable": ("里面没有可证实的内容", "保留该文件，与主机清单核对。"),
    "page.host": ("地址不符", "请打开终端显示的地址。"),
    "page.origin": ("来自其他网站", "只有本页面可以访问。"),
    "page.off": ("本机没有开通页面", "配置[page] listen。"),
    "page.no_service": ("没有配置服务接口", "配置[page] service_interface或service_address。"),
    "page.open_already": ("已经打开", "到时自动关闭；提前关闭：posagent page close。"),
    "page.no_address": ("没有可用的内网地址", "插好网线，或配置service_address。"),
    "page.no_certificate": (
        "证书没有做成",
        "安装posagent[provision]；线路无人可窃听时可配置service_tls = false。",
    ),
    "session.none": ("尚未登录", "取一次性登录码登录：posagent page。"),
    "session.stale": ("登录已失效", "请重新登录。"),
    "session.code": ("登录码不正确", "请核对8位登录码。"),
    "session.no_code": ("没有有效的登录码", "重新取码：posagent page。"),
    "session.locked": ("尝试次数过多", "请等待提示的秒数后再试。"),
    "session.not_here": ("这里没有登录", "登录只用于页面。"),
    "reconcile.profile": (
        "没有这个清单格式",
        "用--profile给出配置里[[reconcile]]的name，或不带--profile。",
    ),
    "reconcile.busy": ("正在读另一份清单", "等它完成后再导入。"),
    "reconcile.too_large": ("清单太大", "按日期分成几个文件，或调大该[[reconcile]]的max_mb。"),
    "reconcile.no_pull": ("没有配置取清单的地方", "在该[[reconcile]]里设置pull，或直接导入文件。"),
    "reconcile.pull": ("没有取到清单", "请询问银行，或直接导入文件：posagent reconcile FILE。"),
    "reconcile.unknown": ("没有这份清单", "读过的清单：posagent reconcile list。"),
    "reconcile.piece": ("分段次序不对", "从0开始按次序发送。"),
    "reconcile.refused": ("清单未被接受", "改正文件，或它的[[reconcile]]设置。"),
    "events.too_many": ("事件流过多", "关闭一个。"),
    "daemon.down": ("监测程序没有运行", "启动它：systemctl start posagent。"),
    "internal": (
        "监测程序内部错误",
        "稍后重试（收款应用用同一交易键重发）；仍出错时把支持包交给厂商。",
    ),
}

#: What is wrong, where it is a sentence of ours: English, Chinese. Braces take over what stands
#: there; the first that fits is taken. What a room says of a device is in `core.why.reasons`.
DETAILS: tuple[tuple[str, str], ...] = (
    ("the journal has no payment with key {key}", "本机没有交易键为{key}的交易"),
    ("It was never handed over under this key, or pruned after its retention.", "收款应用没有用这个键交来过，或已过保存期；核对小票上的交易键。"),
    ("there is no open alarm {code}", "没有未结束的告警{code}"),
    ("this version knows no such code", "本版本没有这个代码"),
    ("key must be 1 to 64 characters of A-Z a-z 0-9 _ -", "交易键格式不对"),
    ("amount_minor needs currency", "有金额就要写明币种"),
    # slips
    ("no payment is stored", "本机没有交易"),
    ("no payment of {key} is stored", "{key}没有交易"),
    ("{day} is not a day", "{day}不是日期"),
    ("no such self-inspection is kept", "没有保存这份自检报告"),
    ("no drill is kept", "还没有做过演练"),
    ("no drill {number}", "没有编号为{number}的演练"),
    ("no such drill is kept", "没有保存这份演练报告"),
    ("no such settlement list is kept", "没有这份对账清单"),
    ("no settlement list is kept", "还没有读过对账清单"),
    ("there is no slip {kind}", "没有名为{kind}的小票"),
    ("a slip {kind} takes no key", "小票{kind}不需要对象"),
    ("a slip {kind} needs the key of a payment", "小票{kind}要给出交易键"),
    ("key is the number of a report", "这种小票的对象是报告编号"),
    ("nothing can be drawn here", "这里不能生成图像"),
    ("the program gave no answer", "辅助程序没有应答"),
    ("{name} is not installed", "没有安装{name}"),
    ("As an image it needs the package posagent-extras, elsewhere pip install 'posagent[slips]'.", "生成图像需要另装软件包posagent-extras；其他系统：pip install 'posagent[slips]'"),
    # lists
    ("another list is {how}: {name}, by {actor}", "正在处理另一份清单：{name}（{actor}）"),
    ("{name} has no pull", "{name}没有设置pull"),
    ("the list of {name} is being fetched", "正在取{name}的清单"),
    ("there is no list of {day} yet", "还没有{day}的清单"),
    ("the bank's server answered {status}: it points elsewhere", "银行的服务器应答{status}：指向别处"),
    ("the bank's server answered a web page instead of a list", "银行的服务器给的是网页，不是清单"),
    ("the bank's server answered 304 to nothing", "银行的服务器误答304"),
    ("the bank's server answered {status}", "银行的服务器应答{status}"),
    ("the certificate files cannot be read in time", "证书文件读不出来"),
    ("authorization_file {file}: others can read it; run: chmod 0600", "authorization_file {file}：其他用户可读，请执行chmod 0600"),
    ("authorization_file {file}: it is not a file of the agent's user or of root", "authorization_file {file}：须为属于监测程序用户或root的普通文件"),
    ("authorization_file {file}: it must hold one line, such as: Bearer …", "authorization_file {file}：内容应为一行，如：Bearer …"),
    ("authorization_file {file}: {why}", "authorization_file {file}：{why}"),
    ("{where}: no whole answer within {seconds} s", "{where}：{seconds}秒内没有收完应答"),
    ("{where} the answer exceeds {count} bytes", "{where}应答超过{count}字节"),
    ("{hook} ended with exit code {code}: {said}", "{hook}以退出码{code}结束：{said}"),
    ("{hook} ended with exit code {code}", "{hook}以退出码{code}结束"),
    ("{hook} did not end within {seconds} s (it had printed {count} bytes) and was killed with all it had started", "{hook}在{seconds}秒内没有结束，已终止"),
    ("{hook} printed more than {count} bytes and was killed", "{hook}输出超过{count}字节，已终止"),
    ("there is no hook {path}", "没有钩子{path}"),
    ("no [[reconcile]] is named {name}", "配置里没有名为{name}的[[reconcile]]"),
    ("there are several [[reconcile]]: {names}", "有几个[[reconcile]]可选：{names}"),
    ("settled_on is not a day", "结算日不是日期"),
    ("Give it as YYYY-MM-DD, such as 2026-11-22.", "写成YYYY-MM-DD，如2026-11-22。"),
    ("the list was given up", "这份清单已放弃"),
    ("no such list is being sent", "没有正在发送的清单"),
    # the command line beside a daemon that is not there
    ("no daemon listens at {socket}; there is no journal at {path}", "{socket}没有监测程序应答，{path}也没有账本"),
    ("no daemon listens at {socket}", "{socket}没有监测程序应答"),
    ("there is no journal at {path}", "{path}没有账本"),
    ("check agent.state_dir", "核对配置[agent] state_dir，或用--state-dir指明存储目录"),
    (
        "start the agent; its first start makes the journal. Or check agent.state_dir",
        "请启动监测程序，首次启动时会建立账本；或核对配置[agent] state_dir，或用--state-dir指明存储目录",
    ),
    # the rest
    ("until is not within the next 31 days", "截止时间应在31天以内"),
    ("until is not after since", "结束时间要晚于开始时间"),
    ("since is after until", "开始时间晚于结束时间"),
    ("no such bundle, or no such piece of it", "没有这个支持包或这一段"),
    ("uplink is not one of the configured", "没有配置这个上送通道"),
    ("no service listener is configured", "没有配置服务接口"),
    ("there are no sessions on the unix socket", "本地套接字上没有登录"),
    ("[page] says neither where it is served nor for whom", "配置[page]没有写明页面地址或服务接口"),
    ("{what} while the agent is not running", "监测程序没有运行，做不了"),
    ("Repeat it with the same key; the agent's log has the details.", "稍后重试；仍出错时做支持包交给厂商：posagent bundle。"),
    ("The agent failed on this request: whether it took effect is unknown.", "监测程序处理这个请求时出错，不知道是否已生效"),
)  # fmt: skip


def detail(words: str) -> str:
    """What is wrong, in Chinese where it is known how to say it; else as it is."""
    for pattern, chinese in _patterns():
        if found := pattern.fullmatch(words):
            return chinese.format_map(found.groupdict())
    return in_chinese(words)


def advice(code: str, hint: str, usual: str) -> str:
    """What to do: the table's words, unless something else than the `usual` was said."""
    return CHINESE[code][1] if code in CHINESE and hint == usual else detail(hint)


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(_form(english), re.DOTALL), chinese) for english, chinese in DETAILS)


def _form(english: str) -> str:
    pieces = re.split(r"\{(\w+)\}", english)
    return "".join(
        f"(?P<{piece}>.+?)" if place % 2 else re.escape(piece) for place, piece in enumerate(pieces)
    )
