"""What statistics are called, in both languages: factors, their values, and what stands for none.

Chosen to promise nothing: `goes with`, never `because of`.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.core.why.around import UNKNOWN
from agent.core.why.stats import OTHER, Factor

Pair = tuple[str, str]  #: Chinese, English

TITLES: Mapping[Factor, Pair] = {
    Factor.NETWORK: ("网络类型", "network type"),
    Factor.CHANNEL: ("网络通道", "channel"),
    Factor.SIGNAL: ("信号强弱", "signal"),
    Factor.HOUR: ("时段", "hour of the day"),
    Factor.WEEKDAY: ("星期", "weekday"),
    Factor.APP_VERSION: ("收款应用版本", "payment app version"),
    Factor.PRINTER: ("打印机状态", "printer"),
    Factor.AMOUNT: ("金额区间", "amount"),
}
_VALUES: Mapping[tuple[Factor, str], Pair] = {
    (Factor.NETWORK, "wifi"): ("Wi-Fi", "Wi-Fi"),
    (Factor.NETWORK, "cellular"): ("移动网络", "mobile data"),
    (Factor.NETWORK, "ethernet"): ("有线", "cable"),
    (Factor.NETWORK, "vpn"): ("专线/VPN", "private line"),
    (Factor.NETWORK, "none"): ("无连接", "no link"),
    (Factor.SIGNAL, "wired"): ("有线", "cable"),
    (Factor.SIGNAL, "excellent"): ("很强", "excellent"),
    (Factor.SIGNAL, "good"): ("强", "good"),
    (Factor.SIGNAL, "fair"): ("中", "fair"),
    (Factor.SIGNAL, "weak"): ("弱", "weak"),
    (Factor.PRINTER, "ok"): ("正常", "ready"),
    (Factor.PRINTER, "not_fitted"): ("未配备", "not fitted"),
    (Factor.WEEKDAY, "1"): ("周一", "Monday"),
    (Factor.WEEKDAY, "2"): ("周二", "Tuesday"),
    (Factor.WEEKDAY, "3"): ("周三", "Wednesday"),
    (Factor.WEEKDAY, "4"): ("周四", "Thursday"),
    (Factor.WEEKDAY, "5"): ("周五", "Friday"),
    (Factor.WEEKDAY, "6"): ("周六", "Saturday"),
    (Factor.WEEKDAY, "7"): ("周日", "Sunday"),
}
_UNKNOWN: Pair = ("未知", "unknown")
_OTHER: Pair = ("其他", "others")
NOTHING: Pair = ("无记录", "nothing on record")


def label(factor: Factor, value: str) -> Pair:
    """A value of a factor as people read it."""
    if value == UNKNOWN:
        return _UNKNOWN
    if value == OTHER:
        return _OTHER
    if factor is Factor.HOUR:
        return (f"{value} 时", f"{value} h")
    return _VALUES.get((factor, value), (value, value))
