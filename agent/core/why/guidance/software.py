"""Guidance of chapter 3, the terminal's software: the payment app, the system, the agent."""

# ruff: noqa: E501  (a sentence is one line: that is how translators read it)

from agent.core.why.guidance.entry import read

GUIDANCE = read((
    ("software.app_stopped", "technician", "tid version time",
     ("点桌面上的收款图标；打不开就从任务里划掉再点；先查上一笔，再收下一笔。", "Tap the payment icon; if it stays shut swipe it away and tap again; look up the last payment before taking the next."),
     ("收款软件要重新打开，请先别重复付款。", "The payment app must be opened again; please do not pay twice."),
     ("连开三次都退回桌面", "it falls back to the desktop three times")),
    ("software.app_crashing", "app_vendor", "version tid time error",
     ("记下崩溃前按了什么；换一种收款方式绕开那一步；不要清除应用数据。", "Note what was pressed before; go around that step with another kind of payment; do not clear the app's storage."),
     ("软件刚才退出了，我先查您那笔有没有成功。", "The app just closed; I will check whether your payment went through."),
     ("半天里第三次崩溃", "the third crash in half a day")),
    ("software.system_crash", "vendor", "serial model version time",
     ("让它自己启动完；开机后先看“未上送”数字是否与崩溃前一致。", "Let it start up; then compare the number of unsent payments with what it was."),
     ("系统重启了，刚才的付款我查到结果再告诉您。", "The system restarted; I will tell you once I have the result."),
     ("同一天第二次自己重启", "it restarts by itself a second time that day")),
    ("software.outdated", "vendor", "serial version model",
     ("照常收款；打烊后连店内Wi-Fi检查更新，装之前等未上送归零。", "Carry on; after closing look for the update over Wi-Fi and install it once nothing is unsent."),
     ("付款不受影响。", "Paying works as usual."),
     ("更新列表里没有要求的版本", "the list does not offer the required version")),
    ("software.update_pending", "technician", "version tid",
     ("看未上送笔数：归零后选打烊时间点“安装”，全程插着电源。", "Watch the unsent count: at zero, after closing, tap install with the power supply connected."),
     ("更新等晚上再装，现在可以付款。", "The update waits until tonight, you can pay now."),
     ("过了两晚仍被推迟", "it is put off for a second night")),
    ("software.update_failed", "vendor", "serial version error",
     ("不要再点一次安装；看能不能收款：能就照常用旧版，不能就停用等回退。", "Do not press install again; if payments work stay on the old version, if not wait for the roll-back."),
     ("机器刚做完升级在检查，请稍候。", "The terminal checks itself after an update, a moment please."),
     ("回退没有完成或收款应用打不开", "the roll-back did not finish or the payment app stays shut")),
    ("software.recently_changed", "app_vendor", "version time tid error",
     ("对照时间：毛病是不是那次更新之后才有；能回退就先在一台上回退试。", "Compare the times: did it begin with that change? Roll back one terminal first and watch."),
     ("最近换了新版本，这个问题我们在查。", "A new version came lately and we are looking into it."),
     ("回退后好了，或无法回退", "it is gone after rolling back, or there is no way back")),
    ("software.data_error", "vendor", "serial file report",
     ("别删文件、别恢复出厂；复制数据目录到U盘，再开始抢救（posagent salvage）。", "Delete nothing, no factory reset; copy the directory to a stick, then salvage (posagent salvage)."),
     ("机器的记录要核对，请保留好小票。", "We have to check the records, please keep your slip."),
     ("抢救后仍有读不出的记录", "records stay unreadable after salvaging")),
    ("software.agent_degraded", "technician", "serial version report",
     ("重启posagent服务一次；等一分钟再看状态，未上送笔数应保持不变。", "Restart the posagent service once; a minute later the unsent count must be what it was."),
     ("后台程序在恢复，收款照常。", "A background program recovers, payments work."),
     ("重启后同一部分又停", "the same part stops again")),
))  # fmt: skip
