"""A bank's list through the real daemon and the real command line."""

from __future__ import annotations

import base64
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.sim.host import HostThread
from tests.process.daemon import LONG_S, ROOT, Daemon, payment, wait_until
from tests.process.shell import typed

pytestmark = pytest.mark.process

HEAD = "终端号,交易日期,交易时间,清算日期,商户订单号,交易类型,交易金额,状态"


def ran(daemon: Daemon, *arguments: str, code: int = 0) -> Any:
    done = typed(daemon, *arguments, "--json")
    assert done.returncode == code, (done.returncode, done.stderr)
    return json.loads(done.stdout) if done.stdout else done.stderr


def started(daemon: Daemon, *arguments: str) -> Any:
    """As `ran`, from the program itself, where the environment knows no Chinese."""
    done = subprocess.run(
        daemon.command(*arguments, "--config", str(daemon.config_file), "--json"),
        env={**daemon._environment(), "LANG": "C"},
        cwd=ROOT,
        capture_output=True,
        timeout=LONG_S,
        check=False,
    )
    assert done.returncode == 0, (done.returncode, done.stderr.decode())
    return json.loads(done.stdout)


def row(key: str, at: datetime, amount: str) -> str:
    local = at + timedelta(hours=8)
    settles = local + timedelta(days=7)  # past any weekend
    return f"T0000001,{local:%Y%m%d},{local:%H:%M:%S},{settles:%Y%m%d},{key},消费,{amount},成功"


def test_a_list_is_kept_and_tells_in_verdicts_and_alarms(tmp_path: Path) -> None:
    """GB18030 in, findings out; read twice it is one; a later list clears what it settles; what is
    broken is refused by line and column and leaves nothing; the dead daemon's store is enough."""
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=10)
    first, later, broken = (tmp_path / name for name in ("a.csv", "b.csv", "c.csv"))
    amounts = ["12.50", "12.50", "12.00"]
    keys = [f"k-{number}" for number in range(4)]
    listed = [row(key, at, amount) for key, amount in zip(keys, amounts, strict=False)]
    first.write_bytes(
        "\r\n".join([HEAD, *listed, row("strange", at, "1.00"), ""]).encode("gb18030")
    )
    listed[2] = row("k-2", at, "12.50")
    later.write_bytes("\n".join([HEAD, *listed, row("k-3", at, "12.50"), ""]).encode())
    broken.write_bytes("\n".join([HEAD, row("k-0", at, "12.5o"), ""]).encode())
    with HostThread() as host, Daemon() as daemon:
        daemon.configure(url=host.host.url)
        daemon.start()
        for key in keys:
            assert daemon.submit(payment(key, occurred_at=at.isoformat())).status == 201
        daemon.wait_drained()
        refused = ran(daemon, "reconcile", str(broken), code=2)
        assert "line 2, column 交易金额" in refused
        told = started(daemon, "reconcile", str(first))
        counts = told["reconciliation"]["counts"]
        assert counts == {"amount_differs": 1, "late": 2, "missing_here": 1, "not_due": 1}
        again = ran(daemon, "reconcile", str(first))
        assert again["reconciliation"]["number"] == told["reconciliation"]["number"]
        waiting = ran(daemon, "why", "k-3")  # posted today: not in a list of last week
        assert "settlement.delayed" in [one["code"] for one in waiting["findings"]]
        assert "not compared" not in json.dumps(waiting)
        verdict = ran(daemon, "why", "k-2")
        assert "settlement.amount_differs" in [one["code"] for one in verdict["findings"]]
        wait_until(lambda: "settlement.amount_differs" in daemon.alarms(), "an alarm")
        ran(daemon, "reconcile", str(later))
        wait_until(lambda: "settlement.amount_differs" not in daemon.alarms(), "its end")
        assert len(ran(daemon, "reconcile", "list")["reconciliations"]) == 3
        ran(daemon, "reconcile", "show", "99", code=1)
        ran(daemon, "reconcile", str(first), "--profile", "none", code=6)
        daemon.stop()
        offline = ran(daemon, "reconcile", str(first))
        assert offline["reconciliation"]["number"] == 0
        assert offline["reconciliation"]["lines"] == 4
        assert len(ran(daemon, "reconcile", "list")["reconciliations"]) == 3


def test_a_kill_in_the_middle_leaves_nothing_and_the_list_can_be_sent_again(
    tmp_path: Path,
) -> None:
    """Half of a list is never believed; after the restart it is refused, and read when it comes."""
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=10)
    file = tmp_path / "a.csv"
    file.write_text("\n".join([HEAD, row("strange", at, "1.00"), ""]))
    with Daemon() as daemon:
        daemon.configure()
        daemon.start()
        begun = daemon.post("/v1/reconciliations", {"file_name": "a.csv"}).json
        at_piece = f"/v1/reconciliations/{begun['import_id']}"
        data = base64.b64encode(file.read_bytes()).decode()
        assert daemon.post(f"{at_piece}/pieces/0", {"data": data}).status == 200
        assert daemon.post(f"{at_piece}/end", {}).json["reconciliation"]["state"] == "running"
        daemon.kill()
        daemon.start()

        def first() -> str:
            return str(daemon.get("/v1/reconciliations/1").json["reconciliation"]["state"])

        wait_until(lambda: first() == "refused", "the list that was broken off is refused")
        told = daemon.get("/v1/reconciliations/1").json
        assert told["findings"] == []
        assert "broken off" in told["reconciliation"]["problem"]
        assert not list(daemon.state_dir.glob("settlement-list*"))
        again = ran(daemon, "reconcile", str(file))
        assert again["reconciliation"]["counts"] == {"missing_here": 1}
        assert again["reconciliation"]["number"] == 2


def test_two_lists_at_once_and_lists_too_large_are_refused(tmp_path: Path) -> None:
    """The second is told who is first; a large one before it is sent."""
    del tmp_path
    with Daemon() as daemon:
        daemon.configure()
        daemon.start()
        begun = daemon.post("/v1/reconciliations", {"file_name": "one.csv"}).json
        second = daemon.post("/v1/reconciliations", {"file_name": "two.csv"})
        assert second.code == "reconcile.busy"
        assert "one.csv" in second.json["detail"]
        large = daemon.post("/v1/reconciliations", {"size_bytes": 40 * 1024 * 1024})
        assert (large.status, large.code) == (413, "reconcile.too_large")
        at = f"/v1/reconciliations/{begun['import_id']}"
        assert daemon.post(f"{at}/pieces/1", {"data": "YQ=="}).code == "reconcile.piece"
        assert daemon.post(f"{at}/pieces/0", {"data": "?"}).code == "request.bad_field"
        assert daemon.post(f"{at}/pieces/0", {"data": "YQ=="}).json["size_bytes"] == 1
        assert daemon.post(f"{at}/pieces/0", {"data": "YQ=="}).json["size_bytes"] == 1
        number = daemon.post(f"{at}/end", {}).json["reconciliation"]["number"]
        shown = daemon.get(f"/v1/reconciliations/{number}?wait_s=20").json["reconciliation"]
        assert (shown["state"], shown["code"]) == ("refused", "reconcile.refused")
        assert daemon.post(f"{at}/end", {}).code == "reconcile.unknown"
