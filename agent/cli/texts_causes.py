"""What `posagent causes` says; a part of `agent.cli.texts`."""

from __future__ import annotations

from collections.abc import Mapping

#: name -> (English, Chinese)
TEXTS: Mapping[str, tuple[str, str]] = {
    "help.causes": (
        "the catalogue of causes, and what to do about each",
        "原因目录，以及每个原因怎么处理",
    ),
    "help.causes.code": ("one cause, or the beginning of several", "一个原因代码，或其开头"),
    "help.causes.chapter": ("only this chapter", "只列这一章"),
    "help.causes.owner": ("only what this one has to act on", "只列由其负责的"),
    "help.causes.known": (
        "only what is known so: O terminal, H host, R reconciliation, C check, L journal, A advice",
        "只列以此途径得知的：O 终端监测、H 主机应答、R 对账、C 参数检查、L 本地流水、A 仅供参考",
    ),
    "help.causes.words": ("only those whose texts have these words", "只列文字里有这些词的"),
    "causes.none": ("no cause fits these filters", "没有符合条件的原因"),
    "causes.none.hint": ("posagent causes lists all of them", "posagent causes 列出全部"),
    "causes.now": ("now", "现在"),
    "causes.say": ("say", "对顾客说"),
    "causes.stop": ("stop when", "到此为止"),
    "causes.call": ("then call", "然后致电"),
    "causes.nobody": ("nobody has to be called", "不必致电任何人"),
    "causes.in_full": (
        "In full: posagent causes CODE",
        "查看全文：posagent causes 代码",
    ),
    "chapter.network": ("Network, certificates, clock", "网络、证书、时间"),
    "chapter.hardware": ("The terminal's own hardware", "终端硬件"),
    "chapter.software": ("The terminal's software", "终端软件"),
    "chapter.configuration": ("Configuration and rights", "参数与权限"),
    "chapter.host": ("Host, bank and platform", "主机、银行、支付平台"),
    "chapter.operation": ("Operation, queue, environment", "操作、队列、外部"),
    "chapter.fleet": ("The line to the fleet", "远程管理"),
}
