"""What `posagent software` and `posagent update` say. A part of `agent.cli.texts`."""

from __future__ import annotations

from collections.abc import Mapping

#: name -> (English, Chinese), a part of `agent.cli.texts.TEXTS`
TEXTS: Mapping[str, tuple[str, str]] = {
    "error.update_daemon": (
        "the daemon is not running, and only it installs updates",
        "监测程序未运行，无法升级",
    ),
    "help.software": (
        "what software runs here against what should; manifests",
        "本机软件版本与要求版本；版本清单",
    ),
    "help.software.show": ("installed and required versions, changes", "已装与要求的版本及变更"),
    "help.software.check": (
        "whether a manifest would come into force here, and what it asks",
        "检查版本清单能否在本机生效及其要求",
    ),
    "help.software.sign": (
        "sign a manifest; for operators, away from terminals",
        "为版本清单签名；供运营人员在终端之外使用",
    ),
    "help.software.file": ("the manifest", "版本清单文件"),
    "help.software.key": ("file with the signing key", "签名密钥文件"),
    "help.software.key_id": ("name terminals know the key by", "终端所知的密钥名称"),
    "help.software.keygen": (
        "make the key file and print its public key",
        "生成密钥文件并显示公钥",
    ),
    "help.update": ("updates through the vendor's hooks", "通过厂商钩子进行的升级"),
    "help.update.show": ("the update under way, and past ones", "进行中和以往的升级"),
    "help.update.apply": (
        "begin an update; it waits by itself while money is unsent",
        "开始升级；有未上送的交易时自动等待",
    ),
    "help.update.status": (
        "the update under way or the last one, and what happens next",
        "进行中或最近一次升级，以及下一步",
    ),
    "help.update.commit": (
        "keep the new version now, without waiting for the end of its trial",
        "立即确认新版本，不等观察期结束",
    ),
    "help.update.rollback": (
        "take the new version back, or call off an update that has not begun",
        "退回旧版本；尚未开始的升级则取消",
    ),
    "help.update.id": ("the update; without: the one under way", "升级编号；不填则为进行中的升级"),
    "update.next.pending": (
        "It begins by itself as soon as nothing holds it; 'update rollback' calls it off.",
        "条件满足后自动开始；posagent update rollback 可取消。",
    ),
    "update.next.preparing": ("The vendor's hook is at work.", "厂商钩子正在执行。"),
    "update.next.prepared": (
        "It is put in force as soon as nothing holds it; 'update rollback' calls it off.",
        "条件满足后自动安装；posagent update rollback 可取消。",
    ),
    "update.next.applying": ("The vendor's hook is at work.", "厂商钩子正在执行。"),
    "update.next.waiting": (
        "The new version proves itself: kept by itself when all stays well, taken back when not.",
        "新版本观察中：正常则自动确认，异常则自动退回。",
    ),
    "update.next.committing": ("The vendor's hook is at work.", "厂商钩子正在执行。"),
    "update.next.rolling_back": ("The vendor's hook is at work.", "厂商钩子正在执行。"),
    "update.next.committed": ("Nothing is left to do.", "无需操作。"),
    "update.next.failed": (
        "Put right what the reason names, then begin it again or ask the vendor.",
        "按原因处理后重新开始，或联系厂商。",
    ),
    "update.next.rolled_back": (
        "The version from before is in force with all payments; ask the vendor before trying anew.",
        "已恢复旧版本，交易全部保留；重试前请联系厂商。",
    ),
    "help.update.target": (
        "an update the manifest offers, or its file",
        "版本清单提供的升级编号，或升级文件",
    ),
    "help.update.component": (
        "what the file is, where no manifest says so",
        "文件所属组件（版本清单未说明时）",
    ),
    "help.update.version": ("its version, where no manifest says so", "其版本（版本清单未说明时）"),
    "help.update.any_time": (
        "outside the hours for updates, too",
        "不受更新时段限制",
    ),
    "software.manifest": ("Manifest {sequence}: {text}.", "版本清单 {sequence}：{text}。"),
    "software.no_manifest": ("Manifest: {text}.", "版本清单：{text}。"),
    "software.not_live": (
        "The agent is not running: versions as it read them last.",
        "监测程序未运行：以下为其最后读到的版本。",
    ),
    "software.line": ("{component}: {installed}", "{component}：{installed}"),
    "software.asked": (
        "{component}: {installed}, required {required}: {standing}",
        "{component}：{installed}，要求 {required}：{standing}",
    ),
    "software.offer": ("update {update} is offered", "可用升级：{update}"),
    "software.changes": ("Changes:", "变更："),
    "software.change": (
        "{at} {component} {before} → {after}",
        "{at} {component} {before} → {after}",
    ),
    "software.check.ok": (
        "It would come into force here (number {sequence}).",
        "可在本机生效（序号 {sequence}）。",
    ),
    "software.check.no": ("It would not come into force here: {why}.", "不能在本机生效：{why}。"),
    "software.key_made": (
        "Signing key written to {path}; keep it away from terminals. For their [software] keys:",
        "签名密钥已写入 {path}，请勿放在终端上。终端 [software] keys 中填写：",
    ),
    "stands.behind": ("behind", "落后"),
    "stands.equal": ("as required", "符合"),
    "stands.ahead": ("ahead", "超前"),
    "stands.unknown": ("unknown", "未知"),
    "stands.pending": ("update under way", "升级进行中"),
    "stands.failed": ("update failed", "升级失败"),
    "stands.rolled_back": ("update taken back", "升级已回退"),
    "update.none": ("No update was begun on this terminal.", "本机尚未进行过升级。"),
    "update.line": (
        "{update}: {component} {before} → {version}: {phase}",
        "{update}：{component} {before} → {version}：{phase}",
    ),
    "update.held": ("waits: {why}", "等待：{why}"),
    "update.reason": ("at {step}: {reason}", "步骤 {step}：{reason}"),
    "update.rollback": ("taken back: {rollback}", "回退：{rollback}"),
    "phase.pending": ("waiting to begin", "等待开始"),
    "phase.preparing": ("being prepared", "准备中"),
    "phase.prepared": ("prepared", "已准备"),
    "phase.applying": ("being put in force", "安装中"),
    "phase.waiting": ("in force, proving itself", "已生效，观察中"),
    "phase.committing": ("being made permanent", "确认中"),
    "phase.rolling_back": ("being taken back", "回退中"),
    "phase.committed": ("done", "已完成"),
    "phase.failed": ("failed", "失败"),
    "phase.rolled_back": ("taken back", "已回退"),
    "taken_back.done": ("yes", "已完成"),
    "taken_back.failed": ("failed: the terminal may be in between", "失败：终端可能处于中间状态"),
    "taken_back.not_needed": ("not needed, nothing was changed", "无需回退，未作任何更改"),
}
