"""Chapter 6: operation, duplicates, the queue, fraud, and what lies outside the terminal."""

# ruff: noqa: E501  (a sentence is one line: that is how translators read it)

from agent.core.why.causes.cause import Cause, Owner, entry

CAUSES: tuple[Cause, ...] = (
    entry(
        "operator.wrong_amount",
        "L",
        Owner.CASHIER,
        ("可能输错金额", "amount looks mistyped"),
        (
            "与顾客核对金额[{amount}]，错了就撤销重收",
            "Check the amount[ {amount}] with the customer; if wrong, void it and take it again",
        ),
        (
            "金额像是输错了[：对照{compared_with}][，{pattern}]",
            "The amount looks mistyped[ compared with {compared_with}][: {pattern}]",
        ),
    ),
    entry(
        "operator.wrong_payment_type",
        "LH",
        Owner.CASHIER,
        ("支付方式/交易类型选择错误", "wrong type or means of payment"),
        (
            "已成功的先撤销，再用正确的类型[{expected}]收款",
            "If it went through, void it; then use the right type[ ({expected})]",
        ),
        (
            "选错了交易类型或支付方式[：{found}]",
            "The wrong type or means of payment was chosen[: {found}]",
        ),
    ),
    entry(
        "operator.not_completed",
        "L",
        Owner.CASHIER,
        ("交易未做完", "abandoned before completion"),
        (
            "在收款应用里做完或取消这笔交易",
            "Finish or cancel the transaction in the payment app",
        ),
        (
            "交易没有做完[，停在{last_step}][，{since}]",
            "The transaction was not finished[; last step {last_step}][, at {since}]",
        ),
    ),
    entry(
        "operator.too_fast",
        "L",
        Owner.MERCHANT,
        ("操作过快/未核对", "keyed unusually fast"),
        (
            "提醒收银员确认前先核对金额",
            "Remind the cashier to check the amount before confirming",
        ),
        (
            "从录入到确认太快[：{seconds}秒]，可能没有核对",
            "Entry to confirmation was unusually fast[: {seconds} s]; it may not have been checked",
        ),
    ),
    entry(
        "duplicate.suspected",
        "L",
        Owner.CASHIER,
        ("疑似重复交易", "suspected duplicate"),
        (
            "与另一笔[{twin}]核对后，确认放行或作废",
            "Compare it with its twin[ {twin}], then release it or void it",
        ),
        (
            "与另一笔交易很像[：{twin_at}][，{twin_amount}][，STAN {twin_stan}]，先停下等人决定",
            "It looks like another payment[: {twin_at}][, {twin_amount}][, STAN {twin_stan}]; held until someone decides",
        ),
    ),
    entry(
        "fraud.suspicious",
        "L",
        Owner.MERCHANT,
        ("可疑交易", "suspicious pattern"),
        (
            "核对小票和签名，再决定是否继续收款",
            "Check slips and signatures before taking more such payments",
        ),
        (
            "这些交易触发了提醒规则[{rule}][：{figures}]；这不是指控",
            "These payments match a rule[ ({rule})][: {figures}]; this is not an accusation",
        ),
    ),
    entry(
        "reversal.pending",
        "L",
        Owner.AGENT,
        ("冲正未完成", "reversal not yet accepted"),
        (
            "不要重收这笔款，等冲正完成",
            "Do not repeat the sale; wait until the reversal is accepted",
        ),
        (
            "冲正还没有被主机接受[，自{since}起]，会先于下一笔交易发送",
            "The reversal is not yet accepted[, since {since}]; it goes out before the next payment",
        ),
    ),
    entry(
        "reversal.completed",
        "LR",
        Owner.CASHIER,
        (
            "已冲正，款项退回顾客",
            "reversed: the money went back although the slip says success",
        ),
        (
            "告知顾客款项已退回，需要时重新收款",
            "Tell the customer the money went back, and take the payment again",
        ),
        (
            "这笔交易已冲正[，{since}]，钱退回顾客，即使小票显示成功",
            "The payment was reversed[ at {since}]: the money went back although the slip says success",
        ),
    ),
    entry(
        "queue.held",
        "L",
        Owner.TECHNICIAN,
        ("待人工处理", "held for a decision"),
        (
            "看过原因后决定：放行、重试或保持[（posagent queue show {key}）]",
            "Read the reason, then release, retry or keep it[ (posagent queue show {key})]",
        ),
        (
            "[{held}笔]交易已停下，等人决定[：{held_reason}][，自{since}起]",
            "Held until someone decides[ (payments: {held})][: {held_reason}][, since {since}]",
        ),
    ),
    entry(
        "queue.limit_reached",
        "L",
        Owner.MERCHANT,
        ("离线限额已满", "offline limit reached"),
        (
            "暂时只收联机付款，等未上送的交易清空",
            "Take online payments only until the backlog drains",
        ),
        (
            "离线交易限额已满[：{limit}][，现为{found}]",
            "The offline limit is reached[: {limit}][, now {found}]",
        ),
    ),
    entry(
        "queue.store_full",
        "L",
        Owner.TECHNICIAN,
        ("存储已满，无法再受理离线交易", "store full: no more offline payments"),
        (
            "清理存储[{path}][（占用最多的是{largest}）]，并尽快恢复上送",
            "Free space[ on {path}][ (most is used by {largest})] and get payments flowing again",
        ),
        (
            "交易存储已满[，自{since}起]，不再受理新的离线交易；已存的照常上送",
            "The store is full[ since {since}]: no new offline payments; those stored are still sent",
        ),
    ),
    entry(
        "queue.quarantined",
        "L",
        Owner.TECHNICIAN,
        ("记录损坏已隔离", "damaged records put aside"),
        (
            "保留隔离文件[{path}]，备份后抢救其中的记录",
            "Keep the file put aside[ {path}], back it up and salvage its records",
        ),
        (
            "损坏的账本已原样隔离[：{quarantined}笔][，{amounts}]；其中可能有未上送的付款",
            "A damaged journal was put aside untouched[: {quarantined} records][, {amounts}]; unsent payments may be in it",
        ),
    ),
    entry(
        "request.lapsed",
        "L",
        Owner.CASHIER,
        ("请求过期未发送", "request never sent and no longer valid"),
        (
            "货已交出就重新收款；没有扣过款",
            "Take the payment again if the goods have left; nothing was charged",
        ),
        (
            "请求在有效期[（{send_before}）]内没有发出，之后不再发送[；近期{lapsed_recent}笔]",
            "The request was not sent before its limit[ ({send_before})] and will not be sent late[; {lapsed_recent} of late]",
        ),
    ),
    entry(
        "software.agent_frozen",
        "L",
        Owner.VENDOR,
        ("监测程序曾被系统冻结", "the agent was frozen by the system"),
        (
            "请设备厂商把posagent排除在省电冻结之外，报机型和冻结时段[{from_at}–{to_at}]",
            "Have the device vendor exempt posagent from power saving; give the model and the time[ {from_at}–{to_at}]",
        ),
        (
            "系统冻结过本程序[{frozen_s}秒][，从{from_at}][到{to_at}]，期间没有上送",
            "The system froze this program[ for {frozen_s} s][ from {from_at}][ to {to_at}]; nothing was sent meanwhile",
        ),
    ),
    entry(
        "inspection.overdue",
        "L",
        Owner.TECHNICIAN,
        ("未按期巡检", "inspection overdue"),
        ("做一次自检", "Run a self-inspection"),
        ("上次自检已过期[：{last_at}]", "The last self-inspection is too old[: {last_at}]"),
    ),
    entry(
        "drill.overdue",
        "L",
        Owner.MERCHANT,
        ("未做应急演练", "outage drill overdue"),
        ("安排一次断网演练", "Plan an outage drill"),
        (
            "很久没做断网演练[，上次{last_at}][，结果：{result}]",
            "No outage drill for too long[; last {last_at}][, result: {result}]",
        ),
    ),
    entry(
        "drill.alarm",
        "L",
        Owner.MERCHANT,
        ("演练告警（不是故障）", "drill alarm (no fault)"),
        ("无需处理，演练结束会自动解除", "Nothing to do; it ends with the drill"),
        (
            "正在做断网演练[（第{number}次）]，这条告警属于演练，真实交易不受影响",
            "An outage drill is under way[ (no. {number})]; this alarm belongs to it, real payments are not touched",
        ),
    ),
    entry(
        "external.event",
        "A",
        Owner.MERCHANT,
        ("自然灾害/停电/社会事件", "power cut, disaster, public event"),
        (
            "保存好小票，等事件过去",
            "Keep the slips until it is over",
        ),
        (
            "停电、灾害或社会事件会使到账推迟；本机已存的交易之后都会上送",
            "A power cut, disaster or public event may delay money; all that is stored is sent when it is over",
        ),
    ),
    entry(
        "external.regulation",
        "A",
        Owner.ACQUIRER,
        ("法规政策变化", "regulation changed"),
        (
            "询问收单机构是哪条规定、从何日起，报MID[ {merchant_id}]",
            "Ask the acquirer which rule and from which date; give MID[ {merchant_id}]",
        ),
        (
            "法规或政策可能有变，终端上看不到",
            "A regulation may have changed; the terminal cannot see it",
        ),
    ),
    entry(
        "account.check_with_bank",
        "A",
        Owner.MERCHANT,
        ("请核对银行账户", "check the account with the bank"),
        (
            "请开户银行核对账号、户名、是否冻结或限额，报日期和金额[{amount}]",
            "Have the bank check account number, name, freeze and limit; give the date and the amount[ {amount}]",
        ),
        (
            "终端这边一切正常；账户情况只有银行能看到",
            "Everything visible here is in order; only the bank can see the account",
        ),
    ),
    entry(
        "platform.check_with_platform",
        "A",
        Owner.PLATFORM,
        ("请联系支付平台核实", "check with the platform"),
        (
            "请支付平台核实，报RRN[ {rrn}]、时间[{occurred_at}]和金额[{amount}]",
            "Have the platform check it; give RRN[ {rrn}], time[ {occurred_at}] and amount[ {amount}]",
        ),
        (
            "终端这边一切正常；平台内的情况只有平台能看到",
            "Everything visible here is in order; only the platform can see its side",
        ),
    ),
)
