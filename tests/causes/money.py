"""Scenes of proof: settlement lists, checks before a payment, slips, drills, pre-authorisations."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.sim.host import HostThread
from tests.causes.bench import AT_ONCE, QUIET, Bench, terminal
from tests.process.daemon import Daemon, payment, wait_until
from tests.process.shim import Shim
from tests.reconcile_rig.generator import HEADING, as_csv

#: The list's day, in the time it is written in; everything is due the day after.
DAY = (datetime.now(UTC) + timedelta(hours=8)).replace(hour=0, minute=0, second=0, microsecond=0)
DAY -= timedelta(days=5, hours=8)
LISTED = """[[reconcile]]
name = "bank"
weekends = true
[[reconcile]]
name = "same-day"
weekends = true
cycle = "T+0"
"""
#: Key -> what its line says otherwise (column -> value), and the cause of that.
LINES: dict[str, tuple[dict[str, str], str]] = {
    "s-differs": ({"交易金额": "12.13"}, "settlement.amount_differs"),
    "s-late": ({"清算日期": "late"}, "settlement.delayed"),
    "s-twice": ({}, "settlement.duplicate"),
    "s-netted": ({}, "settlement.offset"),
    "s-risk": ({"状态": "风控"}, "settlement.risk_hold"),
    "s-frozen": ({"状态": "商户冻结"}, "account.merchant_restricted"),
}


def lists(bench: Bench) -> None:
    """A bank's list in which every payment has something else wrong."""
    with terminal(LISTED) as daemon:
        at = DAY + timedelta(hours=9)
        for number, key in enumerate(LINES):
            when = (at + timedelta(minutes=number)).isoformat()
            assert daemon.submit(payment(key, occurred_at=when)).status == 201
        daemon.wait_drained()
        _read(daemon, "bank", list(_rows(at)))
        for key, (_, code) in LINES.items():
            bench.proved(daemon, code, f"bank's list of six payments: {key[2:]}", key=key)
        bench.proved(
            daemon, "settlement.unknown_to_terminal", "bank's list has a payment nobody made here"
        )
        # Due the day it was posted, and this list is of that day.
        now = datetime.now(UTC)
        for key in ("s-today", "s-forgotten"):
            assert daemon.submit(payment(key, occurred_at=now.isoformat())).status == 201
        daemon.wait_drained()
        row = _row("s-today", now)
        row[HEADING.index("清算日期")] = row[2]
        _read(daemon, "same-day", [row])
        bench.proved(
            daemon,
            "settlement.not_in_file",
            "list of the day, with one of two payments posted that day",
            key="s-forgotten",
        )


def _read(daemon: Daemon, profile: str, rows: list[list[str]]) -> None:
    begun = daemon.post("/v1/reconciliations", {"profile": profile, "file_name": "bank.csv"})
    assert begun.status in (200, 201, 202), begun.body
    place = f"/v1/reconciliations/{begun.json['import_id']}"
    data = base64.b64encode(as_csv(rows)).decode()
    piece = daemon.post(f"{place}/pieces/0", {"data": data})
    assert piece.status == 200, piece.body
    ended = daemon.post(f"{place}/end", {})
    assert ended.status in (200, 202), ended.body
    read = daemon.get("/v1/reconciliations/last?wait_s=20&only=all")
    assert read.status == 200, read.body


def _rows(at: datetime) -> list[list[str]]:
    rows: list[list[str]] = []
    for number, (key, (changes, _)) in enumerate(LINES.items()):
        row = _row(key, at + timedelta(minutes=number))
        for column, value in changes.items():
            told = (DAY + timedelta(days=4, hours=8)).date().isoformat()
            row[HEADING.index(column)] = told if value == "late" else value
        rows.append(row)
        if key == "s-twice":
            rows.append(list(row))
        if key == "s-netted":
            rows.append([*row[:10], "拒付", row[11], "", "成功"])
    rows.append(_row("nobody-here", at + timedelta(hours=3)))
    return rows


def _row(key: str, at: datetime) -> list[str]:
    there = at + timedelta(hours=8)
    due = (DAY + timedelta(days=1, hours=8)).date().isoformat()
    return [
        "M00000000000001", "T0000001", there.date().isoformat(), there.strftime("%H:%M:%S"), due,
        "", "", "", key, "", "消费", "12.50", "", "成功",
    ]  # fmt: skip


#: Payment -> cause, each flagged by the rules and sent all the same: the customer saw "approved".
CHECKED: tuple[tuple[str, dict[str, Any], str, str], ...] = (
    ("c-large", {"amount_minor": 99_999}, "operator.wrong_amount", "amount to be confirmed"),
    ("c-fast", {"entry_ms": 200}, "operator.too_fast", "entered and confirmed within 0.2 s"),
    (
        "c-type",
        {"kind": "refund", "refers_to": "c-deposit"},
        "operator.wrong_payment_type",
        "refund of a pre-authorisation",
    ),
    ("c-refund", {"kind": "refund"}, "fraud.suspicious", "second refund within the hour, limit 1"),
)


def checks(bench: Bench) -> None:
    """What the rules flag before and after a payment."""
    rules = '[check]\nrefunds = 1\n[[limit]]\ncurrency = "CNY"\nconfirm_minor = 50_000\n'
    with terminal(rules) as daemon:
        assert daemon.submit(payment("c-first", kind="refund", amount_minor=310)).status == 201
        assert daemon.submit(payment("c-deposit", kind="preauth", amount_minor=800)).status == 201
        for number, (key, changes, code, how) in enumerate(CHECKED):
            given = {"amount_minor": 1_000 + number, **changes}
            taken = daemon.submit(payment(key, customer_saw="approved", **given))
            if taken.status != 201:
                bench.failures.append(f"{code}: {how}: not taken: {taken.body.decode()[:200]}")
                continue
            bench.proved(daemon, code, f"check flags: {how}", key=key)


def slips(bench: Bench) -> None:
    """A pre-settlement slip the app counts more payments for, and one nobody can print."""
    with terminal() as daemon:
        assert daemon.submit(payment("p-1", batch="000007", stan="000001")).status == 201
        closed = {"batch": "000007", "closed": True, "agreed": True, "count": 3,
                  "by_currency": {"CNY": 3750}}  # fmt: skip
        told = {"terminal_id": "T0000001", "at": datetime.now(UTC).isoformat(), "batch": closed}
        assert daemon.post("/v1/app/state", told).status == 200
        daemon.get("/v1/slips/presettlement?key=000007")
        bench.proved(
            daemon,
            "presettlement.missing_records",
            "slip of a batch for which the app counts three payments, here is one",
        )

        def print_it() -> None:  # refused for a while after a payment
            daemon.post("/v1/slips/presettlement/print", {})

        bench.proved(
            daemon,
            "presettlement.not_generated",
            "slip to be printed, no printer ready",
            again=print_it,
            patience_s=60,
        )


def overdue(bench: Bench) -> None:
    """A journal older than the terms of inspection and drill: the machine's clock is turned."""
    with HostThread() as host, Daemon() as daemon:
        terms = "[inspection]\nhour = -1\noverdue_days = 1\n[drill]\nevery_days = 1\n"
        daemon.configure(QUIET + terms + AT_ONCE, url=host.host.url)
        shim = Shim(daemon.home, daemon.state_dir)
        daemon.environment.update(shim.environment)
        shim.set("clock_offset_s", -3 * 86_400)
        daemon.start()
        daemon.submit(payment("k-1"))
        daemon.wait_drained()
        wait_until(lambda: "drill" in daemon.components(), "the watcher of drills was read")
        daemon.stop()
        shim.set("clock_offset_s", 0)
        daemon.start()
        bench.proved(daemon, "inspection.overdue", "three days without one, asked every day")
        bench.proved(daemon, "drill.overdue", "three days without one, asked every day")
        drilled = lambda: daemon.post("/v1/drills", {"records": 5})  # noqa: E731
        bench.proved(daemon, "drill.alarm", "a drill was made", again=drilled)
        shim.close()


def deposits(bench: Bench) -> None:
    """A pre-authorisation of forty days ago."""
    with terminal() as daemon:
        ago = (datetime.now(UTC) - timedelta(days=40)).isoformat(timespec="milliseconds")
        assert daemon.submit(payment("pre-1", kind="preauth", occurred_at=ago)).status == 201
        daemon.wait_drained()
        bench.told(
            "preauth.not_completed",
            "pre-authorisation of forty days ago, never completed",
            daemon.get("/v1/explain/preauth").json,
            asked="preauth",
        )


SCENES = (lists, checks, slips, overdue, deposits)
