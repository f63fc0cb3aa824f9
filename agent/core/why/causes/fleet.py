"""Chapter 7: the line to the fleet – identity, rights, data volume, what is sent down."""

# ruff: noqa: E501  (a sentence is one line: that is how translators read it)

from agent.core.why.causes.cause import Cause, Owner, entry

CAUSES: tuple[Cause, ...] = (
    entry(
        "fleet.duplicate_id",
        "O",
        Owner.TECHNICIAN,
        ("另一台终端使用了同一编号", "another terminal uses the same id"),
        (
            "查出使用同一device_id的终端，给其中一台换编号和证书[（服务器：{endpoint}）]",
            "Find the terminal with the same device_id and give one of them an id and certificate of its own[ (broker: {endpoint})]",
        ),
        (
            "远程管理服务器[{endpoint}]断开了本机，因为另一台终端以同一编号登录[；本机自{inherited_since}起运行在另一台硬件上：复制品是本机]",
            "The fleet's broker[ {endpoint}] ended this connection: another terminal signed in with the same id[; this one is the copy (since {inherited_since})]",
        ),
    ),
    entry(
        "fleet.not_authorised",
        "O",
        Owner.TECHNICIAN,
        ("远程管理服务器拒绝本机", "the fleet's broker refuses this terminal"),
        (
            "在服务器上核对本机的证书、账号和主题权限[（{endpoint}）]",
            "Check this terminal's certificate, account and topic rights on the broker[ ({endpoint})]",
        ),
        (
            "远程管理服务器[{endpoint}]不接受本机的证书、账号或主题权限[：{reason}]",
            "The fleet's broker[ {endpoint}] does not accept this terminal's certificate, account or topic rights[: {reason}]",
        ),
    ),
    entry(
        "fleet.data_budget",
        "O",
        Owner.TECHNICIAN,
        ("远程监测流量超出预算", "telemetry uses more data than planned"),
        (
            "查看是什么让本机频繁上报，必要时提高每日流量预算[（现为{budget_kb} kB）]",
            "See what makes this terminal report so often; raise the daily budget[ (now {budget_kb} kB)] if that is right",
        ),
        (
            "今天的监测流量[已达{spent_today_kb} kB]接近或超过预算[{budget_kb} kB]，本机正在减少上报[：{budget_step}]",
            "Today's telemetry[ has used {spent_today_kb} kB and] is near or over its budget[ of {budget_kb} kB]; this terminal now reports less[: {budget_step}]",
        ),
    ),
    entry(
        "fleet.desired_rejected",
        "O",
        Owner.TECHNICIAN,
        ("远程下发的配置被拒绝", "settings sent by the fleet were refused"),
        (
            "改正后以更高的版本号重新签发[（被拒版本{desired_version}）]",
            "Correct it and sign it again with a higher version[ (refused: {desired_version})]",
        ),
        (
            "本机没有采用远程下发的配置[，版本{desired_version}][，原因：{desired_reason}]，仍按原配置运行",
            "This terminal did not adopt what the fleet sent[, version {desired_version}][, because {desired_reason}], and keeps what it had",
        ),
    ),
    entry(
        "fleet.forged_command",
        "O",
        Owner.TECHNICIAN,
        ("收到伪造的远程命令", "forged commands arrive"),
        (
            "查明谁能在服务器上向本机主题发布，并更换其凭据[（{endpoint}）]",
            "Find out who may publish to this terminal's topics on the broker[ ({endpoint})] and replace those credentials",
        ),
        (
            "最近一小时收到[{forged_recent}条]签名不符的命令[（{forged_word}）]，均未执行",
            "Within the last hour commands arrived whose signature does not hold[: {forged_recent}][, {forged_word}]; none was carried out",
        ),
    ),
)
