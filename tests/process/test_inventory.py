"""What hangs on the terminal is told to API, `status` and fleet, and outlives the daemon."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.process.daemon import Daemon, wait_until
from tests.process.fleet import (
    AGENT,
    BrokerThread,
    LoopThread,
    Printer,
    Reader,
    printer,
    said_by,
    telemetry,
)
from tests.watch.discovery.trees import Tree

pytestmark = [pytest.mark.process, pytest.mark.broker]

SECRET = "SN-4711-0815"


def devices(daemon: Daemon) -> dict[str, dict[str, Any]]:
    told = daemon.get("/v1/inventory").json
    return {one["component"]: one for one in told["devices"]}


def test_the_devices_are_told_and_their_change_is_an_event(tmp_path: Path) -> None:
    """A scanner is exchanged: seen, kept with before and after, told; its number never whole."""
    tree = Tree(tmp_path / "sys")
    first = tree.usb("1-2", "1eab:1d06", make="Newland", model="FM430", serial=SECRET)
    tree.acm("1-2")
    with (
        LoopThread() as loop,
        BrokerThread() as broker,
        Reader(broker.port) as reader,
        Daemon() as daemon,
        Printer(loop, daemon) as sim,
    ):
        daemon.configure(
            telemetry(broker.url)
            + printer(sim.device)
            + '[scanner]\ndevice = "usb:1eab:1d06"\ndialect = "hid"\n'
            + f'[discovery]\nsysfs = "{tree.root}"\nhotplug = "poll"\n[inventory]\nperiod_s = 1\n',
            agent=AGENT,
        )
        daemon.start()
        found = wait_until(lambda: devices(daemon).get("scanner"), "the scanner")
        assert (found["make"], found["model"], found["driver"]) == ("Newland", "FM430", "cdc_acm")
        assert found["serial"].endswith("0815")
        assert found["watched"] is True
        wait_until(lambda: "printer" in devices(daemon), "the printer")
        status = said_by(daemon, "status")
        assert "scanner: Newland FM430 1.00" in status
        reader.until(lambda: reader.last("info").get("scanner_model") == "FM430", "in info")
        since = reader.last("info")["scanner_since_ts"]

        (first / "serial").write_text("SN-9999-7777\n")
        (first / "product").write_text("FM430L\n")
        tree.usb("1-9", "1234:5678", make="Acme", model="Lamp")  # its plug has all looked at again
        wait_until(lambda: devices(daemon)["scanner"]["model"] == "FM430L", "the other scanner")
        newest = daemon.get("/v1/inventory").json["changes"]
        change = next(one for one in newest if one["component"] == "scanner")
        assert change["what"] == "changed"
        assert (change["before"]["model"], change["after"]["model"]) == ("FM430", "FM430L")
        assert devices(daemon)["usb:1-9"]["watched"] is False
        reader.until(lambda: reader.last("info").get("scanner_model") == "FM430L", "told again")
        assert reader.last("info")["scanner_since_ts"] > since

        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log()
        assert reader.complaints() == []
        assert SECRET not in daemon.log()
        said = [each.payload for each in reader.heard]
        assert not any(SECRET.encode() in payload for payload in said)
        # Without a daemon the store tells the same.
        assert "scanner: Newland FM430L" in said_by(daemon, "status")
        with sqlite3.connect(daemon.state_dir / "state.db") as db:
            kept = "".join(db.iterdump())
        db.close()
        assert "FM430L" in kept
        since = devices_since(daemon)
        daemon.start()
        wait_until(lambda: "scanner" in devices(daemon), "the scanner again")
        assert devices(daemon)["scanner"]["since_at"] == since
        assert daemon.stop() == 0


def devices_since(daemon: Daemon) -> str:
    """Since when the scanner is there, by the dead daemon's store."""
    import json

    told = json.loads(said_by(daemon, "status", "--json"))
    return next(one["since_at"] for one in told["devices"] if one["component"] == "scanner")
