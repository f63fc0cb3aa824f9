"""What an entry of the guidance is: three texts, whom to call, which references to give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from agent.core.why.text import Language, Text
from agent.record import dataclass


class Whom(StrEnum):
    """Whom to call when the terminal's own people can do no more."""

    TECHNICIAN = "technician"
    MERCHANT = "merchant"  #: the shop's owner or manager
    VENDOR = "vendor"  #: maker of the device or its image
    APP_VENDOR = "app_vendor"  #: maker of the payment app
    ACQUIRER = "acquirer"
    BANK = "bank"  #: that keeps the merchant's account
    PLATFORM = "platform"
    PROVIDER = "provider"  #: of the line or the SIM card
    FLEET = "fleet"  #: who manages the terminals from afar


class Reference(StrEnum):
    """What the called one needs to find it in his own books."""

    TID = "tid"
    MID = "mid"
    STAN = "stan"
    RRN = "rrn"
    BATCH = "batch"
    TIME = "time"
    AMOUNT = "amount"
    KEY = "key"
    RESPONSE = "response"
    SERIAL = "serial"
    MODEL = "model"
    VERSION = "version"
    ERROR = "error"
    HOST = "host"
    INTERFACE = "interface"
    LINE = "line"
    ICCID = "iccid"
    EXPIRY = "expiry"
    SUBJECT = "subject"
    USB = "usb"
    ACCOUNT = "account"
    DATES = "dates"
    DEVICE = "device"
    FILE = "file"
    REPORT = "report"


WHOM: Mapping[Whom, Text] = {
    Whom.TECHNICIAN: Text("技术人员", "the technician"),
    Whom.MERCHANT: Text("店主或店长", "the shop's owner or manager"),
    Whom.VENDOR: Text("设备厂商", "the device vendor"),
    Whom.APP_VENDOR: Text("收款应用厂商", "the payment app's vendor"),
    Whom.ACQUIRER: Text("收单机构", "the acquirer"),
    Whom.BANK: Text("开户银行", "the bank that keeps the account"),
    Whom.PLATFORM: Text("支付平台", "the payment platform"),
    Whom.PROVIDER: Text("网络运营商", "the network provider"),
    Whom.FLEET: Text("远程管理人员", "the fleet's operator"),
}

REFERENCES: Mapping[Reference, Text] = {
    Reference.TID: Text("终端号TID", "TID"),
    Reference.MID: Text("商户号MID", "MID"),
    Reference.STAN: Text("流水号STAN", "STAN"),
    Reference.RRN: Text("参考号RRN", "RRN"),
    Reference.BATCH: Text("批次号", "batch number"),
    Reference.TIME: Text("开始时间", "time it began"),
    Reference.AMOUNT: Text("金额", "amount"),
    Reference.KEY: Text("交易键", "payment key"),
    Reference.RESPONSE: Text("应答码", "response code"),
    Reference.SERIAL: Text("序列号", "serial number"),
    Reference.MODEL: Text("机型", "model"),
    Reference.VERSION: Text("软件版本", "software version"),
    Reference.ERROR: Text("错误信息", "error shown"),
    Reference.HOST: Text("主机地址", "host address"),
    Reference.INTERFACE: Text("网络接口", "network interface"),
    Reference.LINE: Text("宽带或专线账号", "line's account number"),
    Reference.ICCID: Text("SIM卡号ICCID", "SIM number ICCID"),
    Reference.EXPIRY: Text("证书到期日", "certificate's expiry"),
    Reference.SUBJECT: Text("证书名称", "certificate's name"),
    Reference.USB: Text("USB编号", "USB id"),
    Reference.ACCOUNT: Text("收款账号和户名", "account number and name"),
    Reference.DATES: Text("日期范围", "dates affected"),
    Reference.DEVICE: Text("设备编号device_id", "device_id"),
    Reference.FILE: Text("文件路径", "path of the file"),
    Reference.REPORT: Text("诊断单", "diagnostic slip"),
}


@dataclass(frozen=True, slots=True)
class Guidance:
    """What to do about one cause."""

    code: str
    now: Text  #: what to press or do, in order
    say: Text  #: what to say to the customer, ready to be said
    stop: Text  #: when to stop trying
    whom: Whom | None  #: whom to call then; None: nobody has to be called
    give: tuple[Reference, ...]  #: what to have at hand for the call

    def call(self, lang: Language) -> str:
        """`the acquirer (have at hand: TID, MID, STAN)`; "" if nobody has to be called."""
        if self.whom is None:
            return ""
        words = [REFERENCES[one].render(lang) for one in self.give]
        whom = WHOM[self.whom].render(lang)
        if lang == "zh":
            return f"{whom}（报{'、'.join(words)}）"
        return f"{whom} (have at hand: {', '.join(words)})"


Pair = tuple[str, str]
#: Code, whom to call ("" for nobody), references; then now, say, stop as (Chinese, English).
Row = tuple[str, str, str, Pair, Pair, Pair]


def read(rows: Iterable[Row]) -> Mapping[str, Guidance]:
    """A file's rows as entries."""
    return {
        code: Guidance(
            code,
            Text(*now),
            Text(*say),
            Text(*stop),
            Whom(whom) if whom else None,
            tuple(Reference(word) for word in give.split()),
        )
        for code, whom, give, now, say, stop in rows
    }
