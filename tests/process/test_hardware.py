"""A store on other hardware: what it brought along is held, and a technician decides."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agent.sim.host import HostThread
from agent.sim.host_faults import Fault
from tests.process.daemon import ROOT, Daemon, payment, wait_until

pytestmark = pytest.mark.process

QUIET = '[connectivity]\nperiod_s = 3600\n[clock]\nsources = []\nchip = "yes"\n'


def machine(root: Path, number: int) -> Path:
    """A tree for [system] root with marks of its own."""
    files = {
        "sys/class/dmi/id/product_serial": f"SN-0000{number}",
        "sys/class/dmi/id/board_serial": f"BRD-77{number}",
        "sys/block/mmcblk0/device/type": "MMC",
        "sys/block/mmcblk0/device/cid": f"1501004d3131{number:02d}0000",
        "sys/class/net/eth0/address": f"00:1a:2b:3c:4d:0{number}",
        "sys/class/net/eth0/addr_assign_type": "0",
        "proc/sys/kernel/random/boot_id": f"boot-{number}",
    }
    for name, said in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(said + "\n")
    (root / "sys/class/net/eth0/device").mkdir(exist_ok=True)
    return root


def ran(daemon: Daemon, *words: str, code: int = 0) -> Any:
    """What `posagent …` tells a program."""
    done = subprocess.run(
        daemon.command(*words, "--config", str(daemon.config_file), "--json"),
        env=daemon._environment(), cwd=ROOT, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr.decode())
    return json.loads(done.stdout) if done.stdout else done.stderr.decode()


def configured(daemon: Daemon, host: HostThread, root: Path) -> None:
    daemon.configure(QUIET + f'[system]\nroot = "{root}"\n', url=host.host.url)


def posted(host: HostThread) -> list[str]:
    return sorted(posting.key for posting in host.host.ledger.postings())


def test_a_cloned_terminal_sends_nothing_it_brought_along() -> None:
    """The copy holds what it inherited and takes new payments; the original, and a copy on the same
    hardware, send as ever: each payment is at the host once."""
    with HostThread() as host, Daemon() as first, Daemon() as copy:
        one, two = machine(first.home / "m1", 1), machine(copy.home / "m2", 2)
        configured(first, host, one)
        host.apply(Fault.named("busy"))
        first.start()
        for number in range(3):
            assert first.submit(payment(f"k-{number}")).status == 201
        first.stop()
        shutil.copytree(first.state_dir, copy.state_dir)
        assert "SN-0000" not in (copy.state_dir / "hardware").read_text()
        host.apply(Fault())
        configured(copy, host, two)
        copy.start()
        wait_until(lambda: "config.identity_copied" in copy.alarms(), "the alarm")
        assert all(copy.record(f"k-{n}")["state"] == "held" for n in range(3))
        assert copy.submit(payment("k-new")).status == 201
        wait_until(lambda: posted(host) == ["k-new"], "the new one is sent")
        copy.stop()
        copy.start()  # a second start holds nothing more
        assert copy.record("k-new")["state"] == "posted"
        assert posted(host) == ["k-new"]
        # The control: the same state on the hardware it was begun on.
        first.start()
        first.wait_drained()
        assert "config.identity_copied" not in first.alarms()
        assert posted(host) == ["k-0", "k-1", "k-2", "k-new"]


def decided(daemon: Daemon) -> list[str]:
    """What the trail says of decisions about this store."""
    lines = daemon.get("/v1/audit").json["lines"]
    return [line["target"] for line in lines if line["op"] == "provision_adopt"]


def test_a_repaired_terminal_goes_on_with_its_money() -> None:
    """`--replace`: refused while the daemon runs; then what was held is asked about and sent, and
    neither the alarm nor the holding comes back."""
    with HostThread() as host, Daemon() as daemon:
        configured(daemon, host, machine(daemon.home / "m1", 1))
        host.apply(Fault.named("busy"))
        daemon.start()
        for number in range(3):
            assert daemon.submit(payment(f"k-{number}")).status == 201
        wait_until(
            lambda: daemon.post("/v1/queue/hold", {"key": "k-2"}).status == 200, "a person holds"
        )
        daemon.stop()
        host.apply(Fault())
        machine(daemon.home / "m1", 2)
        daemon.start()
        wait_until(lambda: "config.identity_copied" in daemon.alarms(), "the alarm")
        assert ran(daemon, "provision", "adopt", "--replace", code=5)["code"] == "store.busy"
        daemon.stop()
        assert ran(daemon, "provision", "adopt", "--replace")["changed"]
        assert not ran(daemon, "provision", "adopt", "--replace")["changed"]
        daemon.start()
        wait_until(lambda: posted(host) == ["k-0", "k-1"], "what was held for this is sent")
        assert daemon.record("k-2")["state"] == "held"  # a person's own hold stays
        assert decided(daemon) == ["replace"]
        wait_until(lambda: "config.identity_copied" not in daemon.alarms(), "the alarm is gone")
        daemon.stop()
        daemon.start()
        assert daemon.record("k-2")["state"] == "held"
        assert posted(host) == ["k-0", "k-1"]


def test_a_clone_made_a_terminal_of_its_own() -> None:
    """`--fresh` needs another id; the store it came with lies aside, is counted and never sent."""
    with HostThread() as host, Daemon() as daemon:
        root = machine(daemon.home / "m", 1)
        configured(daemon, host, root)
        host.apply(Fault.named("busy"))
        daemon.start()
        assert daemon.submit(payment("k-0")).status == 201
        daemon.stop()
        assert ran(daemon, "provision", "identity", "--device-id", "T-9", code=6)["code"] == (
            "provision.unsent"
        )
        assert ran(daemon, "provision", "seal", code=6)["code"] == "provision.unsent"
        machine(root, 2)
        host.apply(Fault())
        fresh = ("provision", "adopt", "--fresh", "--device-id")
        assert ran(daemon, *fresh, "test-terminal", code=2)["code"] == "provision.same_id"
        told = ran(daemon, *fresh, "T-2")
        assert (told["device_id"], told["steps"]["adopt"]["was"]) == ("T-2", "test-terminal")
        assert not ran(daemon, *fresh, "T-2")["changed"]
        daemon.start()
        assert daemon.submit(payment("k-new")).status == 201
        wait_until(lambda: posted(host) == ["k-new"], "the new one is sent")
        assert "config.identity_copied" not in daemon.alarms()
        (told,) = decided(daemon)
        assert told.startswith("fresh: test-terminal, its money aside in ")
        backlog = daemon.get("/v1/backlog").json
        wait_until(
            lambda: (daemon.get("/v1/backlog").json["quarantined"] or {}).get("count") == 1,
            f"what was set aside is counted: {backlog}",
        )
        assert posted(host) == ["k-new"]


def test_hardware_that_tells_nothing_is_no_alarm() -> None:
    """Unknown is said as unknown, before and after, and nothing is held."""
    with HostThread() as host, Daemon() as daemon:
        root = daemon.home / "empty"
        root.mkdir()
        configured(daemon, host, root)
        host.apply(Fault.named("busy"))
        daemon.start()
        assert daemon.submit(payment("k-0")).status == 201
        daemon.stop()
        host.apply(Fault())
        daemon.start()
        daemon.wait_drained()
        assert "config.identity_copied" not in daemon.alarms()
        values = wait_until(lambda: daemon.components().get("agent"), "told")["values"]
        assert values["hardware"] == "unknown"
