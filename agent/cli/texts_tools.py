"""What the tools say: the simulators, and `posagent conformance` beside what its room says.

A part of `agent.cli.texts`, which is the one that is asked.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.cli import texts_simulated

#: name -> (English, Chinese), a part of `agent.cli.texts.TEXTS`
TEXTS: Mapping[str, tuple[str, str]] = {
    "config.desired": (
        "the fleet's settings of version {version} are laid over it",
        "已叠加平台下发的第 {version} 版设置",
    ),
    "config.desired.key": ("set by the fleet, version {version}", "平台下发，第 {version} 版"),
    "config.desired.conflict": (
        (
            "the fleet's settings of version {version} are not in force: {key} no longer agrees "
            "with these files"
        ),
        "平台下发的第 {version} 版设置未生效：{key} 与本机配置文件不再相符",
    ),
    **texts_simulated.TEXTS,
    "component.configuration": ("settings", "参数"),
    "help.sim": (
        "simulated printer, scanner, keypad, modem, host, acquirer, broker or fleet",
        "模拟打印机、扫码枪、键盘、调制解调器、主机、收单机构、MQTT 服务器或终端群",
    ),
    "help.sim.scanner": ("run one, or give orders to one", "运行模拟扫码枪，或向其发出指令"),
    "help.sim.scanner.vendor": ("whose language it speaks", "扫码枪的厂家指令集"),
    "help.sim.scanner.baud": ("its speed; 0: that of the port", "波特率；0 为串口当前设置"),
    "error.sim_scanner": (
        "--path is missing: where the scanner appears",
        "缺少 --path：扫码枪的位置",
    ),
    "help.sim.modem": ("run one, or give orders to one", "运行模拟调制解调器，或向其发出指令"),
    "help.sim.modem.maker": ("whose figures and commands it has", "模拟哪家的指令和数值"),
    "error.sim_modem": (
        "--path is missing: where the modem's AT port appears",
        "缺少 --path：AT 端口的位置",
    ),
    "help.sim.printer": ("run one, or give orders to one", "运行模拟打印机，或向其发出指令"),
    "help.sim.dialect": ("the language it speaks", "打印机的指令集"),
    "help.sim.sensors": (
        "paper sensors: two bits each, one bit each, or only the end",
        "纸传感器：各两位、各一位，或只有缺纸传感器",
    ),
    "help.sim.connection": (
        "a serial port (pty) or a network printer (tcp)",
        "串口（pty）或网络打印机（tcp）",
    ),
    "help.sim.listen": ("address of a network printer", "网络打印机的监听地址"),
    "help.sim.host": ("run one, or give orders to one", "运行模拟主机，或向其发出指令"),
    "help.sim.acquirer": (
        "run an ISO 8583 acquirer, or give orders to one",
        "运行模拟收单机构（ISO 8583），或向其发出指令",
    ),
    "help.sim.broker": ("run one", "运行 MQTT 服务器"),
    "help.sim.receipt": ("file that gets what is printed", "保存打印内容的文件"),
    "help.sim.port": ("port to listen on; 0: any free one", "监听端口；0 为任意空闲端口"),
    "help.sim.control_port": ("port that takes orders", "接收指令的端口"),
    "help.sim.ledger": ("file that keeps the postings", "账本文件"),
    "help.sim.cert": ("certificate: speak https", "证书：使用 https"),
    "help.sim.key": ("its private key", "证书的私钥"),
    "help.sim.client_ca": ("CA that clients must come from", "客户端证书的 CA"),
    "help.sim.path": ("where the serial device appears", "串口设备的位置"),
    "help.sim.control": ("where it takes orders", "接收指令的位置"),
    "help.sim.order": ("what to do; help lists the words", "指令；help 列出全部"),
    "help.sim.host_order": (
        "a fault to switch on, with name=value; or state, ledger, off",
        "要打开的故障及 名称=值；或 state、ledger、off",
    ),
    "help.conformance": (
        "hold a host against the receiver contract; posts test payments",
        "检验主机是否遵守接收方契约；会发送测试交易",
    ),
    "help.conformance.url": ("where payments are posted", "交易上送地址"),
    "help.conformance.yes": (
        "post to a host that is not this machine",
        "确认向非本机的主机发送测试交易",
    ),
    "help.conformance.ca": (
        "authority that signed the host's certificate",
        "签发主机证书的 CA",
    ),
    "help.conformance.cert": ("client certificate to show", "客户端证书"),
    "help.conformance.key": ("its private key", "其私钥"),
    "help.conformance.terminal": ("a test terminal of that host", "该主机的测试终端号"),
    "help.conformance.merchant": ("its merchant", "其商户号"),
    "help.conformance.other": ("a second test terminal", "第二个测试终端号"),
    "help.conformance.amount": (
        "of each test payment, in minor units; default: 1",
        "每笔测试交易的金额（最小单位）；默认 1",
    ),
    "help.conformance.decline": (
        "an amount in minor units that the host declines",
        "主机会拒绝的金额（最小单位）",
    ),
    "help.conformance.currency": ("default: CNY", "默认 CNY"),
    "help.conformance.kind": ("default: sale", "默认 sale"),
    "help.conformance.posting": ("default: advice", "默认 advice"),
    "help.conformance.body": (
        "body of the test payments, with {{{{key}}}}, {{{{terminal_id}}}}, {{{{amount_minor}}}} …",
        "测试交易的报文，可含 {{{{key}}}}、{{{{terminal_id}}}}、{{{{amount_minor}}}} 等",
    ),
    "help.conformance.type": ("its content type; default: JSON", "其内容类型；默认 JSON"),
    "help.conformance.header": ("a further header, NAME: VALUE", "附加头，写作 NAME: VALUE"),
    "help.conformance.headers": (
        "file of further headers, one a line: for secrets",
        "附加头的文件，每行一个：用于密钥",
    ),
    "help.conformance.token": (
        "file with the token of Authorization: Bearer",
        "Authorization: Bearer 的令牌文件",
    ),
    "help.conformance.timeout": (
        "seconds until an answer counts as missing; default: 30",
        "应答时限（秒）；默认 30",
    ),
    "help.conformance.in_flight": (
        "seconds a payment may stay in progress; default: 60",
        "允许处理中的秒数；默认 60",
    ),
    "conformance.no_url": (
        "{url} is not an http(s) address without user, ? and #",
        "{url} 不是不含用户名、? 和 # 的 http(s) 地址",
    ),
    "conformance.plain": (
        "{host} is not this machine: http would show every payment to the network; use https",
        "{host} 不是本机：http 会把交易暴露给网络；请用 https",
    ),
    "conformance.ask": (
        (
            "this posts about 20 payments of {amount} to {host} as terminal {terminal}; they are "
            "real unless that terminal is for tests. Nothing was sent"
        ),
        (
            "将以终端 {terminal} 向 {host} 发送约 20 笔 {amount} 的交易；"
            "除非是测试终端，否则均为真实交易。尚未发送任何内容"
        ),
    ),
    "conformance.ask.hint": (
        "give --terminal and --merchant of a test terminal, and --yes",
        "请给出测试终端的 --terminal 和 --merchant，并加 --yes",
    ),
    "conformance.warn": (
        "posting test payments to {host} as terminal {terminal}; take them back afterwards",
        "正以终端 {terminal} 向 {host} 发送测试交易；完成后请撤销",
    ),
    "conformance.file": ("{file} cannot be read: {reason}", "无法读取 {file}：{reason}"),
    "conformance.header": (
        "{line} is not a header; write NAME: VALUE",
        "{line} 不是请求头；应写作 NAME: VALUE",
    ),
    "conformance.head": (
        "{url} · {requests} requests · {seconds} s",
        "{url} · {requests} 个请求 · {seconds} 秒",
    ),
    "conformance.unseen": ("not examined: {what}", "未检验：{what}"),
    "conformance.seen": ("seen: {what}", "所见：{what}"),
    "conformance.costs": ("costs: {what}", "后果：{what}"),
    "conformance.sum": (
        "{holds} hold, {fails} fail, {advice} advised, {unseen} not seen",
        "{holds} 项符合，{fails} 项不符，{advice} 项建议，{unseen} 项未能检验",
    ),
    "conformance.posted": (
        "{count} test payments were posted, {sum} altogether, keys {first} … {last}",
        "共入账 {count} 笔测试交易，合计 {sum}，键 {first} … {last}",
    ),
    "conformance.good": (
        "the host keeps the contract, as far as requests can show it",
        "就请求所能看出的，主机遵守契约",
    ),
    "conformance.bad": (
        "the host does NOT keep the contract",
        "主机不遵守契约",
    ),
    "verdict.holds": ("holds", "符合"),
    "verdict.fails": ("FAILS", "不符"),
    "verdict.advice": ("advice", "建议"),
    "verdict.unseen": ("unseen", "未检"),
}
