"""Chapter 4: configuration and rights – identity, sign-on, mode, limits, credentials."""

# ruff: noqa: E501  (a sentence is one line: that is how translators read it)

from agent.core.why.causes.cause import Cause, Owner, entry

CAUSES: tuple[Cause, ...] = (
    entry(
        "config.merchant_mismatch",
        "CH",
        Owner.ACQUIRER,
        ("商户号/终端号不一致", "MID/TID does not match the issued one"),
        (
            "停止收款，请收单机构核对MID[ {merchant_id}]和TID[ {terminal_id}]",
            "Stop taking payments and have the acquirer check MID[ {merchant_id}] and TID[ {terminal_id}]",
        ),
        (
            "商户号或终端号与下发的不一致[：应为{expected}][，现为{found}]，款项可能进了别的账户",
            "MID or TID is not the issued one[: expected {expected}][, found {found}]; money may go to another account",
        ),
    ),
    entry(
        "config.not_signed_on",
        "HC",
        Owner.CASHIER,
        ("终端未签到/密钥失效", "not signed on / keys invalid"),
        ("重新签到", "Sign the terminal on again"),
        (
            "终端未签到或密钥已失效[（应答码{response_code}）][，批次{batch}]",
            "The terminal is not signed on or its keys are invalid[ (response code {response_code})][, batch {batch}]",
        ),
    ),
    entry(
        "config.not_activated",
        "CH",
        Owner.TECHNICIAN,
        ("终端未激活/未装机完成", "terminal not activated or set-up unfinished"),
        (
            "补完装机设置[：{missing}][：{gap}]",
            "Finish the set-up[: {missing}][: {gap}]",
        ),
        (
            "终端的装机设置没有完成[：{gap}][：{missing}，交易只存本机，不会上送][，上送通道{channel}已关闭，交易只存本机，不会上送]",
            "This terminal's set-up is not finished[: {gap}][: {missing}; payments are not sent][; uplink {channel} is off; payments are stored here and not sent]",
        ),
    ),
    entry(
        "config.device_unregistered",
        "HC",
        Owner.ACQUIRER,
        ("终端未登记或非授权设备", "terminal not registered with the acquirer"),
        (
            "请收单机构登记本终端，报序列号[{serial}]、TID[ {terminal_id}]和MID[ {merchant_id}]",
            "Have the acquirer register this terminal: serial number[ {serial}], TID[ {terminal_id}], MID[ {merchant_id}]",
        ),
        (
            "收单主机不认识这台终端[（应答码{response_code}）]",
            "The acquirer's host does not know this terminal[ (response code {response_code})]",
        ),
    ),
    entry(
        "config.wrong_mode",
        "CH",
        Owner.VENDOR,
        ("交易模式/环境错误", "wrong mode (test/live, training)"),
        (
            "请设备厂商改为下发的模式[{expected}]，报序列号[{serial}]和TID[ {terminal_id}]",
            "Have the device vendor set the issued mode[ {expected}]; give serial number[ {serial}] and TID[ {terminal_id}]",
        ),
        (
            "交易模式不对[：现为{found}][，应为{expected}]，付款没有进入正式环境",
            "The mode is wrong[: found {found}][, issued {expected}]; payments do not reach the live system",
        ),
    ),
    entry(
        "config.limit_wrong",
        "C",
        Owner.ACQUIRER,
        ("交易限额设置不当", "limits set wrongly"),
        (
            "请收单机构核对[{currency}]限额，报MID[ {merchant_id}]和TID[ {terminal_id}]",
            "Have the acquirer check the limits[ in {currency}]; give MID[ {merchant_id}] and TID[ {terminal_id}]",
        ),
        (
            "限额设置与下发的不一致[：现为{found}][，应为{expected}]",
            "The limits are not as issued[: configured {found}][, issued {expected}]",
        ),
    ),
    entry(
        "config.permission_denied",
        "OH",
        Owner.TECHNICIAN,
        (
            "权限不足，交易数据无法上传或结算",
            "missing right blocks upload or settlement",
        ),
        (
            "补上所需权限[（{subject}）]，或换用有权限的凭证",
            "Grant the missing right[ on {subject}] or install a credential that has it",
        ),
        (
            "权限不足，上送或结算被拒[：{reason}][（HTTP {http_status}）][，自{since}起]",
            "A right is missing, so upload or settlement is refused[: {reason}][ (HTTP {http_status})][, since {since}]",
        ),
    ),
    entry(
        "config.credential_expired",
        "HC",
        Owner.TECHNICIAN,
        ("上传凭证过期", "upload credential expired"),
        (
            "更新上送凭证[{subject}]",
            "Renew the upload credential[ {subject}]",
        ),
        (
            "主机不再接受本终端的上送凭证[（HTTP {http_status}）][，凭证已于{expired_at}过期][，凭证已于{expires_at}过期][，自{since}起]；交易照常存储",
            "The host refuses the upload credential[ (HTTP {http_status})][, expired {expired_at}][, expired {expires_at}][ since {since}]; payments keep being stored",
        ),
    ),
    entry(
        "config.invalid_parameter",
        "L",
        Owner.CASHIER,
        ("交易参数校验不通过", "transaction parameters fail the check"),
        (
            "核对[{field}]后重新录入这笔交易",
            "Check the entry[ for {field}] and key this transaction again",
        ),
        (
            "交易参数不合格[：{field}][，{error}]",
            "A parameter of the transaction fails the check[: {field}][, {error}]",
        ),
    ),
    entry(
        "config.settlement_account",
        "HA",
        Owner.ACQUIRER,
        ("结算账户信息有误", "settlement account wrong"),
        (
            "请收单机构核对结算账户的户名和账号，报MID[ {merchant_id}]",
            "Have the acquirer check name and number of the settlement account; give MID[ {merchant_id}]",
        ),
        (
            "结算账户的户名或账号可能有误，清算款会被退回",
            "Name or number of the settlement account may be wrong; payouts would come back",
        ),
    ),
    entry(
        "config.identity_copied",
        "O",
        Owner.TECHNICIAN,
        (
            "终端身份随系统镜像被复制到了另一台硬件",
            "identity and store were copied to other hardware",
        ),
        (
            "停止服务后决定：换过主板的同一终端，执行posagent provision adopt --replace；克隆镜像，用--fresh",
            "Stop the agent, then posagent provision adopt: --replace for the same terminal repaired, --fresh for another one's image",
        ),
        (
            "本机的存储和编号来自另一台硬件[（不同：{hardware_other}）][，{inherited_since}发现]；带来的未上送交易已暂停，只查询不上送；新交易照常",
            "This terminal's store comes from other hardware[ ({hardware_other})][, found {inherited_since}]: unsent payments from there are held, new ones go on",
        ),
    ),
)
