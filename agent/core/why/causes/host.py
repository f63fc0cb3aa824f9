"""Chapter 5: host, bank and platform – answers, accounts, cards, wallets, settlement."""

# ruff: noqa: E501  (a sentence is one line: that is how translators read it)

from agent.core.why.causes.cause import Cause, Owner, entry

CAUSES: tuple[Cause, ...] = (
    entry(
        "host.down",
        "H",
        Owner.ACQUIRER,
        ("收单系统故障", "host answers with errors"),
        (
            "致电收单机构，报TID[ {terminal_id}]、MID[ {merchant_id}]、起始时间[{since}]和应答[{answer}]",
            "Call the acquirer with TID[ {terminal_id}], MID[ {merchant_id}], the time[ {since}] and the answer[ {answer}]",
        ),
        (
            "收单系统返回错误[：{answer}][，自{since}起]；交易存在本机，会自动重试",
            "The acquirer's system answers with errors[: {answer}][, since {since}]; payments are stored and retried",
        ),
    ),
    entry(
        "host.maintenance",
        "H",
        Owner.ACQUIRER,
        ("系统维护/日切", "maintenance or cut-off"),
        (
            "等待自动重试[（{retry_at}）]；过久就致电收单机构，报TID[ {terminal_id}]和起始时间[{since}]",
            "Wait for the retry[ ({retry_at})]; if it lasts, call the acquirer with TID[ {terminal_id}] and the time[ {since}]",
        ),
        (
            "收单系统正在维护或日切[，自{since}起]",
            "The acquirer's system is in maintenance or at its daily cut-off[ since {since}]",
        ),
    ),
    entry(
        "host.busy",
        "H",
        Owner.AGENT,
        ("系统繁忙限流", "host asks to slow down"),
        (
            "等待自动重试[（{retry_at}）]",
            "Wait for the automatic retry[ ({retry_at})]",
        ),
        (
            "收单主机要求放慢[：{answer}]，交易会自动重试",
            "The host asks to slow down[: {answer}]; payments are retried by themselves",
        ),
    ),
    entry(
        "host.no_reply",
        "L",
        Owner.AGENT,
        ("已发送未收到应答（结果未知）", "sent, no answer: outcome unknown"),
        (
            "不要重新收款，等本机用同一交易键查清结果",
            "Do not take the payment again; wait while it is checked with the same key",
        ),
        (
            "[{count}笔]交易已发出或可能已发出，但没有收到应答[，自{since}起]，主机可能已入账",
            "Sent, or possibly sent, without an answer[ (payments: {count})][, since {since}]; the host may have posted already",
        ),
    ),
    entry(
        "host.format_error",
        "H",
        Owner.VENDOR,
        ("报文格式错误", "host cannot read the message"),
        (
            "向收款应用厂商报应用版本[{app_version}]、TID[ {terminal_id}]、STAN[ {stan}]和应答[{answer}]",
            "Give the payment app's vendor version[ {app_version}], TID[ {terminal_id}], STAN[ {stan}] and answer[ {answer}]",
        ),
        (
            "主机读不懂这份报文[：{answer}]；原样重发还会失败，反复如此就停下等人处理",
            "The host cannot read the message[: {answer}]; the same bytes fail again, and it is then held",
        ),
    ),
    entry(
        "host.rejected",
        "H",
        Owner.ACQUIRER,
        ("交易被拒绝", "host declined"),
        (
            "换其他方式付款；要问原因就向收单机构报TID[ {terminal_id}]、STAN[ {stan}]、RRN[ {rrn}]、时间和金额",
            "Use another means of payment; to ask why, give the acquirer TID[ {terminal_id}], STAN[ {stan}], RRN[ {rrn}], time, amount",
        ),
        (
            "主机拒绝了这笔交易[：应答码{response_code}][，{answer}]；没有扣款",
            "The host declined the payment[: response code {response_code}][, {answer}]; nothing was charged",
        ),
    ),
    entry(
        "issuer.unavailable",
        "H",
        Owner.CASHIER,
        ("发卡行无应答", "issuer does not answer"),
        ("换一张卡，或稍后再试", "Use another card, or try again later"),
        (
            "发卡行没有应答[（应答码{response_code}）]",
            "The card's issuer does not answer[ (response code {response_code})]",
        ),
    ),
    entry(
        "account.merchant_restricted",
        "HR",
        Owner.MERCHANT,
        ("商户账户冻结/受限", "merchant's account frozen or restricted"),
        (
            "先致电收单机构，报MID[ {merchant_id}]，再联系开户银行",
            "Call the acquirer with MID[ {merchant_id}], then the bank that keeps the account",
        ),
        (
            "商户账户被冻结或受限[（应答码{response_code}）]",
            "The merchant's account is frozen or restricted[ (response code {response_code})]",
        ),
    ),
    entry(
        "account.cardholder_restricted",
        "H",
        Owner.CASHIER,
        ("持卡人账户异常", "cardholder's account closed or restricted"),
        ("请顾客换其他方式付款", "Ask the customer for another means of payment"),
        (
            "持卡人账户不能付款[（应答码{response_code}）]",
            "The cardholder's account cannot pay[ (response code {response_code})]",
        ),
    ),
    entry(
        "card.expired",
        "H",
        Owner.CASHIER,
        ("卡片过期", "card expired"),
        ("请顾客换卡或换其他方式付款", "Ask the customer for another means of payment"),
        (
            "卡片已过有效期[（应答码{response_code}）]",
            "The card has expired[ (response code {response_code})]",
        ),
    ),
    entry(
        "card.insufficient_funds",
        "H",
        Owner.CASHIER,
        ("余额或额度不足", "insufficient funds or limit"),
        (
            "请顾客换其他方式付款，或减少金额",
            "Ask for another means of payment or a smaller amount",
        ),
        (
            "卡内余额或信用额度不足[（应答码{response_code}）]",
            "The card's funds or credit limit are not enough[ (response code {response_code})]",
        ),
    ),
    entry(
        "card.limit_exceeded",
        "H",
        Owner.CASHIER,
        ("超出金额/次数限制", "amount or count limit"),
        ("请顾客换一张卡，不要拆单", "Ask for another card; do not split the amount"),
        (
            "超出这张卡的金额或次数限制[（应答码{response_code}）]",
            "The card's amount or count limit is exceeded[ (response code {response_code})]",
        ),
    ),
    entry(
        "card.pin_error",
        "H",
        Owner.CASHIER,
        ("密码错误", "wrong PIN"),
        ("请顾客重新输入密码", "Ask the customer to enter the PIN again"),
        (
            "密码错误或次数超限[（应答码{response_code}）][，还可试{tries_left}次]",
            "Wrong PIN or too many tries[ (response code {response_code})][; {tries_left} tries left]",
        ),
    ),
    entry(
        "card.restricted_or_reported",
        "H",
        Owner.CASHIER,
        ("受限/挂失卡", "restricted, lost or stolen card"),
        (
            "不要再试这张卡，按收单机构规定处理",
            "Do not try this card again; follow the acquirer's rule for such cards",
        ),
        (
            "这张卡受限、挂失或被盗[（应答码{response_code}）]",
            "The card is restricted, lost or stolen[ (response code {response_code})]",
        ),
    ),
    entry(
        "platform.outage",
        "H",
        Owner.PLATFORM,
        ("第三方支付平台故障", "payment platform outage"),
        (
            "暂用其他方式收款；向平台报商户号[{merchant_id}]和起始时间[{since}]",
            "Take other means of payment; give the platform the merchant number[ {merchant_id}] and the time[ {since}]",
        ),
        (
            "第三方支付平台故障[：{answer}][，自{since}起]",
            "The payment platform is out of order[: {answer}][, since {since}]",
        ),
    ),
    entry(
        "wallet.awaiting_customer",
        "HL",
        Owner.CASHIER,
        ("等待顾客确认支付", "waiting for the customer to confirm"),
        ("请顾客在钱包里完成支付", "Ask the customer to finish the payment in the wallet"),
        (
            "顾客还没有在钱包里确认[，还剩{window_s}秒]",
            "The customer has not confirmed in the wallet yet[; {window_s} s left]",
        ),
    ),
    entry(
        "wallet.code_expired",
        "H",
        Owner.CASHIER,
        ("付款码过期", "payment code expired"),
        ("请顾客刷新付款码，再扫一次", "Ask the customer to refresh the code and scan it again"),
        ("付款码已过期", "The payment code has expired"),
    ),
    entry(
        "platform.policy_changed",
        "A",
        Owner.PLATFORM,
        ("平台规则/费率/地区限制变化", "platform rule, fee or region change"),
        (
            "询问支付平台规则是否有变，报商户号[{merchant_id}]、受影响的日期和金额范围",
            "Ask the platform whether a rule changed; give merchant number[ {merchant_id}], dates and amounts affected",
        ),
        (
            "平台的规则、费率或地区限制可能有变，终端上看不到",
            "A rule, fee or region limit of the platform may have changed; the terminal cannot see it",
        ),
    ),
    entry(
        "settlement.not_in_file",
        "R",
        Owner.ACQUIRER,
        ("主机已收，清算文件无此笔", "accepted by the host, missing from settlement"),
        (
            "向收单机构报RRN[ {rrn}]、批次[{batch}]、MID[ {merchant_id}]、时间和金额，要求补清算",
            "Give the acquirer RRN[ {rrn}], batch[ {batch}], MID[ {merchant_id}], time and amount and have it settled",
        ),
        (
            "主机已接受这笔交易，但清算文件里没有",
            "The host accepted the payment, but the settlement file does not have it",
        ),
    ),
    entry(
        "settlement.delayed",
        "R",
        Owner.ACQUIRER,
        ("清算延迟（含节假日）", "settlement late (cut-off, holiday)"),
        (
            "等到预计日期[{expected_at}]；仍未到就向收单机构报MID[ {merchant_id}]、RRN[ {rrn}]和金额",
            "Wait for the expected date[ {expected_at}]; if passed, give the acquirer MID[ {merchant_id}], RRN[ {rrn}] and amount",
        ),
        (
            "清算晚于平时，可能因日切或节假日",
            "Settlement is later than usual, perhaps for a cut-off or a holiday",
        ),
    ),
    entry(
        "settlement.not_realtime_mode",
        "CR",
        Owner.ACQUIRER,
        (
            "未开通实时到账/已过实时时段/超日限额转T+1",
            "real-time payout off, window closed or daily limit reached: arrives T+1",
        ),
        (
            "等到次日[{expected_at}]；要改到账方式就向收单机构报MID[ {merchant_id}]",
            "Wait for the next day[ {expected_at}]; to change the payout mode, give the acquirer MID[ {merchant_id}]",
        ),
        (
            "实时到账未开通、已过时段[（{window}）]或超日限额[；登记方式：{mode}]，转为T+1到账",
            "Real-time payout is off, its window[ ({window})] closed or its limit reached[; mode on file: {mode}]: arrives T+1",
        ),
    ),
    entry(
        "settlement.account_limit",
        "CA",
        Owner.BANK,
        ("收款账户限额（如二类户）", "receiving account's limit reached"),
        (
            "请开户银行核对收款账户的类别和限额，报账号、日期和金额[{amount}]",
            "Have the bank check the account's class and limit; give the account number, date and amount[ {amount}]",
        ),
        (
            "收款账户（如二类户）可能已到限额，款项入不了账",
            "The receiving account may have reached its limit, so money cannot be credited",
        ),
    ),
    entry(
        "settlement.risk_hold",
        "HR",
        Owner.ACQUIRER,
        ("风控延迟/调单", "held for risk review"),
        (
            "向收单机构补交材料[（{documents}）]，报MID[ {merchant_id}]、RRN[ {rrn}]和金额",
            "Send the acquirer the documents asked for[ ({documents})]; give MID[ {merchant_id}], RRN[ {rrn}] and amount",
        ),
        (
            "款项因风控审核暂缓入账[，共{count}笔]",
            "The money is held for a risk review[ (payments: {count})]",
        ),
    ),
    entry(
        "settlement.offset",
        "R",
        Owner.ACQUIRER,
        (
            "被退款/撤销/拒付/手续费抵扣",
            "reduced by refund, void, chargeback or fees",
        ),
        (
            "对照抵扣明细[{items}]；有疑问就向收单机构报MID[ {merchant_id}]和清算日期",
            "Compare the items netted[ {items}]; if in doubt, give the acquirer MID[ {merchant_id}] and the settlement date",
        ),
        (
            "到账金额已扣除退款、撤销、拒付或手续费[：{amount}]",
            "Refunds, voids, chargebacks or fees were taken off the payout[: {amount}]",
        ),
    ),
    entry(
        "settlement.amount_differs",
        "R",
        Owner.ACQUIRER,
        ("到账金额不符（手续费/部分）", "amount differs (fee, partial)"),
        (
            "逐笔核对差额；不明的向收单机构报RRN[ {rrn}]、MID[ {merchant_id}]和两个金额",
            "Check line by line; for what is unclear give the acquirer RRN[ {rrn}], MID[ {merchant_id}] and both amounts",
        ),
        (
            "到账金额与交易金额不一致[：应到{expected}][，实到{found}]",
            "The amount settled is not that of the payment[: expected {expected}][, settled {found}]",
        ),
    ),
    entry(
        "settlement.unknown_to_terminal",
        "R",
        Owner.TECHNICIAN,
        ("清算有记录，终端无记录", "settled but unknown to this terminal"),
        (
            "核对TID[ {terminal_id}]是否被别的终端使用、本机账本是否换过",
            "Check whether another terminal uses TID[ {terminal_id}] and whether this journal was replaced",
        ),
        (
            "清算文件里有这笔[RRN {rrn}]，本机账本里没有",
            "The settlement file has it[: RRN {rrn}], this terminal's journal does not",
        ),
    ),
    entry(
        "settlement.duplicate",
        "R",
        Owner.ACQUIRER,
        ("重复入账", "settled twice"),
        (
            "向收单机构报两个RRN[ {rrn}、{other_rrn}]和MID[ {merchant_id}]，退回多入的一笔",
            "Give the acquirer both RRNs[ {rrn}, {other_rrn}] and MID[ {merchant_id}] and have one refunded",
        ),
        ("同一笔交易入账两次", "One payment was settled twice"),
    ),
    entry(
        "settlement.batch_not_closed",
        "LH",
        Owner.CASHIER,
        ("批次未结算/批上送未完成", "batch not closed or upload unfinished"),
        (
            "在收款应用里做批结算[（批次{batch}）]",
            "Close the batch in the payment app[ (batch {batch})]",
        ),
        (
            "批次[{batch}]未结算或批上送未完成[：已传{done}笔][，共{count}笔]",
            "The batch[ {batch}] is not closed or its upload unfinished[: {done} uploaded][ of {count}]",
        ),
    ),
    entry(
        "preauth.not_completed",
        "L",
        Owner.CASHIER,
        ("预授权未完成/已过期", "pre-authorisation never completed or expired"),
        (
            "在最后期限[{last_day}]前做预授权完成或撤销",
            "Complete or void the pre-authorisation before its last day[ {last_day}]",
        ),
        (
            "预授权[{amount}]一直未完成[，已{age_days}天]，银行不会入账",
            "The pre-authorisation[ of {amount}] was never completed[, {age_days} days old]; the bank will not pay it out",
        ),
    ),
    entry(
        "presettlement.missing_records",
        "LR",
        Owner.TECHNICIAN,
        ("预结算单缺少交易", "slip incomplete: records missing"),
        (
            "补齐缺少的交易[：{missing}]，再重打预结算单",
            "Recover the missing records[: {missing}], then print the slip again",
        ),
        (
            "预结算单缺少交易[，共{count}笔]",
            "Records are missing from the pre-settlement slip[: {count}]",
        ),
    ),
    entry(
        "presettlement.not_generated",
        "L",
        Owner.TECHNICIAN,
        ("预结算单未生成", "slip not generated"),
        (
            "先处理第一个出错的环节[：{failed}]，再生成预结算单",
            "Repair what failed first[: {failed}], then generate the slip again",
        ),
        (
            "预结算单没有生成[，卡在{failed}]：打印机、数据、权限或软件",
            "The pre-settlement slip was not generated[; it failed at {failed}]: printer, records, rights or software",
        ),
    ),
)
