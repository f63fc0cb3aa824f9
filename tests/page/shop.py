"""A terminal in trouble: the real daemon, a host that loses answers, a printer without paper.

What a person would see in a shop on a bad day: payments posted, declined, in doubt, waiting and
held, a printer without paper, and alarms. Used by the page's tests and its screenshots.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from agent.sim.host import HostOptions, HostThread
from agent.sim.host_faults import Fault
from tests.process.daemon import Daemon, payment, wait_until
from tests.process.fleet import LoopThread, Printer, at_once, printer

ALARMS = ("printer.paper_out", "network.host_unreachable", "host.down")
DECLINED = "T0000001-20261122-000107"
DOUBTFUL = "T0000001-20261122-000108"
HELD = "T0000001-20261122-000110"
POSTED = "T0000001-20261122-000101"
AMOUNTS = (1250, 8800, 23990, 600, 4550, 129900, 51500, 36800, 990, 27300, 1800)


@dataclass(frozen=True, slots=True)
class Shop:
    """What the tests need to know of it."""

    daemon: Daemon
    host: HostThread
    printer: Printer
    address: str

    def code(self) -> str:
        """A fresh code for signing in."""
        return str(self.daemon.post("/v1/page/code", {}).json["code"])


def key(number: int) -> str:
    return f"T0000001-20261122-{number:06d}"


def sale(number: int, **more: Any) -> dict[str, Any]:
    """The payment of this number, as the payment app hands it over."""
    at = datetime.now(UTC)
    return payment(
        key(number),
        amount_minor=AMOUNTS[(number - 101) % len(AMOUNTS)],
        occurred_at=at.isoformat(timespec="milliseconds"),
        stan=f"{number:06d}",
        batch="000042",
        card={"scheme": "unionpay", "masked": "622202******0123"},
        app={"name": "till", "version": "4.2.0"},
        customer_saw="approved",
        **more,
    )


def bank_list(folder: Path) -> Path:
    """What the bank settled of the first five, as it writes it: one has another amount."""
    today = f"{datetime.now(timezone(timedelta(hours=8))):%Y-%m-%d %H:%M:%S}"
    lines = [
        "商户订单号,流水号,批次号,终端号,商户号,交易金额,手续费,币种,交易类型,交易时间,清算日期"
    ]
    for number in range(101, 106):
        yuan = AMOUNTS[number - 101] / 100 + (1 if number == 103 else 0)
        lines.append(
            f"{key(number)},{number:06d},000042,T0000001,M00000000000001,{yuan:.2f},0.00,CNY,消费,"
            f"{today},{today[:10]}"
        )
    file = folder / "清算明细.csv"
    file.write_bytes("\r\n".join(lines).encode("gb18030"))
    return file


def state(daemon: Daemon, number: int) -> str:
    return str(daemon.record(key(number))["state"])


@contextlib.contextmanager
def open_shop() -> Iterator[Shop]:
    """From opening to a bad afternoon."""
    with (
        LoopThread() as loop,
        HostThread(HostOptions(in_flight_s=1)) as host,
        Daemon() as daemon,
        Printer(loop, daemon) as paper,
    ):
        daemon.configure(
            '[page]\nlisten = "127.0.0.1:0"\n[discovery]\nhotplug = "off"\n'
            + printer(paper.device)
            + at_once(*ALARMS),
            url=host.host.url,
        )
        daemon.start()
        _a_bad_day(daemon, host, paper)
        (listener,) = daemon.get("/v1/page").json["listeners"]
        yield Shop(daemon, host, paper, str(listener["address"]))


def _a_bad_day(daemon: Daemon, host: HostThread, paper: Printer) -> None:
    for number in range(101, 107):
        assert daemon.submit(sale(number)).status == 201
    daemon.wait_drained()
    host.apply(Fault.named("decline", code="51"))
    daemon.submit(sale(107))
    wait_until(lambda: state(daemon, 107) == "declined", "a declined payment")
    # It is posted, and nobody hears so: then the host is gone, and cannot be asked.
    host.apply(Fault.named("drop_after"))
    daemon.submit(sale(108))
    wait_until(lambda: daemon.record(DOUBTFUL)["in_doubt"], "a payment in doubt")
    host.apply(Fault.named("refuse"))
    for number in (109, 110, 111):
        daemon.submit(sale(number))
    daemon.post("/v1/queue/hold", {"key": HELD, "reason": "customer came back"})
    wait_until(lambda: state(daemon, 110) == "held", "a held payment")
    paper.switch(paper="out")
    wait_until(lambda: "printer.paper_out" in daemon.alarms(), "an alarm")
