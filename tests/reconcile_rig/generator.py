"""Settlement lists and journals of any length with known truth.

Independent of the matcher: payments and lines are written from a story ("settled", "forgotten by
the acquirer", "paid out twice" …), and the story is the truth. Nothing here is read from
`agent.core.why.reconcile`. Deterministic by its seed.
"""

from __future__ import annotations

import csv
import io
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

CHINA = timedelta(hours=8)
#: A Tuesday; everything is due on the Wednesday.
DAY = datetime(2026, 11, 17, tzinfo=UTC) - CHINA
TID, MID = "T0000001", "M00000000000001"
HEADING = [
    "商户号", "终端号", "交易日期", "交易时间", "清算日期", "批次号", "流水号", "参考号",
    "商户订单号", "卡号", "交易类型", "交易金额", "手续费", "状态",
]  # fmt: skip

#: Story -> how many of 1,000; what is left is settled as it should be.
STORIES = {
    "amount_differs": 10,
    "late": 10,
    "duplicate": 10,
    "offset": 10,
    "risk_hold": 5,
    "restricted": 5,
    "failed_there": 5,
    "reversed_here": 5,
    "refused_here": 5,
    "open_here": 5,
    "missing_there": 15,
    "not_due": 10,
    "missing_here": 10,
    "ambiguous": 4,
    "open": 5,
    "not_expected": 10,
}


@dataclass(frozen=True)
class Paid:
    """A payment as the journal would have it."""

    seq: int
    key: str
    rrn: str
    stan: str
    batch: str
    amount: int
    kind: str
    at: datetime
    card: str
    state: str
    in_doubt: bool
    refers_to: str


@dataclass
class World:
    """Both sides and the truth."""

    payments: list[Paid]
    rows: list[list[str]]
    truth: Counter[str]
    by_key: dict[str, str]


def world(count: int, seed: int = 1) -> World:
    """About `count` lines with every story in it."""
    rng = random.Random(seed)
    made = World([], [], Counter(), {})
    stories = [
        name for name, share in STORIES.items() for _ in range(max(1, count * share // 1000))
    ]
    stories += ["matched"] * max(0, count - len(stories))
    rng.shuffle(stories)
    for number, story in enumerate(stories, 1):
        _tell(made, rng, number, story)
    rng.shuffle(made.rows)
    return made


def as_csv(rows: list[list[str]], encoding: str = "gb18030") -> bytes:
    """The file as a bank would send it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(HEADING)
    writer.writerows(rows)
    return text.getvalue().encode(encoding)


def known_by(rng: random.Random, row: list[str]) -> None:
    """Take away some of what a line could be recognised by; never all of it."""
    way = rng.randrange(4)
    if way >= 1:
        row[8] = ""  # no order number
    if way >= 2:
        row[7] = ""  # no RRN
    if way >= 3:
        row[6] = ""  # no trace number: amount and time are left


def _tell(made: World, rng: random.Random, number: int, story: str) -> None:  # noqa: PLR0912
    amount = 100 + number * 7  # no two alike, so that amount and time are enough
    at = DAY + timedelta(seconds=8 * 3600 + number % 50_000)
    paid = _paid(number, amount, at)
    row = _row(paid)
    match story:
        case "matched":
            known_by(rng, row)
        case "amount_differs":
            row[11] = _yuan(amount - 37)
            row[8] = ""
        case "late":
            row[4] = "2026-11-19"
        case "duplicate":
            known = rng.choice((6, 7))
            row[known] = row[known]
            made.rows.append(list(row))
            made.truth["matched"] += 1
        case "offset":
            made.rows.append([*row[:10], "拒付", _yuan(amount), "", "成功"])
            made.truth["matched"] += 1
        case "risk_hold":
            row[13] = "风控"
        case "restricted":
            row[13] = "商户冻结"
        case "failed_there":
            row[13] = "失败"
        case "reversed_here":
            paid = _paid(number, amount, at, state="reversed")
        case "refused_here":
            paid = _paid(number, amount, at, state=rng.choice(("declined", "voided", "lapsed")))
        case "open_here":
            paid = _paid(number, amount, at, state="waiting", in_doubt=True)
        case "not_due":
            paid = _paid(number, amount, at + timedelta(days=2))  # the late ones are of the 19th
        case "open":
            paid = _paid(number, amount, at, state="queued")
        case "not_expected":
            paid = _paid(number, amount, at, state=rng.choice(("declined", "reversed")))
        case "ambiguous":
            _ambiguous(made, paid, row)
            return
    made.truth[story] += 1
    if story != "missing_here":
        made.payments.append(paid)
    if story not in ("missing_there", "not_due", "open", "not_expected"):
        made.rows.append(row)
    if story not in ("duplicate", "offset", "missing_here"):
        made.by_key[paid.key] = story


def _ambiguous(made: World, paid: Paid, row: list[str]) -> None:
    """Two payments alike in all the list tells, and two lines alike."""
    twin = Paid(**{**paid.__dict__, "seq": paid.seq + 10_000_000, "key": paid.key + "b",
                   "rrn": paid.rrn[:-1] + "x", "stan": ""})  # fmt: skip
    made.payments += [paid, twin]
    bare = [*row]
    bare[6] = bare[7] = bare[8] = ""
    made.rows += [bare, list(bare)]
    made.truth["ambiguous"] += 4
    made.by_key[paid.key] = made.by_key[twin.key] = "ambiguous"


def _paid(
    number: int, amount: int, at: datetime, state: str = "posted", in_doubt: bool = False
) -> Paid:
    return Paid(
        seq=number, key=f"k-{number:08d}", rrn=f"{number:012d}", stan=f"{number % 999_983 + 1:06d}",
        batch="000017", amount=amount, kind="sale", at=at, card=f"{number % 9973:04d}",
        state=state, in_doubt=in_doubt, refers_to="",
    )  # fmt: skip


def _row(paid: Paid) -> list[str]:
    local = paid.at + CHINA
    return [
        MID, TID, f"{local:%Y%m%d}", f"{local:%H:%M:%S}", "2026-11-18", paid.batch, paid.stan,
        paid.rrn, paid.key, f"622588******{paid.card}", "消费", _yuan(paid.amount), "0.38", "成功",
    ]  # fmt: skip


def _yuan(amount: int) -> str:
    return f"{amount // 100}.{amount % 100:02d}"


def rows_of(payments: list[Paid], size: int = 500) -> Iterator[list[list[object]]]:
    """The payments as the program that matches is told of them, in pages."""
    ordered = sorted(payments, key=lambda one: one.seq)
    for begin in range(0, len(ordered), size):
        yield [
            [
                p.seq, p.key, p.rrn, p.stan.lstrip("0"), p.batch.lstrip("0"), TID, MID, p.amount,
                "CNY", p.kind, int(p.at.timestamp() * 1000), p.card, p.state, p.in_doubt,
                p.refers_to, 0, 0, "",
            ]
            for p in ordered[begin : begin + size]
        ]  # fmt: skip
