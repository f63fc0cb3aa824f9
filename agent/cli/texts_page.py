"""What `posagent page` says; a part of `agent.cli.texts`."""

from __future__ import annotations

from collections.abc import Mapping

#: name -> (English, Chinese), a part of `agent.cli.texts.TEXTS`
TEXTS: Mapping[str, tuple[str, str]] = {
    "help.page": (
        "the technician's page: where it is, a code to sign in",
        "技术人员页面：地址与登录码",
    ),
    "help.page.order": (
        "code: address and fresh code (default); open, close: the listener for a laptop; show",
        "code：地址和新登录码（默认）；open、close：打开或关闭供笔记本电脑用的端口；show：查看",
    ),
    "help.page.minutes": ("open: for how long", "open：开放多少分钟"),
    "page.address": ("Page: {address}", "页面地址：{address}"),
    "page.code": (
        "Code: {code}  (once, within {minutes} min)",
        "登录码：{code}（只能用一次，{minutes} 分钟内有效）",
    ),
    "page.link": ("Signed in at once: {link}", "直接登录：{link}"),
    "page.closes": ("It closes by itself in {minutes} min.", "页面将在 {minutes} 分钟后自动关闭。"),
    "page.fingerprint": (
        "The browser warns of the certificate. Go on only if its SHA-256 is:",
        "浏览器会提示证书不受信任。仅当 SHA-256 指纹与下面一致时才继续：",
    ),
    "page.printed": ("Address and code are on the slip.", "地址和登录码已打印在诊断单上。"),
    "page.closed": ("The service listener is closed.", "服务端口已关闭。"),
    "page.none": ("The page is not served at the moment.", "当前没有提供页面。"),
    "page.here": ("on this terminal", "本机"),
    "page.there": ("for a laptop", "供笔记本电脑"),
    "page.shown": (
        "{where}: {address}  {sessions} signed in",
        "{where}：{address}  已登录 {sessions} 人",
    ),
    "page.opened_by": (
        "  opened by {by}, closes in {minutes} min",
        "  由 {by} 打开，{minutes} 分钟后关闭",
    ),
    "page.minutes_elsewhere": ("--minutes is for open", "--minutes 只用于 open"),
    "component.page": ("page", "页面"),
    "status.page": ("Page", "页面"),
    "status.page_in": ("{count} signed in", "已登录 {count} 人"),
    "status.page_closes": (
        "open to the outside for {span} more, by {by}",
        "对外开放，还剩 {span}，由 {by} 打开",
    ),
    "watch.head": ("every {every} s, Ctrl-C ends", "每 {every} 秒刷新，Ctrl-C 结束"),
    "watch.changes": ("What changed", "最近变化"),
    "watch.nothing": ("nothing since {at}", "自 {at} 起无变化"),
    "watch.rest": ("… {count} more lines: posagent status", "……还有 {count} 行：posagent status"),
    "watch.silent": ("cannot be asked: {what}", "无法查询：{what}"),
    "watch.down": ("the agent stopped", "终端程序已停止"),
    "watch.up": ("the agent runs", "终端程序已运行"),
    "watch.unsent": ("unsent {before} -> {after}", "未上送 {before} -> {after}"),
    "watch.in_doubt": ("outcome unknown {before} -> {after}", "结果未知 {before} -> {after}"),
    "watch.held": ("held {before} -> {after}", "挂起 {before} -> {after}"),
    "watch.alarm": ("alarm: {title} ({code})", "告警：{title}（{code}）"),
    "watch.over": ("over: {title} ({code})", "解除：{title}（{code}）"),
    "watch.noted": ("{by} has it in hand: {title}", "{by} 已接手：{title}"),
    "watch.channel": ("channel {name}: {before} -> {after}", "通道 {name}：{before} -> {after}"),
    "watch.fleet_on": ("fleet connected", "上报平台已连接"),
    "watch.fleet_off": ("fleet not connected", "上报平台已断开"),
    "watch.component": ("{name}: {before} -> {after}", "{name}：{before} -> {after}"),
    "watch.page_open": ("page open to the outside: {address}", "页面对外开放：{address}"),
    "watch.page_shut": ("page closed: {address}", "页面已关闭：{address}"),
}
