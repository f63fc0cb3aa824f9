"""When an update may not go on: while money is unsent, on an empty battery, in business hours.

Decides only the holds; what an update is doing is `agent.core.software.update`. What cannot be
known about money holds too; what cannot be known about a battery does not, for most terminals have
none. Called with every turn of an update that has changed nothing yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from agent.record import dataclass


class Policy(StrEnum):
    """What unsent money does to an update."""

    WAIT = "wait"
    REFUSE = "refuse"
    ALLOW = "allow"


#: Holds that speak of money.
MONEY = frozenset({"unsent", "unsent_age", "in_doubt", "backlog_unknown"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """As configured."""

    policy: Policy = Policy.WAIT
    wait_s: float = 0.0  #: how long for money; 0: for ever
    unsent_max: int = 0
    unsent_max_age_s: float = 0.0  #: of the oldest unsent payment; 0: any age
    battery_min_percent: float = 30.0
    window: tuple[int, int] | None = None  #: minutes of the local day, the end not in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is known now. None: not known."""

    unsent: int | None
    in_doubt: int | None
    oldest_age_s: float | None
    battery_percent: float | None
    charging: bool | None
    minute: int | None  #: of the local day; None: the clock is not trusted


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One thing an update waits for."""

    word: str
    found: str = ""

    def sentence(self, lang: str) -> str:
        """For people."""
        zh, en = SENTENCES[self.word]
        return (zh if lang == "zh" else en).format(found=self.found)


SENTENCES: Mapping[str, tuple[str, str]] = {
    "unsent": ("有{found}笔交易未上送", "payments not yet sent: {found}"),
    "unsent_age": ("最早未上送的交易已等{found}秒", "the oldest unsent payment waits {found} s"),
    "in_doubt": ("有{found}笔交易结果未知", "payments whose outcome is unknown: {found}"),
    "backlog_unknown": ("无法得知是否有未上送的交易", "whether money is unsent cannot be told"),
    "battery": ("电量只有{found}%且未充电", "the battery is at {found} % and not charging"),
    "window": ("不在更新时段内（{found}）", "outside the hours for updates ({found})"),
    "clock": ("终端时间不可信", "the clock is not trusted, so the hours cannot be kept"),
}


def holds(limits: Limits, now: Situation, *, any_time: bool = False) -> tuple[Hold, ...]:
    """Everything an update waits for; `any_time`: a technician stands there, hours do not count."""
    found = [*_money(limits, now), *_power(limits, now)]
    if limits.window is not None and not any_time:
        if now.minute is None:
            found.append(Hold(word="clock"))
        elif not _within(limits.window, now.minute):
            start, end = limits.window
            hours = f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"
            found.append(Hold(word="window", found=hours))
    return tuple(found)


def given_up(limits: Limits, held: Iterable[Hold], waited_s: float) -> str:
    """Why an update that money holds does not wait for it any longer; "": it does."""
    money = [one for one in held if one.word in MONEY]
    if not money:
        return ""
    why = "; ".join(one.sentence("en") for one in money)
    if limits.policy == Policy.REFUSE:
        return f"refused: {why}"
    if limits.wait_s and waited_s >= limits.wait_s:
        return f"waited {limits.wait_s:.0f} s in vain: {why}"
    return ""


def _money(limits: Limits, now: Situation) -> list[Hold]:
    if limits.policy is Policy.ALLOW:
        return []
    if now.unsent is None or now.in_doubt is None:
        return [Hold(word="backlog_unknown")]
    found = []
    if now.in_doubt:
        found.append(Hold(word="in_doubt", found=str(now.in_doubt)))
    if now.unsent > limits.unsent_max:
        found.append(Hold(word="unsent", found=str(now.unsent)))
    elif limits.unsent_max_age_s and (now.oldest_age_s or 0.0) > limits.unsent_max_age_s:
        found.append(Hold(word="unsent_age", found=f"{now.oldest_age_s:.0f}"))
    return found


def _power(limits: Limits, now: Situation) -> list[Hold]:
    if now.battery_percent is None or now.charging is True:
        return []
    if now.battery_percent >= limits.battery_min_percent:
        return []
    return [Hold(word="battery", found=f"{now.battery_percent:g}")]


def _within(window: tuple[int, int], minute: int) -> bool:
    start, end = window
    if start <= end:
        return start <= minute < end
    return minute >= start or minute < end  # over midnight
