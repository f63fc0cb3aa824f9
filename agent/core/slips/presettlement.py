"""The pre-settlement slip (预结算单): what a batch or a day comes to, before it is settled.

Counts and sums by kind and currency of what the host has confirmed; what is unsent, in doubt or
held stands apart and in no total. Says what is missing from it, and what failed first when it could
not be made. Takes records one by one, so nobody has to hold a whole day in memory; it reads no
store. Called by `agent.actions.slip_presettlement`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from enum import StrEnum

from agent.core.money.batches import Batch
from agent.core.money.journal import Record, State
from agent.core.money.transaction import WITHOUT_AMOUNT, Kind
from agent.core.slips import words
from agent.core.slips.paper import Block, Gap, Heading, Pair, Rule, Slip, Text
from agent.core.why.case import PutAside, Said
from agent.core.why.reasons import in_chinese
from agent.core.why.text import Language, Line, Money, format_at, format_money
from agent.core.why.text import Text as Words
from agent.record import dataclass


class Standing(StrEnum):
    """Where a payment stands on this slip: every one in exactly one place."""

    CONFIRMED = "confirmed"
    UNSENT = "unsent"
    IN_DOUBT = "in_doubt"
    HELD = "held"
    NOTHING = "nothing"  #: declined, withdrawn, lapsed, reversed: no money


#: What adds to the merchant's money, and what takes from it; the other kinds do neither.
PLUS = frozenset({Kind.SALE, Kind.QR_SALE, Kind.PREAUTH_COMPLETION})
MINUS = frozenset(
    {Kind.REFUND, Kind.VOID, Kind.PREAUTH_COMPLETION_VOID, Kind.QR_CANCEL, Kind.QR_REFUND}
)
_ORDER = {kind: place for place, kind in enumerate(Kind)}
_TITLES: Mapping[Standing, Words] = {
    Standing.CONFIRMED: Words("主机已入账", "Confirmed by the host"),
    Standing.UNSENT: Words("未上送（不计入合计）", "Not sent (in no total)"),
    Standing.IN_DOUBT: Words("结果未知（不计入合计）", "Outcome unknown (in no total)"),
    Standing.HELD: Words("待人工处理（不计入合计）", "Held (in no total)"),
    Standing.NOTHING: Words("未成交", "Not charged"),
}


def standing(record: Record) -> Standing:
    """Doubt first: nobody may count on it."""
    if words.doubtful(record):
        return Standing.IN_DOUBT
    match record.state:
        case State.POSTED:
            return Standing.CONFIRMED
        case State.HELD:
            return Standing.HELD
        case State.QUEUED | State.WAITING:
            return Standing.UNSENT
    return Standing.NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What the slip is about."""

    terminal_id: str
    merchant_id: str
    batch: str = ""
    day: str = ""  #: 2026-11-22, in the terminal's time zone
    told: Batch | None = None  #: what the payment app said of this batch
    aside: tuple[PutAside, ...] = ()  #: damaged journals
    listed: int = 0  #: payments in the acquirer's list that are not here
    cut_short: bool = False  #: older payments were not looked at
    last: LastTime | None = None  #: what became of it the last time


class Sums:
    """Counts and sums, a payment at a time."""

    def __init__(self) -> None:
        #: (standing, currency, kind) -> [count, sum in minor units]
        self.cells: dict[tuple[Standing, str, Kind], list[int]] = {}

    def take(self, record: Record) -> None:
        """Add one payment."""
        t = record.transaction
        minor = None if t.kind in WITHOUT_AMOUNT else words.amount_minor(record)
        cell = self.cells.setdefault((standing(record), t.currency or "", t.kind), [0, 0])
        cell[0] += 1
        cell[1] += minor or 0

    def count(self, which: Standing) -> int:
        return sum(cell[0] for (one, _, _), cell in self.cells.items() if one is which)

    def net(self) -> dict[str, int]:
        """By currency, what the confirmed payments come to for the merchant."""
        found: dict[str, int] = {}
        for (which, currency, kind), (_, minor) in sorted(self.cells.items()):
            if which is Standing.CONFIRMED and currency:
                sign = 1 if kind in PLUS else -1 if kind in MINUS else 0
                found[currency] = found.get(currency, 0) + sign * minor
        return found

    def financial(self) -> int:
        """Confirmed payments that a host counts in a batch."""
        return sum(
            cell[0]
            for (which, _, kind), cell in self.cells.items()
            if which is Standing.CONFIRMED and kind in PLUS | MINUS
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What is not on the slip: how many, as far as that is known, and which."""

    line: Line
    count: int | None = None


_ASIDE = Words(
    "已隔离的损坏记录[{count}笔]（{path}）", "damaged records put aside[: {count}] ({path})"
)
_TOLD = Words(
    "收款应用报告本批次{told}笔，本机有{count}笔",
    "the payment app counts {told} in this batch, here are {count}",
)


_LISTED = Words(
    "收单机构清单里有{count}笔，本机没有记录", "the acquirer's list has {count} that are not here"
)


def missing(sums: Sums, scope: Scope) -> tuple[Missing, ...]:
    """What provably is, or may be, missing."""
    found = [
        Missing(
            line=Line(_ASIDE, {"count": one.records, "path": one.path.rsplit("/", 1)[-1]}),
            count=one.records,
        )
        for one in scope.aside
    ]
    told = scope.told.count if scope.told is not None else None
    if told is not None and told > sums.financial():
        args = {"told": told, "count": sums.financial()}
        found.append(Missing(line=Line(_TOLD, args), count=told - sums.financial()))
    if scope.listed:
        line = Line(_LISTED, {"count": scope.listed})
        found.append(Missing(line=line, count=scope.listed))
    return tuple(found)


class Failed(StrEnum):
    """What failed first when the slip could not be had, in the order in which it is looked at."""

    PRINTER = "printer"
    DATA = "data"
    RIGHTS = "rights"
    SOFTWARE = "software"


FAILED: Mapping[Failed, Words] = {
    Failed.PRINTER: Words("打印机", "the printer"),
    Failed.DATA: Words("交易数据", "the records"),
    Failed.RIGHTS: Words("权限", "a missing right"),
    Failed.SOFTWARE: Words("软件", "the software"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LastTime:
    """What became of the slip when somebody last wanted it."""

    at: datetime
    batch: str = ""
    failed: Failed | None = None
    reason: str = ""
    missing: tuple[Line, ...] = field(default=())
    count: int = 0


_REASON = Words("预结算单：{reason}", "pre-settlement slip: {reason}")


def said(last: LastTime | None) -> Sequence[Said]:
    """What a verdict about the terminal should say of it."""
    if last is None:
        return ()
    found: list[Said] = []
    if last.failed is not None:
        found.append(
            Said(
                code="presettlement.not_generated",
                since_at=last.at,
                args={"failed": FAILED[last.failed]},
                evidence=(Line(_REASON, {"reason": last.reason}),) if last.reason else (),
            )
        )
    if last.missing:
        found.append(
            Said(
                code="presettlement.missing_records",
                since_at=last.at,
                args={"count": last.count or None, "missing": last.batch or None},
                evidence=last.missing,
            )
        )
    return found


def slip(sums: Sums, scope: Scope, now: datetime, lang: Language, offset: timedelta) -> Slip:
    """The slip itself."""
    zh, last = lang == "zh", scope.last
    about = [
        ("终端号" if zh else "Terminal", scope.terminal_id),
        ("商户号" if zh else "Merchant", scope.merchant_id),
        ("批次号" if zh else "Batch", scope.batch),
        ("日期" if zh else "Day", scope.day),
        ("打印时间" if zh else "Printed", format_at(now, offset)),
    ]
    blocks: list[Block] = [Heading("预结算单" if zh else "Pre-settlement slip")]
    if scope.told is not None and scope.told.closed_at is None:
        blocks.append(Heading("（批次未结算）" if zh else "(batch still open)"))
    blocks += [Pair(name, value) for name, value in about if value]
    for which in Standing:
        if which is Standing.CONFIRMED or sums.count(which):
            blocks += [Rule(), *_section(sums, which, lang)]
    blocks += [Rule(), *_lacking(sums, scope, lang, offset)]
    if last is not None and last.failed is not None:
        blocks += [Rule(), *_failed(last, lang, offset)]
    blocks.append(
        Text(
            "本单不是结算单，以收单机构结算结果为准。"
            if zh
            else "This is no settlement: what counts is the acquirer's."
        )
    )
    return Slip(name="presettlement", blocks=tuple(blocks))


def _section(sums: Sums, which: Standing, lang: Language) -> list[Block]:
    zh = lang == "zh"
    title = _TITLES[which].render(lang)
    blocks: list[Block] = [Pair(title, str(sums.count(which)), strong=True)]
    cells = sorted(
        (currency, _ORDER[kind], kind, cell)
        for (one, currency, kind), cell in sums.cells.items()
        if one is which
    )
    for currency, _, kind, (count, minor) in cells:
        told = format_money(Money(minor, currency)) if currency else ""
        blocks.append(Pair(f" {words.kind_word(kind, lang)} x{count}", told))
    if which is Standing.CONFIRMED:
        for currency, minor in sums.net().items():
            net = format_money(Money(minor, currency))
            blocks.append(Pair("合计净额" if zh else "Net total", net, strong=True))
    return blocks


def _lacking(sums: Sums, scope: Scope, lang: Language, offset: timedelta) -> list[Block]:
    zh = lang == "zh"
    found = missing(sums, scope)
    blocks: list[Block] = []
    if found:
        blocks.append(Text("缺少交易：" if zh else "Records are missing:", strong=True))
        blocks += [Text(one.line.render(lang, offset), indent=2, first="- ") for one in found]
    if scope.cut_short:
        blocks.append(
            Text(
                "更早的交易未计入：数量太多。"
                if zh
                else "Older payments were not counted: there are too many."
            )
        )
    still = sum(map(sums.count, (Standing.UNSENT, Standing.IN_DOUBT, Standing.HELD)))
    if still:
        blocks.append(
            Text(
                f"有{still}笔主机尚未确认，结算前请先处理。"
                if zh
                else f"{still} not confirmed by the host: see to them before settling.",
                strong=True,
            )
        )
    if not blocks:
        blocks.append(
            Text("本机没有缺少的交易。" if zh else "Nothing is known to be missing from it.")
        )
    return blocks


def _failed(last: LastTime, lang: Language, offset: timedelta) -> list[Block]:
    zh = lang == "zh"
    what = "" if last.failed is None else FAILED[last.failed].render(lang)
    at = format_at(last.at, offset)
    told = f"上次（{at}）未能打印，卡在：{what}" if zh else f"Last time ({at}) it failed at: {what}"
    reason = in_chinese(last.reason) if zh else last.reason
    return [Text(told), Text(reason, indent=2), Gap()]
