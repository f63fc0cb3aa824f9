"""Chapter 2: the terminal's own hardware – printer, scanner, keypad, power, storage, ports."""

# ruff: noqa: E501  (a sentence is one line: that is how translators read it)

from agent.core.why.causes.cause import Cause, Owner, entry

CAUSES: tuple[Cause, ...] = (
    entry(
        "printer.paper_out",
        "O",
        Owner.CASHIER,
        ("打印机缺纸", "out of paper"),
        ("装入新纸卷，再重打小票", "Load paper, then reprint the slip"),
        (
            "打印机没有纸[，自{since}起]；付款本身不受影响",
            "The printer is out of paper[ since {since}]; the payment itself is not affected",
        ),
    ),
    entry(
        "printer.paper_low",
        "O",
        Owner.CASHIER,
        ("纸将用尽", "paper nearly out"),
        ("备好一卷新纸", "Have a new roll ready"),
        ("打印纸快用完了", "The paper roll is nearly used up"),
    ),
    entry(
        "printer.paper_jam",
        "O",
        Owner.CASHIER,
        ("卡纸", "paper jam"),
        ("打开纸仓盖，取出卡住的纸，再合上", "Open the cover, clear the paper, close it again"),
        (
            "打印机卡纸[，自{since}起]；付款本身不受影响",
            "Paper is jammed in the printer[ since {since}]; the payment itself is not affected",
        ),
    ),
    entry(
        "printer.cover_open",
        "O",
        Owner.CASHIER,
        ("纸仓盖未合上", "cover open"),
        ("合上纸仓盖，听到咔哒声为止", "Close the paper cover until it clicks"),
        (
            "打印机的纸仓盖开着[，自{since}起]，打不了小票",
            "The printer's cover is open[ since {since}]; no slip can be printed",
        ),
    ),
    entry(
        "printer.overheated",
        "O",
        Owner.AGENT,
        ("打印头过热", "print head too hot"),
        ("等几分钟，打印机会自行恢复", "Wait a few minutes; the printer recovers by itself"),
        (
            "打印头过热，自动停下来降温[，自{since}起]",
            "The print head is too hot and pauses to cool down[, since {since}]",
        ),
    ),
    entry(
        "printer.cutter_fault",
        "O",
        Owner.CASHIER,
        ("切刀故障", "cutter fault"),
        (
            "关机，清理切刀处的纸，再开机；仍报错就叫技术人员",
            "Power off, clear the blade, power on; if it stays, call the technician",
        ),
        ("打印机切刀卡住[，自{since}起]", "The printer's cutter is blocked[ since {since}]"),
    ),
    entry(
        "printer.ink_out",
        "O",
        Owner.CASHIER,
        ("墨水/色带用尽", "ink or ribbon out"),
        ("更换色带或墨盒", "Replace the ribbon or the ink"),
        ("色带或墨水用完了，字迹看不清", "Ribbon or ink is used up; print is unreadable"),
    ),
    entry(
        "printer.low_voltage",
        "O",
        Owner.CASHIER,
        ("打印电压低", "supply voltage low"),
        ("接上电源适配器或充电", "Connect the power supply or charge the battery"),
        ("打印机供电电压太低，无法打印", "The printer's supply voltage is too low to print"),
    ),
    entry(
        "printer.offline",
        "O",
        Owner.CASHIER,
        ("打印机离线", "printer off-line"),
        (
            "松开进纸键，按联机键让打印机上线",
            "Release the FEED button and switch the printer back on-line",
        ),
        (
            "打印机处于离线状态[：{offline_reason}][，自{since}起]",
            "The printer is off-line[: {offline_reason}][, since {since}]",
        ),
    ),
    entry(
        "printer.not_answering",
        "O",
        Owner.TECHNICIAN,
        ("打印机无应答", "printer does not answer"),
        (
            "检查打印机电源、连接线和端口[{device}]，确认没有别的程序占用",
            "Check the printer's power, its cable and the port[ {device}], and that no other program holds it",
        ),
        (
            "打印机没有应答[：{reason}][，自{since}起]；状态未知，不等于故障",
            "The printer does not answer[: {reason}][, since {since}]; its state is unknown, which is not a fault",
        ),
    ),
    entry(
        "printer.hardware_fault",
        "O",
        Owner.VENDOR,
        ("打印机硬件故障", "unrecoverable printer error"),
        (
            "请设备厂商更换打印机，报型号[{model}]、序列号[{serial}]和错误码[{error}]",
            "Have the device vendor replace the printer; give model[ {model}], serial number[ {serial}], error byte[ {error}]",
        ),
        (
            "打印机报告不可恢复的错误[：{error}][，自{since}起]",
            "The printer reports an error it cannot recover from[: {error}][, since {since}]",
        ),
    ),
    entry(
        "scanner.disconnected",
        "O",
        Owner.CASHIER,
        ("扫码枪未连接", "scanner gone"),
        ("重新插好扫码枪，无线的重新配对", "Plug the scanner in again, or pair it again"),
        ("扫码枪已断开[，自{since}起]", "The scanner is gone[ since {since}]"),
    ),
    entry(
        "scanner.not_answering",
        "O",
        Owner.TECHNICIAN,
        ("扫码枪无应答", "scanner does not answer"),
        (
            "唤醒扫码枪，检查其工作模式和端口[{device}]是否被占用",
            "Wake the scanner, check its mode and that no program holds the port[ {device}]",
        ),
        (
            "扫码枪没有应答[：{reason}][，自{since}起]；状态未知，不等于故障",
            "The scanner does not answer[: {reason}][, since {since}]; its state is unknown, which is not a fault",
        ),
    ),
    entry(
        "scanner.battery_low",
        "O",
        Owner.CASHIER,
        ("扫码枪电量低", "scanner battery low"),
        ("给扫码枪充电", "Charge the scanner"),
        ("扫码枪电量低[：{percent}%]", "The scanner's battery is low[: {percent} %]"),
    ),
    entry(
        "scanner.sensor_fault",
        "O",
        Owner.TECHNICIAN,
        ("扫码头故障", "reads fail or self-test fails"),
        ("清洁扫码窗，再扫一次试码", "Clean the scanner's window and scan a test code"),
        (
            "扫码失败率偏高[：{rate}][，平时{usual_rate}][；自检：{error}]",
            "Reads fail more than usual[: {rate}][, usually {usual_rate}][; self-test: {error}]",
        ),
    ),
    entry(
        "keypad.stuck_key",
        "O",
        Owner.TECHNICIAN,
        ("按键卡住", "key stuck"),
        ("清理或更换卡住的按键[（{key_class}）]", "Free or replace the stuck key[ ({key_class})]"),
        (
            "有按键一直按下[（{key_class}）][，自{since}起]，容易输错金额",
            "A key stays pressed[ ({key_class})][ since {since}]; wrong amounts are likely",
        ),
    ),
    entry(
        "keypad.dead_keys",
        "O",
        Owner.TECHNICIAN,
        ("按键失灵", "keys never seen"),
        ("做一次按键测试，确认后更换键盘", "Run the guided key test, then replace the keypad"),
        (
            "有按键从未响应[（{key_class}）][，共{count}个]",
            "Some keys have never been seen[ ({key_class})][: {count}]",
        ),
    ),
    entry(
        "keypad.chatter",
        "O",
        Owner.TECHNICIAN,
        ("按键连击", "key bounces"),
        ("清洁或更换键盘", "Clean or replace the keypad"),
        (
            "按一次出现多次[（{key_class}）][，{count}次]，金额容易多一位",
            "One press counts twice[ ({key_class})][, {count} times]; double digits in amounts are likely",
        ),
    ),
    entry(
        "keypad.disconnected",
        "O",
        Owner.CASHIER,
        ("键盘未连接", "keypad gone"),
        ("重新插好键盘", "Plug the keypad in again"),
        ("键盘已断开[，自{since}起]", "The keypad is gone[ since {since}]"),
    ),
    entry(
        "power.battery_low",
        "O",
        Owner.CASHIER,
        ("终端电量低", "terminal battery low"),
        ("马上给终端充电", "Charge the terminal now"),
        (
            "终端电量低[：{battery_percent}%][，还有{count}笔交易未上送]",
            "The terminal's battery is low[: {battery_percent} %][; payments not yet sent: {count}]",
        ),
    ),
    entry(
        "power.unstable",
        "OL",
        Owner.TECHNICIAN,
        ("供电不稳/异常重启", "unexpected restarts"),
        (
            "检查电源适配器、插座和电池接触",
            "Check the power supply, the socket and the battery's contacts",
        ),
        (
            "终端异常重启[，24小时内{restarts_24h}次]，供电不稳",
            "The terminal restarts unexpectedly[: {restarts_24h} times in 24 h]; its supply is unstable",
        ),
    ),
    entry(
        "system.storage_low",
        "O",
        Owner.TECHNICIAN,
        ("存储空间不足", "storage nearly full"),
        (
            "清理存储[{storage_path}][，占用最多的是{largest}]",
            "Free space on the storage[ {storage_path}][; most is used by {largest}]",
        ),
        (
            "存储空间快满了[：剩余{storage_free_mb} MB]；交易队列的预留空间不受影响",
            "Storage is nearly full[: {storage_free_mb} MB left]; the queue's reserve is safe",
        ),
    ),
    entry(
        "system.storage_worn",
        "O",
        Owner.VENDOR,
        ("闪存寿命将尽", "flash worn / read-only"),
        (
            "先备份交易数据，再请设备厂商换机，报型号和序列号[{serial}]",
            "Back up the records, then have the device vendor replace it; give model and serial number[ {serial}]",
        ),
        (
            "闪存磨损[到{wear_percent}%]或存储[{storage_path}]已变为只读",
            "The flash is worn[ to {wear_percent} %] or the storage[ {storage_path}] has turned read-only",
        ),
    ),
    entry(
        "system.memory_low",
        "O",
        Owner.TECHNICIAN,
        ("内存不足", "memory short"),
        (
            "关闭占内存的程序[：{largest}]",
            "Close what uses the memory[: {largest}]",
        ),
        (
            "可用内存不足[：剩余{memory_available_mb} MB]，程序可能被系统关闭",
            "Memory is short[: {memory_available_mb} MB left]; the system may stop programs",
        ),
    ),
    entry(
        "system.overheated",
        "O",
        Owner.CASHIER,
        ("终端过热", "terminal too hot"),
        (
            "把终端移到阴凉通风处",
            "Move the terminal into the shade and let air reach it",
        ),
        (
            "终端温度过高[：{temperature_c}℃][，上限{temperature_limit_c}℃][，自{since}起]",
            "The terminal is too hot[: {temperature_c} °C][, limit {temperature_limit_c} °C][, since {since}]",
        ),
    ),
    entry(
        "system.aging",
        "O",
        Owner.VENDOR,
        ("设备老化", "device at end of life"),
        (
            "请设备厂商安排更换，报型号、序列号[{serial}]和使用年限[{age}]",
            "Plan a replacement with the device vendor; give model, serial number[ {serial}] and age[ {age}]",
        ),
        (
            "设备到了寿命期[：{measure}为{value}][，厂家上限{limit}]",
            "The device is at the end of its life[: {measure} is {value}][, the maker's limit {limit}]",
        ),
    ),
    entry(
        "device.not_recognised",
        "O",
        Owner.VENDOR,
        ("设备未识别/驱动不兼容", "device not recognised, driver missing or incompatible"),
        (
            "向设备厂商索取驱动，报USB编号[{usb_id}]、驱动[{driver}]和内核版本[{kernel}]",
            "Ask the device vendor for a driver; give USB id[ {usb_id}], driver[ {driver}] and kernel version[ {kernel}]",
        ),
        (
            "系统不认识这个设备[（{usb_id}）]，没有驱动或驱动不兼容",
            "The system does not know this device[ ({usb_id})]: no driver, or one that does not fit",
        ),
    ),
    entry(
        "device.interface_mismatch",
        "O",
        Owner.TECHNICIAN,
        ("接口标准不匹配", "interface settings do not match"),
        (
            "把端口[{device}]设为设备的波特率、校验和模式[（可能是{likely}）]",
            "Set the port[ {device}] to the device's baud rate, parity and mode[ (likely {likely})]",
        ),
        (
            "端口[{device}]收到的数据无法识别[：{reason}]，接口设置与设备不一致",
            "Bytes on the port[ {device}] make no sense[: {reason}]; its settings do not match the device",
        ),
    ),
    entry(
        "device.partner_interface",
        "LH",
        Owner.VENDOR,
        ("与收银/ERP系统接口不兼容", "cash-register or ERP interface refuses or garbles data"),
        (
            "向对方系统[（{system}）]的厂商报出错报文[{message}]、起始版本[{version}]和时间",
            "Give that system's[ ({system})] vendor the message[ {message}], the first bad version[ {version}] and the time",
        ),
        (
            "收银或ERP系统拒收或改坏了数据[：{error}][，自版本{version}起]",
            "The cash-register or ERP system refuses or garbles data[: {error}][, since version {version}]",
        ),
    ),
    entry(
        "security.tampered",
        "O",
        Owner.VENDOR,
        ("终端触发防拆", "tamper state set"),
        (
            "立即停用本终端，向设备厂商报序列号[{serial}]、TID[ {terminal_id}]和时间[{since}]",
            "Stop using this terminal; give the device vendor serial number[ {serial}], TID[ {terminal_id}] and time[ {since}]",
        ),
        (
            "终端的防拆保护已触发，密钥可能已被清除",
            "The terminal's tamper protection has tripped; its keys may be erased",
        ),
    ),
)
