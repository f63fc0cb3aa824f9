"""Every sentence the demo says, in Chinese and English, and how a line of it looks.

Decides words only; when they are said is the story's business. Plain text: what is shown here
must read the same on a serial console.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Literal, TextIO

Language = Literal["zh", "en"]

#: name -> (Chinese, English)
TEXTS: Mapping[str, tuple[str, str]] = {
    "title": (
        "posagent 演示：一台终端、一台模拟打印机、一台模拟收单主机、一个 MQTT 服务器，全部在本机",
        "posagent demo: a terminal, a simulated printer, host and MQTT broker, all on this machine",
    ),
    "run_dir": ("全部文件都在 {path}", "everything lives in {path}"),
    "http_only": (
        "没有安装 trustme，主机使用本机 http（安装 posagent[demo] 后使用 https）",
        "trustme is not installed: the host speaks http on loopback (posagent[demo] gives https)",
    ),
    "started": (
        "已启动：主机 {host} · MQTT 端口 {mqtt} · 打印机 {printer} · 真正的 posagent 进程 {pid}",
        "started: host {host} · MQTT port {mqtt} · printer {printer} · real posagent, pid {pid}",
    ),
    "page.address": (
        "技术人员页面：{address}（一次性登录码：posagent page）",
        "the technician's page: {address} (a code to sign in: posagent page)",
    ),
    "act.pay": ("一 收款", "1 Payments"),
    "pay.submitted": (
        "支付应用交来 {count} 笔，合计 {amount}；每一笔都先写入磁盘，才回答“已记录”",
        "the payment app handed over {count} payments, {amount}; each on disk before the answer",
    ),
    "pay.posted": ("{count} 笔全部由主机入账", "all {count} are posted at the host"),
    "pay.lost": (
        "再来一笔，主机已入账，但应答在路上丢失……",
        "one more: the host posts it, but its answer is lost on the way …",
    ),
    "pay.found": (
        "……终端没有盲目重发：先按同一个键向主机查询，得知已入账（参考号 {reference}）",
        "… the agent did not send blindly again: it asked by key; posted, reference {reference}",
    ),
    "act.paper": ("二 打印机缺纸", "2 The printer runs out of paper"),
    "paper.pulled": ("把纸抽走", "pulling the paper out"),
    "paper.alarm": (
        "{seconds:.0f} 秒后管理平台在 MQTT 上收到告警：{topic}  {body}",
        "{seconds:.0f} s later the fleet hears the alarm over MQTT: {topic}  {body}",
    ),
    "paper.filled": ("装上新纸", "loading a new roll"),
    "paper.cleared": (
        "{seconds:.0f} 秒后告警解除：{topic}  {body}",
        "{seconds:.0f} s later the alarm is cleared: {topic}  {body}",
    ),
    "paper.slip": (
        "换纸时先在屏幕上看预结算单：{command}",
        "meanwhile the pre-settlement slip, on the screen: {command}",
    ),
    "act.cut": ("三 与主机断开", "3 The host is cut off"),
    "cut.cut": ("主机现在拒绝连接", "the host now refuses connections"),
    "cut.advices": (
        "{count} 笔脱机批准的交易（通知）照常受理，已存盘，共 {amount}",
        "{count} offline-approved payments (advices) are still taken and safely stored, {amount}",
    ),
    "cut.request": (
        "1 笔需要主机批准的交易（请求），顾客只等 {seconds} 秒",
        "1 payment that needs the host's approval (request); the customer waits {seconds} s",
    ),
    "cut.lapsed": (
        "该请求已过期：从未发送，没有扣款，也不会在顾客离开后补发",
        "that request has lapsed: never sent, nobody charged, and never sent late",
    ),
    "cut.backlog": (
        "未发送：{count} 笔，{amount}（管理平台在 MQTT 上也看到：{fleet} 笔）",
        "not sent yet: {count} payments, {amount} (the fleet sees it over MQTT: {fleet})",
    ),
    "cut.why": ("问一句为什么：{command}", "asking why: {command}"),
    "act.fleet": ("四 管理平台下达签名命令", "4 The fleet sends signed commands"),
    "fleet.key": (
        "终端只认它配置里的公钥（刚刚生成）；命令经同一个 MQTT 服务器送达，服务器本身无权指挥",
        "the terminal obeys only the key it was configured with (made just now), not the broker",
    ),
    "fleet.sent": ("管理平台：{command}", "the fleet: {command}"),
    "fleet.state": ("该笔现在的状态：{state}", "that payment's state now: {state}"),
    "fleet.none": (
        "没有 mosquitto：管理平台的命令不演示（MQTT 服务器是只懂 3.1.1 的 amqtt）",
        "no mosquitto: the fleet's own tools are not shown (the broker is amqtt, 3.1.1 only)",
    ),
    "act.back": ("五 主机恢复", "5 The host is back"),
    "back.back": ("主机重新接受连接", "the host takes connections again"),
    "back.drained": (
        "{seconds:.0f} 秒后积压清空",
        "{seconds:.0f} s later the backlog is empty",
    ),
    "act.bank": ("六 银行的清算清单", "6 The bank's list"),
    "bank.written": (
        "一份银行清单，由演示写成，故意改错一笔金额、漏掉一笔：{path}",
        "a bank's list, made here with one wrong amount and one payment left out: {path}",
    ),
    "bank.read": ("与本机交易逐笔核对：{command}", "held against this terminal: {command}"),
    "act.check": ("核对主机账本", "The host's ledger against what was submitted"),
    "check.posted": (
        "应入账 {expected} 笔 {amount}，账本 {found} 笔 {ledger}",
        "should be posted: {expected}, {amount}; the ledger has {found}, {ledger}",
    ),
    "check.missing": ("缺少的交易：{count}", "payments missing: {count}"),
    "check.twice": ("重复入账：{count}", "payments posted twice: {count}"),
    "check.strange": (
        "账本中不应有的交易：{count}",
        "payments in the ledger that should not be there: {count}",
    ),
    "check.lapsed": ("过期的请求从未到达主机", "the lapsed request never reached the host"),
    "check.alarm": (
        "缺纸告警在 MQTT 上出现并解除",
        "the paper alarm appeared on MQTT and was cleared",
    ),
    "check.why": (
        "why 说出了原因：{cause}",
        "why named the cause: {cause}",
    ),
    "check.late": (
        "why --late 恰好列出迟到的交易",
        "why --late named the late payments and no others",
    ),
    "check.slip": (
        "预结算单的合计与主机账本一致",
        "the pre-settlement slip's total was that of the host's ledger",
    ),
    "check.bank": (
        "银行清单里的两处错误都找到了，没有误报",
        "both mistakes in the bank's list were found, and no others",
    ),
    "check.page": ("页面在 {address} 可以打开", "the page answers at {address}"),
    "check.obeyed": (
        "平台的两条签名命令都照办：先暂扣，再放行",
        "both signed commands of the fleet were obeyed: held, then released",
    ),
    "all_good": ("全部相符，用时 {seconds:.0f} 秒", "everything agrees, after {seconds:.0f} s"),
    "not_good": ("有不符之处，见上文", "something does not agree, see above"),
    "open": ("尚未发送：{count} 笔", "not sent yet: {count}"),
    "hints": ("接着可以自己试（另开一个终端）：", "now try it yourself (in another terminal):"),
    "hint.paper-out": ("抽走打印纸", "pull the paper"),
    "hint.paper-in": ("装上打印纸", "load paper"),
    "hint.cut": ("断开网络", "cut the network"),
    "hint.lose": ("丢掉下一个应答", "lose the next answer"),
    "hint.page": ("再取一个页面登录码", "get another code for the page"),
    "hint.mend": ("恢复网络", "mend it"),
    "hint.kill": ("杀死终端程序", "kill the agent"),
    "hint.why": ("问为什么", "ask why"),
    "hint.status": ("看状态", "see its state"),
    "hint.queue": ("看未发送的交易", "see what is unsent"),
    "hint.ledger": ("看主机账本", "see the host's ledger"),
    "hint.fleet-watch": ("像平台管理员那样看", "watch it as a fleet manager"),
    "hint.fleet-send": ("给终端发一条签名命令", "send the terminal a signed command"),
    "hint.mqtt": ("看 MQTT 消息", "see the MQTT messages"),
    "page": (
        "技术人员页面（一次性链接）：{address}in.html#{code}",
        "the technician's page, a link that counts once: {address}in.html#{code}",
    ),
    "hint.stop": (
        "每 {seconds} 秒还会来一笔交易；按 Ctrl-C 结束并清理一切",
        "a payment arrives every {seconds} s; Ctrl-C ends and cleans up everything",
    ),
    "live.alarm": ("MQTT 告警：{body}", "alarm over MQTT: {body}"),
    "live.cleared": ("MQTT 告警解除：{body}", "alarm cleared over MQTT: {body}"),
    "live.backlog": ("未发送：{count} 笔", "not sent yet: {count}"),
    "live.refused": (
        "支付应用没有得到“已记录”（{reason}），用同一个键再交",
        'the payment app did not hear "recorded" ({reason}); it repeats with the same key',
    ),
    "agent.died": (
        "终端程序退出（{how}），{seconds:.0f} 秒后重新启动它",
        "the agent ended ({how}); starting it again in {seconds:.0f} s",
    ),
    "agent.back": ("终端程序已重新启动，进程 {pid}", "the agent is back, pid {pid}"),
    "failed": ("演示中断：{reason}", "the demo stopped: {reason}"),
    "log": ("终端程序的日志（{path}）末尾：", "the end of the agent's log ({path}):"),
    "bye": ("已结束，启动过的一切都已停止", "ended; everything that was started is stopped"),
}


class Narrator:
    """Says lines with the seconds since the beginning in front."""

    def __init__(self, language: Language, out: TextIO | None = None) -> None:
        self.language: Language = language
        self._out = sys.stdout if out is None else out
        self._began_s = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._began_s

    def text(self, name: str, **fields: object) -> str:
        """The sentence in the chosen language."""
        zh, en = TEXTS[name]
        return (zh if self.language == "zh" else en).format(**fields)

    def say(self, name: str, **fields: object) -> None:
        self._line(f"{self.elapsed_s:6.1f} s  {self.text(name, **fields)}")

    def heading(self, name: str) -> None:
        self._line(f"\n== {self.text(name)}")

    def verdict(self, good: bool, name: str, **fields: object) -> None:
        """One line of the final check."""
        self._line(f"  {'✓' if good else '✗'} {self.text(name, **fields)}")

    def quote(self, text: str) -> None:
        """Somebody else's output, set off from the story."""
        for line in text.rstrip().splitlines():
            self._line(f"    | {line}")

    def hint(self, name: str, command: str) -> None:
        self._line(f"  # {self.text(name)}\n  {command}")

    def _line(self, line: str) -> None:
        self._out.write(line + "\n")
        self._out.flush()
