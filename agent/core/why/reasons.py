"""Reasons watchers give, in Chinese: a table of English sentences and how they are said.

Watchers, dialers and hooks give a reason as one English sentence, which goes to logs, to the fleet
and into readings. This table says the frequent ones in Chinese where a person reads them. What is
not in it stays as it is: a driver's or a host's own words, or a sentence too rare to be listed.

Knows no watcher; a test holds every sentence against the code that says it. Called by `text` and by
the command line. Names in braces are what is taken over; a name that ends in `reason`, `why` or
`said` is a sentence of its own and said in Chinese too.
"""

# ruff: noqa: E501  (a sentence is one line: that is how translators read it)

from __future__ import annotations

import re
from functools import cache

from agent.core.why.reasons_rooms import ROOMS

#: English, Chinese; the first that fits is taken, so the closer one stands first.
REASONS: tuple[tuple[str, str], ...] = (
    # -- opening a connection --------------------------------------------------------------------
    ("the name {host} is not known to the name server", "DNS服务器查不到域名{host}"),
    ("the name {host} is not known to {server}", "DNS服务器{server}查不到域名{host}"),
    ("no name server answered for {host}", "没有DNS服务器应答域名{host}"),
    ("the name {host} could not be resolved: {reason}", "域名{host}解析失败：{reason}"),
    ("the name {host} was not resolved within {seconds} s", "{seconds}秒内没有解析出域名{host}"),
    ("the name server knows no address for {host}", "DNS服务器没有{host}的地址"),
    ("{server} did not answer for {host}", "DNS服务器{server}没有应答域名{host}"),
    ("no name server is known for this channel", "这条网络没有DNS服务器"),
    ("no name server is set", "没有设置DNS服务器"),
    ("{server} knows no name {host}", "{server}查不到域名{host}"),
    ("{server} knows {host} but no address of it", "{server}认识{host}，但没有它的地址"),
    ("{server} answers only in part, and nothing over TCP", "{server}只应答一部分，TCP不通"),
    ("{server} refuses to answer", "{server}拒绝应答"),
    ("{server} cannot find out about {host}", "{server}查询{host}失败"),
    ("{server} answers nonsense", "{server}的应答无法解读"),
    ("{server} does not help, the others do", "{server}不可用，其余正常"),
    ("answered late ({reason})", "应答太慢（{reason}）"),
    ("{address} can be no host's address", "{address}不可能是主机地址"),
    ("{address} is given for names that do not exist as well", "不存在的域名也被解析为{address}"),
    (
        "{address} is an address inside some network; before it was {earlier}",
        "{address}是内网地址，以前是{earlier}",
    ),
    ("this terminal cannot open a connection: {reason}", "本机打不开连接：{reason}"),
    ("the channel was given up: {why}", "所用网络已放弃：{why}"),
    ("its network changed", "它的网络变了"),
    ("the vendor's firmware switches it", "由厂商固件切换"),
    ("{where} refused the connection", "{where}拒绝连接"),
    ("{where} did not answer", "{where}没有应答"),
    ("{where} reset the connection", "{where}中断了连接"),
    ("{where} cannot be reached: no route to the host", "{where}不可达：没有到它的路由"),
    ("{where} cannot be reached: this terminal has no way to that network", "{where}不可达：本机没有到那个网络的路"),
    ("{where} cannot be reached: the network is down", "{where}不可达：网络断开"),
    ("{where} cannot be reached: this terminal has no address for that network", "{where}不可达：本机没有那个网络的地址"),
    ("{where} cannot be reached from here", "{where}从本机不可达"),
    ("{where}: its certificate is not valid yet; this terminal's clock is probably behind", "{where}的证书尚未生效，多半是本机时间偏慢"),
    ("{where}: its certificate has expired, or this terminal's clock is ahead", "{where}的证书已过期，或本机时间偏快"),
    ("{where}: its certificate is self-signed and not the one expected", "{where}的证书是自签的，不是预期的那张"),
    ("{where}: its certificate comes from an authority that is not trusted here", "{where}的证书不是本机信任的机构签发的"),
    ("{where}: its certificate has been revoked", "{where}的证书已吊销"),
    ("{where}: its certificate is for another host name", "{where}的证书属于另一个域名"),
    ("{where}: its certificate is for another address", "{where}的证书属于另一个地址"),
    ("{where}: it says this terminal's certificate has expired", "{where}称本机证书已过期"),
    ("{where}: it says this terminal's certificate is revoked", "{where}称本机证书已吊销"),
    ("{where}: it wants a certificate of this terminal and got none", "{where}要求本机证书，本机没有提供"),
    ("{where}: it denies this terminal's certificate access", "{where}不允许本机证书访问"),
    ("{where}: it does not know who issued this terminal's certificate", "{where}不认识本机证书的签发机构"),
    ("{where}: it refuses this terminal's certificate", "{where}拒绝本机证书"),
    ("{where}: what answers does not speak TLS", "{where}应答的不是TLS"),
    ("{where}: it speaks no version of TLS that is safe to use", "{where}没有安全可用的TLS版本"),
    ("{where}: it accepts no way of encrypting that this terminal offers", "{where}不接受本机支持的加密方式"),
    ("{where}: it closed the connection during TLS", "{where}在TLS握手中断开"),
    ("{where}: it accepted the connection but did not finish TLS in time", "{where}接受了连接，但没有按时完成TLS握手"),
    ("this terminal's certificate expired on {day}", "本机证书已于{day}过期"),
    # -- channels and links ------------------------------------------------------------------------
    ("there is no interface {interface}", "没有接口{interface}"),
    ("{interface} is switched off", "接口{interface}已停用"),
    ("{interface} has no carrier", "接口{interface}没有连接（网线、Wi-Fi或SIM卡）"),
    ("{interface} is not let onto its network yet", "接口{interface}尚未获准入网"),
    ("{interface} has no address; DHCP gave none", "接口{interface}没有IP地址，DHCP没有分配"),
    ("{interface} has no address", "接口{interface}没有IP地址"),
    ("{interface} has no default route of its own", "接口{interface}没有自己的默认路由"),
    (
        "connections cannot be kept on {interface}: the kernel refuses ({reason}); needs Linux 5.7 or the right CAP_NET_RAW",
        "连接无法固定在接口{interface}上：内核拒绝（{reason}），需要Linux 5.7以上或CAP_NET_RAW权限",
    ),
    ("the interfaces cannot be read: {reason}", "读不出网络接口：{reason}"),
    # -- radios ------------------------------------------------------------------------------------
    ("{path} does not exist: check the modem, and that [cellular] device is its port", "{path}不存在：检查调制解调器，并核对 [cellular] device"),
    ("{path} is in use by another program", "{path}正被另一程序占用"),
    ("{path} is in use by {owner}", "{path}正被{owner}占用"),
    ("{path} is not a serial line: check [cellular] device", "{path}不是串口：核对 [cellular] device"),
    ("no right to open {path}: add the agent's user to the group that owns the port, often dialout", "无权打开{path}：把posagent的用户加入该端口所属的组，多为dialout"),
    (
        "no answer on {path} within {seconds} s: check that [cellular] device names the modem's AT port and that the modem has power",
        "{path}在{seconds}秒内没有应答：核对 [cellular] device 是否为AT端口，调制解调器是否通电",
    ),
    (
        "bytes arrive on {path} but make no sense as a modem's: check [cellular] baud (now {baud}) and that device names the modem's AT port",
        "{path}有数据但不像调制解调器：核对 [cellular] baud（现为{baud}）和 device 是否为AT端口",
    ),
    ("ModemManager does not answer", "ModemManager没有应答"),
    ("ModemManager cannot be asked: posagent was installed without its extra modem", "无法询问ModemManager：安装posagent时没有带modem组件"),
    ("the wireless driver does not answer", "无线网卡驱动没有应答"),
    # -- any watcher -------------------------------------------------------------------------------
    ("the {component} check still hangs", "这项检查仍卡住"),
    ("no answer within {seconds} s", "{seconds}秒内没有应答"),
    ("no reason given", "没有说明原因"),
    ("it has not been read yet", "还没有读过"),
    ("the agent may not use {reason}", "监测程序无权使用{reason}"),
    ("others may read or change {path}", "其他用户可以读取或改动{path}"),
    ("not connected", "未连接"),
    # -- settings, credentials, rights -------------------------------------------------------------
    ("credential {path} is not there", "缺少凭证文件{path}"),
    ("credential {path} is empty", "凭证文件{path}是空的"),
    ("credential {path} is not the one that was issued", "凭证文件{path}不是下发的那个"),
    ("the issued profile is missing: {path}", "缺少下发的参数文件{path}"),
    ("the issued profile is for another terminal: {path}", "下发的参数文件属于另一台终端：{path}"),
    ("the issued profile has expired: {path}", "下发的参数文件已过期：{path}"),
    ("the issued profile is missing", "缺少下发的参数文件"),
    ("the issued profile is for another terminal", "下发的参数文件属于另一台终端"),
    ("the issued profile has expired", "下发的参数文件已过期"),
    ("the issued profile cannot be used ({standing}): {reason}", "下发的参数文件不能用（{standing}）：{reason}"),
    ("{path} is not a regular file", "{path}不是普通文件"),
    ("{path} may not be read by the agent's user", "posagent的用户无权读取{path}"),
    ("{path} cannot be read: {reason}", "读不出{path}：{reason}"),
    ("{setting}: expected {expected}, found {found} ({source})", "{setting}：应为{expected}，现为{found}（{source}）"),
    ("{setting}: empty in {source}", "{setting}：{source}里是空的"),
    ("{setting}: told by nobody", "{setting}：没有来源说明它的值"),
    ("{what} {path}: no right to {rights}: {who}, the agent is {user}; needs the group {group}", "{path}：没有{rights}权限（属于{who}，posagent以{user}运行），需加入组{group}"),
    ("{what} {path}: no right to {rights}: {who}, the agent is {user}", "{path}：没有{rights}权限（属于{who}，posagent以{user}运行）"),
    ("{what} {path}: {folder} may not be entered: {who}, the agent is {user}", "{path}：不能进入目录{folder}（属于{who}，posagent以{user}运行）"),
    ("{what} {path}: a directory above it may not be entered", "{path}：不能进入它的上级目录"),
    # -- the payment app ---------------------------------------------------------------------------
    ("the list of processes was not read in time", "没能按时读出进程列表"),
    ("the pid file {path} cannot be read: {reason}", "读不出进程号文件{path}：{reason}"),
    ("{path} cannot be listed: {reason}", "列不出{path}：{reason}"),
    (
        "this system hides other users' processes (needs /proc without hidepid, the capability CAP_SYS_PTRACE, or a hook for the component payment_app)",
        "系统隐藏其他用户的进程（需要/proc不带hidepid、CAP_SYS_PTRACE权限，或收款应用的钩子）",
    ),
    ("the payment app has not reported sign-on or batches", "收款应用没有报告签到和批次"),
    ("posagent-actions cannot be reached at {socket}: {reason}", "连不上posagent-actions（{socket}）：{reason}"),
    ("posagent-actions gave no answer to {name}: {reason}", "posagent-actions没有应答{name}：{reason}"),
    # -- software ----------------------------------------------------------------------------------
    ("the update cannot be written down", "升级状态写不到存储里"),
    ("no end of {verb}", "步骤{verb}没有结束"),
    ("the agent was started {count} times since", "此后监测程序启动了{count}次"),
    ("installed is {version}", "现已安装{version}"),
    ("cut short; installed is {version}", "升级被打断，现已安装{version}"),
    ("what is installed cannot be read now", "现在读不出已装的版本"),
    ("what was updated before is still being read", "上次升级的结果还在读取"),
    ("no manifest names this file", "没有版本清单提到这个文件"),
    ("the manifest in force offers no such update", "有效的版本清单里没有这个升级"),
    ("no such update is under way", "没有这个升级在进行"),
    (
        "{update} is {phase}: there is nothing to {verb} now",
        "升级{update}处于{phase}：现在没有什么可做（{verb}）",
    ),
    ("another update is under way: {update}", "已有升级正在进行：{update}"),
    ("Wait for its end.", "请等它结束。"),
    ("cannot read {path}: {reason}", "读不出{path}：{reason}"),
    ("{update} was begun before", "{update}已经做过"),
    ("nothing can be updated while the agent is not running", "监测程序没有运行，不能升级"),
    ("there is no rpm database", "没有rpm数据库"),
    ("there is no {field} in it", "里面没有{field}"),
    ("{who} does not tell {name}", "{who}没有报告{name}"),
    # -- the machine and its clock -----------------------------------------------------------------
    ("adjtimex is not allowed here ({reason})", "这里不允许读取内核校时状态（{reason}）"),
    # -- Android -----------------------------------------------------------------------------------
    (
        "{question} was denied: needs {right} (system signature, or once from adb: pm grant PACKAGE {same})",
        "{question}被拒绝：需要{right}（系统签名，或用adb执行一次 pm grant PACKAGE {same}）",
    ),
    ("{path} may not be run: needs a rule for the agent's user", "不允许运行{path}：需要为posagent的用户放行"),
    ("this firmware does not know {question}", "这个固件没有{question}"),
    ("{question} answered nothing", "{question}没有输出"),
    ("{question} answered in a form that is not known here", "{question}的输出格式本版本不认识"),
    ("{question} did not end in {seconds} s", "{question}在{seconds}秒内没有结束"),
    ("{path} is not there", "{path}不存在"),
    # -- the system's own words --------------------------------------------------------------------
    ("No such file or directory", "文件不存在"),
    ("Permission denied", "没有权限"),
    ("Operation not permitted", "操作不被允许"),
    ("Connection refused", "连接被拒绝"),
    ("Connection timed out", "连接超时"),
    ("Network is unreachable", "网络不可达"),
    ("No route to host", "没有到主机的路由"),
    ("No such device", "设备不存在"),
    ("Device or resource busy", "设备忙"),
    ("Input/output error", "读写出错"),
    ("Read-only file system", "文件系统只读"),
    ("No space left on device", "存储空间已满"),
    ("Is a directory", "是目录，不是文件"),
    ("Not a directory", "路径中有一段不是目录"),
    ("{path}: {reason} (needs the right to read it)", "{path}：{reason}（需要读取权限）"),
)  # fmt: skip

#: Longer ones are no reasons of ours.
LONGEST = 400

_NAME = re.compile(r"\{([a-z]+)\}")
#: What is taken over may be a sentence of its own.
_SENTENCE = ("reason", "why", "said")
#: Several reasons in one, as watchers join them.
_JOINTS = (("; ", "；"), (": ", "："))


def in_chinese(words: str) -> str:
    """The reason in Chinese; words that are not known here as they are."""
    if " " in words and words.isprintable() and len(words) <= LONGEST:
        return _known(words) or _parts(words)
    return words


def _known(words: str) -> str:
    for literals, english, chinese in _forms():
        # Most are ruled out by what they say in any case: of hundreds a handful is ever compiled.
        if not all(one in words for one in literals):
            continue
        if found := _pattern(english).fullmatch(words):
            taken = {
                name: in_chinese(value) if name in _SENTENCE else value
                for name, value in found.groupdict().items()
            }
            return chinese.format_map(taken)
    return ""


def _parts(words: str) -> str:
    """`/etc/x: Permission denied` and `one; two`: only the parts that are known change."""
    for joint, chinese in _JOINTS:
        first, found, rest = words.partition(joint)
        if found:
            said = in_chinese(first), in_chinese(rest)
            return chinese.join(said) if said != (first, rest) else words
    return words


@cache
def _forms() -> tuple[tuple[tuple[str, ...], str, str], ...]:
    """(what is said in any case, English, Chinese)."""
    # Before the system's own words and the forms that fit anything.
    return tuple(
        (tuple(filter(None, _NAME.split(english)[::2])), english, chinese)
        for english, chinese in (*ROOMS, *REASONS)
    )


@cache
def _pattern(english: str) -> re.Pattern[str]:
    """A pattern of the sentence: what stands for a name is anything, as short as it may be."""
    pieces = _NAME.split(english)
    return re.compile(
        "".join(
            f"(?P<{piece}>.+?)" if place % 2 else re.escape(piece)
            for place, piece in enumerate(pieces)
        )
    )
