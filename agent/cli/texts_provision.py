"""What `posagent provision` says; a part of `agent.cli.texts_proof`."""

from __future__ import annotations

from collections.abc import Mapping

#: name -> (English, Chinese), a part of `agent.cli.texts.TEXTS`
TEXTS: Mapping[str, tuple[str, str]] = {
    "help.provision": (
        "set this terminal up at the factory, or decide about one on other hardware",
        "出厂装机，或处理换了硬件的终端",
    ),
    "help.provision.status": (
        "how far it is set up; exit 1: not yet",
        "装机进度；未完成时退出码为1",
    ),
    "help.provision.identity": (
        "give it its id: as said, or from its serial number",
        "写入终端编号：按给定值，或取序列号",
    ),
    "help.provision.profile": ("check and install the merchant's settings", "检查并安装商户配置"),
    "help.provision.profile.file": ("TOML, as in posagent.toml", "TOML，格式同posagent.toml"),
    "help.provision.keys": (
        "install the keys of those who may give it orders from afar",
        "安装可远程下达指令者的公钥",
    ),
    "help.provision.keys.file": ("TOML with [[fleet_key]] only", "仅含[[fleet_key]]的TOML"),
    "help.provision.request": (
        "make its key and tell the certificate request for it",
        "生成密钥和证书申请",
    ),
    "help.provision.out": (
        "write the request there, not to the screen",
        "把申请写入此文件，而不是显示在屏幕上",
    ),
    "help.provision.install": ("check and install the certificate", "检查并安装证书"),
    "help.provision.certificate": (
        "PEM: the terminal's, then its issuers",
        "PEM：终端证书及其签发链",
    ),
    "help.provision.ca": ("the authority's, where none is installed yet", "CA证书（尚未安装时）"),
    "help.provision.all": (
        "every step whose material lies on a stick; run it again when the certificate is there",
        "按U盘上的材料执行各步骤；证书到位后再运行一次",
    ),
    "help.provision.stick": (
        "with profile.toml, fleet-keys.toml, ca.pem, ID.pem; ID.csr is written there",
        "含profile.toml、fleet-keys.toml、ca.pem、编号.pem；写出编号.csr",
    ),
    "help.provision.device_id": ("the id itself", "终端编号"),
    "help.provision.serial": (
        "serial number; default: what firmware or machine tell",
        "序列号；默认由固件或硬件读取",
    ),
    "help.provision.prefix": ("put before the serial number", "加在序列号前的前缀"),
    "help.provision.tenant": ("tenant of the fleet", "所属租户"),
    "help.provision.site": ("shop or place", "门店或地点"),
    "help.provision.adopt": (
        "decide about a store that was begun on other hardware",
        "存储来自其他硬件时如何处理",
    ),
    "help.provision.replace": (
        "the same terminal, repaired: it goes on with everything",
        "同一终端换了硬件：继续使用",
    ),
    "help.provision.fresh": (
        "another terminal set up from a copied image: the store is set aside, a new id",
        "由复制的镜像装成的另一台终端：存储移开，换新编号",
    ),
    "help.provision.seal": (
        "remove identity, keys and store before an image is taken",
        "制作镜像前清除编号、密钥和存储",
    ),
    "provision.step.identity": ("Identity", "终端编号"),
    "provision.step.profile": ("Merchant profile", "商户配置"),
    "provision.step.keys": ("Fleet keys", "远程指令公钥"),
    "provision.step.request": ("Certificate request", "证书申请"),
    "provision.step.install": ("Certificate", "证书"),
    "provision.step.certificate": ("Certificate", "证书"),
    "provision.step.adopt": ("Decision", "决定"),
    "provision.step.seal": ("Ready for an image", "可制作镜像"),
    "provision.step.hardware": ("Hardware", "硬件"),
    "provision.state.made": ("done", "已完成"),
    "provision.state.unchanged": ("nothing to change", "无需改动"),
    "provision.state.waiting": ("waits for the certificate", "等待证书"),
    "provision.state.laid_beside": (
        "laid beside the one in force; used once the broker has taken it",
        "已放在现用证书旁，服务器接受后启用",
    ),
    "provision.state.not_asked": ("not configured", "未配置"),
    "provision.state.missing": ("missing", "缺少"),
    "provision.state.requested": ("requested", "已申请"),
    "provision.state.in_force": ("in force", "有效"),
    "provision.state.expired": ("expired", "已过期"),
    "provision.hardware.new": ("nothing noted yet", "尚无记录"),
    "provision.hardware.same": ("the same", "未变"),
    "provision.hardware.partly": ("partly replaced", "部分更换"),
    "provision.hardware.copied": ("another terminal's image", "来自另一台终端的镜像"),
    "provision.hardware.moved": ("flash from another terminal", "存储芯片来自另一台终端"),
    "provision.hardware.unknown": ("cannot be told", "无法识别"),
    "provision.colon": (": ", "："),
    "provision.nameless": ("no id yet", "尚无编号"),
    "provision.restart": (
        "Restart the agent for what was installed.",
        "重启监测程序后生效。",
    ),
    "provision.bring": ("Then bring {file} and run this again.", "取回 {file} 后再运行一次。"),
    "provision.removed": ("removed: {file}", "已清除：{file}"),
    "provision.left": (
        "Not removed, and the same in every copy: {what}",
        "未清除，复制后会相同：{what}",
    ),
    "provision.adopted.replace": (
        "Start the agent: what was held goes on, each payment is asked about first.",
        "启动监测程序：暂停的交易会继续，先向主机查询再上送。",
    ),
    "provision.adopted.fresh": (
        "Start the agent. What came along lies aside and counts as unsent: posagent salvage.",
        "启动监测程序。带来的数据已移开，仍计为未上送：posagent salvage。",
    ),
    "provision.unsent": (
        "{count} payments are unsent, and this would {what}",
        "有 {count} 笔交易未上送，此操作会{what}",
    ),
    "provision.changes.store": ("remove the store they are in", "删除保存这些交易的存储"),
    "provision.changes.state_dir": (
        "put the store elsewhere ([agent] state_dir)",
        "改变存储位置（[agent] state_dir）",
    ),
    "provision.changes.key_file": (
        "take the keys away that open them ([store] key_file)",
        "使其密钥不可用（[store] key_file）",
    ),
    "provision.changes.device_id": (
        "change this terminal's id or tenant",
        "改变终端编号或租户",
    ),
    "provision.changes.uplink": (
        "remove an uplink they go by: {names}",
        "删除上送通道：{names}",
    ),
    "provision.unsent.hint": (
        "let them go first: posagent queue list",
        "请先等待上送：posagent queue list",
    ),
    "provision.cannot_tell": (
        "nobody can tell whether money is unsent here",
        "无法确定是否有未上送的交易",
    ),
    "provision.cannot_tell.hint": (
        "see posagent status; what cannot be read counts as unsent",
        "查看posagent status；读不出的按未上送处理",
    ),
    "provision.file": ("cannot read {file}: {why}", "无法读取 {file}：{why}"),
    "provision.file.hint": ("check its name and the stick", "检查文件名和U盘"),
    "provision.no_serial": (
        "neither firmware nor machine tell a serial number",
        "固件和硬件都没有给出序列号",
    ),
    "provision.no_serial.hint": ("give --serial or --device-id", "请用--serial或--device-id给出"),
    "provision.bad_id": (
        "'{id}' cannot be an id: letters, digits, - and _, at most 64",
        "'{id}' 不能作为编号：只能用字母、数字、-和_，最长64",
    ),
    "provision.bad_id.hint": ("give --device-id", "请用--device-id给出"),
    "provision.overruled": (
        "another file sets the id to '{id}', and counts more",
        "另一个配置文件把编号设为 '{id}'，优先级更高",
    ),
    "provision.overruled.hint": (
        "take device_id out of the profile: posagent config show names the file",
        "从配置中删除device_id：posagent config show会显示文件",
    ),
    "provision.not_keys": (
        "{file} holds more than [[fleet_key]]",
        "{file} 含有[[fleet_key]]以外的内容",
    ),
    "provision.not_keys.hint": ("other settings go into the profile", "其他设置请放入商户配置"),
    "provision.no_identity": ("this terminal has no id yet", "本机尚无编号"),
    "provision.no_identity.hint": ("posagent provision identity", "posagent provision identity"),
    "provision.no_files": (
        "[telemetry] names no ca_file, cert_file and key_file",
        "[telemetry]未配置ca_file、cert_file和key_file",
    ),
    "provision.no_files.hint": ("they belong into the profile", "请写入商户配置"),
    "provision.no_extra": (
        "certificates cannot be made here: the extra `provision` is not installed",
        "无法处理证书：未安装扩展provision",
    ),
    "provision.no_extra.hint": ("install posagent-extras", "安装posagent-extras"),
    "provision.child_failed": (
        "the provisioning program failed ({error})",
        "装机程序失败（{error}）",
    ),
    "provision.child_failed.hint": ("run it again", "请再运行一次"),
    "provision.key_exposed": (
        "the key beside {file} can be read by others: it counts as known",
        "{file} 处的密钥可被他人读取，视为已泄露",
    ),
    "provision.key_exposed.hint": (
        "remove key and certificate, request anew, have the old one revoked",
        "删除密钥和证书后重新申请，并吊销旧证书",
    ),
    "provision.key_unreadable": ("the key at {file} is damaged", "{file} 处的密钥已损坏"),
    "provision.key_unreadable.hint": ("remove it and request anew", "删除后重新申请"),
    "provision.nothing_requested": (
        "this terminal has not requested a certificate",
        "本机没有申请过证书",
    ),
    "provision.nothing_requested.hint": (
        "posagent provision request",
        "posagent provision request",
    ),
    "provision.another_key": (
        "the certificate belongs to another key than this terminal's",
        "证书与本机密钥不符",
    ),
    "provision.another_key.hint": (
        "bring the one issued for its own request",
        "请取回按本机的申请签发的证书",
    ),
    "provision.another_name": (
        "the certificate is not for '{id}'",
        "证书不是签发给 '{id}' 的",
    ),
    "provision.another_name.hint": ("bring this terminal's own", "请取本机自己的证书"),
    "provision.not_a_certificate": ("that is no certificate in PEM", "不是PEM格式的证书"),
    "provision.not_a_certificate.hint": ("bring what the authority issued", "请取CA签发的文件"),
    "provision.not_for_clients": ("the certificate is not for clients", "证书不能用于客户端"),
    "provision.not_for_clients.hint": ("issue it with clientAuth", "签发时加上clientAuth"),
    "provision.not_yet_valid": ("the certificate is not valid yet", "证书尚未生效"),
    "provision.not_yet_valid.hint": ("check this terminal's clock", "检查本机时钟"),
    "provision.already_expired": ("the certificate has expired", "证书已过期"),
    "provision.already_expired.hint": ("check the clock, or issue it anew", "检查时钟，或重新签发"),
    "provision.chain_too_long": ("the chain of certificates is too long", "证书链过长"),
    "provision.chain_too_long.hint": ("at most four", "最多四级"),
    "provision.chain_broken": ("the chain of certificates does not hold", "证书链不连续"),
    "provision.chain_broken.hint": (
        "the terminal's first, each followed by its issuer",
        "终端证书在前，依次为其签发者",
    ),
    "provision.another_authority": (
        "the certificate comes from an authority this terminal does not trust",
        "证书的签发者不受本机信任",
    ),
    "provision.another_authority.hint": ("compare it with {ca}", "与 {ca} 核对"),
    "provision.no_authority": ("no authority's certificate is installed", "尚未安装CA证书"),
    "provision.no_authority.hint": ("give --ca FILE", "请用--ca给出"),
    "provision.ca_unreadable": ("the authority's certificate cannot be used", "CA证书不可用"),
    "provision.ca_unreadable.hint": ("bring it anew, in PEM", "请换一份PEM格式的文件"),
    "provision.another_ca_in_place": (
        "another authority's certificate is installed: {ca}",
        "已安装另一个CA证书：{ca}",
    ),
    "provision.another_ca_in_place.hint": (
        "replace it yourself if that is right",
        "确认无误后请手工替换",
    ),
    "provision.not_kept": ("it could not be written: {detail}", "写入失败：{detail}"),
    "provision.not_kept.hint": ("run this as root; check the flash", "请以root运行；并检查闪存"),
    "provision.fresh_begun": (
        "adopt --fresh was begun here and cut off",
        "此处的 adopt --fresh 已开始但被中断",
    ),
    "provision.fresh_begun.hint": (
        "run it again: posagent provision adopt --fresh --device-id ID",
        "请再次运行：posagent provision adopt --fresh --device-id 编号",
    ),
    "provision.same_id": (
        "'{id}' is the id of the terminal this was copied from",
        "'{id}' 是被复制的那台终端的编号",
    ),
    "provision.same_id.hint": (
        "give this one its own: --device-id or --serial",
        "请给本机新编号：--device-id或--serial",
    ),
    "provision.hardware_unknown": (
        "this machine tells nothing it could be known by",
        "本机没有可识别的硬件标识",
    ),
    "provision.hardware_unknown.hint": (
        "run this as root, or have the firmware's hook identity tell the serial number",
        "以root运行，或由固件钩子identity给出序列号",
    ),
}
