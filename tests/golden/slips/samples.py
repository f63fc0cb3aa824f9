"""One slip of every kind, from fixed facts; `python -m tests.golden.slips.samples` writes them.

For each, in Chinese and English and for both widths of paper: `KIND.LANG.COLUMNS.txt`, `.escpos`
and `.png`. Look at what changed before committing it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from agent.core.inspection.report import Check, Report, Trigger
from agent.core.inspection.report import Verdict as Checked
from agent.core.moment import Stamp, to_ms
from agent.core.money.batches import Batch
from agent.core.money.journal import Amounts, Backlog, HostResult, Record, State
from agent.core.money.transaction import Card, Kind, Posting, Transaction
from agent.core.slips import diagnostic, inspection, presettlement, recent, voucher
from agent.core.slips.escpos import Profile, encode
from agent.core.slips.layout import Line, lines, rows
from agent.core.slips.paper import Slip
from agent.core.why.case import PutAside
from agent.core.why.causes import Owner
from agent.core.why.text import Line as Line_
from agent.core.why.text import Text
from agent.core.why.verdict import Advice, Finding, Retry, Verdict

HERE = Path(__file__).parent
CST = timedelta(hours=8)
NOW = datetime(2026, 11, 22, 9, 5, 7, tzinfo=UTC)
LANGS, COLUMNS = ("zh", "en"), (32, 48)


def record(seq: int, state: State = State.POSTED, **changes: Any) -> Record:
    """A payment of ten times its number."""
    doubt = bool(changes.pop("in_doubt", False))
    result = changes.pop("result", None)
    at = NOW - timedelta(minutes=90 - seq)
    transaction = Transaction(
        key=f"T0001-20261122-{seq:06d}",
        terminal_id="10000001",
        merchant_id="898110259990001",
        kind=Kind.SALE,
        posting=Posting.ADVICE,
        occurred_at=at,
        uplink="main",
        amount_minor=seq * 1000 + 5,
        currency="CNY",
        stan=f"{seq:06d}",
        batch="000012",
        card=Card(scheme="UnionPay", masked="622588******1234"),
    )
    stamp = Stamp(to_ms(at), 1000 * seq, 1)
    return Record(
        seq=seq, transaction=replace(transaction, **changes), state=state, in_doubt=doubt,
        version=1, sent=1, tried=1, cause="", note="", stored_at=at, changed_at=at, next_wall_ms=0,
        next_boot_ms=0, boot_no=1, lane=None, stored=stamp, result=result,
    )  # fmt: skip


def records() -> list[Record]:
    """A morning."""
    approved = HostResult(
        reference="20261122000000000123456789", response_code="00", rrn="163205998877"
    )
    return [
        record(1, result=approved),
        record(2, result=approved, amount_minor=1_234_567_89),
        record(3, kind=Kind.REFUND, result=approved),
        record(4, kind=Kind.QR_SALE, card=None),
        record(5, currency="USD"),
        record(6, State.WAITING, in_doubt=True),
        record(7, State.QUEUED),
        record(8, State.HELD),
        record(9, State.DECLINED),
        record(10, kind=Kind.PREAUTH, stan=None),
    ]


def backlog() -> Backlog:
    one = Amounts(count=1, by_currency={"CNY": 6005})
    return Backlog(
        total=Amounts(count=3, by_currency={"CNY": 21015, "USD": 500}), by_state={},
        in_doubt=one, held=one, quarantined=None, oldest_at=NOW - timedelta(hours=1), by_cause={},
    )  # fmt: skip


def verdict(key: str | None = None, **changes: Any) -> Verdict:
    """Two findings and what was said around them."""
    since = NOW - timedelta(hours=1)
    found = Verdict(
        at=NOW, key=key, headline=Line_(Text("有3笔交易未上送", "Payments not yet sent: 3")),
        stages=None, facts=(), omitted=0, unknowns=(), suggestions=(),
        advice=Advice(
            Retry.DO_NOT_RETRY, Line_(Text("请勿重复收款", "Do not take the payment again"))
        ),
        findings=(
            Finding(
                code="network.no_link", owner=Owner.CASHIER, since_at=since,
                args={"interface": "eth0"},
            ),
            Finding(code="queue.held", owner=Owner.TECHNICIAN),
        ),
    )  # fmt: skip
    return replace(found, **changes)


def slips(lang: Any) -> Iterator[Slip]:
    """One of every kind."""
    yield voucher.slip(records()[0], NOW, lang, CST)
    yield replace(voucher.slip(records()[5], NOW, lang, CST), name="voucher-in-doubt")
    yield recent.slip(records(), "T-0001", NOW, lang, CST)
    sums = presettlement.Sums()
    for one in records():
        sums.take(one)
    told = Batch(terminal_id="10000001", batch="000012", opened_at=NOW, count=9)
    aside = (PutAside(path="/var/lib/posagent/journal.db.bad-1", records=2),)
    last = presettlement.LastTime(
        at=NOW - timedelta(hours=2), failed=presettlement.Failed.PRINTER, reason="out of paper"
    )
    scope = presettlement.Scope(
        terminal_id="10000001", merchant_id="898110259990001", batch="000012", told=told,
        aside=aside, last=last,
    )  # fmt: skip
    yield presettlement.slip(sums, scope, NOW, lang, CST)
    terminal = diagnostic.Terminal(
        device_id="T-0001", version="0.6.0", backlog=backlog(), alarms=2, unknown=("scanner",),
        channels=(("main", "paused"),), installed=(("payment app", "3.2.1"),),
    )  # fmt: skip
    yield diagnostic.slip(verdict(), terminal, lang, CST)
    checks = (
        Check(name="printer", verdict=Checked.FAIL, duration_ms=9, codes=("printer.paper_out",)),
        Check(name="scanner", verdict=Checked.UNKNOWN, duration_ms=9, reason="no answer"),
        Check(name="system", verdict=Checked.PASS, duration_ms=9),
    )
    report = Report(
        number=12, trigger=Trigger.SCHEDULE, actor="agent", started_ms=to_ms(NOW),
        ended_ms=to_ms(NOW) + 4200, expected=("printer", "scanner", "system"), checks=checks,
    )  # fmt: skip
    yield inspection.slip(report, "T-0001", lang, CST)


def goldens() -> Iterator[tuple[str, Slip, int]]:
    """Name without ending, slip, columns."""
    for lang in LANGS:
        for slip in slips(lang):
            for columns in COLUMNS:
                yield f"{slip.name}.{lang}.{columns}", slip, columns


def drawn(slip: Slip, columns: int) -> bytes:
    """The image."""
    from agent.offloaded.slip_image import png

    told = [
        ["line", row.text, row.strong] if isinstance(row, Line) else ["code", row.data.decode()]
        for row in rows(slip, columns)
    ]
    return png(told, columns)


def main() -> None:
    for name, slip, columns in goldens():
        (HERE / f"{name}.txt").write_text("\n".join(lines(slip, columns)) + "\n", encoding="utf-8")
        told = encode(rows(slip, columns), Profile(columns=columns, cut=columns == 48))
        (HERE / f"{name}.escpos").write_bytes(told)
        (HERE / f"{name}.png").write_bytes(drawn(slip, columns))


if __name__ == "__main__":
    main()
