"""A payment whose outcome stays unknown, to its end: never "take it again" before it is reversed.

Lost answer, power cut with the reversal on its way, the host back, a late word: with the real
daemon and the simulated acquirer. What the cashier is told is asked all along.
"""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.sim.acquirer import AcquirerThread
from agent.sim.acquirer_book import sums
from agent.sim.acquirer_faults import Fault
from agent.sim.terminal import PaymentApp
from tests.process.daemon import PATIENCE_S, ROOT, Daemon, payment, wait_until
from tests.process.test_iso8583 import QUICK, settled

pytestmark = pytest.mark.process


def asked(daemon: Daemon, **more: Any) -> dict[str, Any]:
    """The check for the same payment once more."""
    body = {
        "terminal_id": "T0000001", "merchant_id": "M00000000000001", "kind": "sale",
        "posting": "request", "amount_minor": 1250, "currency": "CNY", **more,
    }  # fmt: skip
    answer = daemon.post("/v1/check", body)
    assert answer.status == 200, answer.body
    return answer.json


class Ears:
    """The event stream, as a page has it open."""

    def __init__(self, daemon: Daemon) -> None:
        self.heard: list[str] = []
        self._connection = http.client.HTTPConnection("localhost", timeout=PATIENCE_S)
        self._connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connection.sock.settimeout(PATIENCE_S)
        self._connection.sock.connect(str(daemon.socket))
        self._connection.request("GET", "/v1/events")
        self._answer = self._connection.getresponse()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                line = self._answer.readline()
            except OSError:
                return
            if not line:
                return
            self.heard.append(line.decode())

    def close(self) -> None:
        self._thread.join(PATIENCE_S)
        self._connection.close()


def test_what_stays_unknown_is_reversed_and_said_so_all_the_way() -> None:
    """Pending through a power cut, then completed; late answers change nothing any more."""
    with AcquirerThread() as host, Daemon() as daemon:
        daemon.configure(host.acquirer.profile(**{**QUICK, "on_unknown": "reverse"}))
        daemon.start()
        ears = Ears(daemon)
        app = PaymentApp()
        host.apply(Fault.named("black_hole_after"))  # money moves, nobody answers
        soon = datetime.now(UTC) + timedelta(seconds=2)
        sale = app.sale("sale-1", 1250, send_before=soon.isoformat())
        assert daemon.submit(sale).status == 201
        wait_until(lambda: daemon.record("sale-1")["in_doubt"], "its outcome is open")
        open_ = asked(daemon)
        assert (open_["answer"], open_["again"]["retry"]) == ("refuse", "do_not_retry")
        assert open_["again"]["key"] == "sale-1"
        assert open_["again"]["in_doubt"]
        assert open_["findings"][0]["code"] == "payment.unfinished"
        assert asked(daemon, again_of="sale-1")["answer"] == "refuse"
        assert asked(daemon, amount_minor=700)["again"] is None, "another amount is another one"
        second = asked(daemon, confirmed=["payment.unfinished"])
        assert second["answer"] == "take", "a second customer, says the cashier"
        assert asked(daemon, again_of="sale-1", confirmed=["payment.unfinished"])["again"][
            "retry"
        ] == ("do_not_retry")

        wait_until(lambda: daemon.get("/v1/transactions/sale-1-rev").status == 200, "the reversal")
        assert daemon.record("sale-1")["cause"] == "reversal.pending"
        told = daemon.get("/v1/transactions/sale-1/explain").json
        assert "reversal.pending" in [one["code"] for one in told["findings"]], told["findings"]
        assert told["advice"]["retry"] == "do_not_retry"
        assert asked(daemon, again_of="sale-1")["again"]["retry"] == "do_not_retry"
        wait_until(lambda: any("reversal.pending" in line for line in ears.heard), "an event")
        daemon.kill()  # the power goes while nobody knows whether the reversal arrived
        ears.close()

        daemon.start()
        assert daemon.record("sale-1")["cause"] == "reversal.pending", "kept over the cut"
        assert asked(daemon)["again"]["key"] == "sale-1", "and so is the warning"
        host.apply(Fault())
        record = settled(daemon, "sale-1", "reversed")
        assert record["cause"] == "reversal.completed"
        told = daemon.get("/v1/transactions/sale-1/explain").json
        assert told["findings"][0]["code"] == "reversal.completed"
        assert told["advice"]["retry"] == "safe_to_retry"
        again = asked(daemon, again_of="sale-1")
        assert (again["answer"], again["again"]["retry"]) == ("take", "safe_to_retry")
        assert asked(daemon)["again"] is None
        assert sums(host.acquirer.book.entries()).net_minor == 0
        body = app.sale("sale-2", 1250)
        assert daemon.submit(body).status == 201
        settled(daemon, "sale-2", "posted")
        done = asked(daemon, again_of="sale-2")
        assert (done["answer"], done["again"]["retry"]) == ("refuse", "do_not_retry")
        unknown = daemon.post("/v1/check", {**_plain(sale), "again_of": "never-seen"})
        assert unknown.code == "transaction.unknown"
        assert sums(host.acquirer.book.entries()).net_minor == 1250


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    names = ("terminal_id", "merchant_id", "kind", "posting", "amount_minor", "currency")
    plain: dict[str, Any] = json.loads(json.dumps({name: body[name] for name in names}))
    return plain


def test_the_verdict_names_the_twin_of_a_flagged_payment() -> None:
    """An advice is always taken (rule 3); why says which payment it looks like, dead or alive."""
    with Daemon() as daemon:
        daemon.start()
        card = {"scheme": "UnionPay", "masked": "622202******0123"}
        for key in ("first", "second"):
            assert daemon.submit(payment(key, card=card, stan="000123")).status == 201
        assert daemon.record("second")["flags"] == ["duplicate.suspected"]
        alive = daemon.get("/v1/transactions/second/explain").json
        (found,) = [one for one in alive["findings"] if one["code"] == "duplicate.suspected"]
        assert "first" in found["step"]["en"]
        assert "000123" in found["reason"]["en"]
        assert daemon.stop() == 0
        order = daemon.command("why", "second", "--json", "--config", str(daemon.config_file))
        done = subprocess.run(
            order, capture_output=True, env=daemon._environment(), cwd=ROOT, check=True
        )
        dead = json.loads(done.stdout)["findings"]
        assert [one for one in dead if one["code"] == found["code"]] == [found]
