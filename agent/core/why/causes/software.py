"""Chapter 3: the terminal's software – payment app, system, versions, the agent itself."""

# ruff: noqa: E501  (a sentence is one line: that is how translators read it)

from agent.core.why.causes.cause import Cause, Owner, entry

CAUSES: tuple[Cause, ...] = (
    entry(
        "software.app_stopped",
        "O",
        Owner.CASHIER,
        ("收款应用未运行", "payment app not running"),
        ("重新打开收款应用", "Open the payment app again"),
        (
            "收款应用[{app}]没有运行或没有反应[，自{since}起][，已{silent_s}秒没有动静]",
            "The payment app[ {app}] is not running or does not respond[ since {since}][; silent for {silent_s} s]",
        ),
    ),
    entry(
        "software.app_crashing",
        "O",
        Owner.VENDOR,
        ("收款应用反复崩溃", "payment app keeps crashing"),
        (
            "向收款应用厂商报应用版本[{version}]、崩溃次数[{count}]和TID[ {terminal_id}]",
            "Give the payment app's vendor the version[ {version}], the number of crashes[ {count}] and TID[ {terminal_id}]",
        ),
        (
            "收款应用反复崩溃[，24小时内{count}次][，自版本{version}起]",
            "The payment app keeps crashing[: {count} times in 24 h][, since version {version}]",
        ),
    ),
    entry(
        "software.system_crash",
        "O",
        Owner.VENDOR,
        ("系统崩溃重启", "system crashed"),
        (
            "向设备厂商报序列号[{serial}]、重启时间[{since}]和重启原因[{boot_reason}]",
            "Give the device vendor the serial number[ {serial}], the time[ {since}] and the boot reason[ {boot_reason}]",
        ),
        (
            "系统崩溃后重启[，原因：{boot_reason}]",
            "The system crashed and restarted[; boot reason: {boot_reason}]",
        ),
    ),
    entry(
        "software.outdated",
        "OC",
        Owner.VENDOR,
        ("软件版本过旧", "version behind the required one"),
        (
            "向设备厂商索取[{package}]更新[{required}]，报序列号[{serial}]和现有版本[{installed}]",
            "Ask the device vendor for the update[ of {package}][ to {required}]; give serial number[ {serial}] and version[ {installed}]",
        ),
        (
            "软件低于要求的版本[：{package}][，已装{installed}][，要求{required}]",
            "Software is older than required[: {package}][, installed {installed}][, required {required}]",
        ),
    ),
    entry(
        "software.update_pending",
        "O",
        Owner.TECHNICIAN,
        ("有更新待安装", "update waiting"),
        (
            "先等未上送的交易[（{count}笔）]清空，再安装更新[{version}]",
            "Let the unsent payments[ ({count})] drain first, then install the update[ {version}]",
        ),
        (
            "更新已就绪，有未上送的交易时不安装",
            "An update is ready; it is held back while money is unsent",
        ),
    ),
    entry(
        "software.update_failed",
        "O",
        Owner.VENDOR,
        ("升级失败", "last update failed"),
        (
            "向设备厂商报序列号[{serial}]、目标版本[{version}]和失败步骤[{failed_step}]",
            "Give the device vendor the serial number[ {serial}], the version[ {version}] and the step that failed[ {failed_step}]",
        ),
        (
            "上次升级失败[，步骤：{failed_step}][，回退状态：{rollback}]",
            "The last update failed[ at {failed_step}][; rollback: {rollback}]",
        ),
    ),
    entry(
        "software.recently_changed",
        "L",
        Owner.VENDOR,
        ("故障始于软件变更后", "trouble began after a change"),
        (
            "把变更内容[{what}]、变更时间[{changed_at}]、首次故障时间[{failed_at}]和TID[ {terminal_id}]报给软件厂商",
            "Give the software's vendor the change[ {what}], its time[ {changed_at}], the first failure's[ {failed_at}] and TID[ {terminal_id}]",
        ),
        (
            "软件变更后开始出故障[：{what}][，变更于{changed_at}][，首次故障{failed_at}]",
            "The trouble began after a change[: {what}][ at {changed_at}][, first failure at {failed_at}]",
        ),
    ),
    entry(
        "software.data_error",
        "LO",
        Owner.TECHNICIAN,
        ("数据库/交易数据错误", "records damaged or unreadable"),
        (
            "不要删除任何文件；备份数据目录[{store}]后再检查存储",
            "Delete nothing; back up the data directory[ {store}], then check the storage",
        ),
        (
            "交易数据损坏或读不出[：{reason}][；已原样隔离{quarantined}笔]",
            "Records are damaged or cannot be read[: {reason}][; records put aside untouched: {quarantined}]",
        ),
    ),
    entry(
        "software.agent_degraded",
        "O",
        Owner.TECHNICIAN,
        ("本机监测程序异常", "the agent itself is impaired"),
        (
            "重启posagent服务，再看其日志[（{part}）]",
            "Restart the posagent service, then read its log[ ({part})]",
        ),
        (
            "本机的posagent没有完全运行[：{part}][：{component}][（{reason}）][，自{since}起]；已存的交易不会丢",
            "posagent on this terminal is not fully running[: {part}][: {component}][ ({reason})][, since {since}]; stored payments are safe",
        ),
    ),
    entry(
        "security.exposed_files",
        "O",
        Owner.TECHNICIAN,
        ("本机文件权限不当", "files open to others"),
        (
            "执行posagent config check列出的命令[，先执行：{exposed_command}]",
            "Run the commands posagent config check names[, first: {exposed_command}]",
        ),
        (
            "其他用户可以改动或读取posagent的文件[：{exposed_path}][，共{exposed}处]；交易照常保存和上送",
            "Others can change or read files of posagent[: {exposed_path}][; {exposed} in all]; payments are stored and sent as before",
        ),
    ),
)
