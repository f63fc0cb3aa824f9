"""What is wrong with what an operator gave, in Chinese: sentences as the code says them.

Braces take over what stands there. A part of `agent.cli.reason`; loaded only when something failed.
"""

from __future__ import annotations

from agent.cli import texts_journal

#: English, Chinese; the first that fits is taken
SENTENCES: tuple[tuple[str, str], ...] = (
    # argparse's own
    ("the following arguments are required: {names}", "缺少参数：{names}"),
    ("unrecognized arguments: {names}", "无法识别的参数：{names}"),
    (
        "argument {name}: invalid choice: {given} (choose from {choices})",
        "参数 {name}：{given} 不可选，可选：{choices}",
    ),
    ("argument {name}: expected one argument", "参数 {name}：缺少取值"),
    ("argument {name}: expected at least one argument", "参数 {name}：至少要有一个取值"),
    ("argument {name}: {rest}", "参数 {name}：{rest}"),
    (
        "posagent {name} is not part of the installation on a terminal",
        "终端上的安装不包含 posagent {name}",
    ),
    (
        "install the Python package posagent on a computer and run it there",
        "请在电脑上安装 Python 软件包 posagent，并在那里运行",
    ),
    # the broker
    ("{broker} is no broker", "{broker} 不是代理服务器地址"),
    ("{broker}: mqtt:// only to this machine", "{broker}：mqtt:// 只能用于本机"),
    (
        "{broker}: certificate not believed: {why}",
        "{broker}：代理服务器的证书不可信（{why}）",
    ),
    ("{broker}: subscription refused with {code}", "{broker}：订阅被拒绝（{code}）"),
    ("{broker}: refused with {code}", "{broker}：连接被代理服务器拒绝（{code}）"),
    ("{broker}: name not found", "{broker}：域名无法解析"),
    ("certificate not believed: {why}", "证书不可信（{why}）"),
    ("refused with {code}", "连接被拒绝（{code}）"),
    ("connection lost", "连接中断"),
    ("Unspecified error", "连接中断"),
    ("Session taken over", "同名客户端已在别处连接"),
    ("Keep alive timeout", "连接超时"),
    ("connecting", "正在连接"),
    ("name not found", "域名无法解析"),
    # filters, commands, keys, releases
    ("{part}: {text} is no number", "{part}：{text} 不是数字"),
    ("{part} is no filter", "{part} 不是过滤条件"),
    ("no command {op}", "没有命令 {op}"),
    ("{op} takes no {name}", "{op} 没有参数 {name}"),
    ("{op} needs one of {names}", "{op} 需要以下参数之一：{names}"),
    ("{op} needs {names}", "{op} 缺少参数：{names}"),
    ("{given} is not NAME=VALUE", "{given} 不是 名称=值 的形式"),
    ("{name} is no device id", "{name} 不是终端编号"),
    ("{file} is no signed command", "{file} 不是已签名的命令"),
    ("{path} exists already", "{path} 已存在"),
    ("{name} is no key id", "{name} 不是密钥名称"),
    ("{path}: others can read it", "{path}：其他人可读取该文件"),
    ("{path}: is no signing key", "{path}：不是签名密钥文件"),
    ("{path}: wrong passphrase", "{path}：口令错误"),
    ("{path}: needs its passphrase", "{path}：需要口令"),
    (
        "{key} is beyond a fleet's reach: every terminal would refuse it",
        "{key} 不允许远程设置：所有终端都会拒绝",
    ),
    ("the journal has no payment with key {key}", "本机没有编号为 {key} 的交易"),
    ("there is no open alarm {code}", "没有未结束的告警 {code}"),
    ("the manifest in force offers no such update", "生效的清单中没有该更新"),
    ("no such update is under way", "没有正在进行的该更新"),
    *texts_journal.SENTENCES,
    # what to do
    ("letters, digits, _ and -, at most 64", "字母、数字、_ 和 -，最多 64 个"),
    ("letters, digits, . _ and -, at most 64", "字母、数字、. _ 和 -，最多 64 个"),
    ("choose another file: a key is never written over", "请换一个文件名：密钥文件不会被覆盖"),
    ("--ca FILE with the authority of its certificate", "用 --ca 指定签发其证书的 CA 文件"),
    ("made by `posagent fleet sign`", "由 `posagent fleet sign` 生成"),
)
