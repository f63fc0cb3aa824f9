"""Chapter 1: the way to the host – link, address, names, routes, certificates, clock."""

# ruff: noqa: E501  (a sentence is one line: that is how translators read it)

from agent.core.why.causes.cause import Cause, Owner, entry

CAUSES: tuple[Cause, ...] = (
    entry(
        "network.no_link",
        "O",
        Owner.CASHIER,
        ("网络未连接", "no network link"),
        (
            "插好网线、连接Wi-Fi或插入SIM卡[（接口{interface}）]",
            "Plug in the cable, join the Wi-Fi or insert the SIM card[ (interface {interface})]",
        ),
        (
            "终端没有网络连接[，接口{interface}][，自{since}起断开]；交易已存在本机，联网后自动上送",
            "No network link[ on {interface}][ since {since}]; payments are stored and sent when it is back",
        ),
    ),
    entry(
        "network.weak_signal",
        "O",
        Owner.MERCHANT,
        ("信号弱", "weak signal"),
        (
            "把终端移近路由器或窗边，或换个位置放路由器",
            "Move the terminal nearer the router or a window, or move the router",
        ),
        (
            "[接口{interface}]信号弱[：{signal_dbm} dBm][（{band}）][，自{since}起]，应答会变慢或丢失",
            "The signal[ on {interface}] is weak[: {signal_dbm} dBm][ ({band})][ since {since}]; answers come late or get lost",
        ),
    ),
    entry(
        "network.unstable",
        "O",
        Owner.TECHNICIAN,
        ("网络不稳定", "link keeps dropping"),
        (
            "检查路由器、网线接头和运营商线路",
            "Check the router, the cable ends and the carrier's line",
        ),
        (
            "[接口{interface}]网络反复断开[，最近一小时{drops_last_hour}次]",
            "The link[ {interface}] keeps dropping[: {drops_last_hour} times in the last hour]",
        ),
    ),
    entry(
        "network.no_address",
        "O",
        Owner.TECHNICIAN,
        ("未获取到IP地址", "no IP address"),
        (
            "检查路由器的DHCP，或按下发参数重设静态IP",
            "Check DHCP on the router, or set the static IP address as issued",
        ),
        (
            "[接口{interface}]没有可用的IP地址[（现为{ip_address}）][，自{since}起]：DHCP失败或静态设置有误",
            "No usable IP address[ on {interface}][ (now {ip_address})][ since {since}]: DHCP failed or the static setting is wrong",
        ),
    ),
    entry(
        "network.no_gateway",
        "O",
        Owner.TECHNICIAN,
        ("网关不可达", "gateway unreachable"),
        (
            "重启路由器，再核对网关地址[{gateway_address}]",
            "Restart the router, then check the gateway address[ {gateway_address}]",
        ),
        (
            "网关[{gateway_address}]没有应答[（ARP：{gateway_state}）][，自{since}起]，数据出不了本地网络",
            "The gateway[ {gateway_address}] does not answer[ (ARP: {gateway_state})][ since {since}]; nothing leaves the local network",
        ),
    ),
    entry(
        "network.dns_failed",
        "O",
        Owner.TECHNICIAN,
        ("域名解析失败", "name resolution failed"),
        (
            "换用可用的DNS服务器[（现为{dns_servers}）]，或修复路由器的域名解析",
            "Set a DNS server that works[ (now {dns_servers})], or repair name resolution on the router",
        ),
        (
            "域名[{dns_name}]解析失败[，DNS服务器{dns_servers}][：{dns_reason}][，自{since}起]",
            "The name[ {dns_name}] cannot be resolved[ by DNS server {dns_servers}][: {dns_reason}][, since {since}]",
        ),
    ),
    entry(
        "network.captive_portal",
        "O",
        Owner.CASHIER,
        ("网络需要登录认证", "captive portal"),
        (
            "登录店内Wi-Fi的认证页面，或改用移动数据",
            "Sign in to the shop Wi-Fi, or use mobile data",
        ),
        (
            "网络要求先登录认证[（{portal}）]，登录前付款发不出去",
            "The network asks for a sign-in first[ ({portal})]; until then no payment can leave",
        ),
    ),
    entry(
        "network.no_internet",
        "O",
        Owner.MERCHANT,
        ("有连接但无法上网", "connected, no internet"),
        (
            "致电宽带运营商，报宽带账号和断网时间[{since}]，问是否欠费或中断",
            "Call the line's provider with the line's account number and the time[ {since}]: is it down or unpaid?",
        ),
        (
            "店内网络正常，但上不了互联网[，自{since}起][；备用网络：{backup}]",
            "The local network works, but the internet cannot be reached[ since {since}][; backup channel: {backup}]",
        ),
    ),
    entry(
        "network.host_unreachable",
        "O",
        Owner.TECHNICIAN,
        ("收单主机不可达", "acquirer host unreachable"),
        (
            "核对主机地址[{host}]，检查防火墙、代理和专线是否放行",
            "Check the host address[ {host}] and that firewall, proxy and private line let it through",
        ),
        (
            "收单主机[{host}]拒绝连接或连接超时[：{tcp_reason}][，自{since}起]",
            "The acquirer's host[ {host}] refuses connections or times out[: {tcp_reason}][, since {since}]",
        ),
    ),
    entry(
        "network.slow",
        "O",
        Owner.TECHNICIAN,
        ("网络延迟高", "high latency"),
        (
            "换用更好的网络，或检查是谁占满了线路",
            "Use a better network, or find what fills the line",
        ),
        (
            "网络往返太慢[：{connect_ms}毫秒][，上限{slow_ms}毫秒]，应答可能超时",
            "Round trips are too slow[: {connect_ms} ms][ against a limit of {slow_ms} ms]; answers may time out",
        ),
    ),
    entry(
        "network.config_invalid",
        "C",
        Owner.TECHNICIAN,
        ("网络设置错误或过期", "network settings wrong or expired"),
        (
            "按下发参数改正网络设置[：{setting}]",
            "Set the network as issued[: {setting}]",
        ),
        (
            "APN、静态IP、代理或VPN设置与下发参数不符[：{setting}应为{expected}，现为{found}]",
            "APN, static IP, proxy or VPN differ from what was issued[: {setting} should be {expected}, is {found}]",
        ),
    ),
    entry(
        "network.sim_problem",
        "O",
        Owner.TECHNICIAN,
        ("SIM卡异常", "SIM absent, locked or not registered"),
        (
            "检查SIM卡是否插好、已解锁、套餐未用完未欠费",
            "Check that the SIM card is seated, unlocked and its data plan paid and not used up",
        ),
        (
            "SIM卡不能上网[：{sim_state}][，网络注册：{registration}][，自{since}起]",
            "The SIM card gives no connection[: {sim_state}][, registration: {registration}][, since {since}]",
        ),
    ),
    entry(
        "network.vpn_down",
        "O",
        Owner.TECHNICIAN,
        ("专线/VPN断开", "private line / VPN down"),
        (
            "重新建立专线或VPN[{tunnel}]，并检查对端",
            "Bring the private line or VPN[ {tunnel}] up again and check its far end",
        ),
        (
            "专线或VPN[{tunnel}]断开[，自{since}起]，只能经它到达的主机都连不上",
            "The private line or VPN[ {tunnel}] is down[ since {since}]; hosts behind it cannot be reached",
        ),
    ),
    entry(
        "network.backup_in_use",
        "O",
        Owner.TECHNICIAN,
        ("正在使用备用网络", "running on the backup channel"),
        (
            "修复主用网络[{channel}]",
            "Repair the main channel[ {channel}]",
        ),
        (
            "主用网络不通[：{error}][，自{since}起]，现走备用网络，没有交易丢失",
            "The main channel is down[: {error}][, since {since}]; the backup carries the payments and nothing is lost",
        ),
    ),
    entry(
        "network.backup_unavailable",
        "O",
        Owner.TECHNICIAN,
        ("备用网络不可用", "no usable backup channel"),
        (
            "下次断网之前加装SIM卡或第二个Wi-Fi",
            "Add a SIM card or a second Wi-Fi before the next outage",
        ),
        (
            "没有可用的备用网络[：{error}]，主用网络一断，交易只能存在本机",
            "There is no usable backup channel[: {error}]; when the main one fails, payments can only be stored",
        ),
    ),
    entry(
        "tls.client_certificate_expired",
        "O",
        Owner.TECHNICIAN,
        ("终端证书过期", "this terminal's certificate expired"),
        (
            "先核对终端时间，再更新终端证书[{subject}]",
            "Check the clock first, then renew this terminal's certificate[ {subject}]",
        ),
        (
            "终端证书已过期[（{expires_at}）]，主机会拒绝这台终端",
            "This terminal's certificate has expired[ ({expires_at})]; the host refuses this terminal",
        ),
    ),
    entry(
        "tls.host_certificate_expired",
        "O",
        Owner.ACQUIRER,
        ("主机证书过期", "the host's certificate expired"),
        (
            "先核对终端时间，再致电收单机构，报主机[{host}]、证书到期日[{expires_at}]和TID[ {terminal_id}]",
            "Check the clock, then tell the acquirer the host[ {host}], the certificate's expiry[ {expires_at}] and TID[ {terminal_id}]",
        ),
        (
            "收单主机的证书[{subject}]已过期，终端不能与它安全连接",
            "The host's certificate[ {subject}] has expired; no secure connection to it is possible",
        ),
    ),
    entry(
        "tls.ca_expired",
        "O",
        Owner.VENDOR,
        ("根证书过期或缺失", "trusted CA expired or missing"),
        (
            "向设备厂商报机型、序列号[{serial}]和程序版本[{version}]，索取含新根证书的更新",
            "Ask the device vendor for an update with the new CA; give model, serial number[ {serial}] and version[ {version}]",
        ),
        (
            "本机信任的根证书过期或缺失[：{subject}]，无法核实主机身份",
            "The CA this terminal trusts is expired or missing[: {subject}]; the host cannot be verified",
        ),
    ),
    entry(
        "tls.certificate_expiring",
        "O",
        Owner.VENDOR,
        ("证书即将过期", "certificate expires soon"),
        (
            "请设备厂商在到期前更新证书，报序列号[{serial}]和到期日[{expires_at}]",
            "Have the device vendor renew it in time; give the serial number[ {serial}] and the expiry[ {expires_at}]",
        ),
        (
            "证书[{certificate_of}]即将过期[，还剩{certificate_days}天]，过期后付款上送不了",
            "A certificate[ {certificate_of}] expires soon[: {certificate_days} days left]; after that no payment can be sent",
        ),
    ),
    entry(
        "tls.untrusted",
        "O",
        Owner.TECHNICIAN,
        ("证书不受信任", "TLS peer not trusted"),
        (
            "检查店内代理或防火墙是否拦截加密连接，再核对CA文件",
            "Check for a shop proxy or firewall that opens encrypted traffic, then check the CA file",
        ),
        (
            "对方的证书不受信任[（签发者{issuer}）][：{tls_reason}]：被中途拦截或CA文件不对",
            "The peer's certificate is not trusted[ (issuer {issuer})][: {tls_reason}]: interception or a wrong CA file",
        ),
    ),
    entry(
        "clock.wrong",
        "O",
        Owner.TECHNICIAN,
        ("终端时间不正确", "terminal clock wrong"),
        (
            "校准终端的日期和时间，并打开网络校时",
            "Set the terminal's date and time, and turn network time on",
        ),
        (
            "终端时间不对[，相差{offset_s}秒][（对照{source}）]；日期错误会使主机拒绝交易和证书",
            "The clock is wrong[ by {offset_s} s][ (against {source})]; wrong dates make hosts refuse payments and certificates",
        ),
    ),
)
