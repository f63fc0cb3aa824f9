"""What `posagent fleet send` says of answers. A part of `agent.cli.texts`."""

from __future__ import annotations

from collections.abc import Mapping

#: name -> (English, Chinese), a part of `agent.cli.texts.TEXTS`
TEXTS: Mapping[str, tuple[str, str]] = {
    # fields of the contract, where a person reads them
    "fleetfield.amount": ("amount", "金额"),
    "fleetfield.tenant": ("tenant", "租户"),
    "fleetfield.device_id": ("terminal", "终端"),
    "fleetfield.state": ("state", "状态"),
    "fleetfield.connects": ("connections so far", "累计连接次数"),
    "fleetfield.last_seen_ts": ("last heard", "最近消息"),
    "fleetfield.site": ("site", "地点"),
    "fleetfield.model": ("model", "机型"),
    "fleetfield.firmware": ("firmware", "固件"),
    "fleetfield.agent_version": ("agent version", "监测程序版本"),
    "fleetfield.os": ("operating system", "操作系统"),
    "fleetfield.profile": ("reporting profile", "上报方案"),
    "fleetfield.desired_version": ("desired state in force", "生效的期望状态版本"),
    "fleetfield.contract": ("contract version", "契约版本"),
    "fleetfield.config_version": ("configuration", "配置版本"),
    "fleetfield.terminal_ids": ("terminal ids", "终端号"),
    "fleetfield.merchant_ids": ("merchant ids", "商户号"),
    "fleetfield.uplinks": ("hosts", "上送通道"),
    "fleetfield.capabilities": ("commands it takes", "可执行的命令"),
    "fleetfield.alarms": ("alarms", "告警"),
    "fleetfield.code": ("cause", "原因"),
    "fleetfield.severity": ("severity", "级别"),
    "fleetfield.component": ("component", "部件"),
    "fleetfield.since_ts": ("since", "开始时间"),
    "fleetfield.acknowledged": ("noted", "已知悉"),
    "fleetfield.backlog": ("unsent money", "未上送款项"),
    "fleetfield.count": ("count", "数量"),
    "fleetfield.oldest_age_s": ("oldest", "最久"),
    "fleetfield.cause": ("cause", "原因"),
    "fleetfield.cause_count": ("of this cause", "该原因笔数"),
    "fleetfield.next_attempt_ts": ("next attempt", "下次重试"),
    "fleetfield.queued_count": ("queued", "待上送"),
    "fleetfield.sending_count": ("sending", "上送中"),
    "fleetfield.waiting_count": ("waiting to try again", "等待重试"),
    "fleetfield.held_count": ("held", "暂停"),
    "fleetfield.in_doubt_count": ("in doubt", "结果不明"),
    "fleetfield.quarantined_count": ("quarantined", "隔离"),
    "fleetfield.told_ts": ("told at", "报告时间"),
    "fleetfield.told_s": ("told", "距报告"),
    "fleetfield.last_command": ("last command", "最近命令"),
    "fleetfield.cmd_id": ("command id", "命令编号"),
    "fleetfield.op": ("command", "命令"),
    "fleetfield.status": ("status", "状态"),
    "fleetfield.detail": ("detail", "说明"),
    "fleetfield.percent": ("percent", "百分比"),
    "fleetfield.result": ("result", "结果"),
    "fleetfield.title": ("title", "名称"),
    "fleetfield.step": ("next step", "下一步"),
    "fleetfield.owner": ("who acts", "处理方"),
    "fleetfield.info": ("about it", "终端信息"),
    "fleetfield.readings": ("readings", "读数"),
    # how it ended: the words of docs/fleet/commands.md
    "fleetcode.id_reused": (
        "another command had this id before",
        "该编号已被另一条命令使用",
    ),
    "fleetcode.sequence_used": (
        "its number was used before: a second copy of the key, or one sent out of order",
        "序号已用过：密钥有第二份副本，或下发次序颠倒",
    ),
    "fleetcode.unknown_op": ("this terminal does not know the command", "终端不认识该命令"),
    "fleetcode.bad_arguments": ("its arguments are wrong", "参数有误"),
    "fleetcode.bad_lifetime": ("it may live a week at most", "有效期最长一周"),
    "fleetcode.not_allowed": ("the key's roles do not allow it", "该密钥的角色无此权限"),
    "fleetcode.expired": ("it came too late", "到达时已过期"),
    "fleetcode.issued_ahead": (
        "issued in the terminal's future: compare the clocks",
        "签发时间晚于终端时间：请核对时钟",
    ),
    "fleetcode.clock_suspect": (
        "the terminal does not believe its clock; only looking is possible",
        "终端时钟不可信，只能执行查看类命令",
    ),
    "fleetcode.counters_lost": (
        "the terminal lost its counters and takes only newly issued commands",
        "终端丢失了序号记录，只接受此后签发的命令",
    ),
    "fleetcode.not_available": (
        "this terminal cannot do it, or its configuration does not allow it",
        "该终端不支持此命令，或其配置不允许",
    ),
    "fleetcode.rate_limited": (
        "too many commands this hour: send it again later",
        "本小时命令过多：请稍后重发",
    ),
    "fleetcode.terminal_busy": (
        "somebody is paying there: send it again later",
        "终端正在收款：请稍后重发",
    ),
    "fleetcode.interrupted": (
        "a stop cut it short; it is not begun again",
        "因程序停止而中断，不会自动重做",
    ),
    "fleetcode.timeout": ("it took too long", "执行超时"),
    # what it brought
    "fleetres.retry": (
        "every host is tried again now; payments brought forward: {count}",
        "立即重新连接主机；提前上送 {count} 笔",
    ),
    "fleetres.noted": ("{title} ({code}): noted", "{title}（{code}）：已记为知悉"),
    "fleetres.step": ("next step: {step}", "下一步：{step}"),
    "fleetres.who": ("who acts: {owner}", "处理方：{owner}"),
    "fleetres.why": ("why: {why}", "依据：{why}"),
    "fleetres.unknown": ("not known: {what}", "未知：{what}"),
    "fleetres.more": ("… {count} more: --json", "…… 另有 {count} 项：--json"),
    "fleet.rollout.who": (
        "said no: {devices} (why: event=desired_rejected in the terminal's log)",
        "拒绝的终端：{devices}（原因见终端日志 event=desired_rejected）",
    ),
    "fleet.no_fit": ("no terminal fits the filter", "没有符合过滤条件的终端"),
    "fleetres.nobody": (
        "nobody listened there when it was sent",
        "下发时该终端未订阅",
    ),
}
