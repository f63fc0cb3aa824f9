"""Guidance of chapter 1, second half: certificates and the clock they depend on."""

# ruff: noqa: E501  (a sentence is one line: that is how translators read it)

from agent.core.why.guidance.entry import read

GUIDANCE = read((
    ("tls.client_certificate_expired", "technician", "tid subject expiry",
     ("先看终端日期对不对；日期没错就运行证书更新，不要换终端号。", "Look at the date first; if it is right, renew the certificate. Do not change the TID."),
     ("这台机器要更新证件，请到另一台付款。", "This terminal's pass is being renewed, please use another one."),
     ("更新证书时被拒绝，或更新后仍提示过期", "renewal is refused, or the new one counts as expired too")),
    ("tls.host_certificate_expired", "acquirer", "host expiry tid mid",
     ("核对终端日期；日期对就别在终端上折腾，也不要关闭证书检查。", "Check the terminal's date; if it is right there is nothing to change here. Never switch the check off."),
     ("银行那边的系统在更新，我们先把这笔存下。", "The bank's side is being updated; we keep this one for now."),
     ("终端日期正确而证书到期日已过", "the date is right and the expiry lies behind it")),
    ("tls.ca_expired", "vendor", "model serial version subject",
     ("别从网上随便下载根证书；等设备厂商的正式更新包，装前先清空未上送的交易。", "Do not fetch a root from the web; wait for the vendor's own package and let the queue drain before installing."),
     ("机器的安全证书要更新，今天请用其他方式付款。", "The terminal's security files are out of date, please pay another way today."),
     ("没有可装的更新，或装后仍不信任主机", "there is no update, or the host is still not trusted after it")),
    ("tls.certificate_expiring", "vendor", "serial subject expiry",
     ("现在还能收款；把到期日写在交接本上，到期前一周必须换好。", "Payments still work; write the expiry into the shift book and have it replaced a week before."),
     ("机器一切正常，可以付款。", "The terminal works, please pay."),
     ("离到期不足七天仍没有新证书", "seven days are left and no new one is there")),
    ("tls.untrusted", "technician", "host subject error",
     ("立刻停用店里的陌生Wi-Fi和代理；换成SIM卡再试，能通就是网络里有人拦截。", "Leave unknown Wi-Fi and proxies at once; if it works over the SIM, something in the network intercepts."),
     ("为了您的资金安全，我换一个网络再收款。", "To keep your payment safe I am changing the network."),
     ("换了网络仍提示同一个陌生签发者", "the same unknown issuer appears on another network")),
    ("clock.wrong", "technician", "tid time",
     ("打开设置里的自动校时；没有网络就照手机时间改日期和时间，再签到一次。", "Turn network time on; without a network copy date and time from a phone, then sign on again."),
     ("机器时间不对，我调一下，请等半分钟。", "The terminal's clock is off, give me half a minute."),
     ("关机再开后时间又错：主板电池没电", "it is wrong again after a power cycle: its battery is dead")),
))  # fmt: skip
