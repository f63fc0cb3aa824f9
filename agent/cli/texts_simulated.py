"""What the simulated fleet says. A part of `agent.cli.texts_tools`."""

from __future__ import annotations

from collections.abc import Mapping

#: name -> (English, Chinese), a part of `agent.cli.texts_tools.TEXTS`
TEXTS: Mapping[str, tuple[str, str]] = {
    "help.sim.fleet": (
        "many terminals against one broker; Ctrl-C ends them",
        "模拟大量终端连接一个 MQTT 服务器；按 Ctrl-C 结束",
    ),
    "help.sim.fleet.count": ("number of terminals", "终端数量"),
    "help.sim.fleet.broker": (
        "where they connect: mqtts://host:port, or mqtt:// to loopback",
        "服务器地址：mqtts://HOST:PORT；mqtt:// 仅限本机",
    ),
    "help.sim.fleet.tenant": ("tenant in the topics", "主题中的租户"),
    "help.sim.fleet.certs": (
        "directory with ca.pem and, for each, {{id}}.pem and {{id}}.key, or terminal.pem for all",
        "证书目录：ca.pem，以及每台终端的 {{id}}.pem 与 {{id}}.key，或共用的 terminal.pem",
    ),
    "help.sim.fleet.prefix": ("device ids: this and six digits", "设备编号前缀（后接六位数字）"),
    "help.sim.fleet.seed": ("the same number: the same lives", "随机种子；相同则经历相同"),
    "help.sim.fleet.ramp": (
        "spread the first connects over so many seconds",
        "首次连接分散在多少秒内",
    ),
    "help.sim.fleet.period": ("period of reports", "上报周期（秒）"),
    "help.sim.fleet.spread": (
        "spread reconnects over so many seconds after the broker went away",
        "服务器断开后，重连分散在多少秒内",
    ),
    "help.sim.fleet.offline": (
        "share of terminals without network at any moment",
        "任一时刻无网络的终端比例",
    ),
    "help.sim.fleet.hosts_down": (
        "share of payment hosts that are down at any moment",
        "任一时刻不可用的支付主机比例",
    ),
    "help.sim.fleet.alarms": (
        "share of terminals with an alarm at any moment",
        "任一时刻有告警的终端比例",
    ),
    "help.sim.fleet.sales": ("payments per terminal and hour", "每台终端每小时的交易笔数"),
    "help.sim.fleet.report": (
        "at the end, what each terminal knows the broker has (a line of JSON each)",
        "结束时写出每台终端已被服务器确认的消息（每台一行 JSON）",
    ),
    "sim.fleet.line": (
        (
            "{age} s  {connected}/{terminals} connected, {offline} offline, {messages}/s messages,"
            " {connects}/s connects, {queued} queued, {payments} payments unsent on {waiting}"
        ),
        (
            "{age} 秒  已连接 {connected}/{terminals}，离线 {offline}，消息 {messages}/秒，"
            "连接 {connects}/秒，待发 {queued}，{waiting} 台终端积压 {payments} 笔"
        ),
    ),
}
