"""Words of closed lists: how bad, who acts, where a payment stands. A part of `agent.cli.texts`."""

from __future__ import annotations

from collections.abc import Mapping

#: name -> (English, Chinese), a part of `agent.cli.texts.TEXTS`
TEXTS: Mapping[str, tuple[str, str]] = {
    "severity.critical": ("critical", "严重"),
    "severity.major": ("major", "重要"),
    "severity.minor": ("minor", "次要"),
    "severity.warning": ("warning", "提醒"),
    "owner.merchant": ("merchant", "商户"),
    "owner.cashier": ("cashier", "收银员"),
    "owner.technician": ("technician", "技术员"),
    "owner.vendor": ("vendor", "厂商"),
    "owner.acquirer": ("acquirer", "收单机构"),
    "owner.bank": ("bank", "银行"),
    "owner.platform": ("platform", "支付平台"),
    "owner.agent": ("nobody, it heals itself", "无需处理，自动恢复"),
    "state.queued": ("queued", "待上送"),
    "state.sending": ("sending", "上送中"),
    "state.waiting": ("waiting", "等待重试"),
    "state.held": ("held", "暂停"),
    "state.posted": ("posted", "已入账"),
    "state.declined": ("declined", "被拒绝"),
    "state.reversed": ("reversed", "已冲正"),
    "state.voided": ("voided", "已撤回"),
    "state.lapsed": ("lapsed", "已过期未送"),
}
