"""Guidance of chapter 7, the line to the fleet: none of it keeps money from moving."""

# ruff: noqa: E501  (a sentence is one line: that is how translators read it)

from agent.core.why.guidance.entry import read

GUIDANCE = read((
    ("fleet.duplicate_id", "fleet", "device serial host",
     ("收款不受影响；看是不是换过主板或克隆过系统，记下机身序列号。", "Payments go on; was a board swapped or an image cloned? Note the serial number on the case."),
     ("（与顾客无关，正常收款。）", "(No customer is touched by it.)"),
     ("两台机器轮流上下线", "two terminals push each other off in turns")),
    ("fleet.not_authorised", "fleet", "device subject error",
     ("不要换编号去试；核对证书文件日期和服务器地址。", "Try no other id; check the certificate's dates and the broker's address."),
     ("（远程管理的事，付款照常。）", "(It is about remote management, payments work.)"),
     ("服务器上账号和权限都对，仍被拒", "account and rights are right on the broker and it is still refused")),
    ("fleet.data_budget", "fleet", "device iccid",
     ("看哪一项一天上报上百次，多半是忽有忽无的故障；修好它流量就下来。", "Find what reports hundreds of times a day, mostly a fault that comes and goes; mend it and traffic falls."),
     ("（后台在省流量，收款优先。）", "(It saves data in the background; money goes first.)"),
     ("修好后第二天仍超预算", "it is over budget again the day after")),
    ("fleet.desired_rejected", "fleet", "device version error",
     ("终端上不用动，旧配置仍在用；把拒绝原因原样发给签发人。", "Nothing to do here, the old settings hold; pass the reason on word for word."),
     ("（设置没有变，照常使用。）", "(Nothing has changed at the till.)"),
     ("改正后的新版本又被拒", "the corrected version is refused too")),
    ("fleet.forged_command", "fleet", "device time host",
     ("命令没有执行；不要断网取证，保留日志，当天上报。", "None was carried out; keep the log, stay on the network, report it the same day."),
     ("（不涉及顾客和资金。）", "(Neither customers nor money are involved.)"),
     ("现在就报告：有人能向本机主题发消息", "now: somebody can publish to this terminal's topics")),
))  # fmt: skip
