"""Scenes of the machine: a tree for /proc and /sys, a shim before the flash."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from agent.sim.host import HostThread
from agent.sim.host_faults import Fault
from tests.causes.bench import AT_ONCE, QUIET, Bench, terminal
from tests.process.daemon import Daemon, payment, wait_until
from tests.process.fleet import said_by
from tests.process.shim import Shim
from tests.process.test_damage import filled, folded, garbage_header
from tests.watch.discovery.trees import Tree

#: Limits nothing real keeps, and what the tree says.
LIMITS = (
    '[system]\nroot = "{root}"\nperiod_s = 0.5\nstorage_low_mb = 1_000_000\n'
    "memory_low_mb = 100_000\nrestarts_limit = 1\n"
    '[[aging]]\nmeasure = "power cycles"\nsource = "system.power_cycles"\nlimit = 1\n'
)


def put(root: Path, **files: str) -> None:
    """Files by their path with __ for /."""
    for name, said in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(said + "\n")


def body(bench: Bench) -> None:
    """Storage, flash, memory, heat, battery, power, age, a crash, a device nobody drives."""
    with HostThread() as host, Daemon() as daemon:
        root = daemon.home / "machine"
        zone = {"type": "cpu-thermal", "temp": "91000"}
        battery = {"type": "Battery", "scope": "System", "present": "1", "capacity": "4",
                   "status": "Discharging"}  # fmt: skip
        put(root, **{f"sys__class__thermal__thermal_zone0__{k}": v for k, v in zone.items()})
        put(root, **{f"sys__class__power_supply__BAT0__{k}": v for k, v in battery.items()})
        put(root, proc__meminfo="MemTotal: 500000 kB\nMemAvailable: 9000 kB")
        daemon.configure(QUIET + LIMITS.format(root=root) + AT_ONCE, url=host.host.url)
        _boot(root)
        daemon.start()
        bench.proved(daemon, "system.overheated", "sysfs tree: thermal zone at 91 °C")
        bench.proved(daemon, "power.battery_low", "sysfs tree: battery 4 %, discharging")
        bench.proved(daemon, "system.storage_low", "storage_low_mb above what is free")
        put(root, sys__class__thermal__thermal_zone0__temp="40000")
        put(root, sys__class__power_supply__BAT0__capacity="90")
        bench.proved(daemon, "system.memory_low", "proc tree: 9 MB available")
        bench.proved(daemon, "system.aging", "one power cycle, maker's limit one")
    with HostThread() as host, Daemon() as daemon:
        root = daemon.home / "machine"
        daemon.configure(
            QUIET + f'[system]\nroot = "{root}"\nperiod_s = 0.5\nrestarts_limit = 1\n' + AT_ONCE,
            url=host.host.url,
        )
        _cut_short(daemon, root)
        _cut_short(daemon, root)
        bench.proved(daemon, "power.unstable", "killed, and a new boot id at the next start")
        put(root, proc__cmdline="androidboot.bootreason=kernel_panic")
        _cut_short(daemon, root)
        bench.proved(daemon, "software.system_crash", "a new boot with boot reason kernel_panic")


def _cut_short(daemon: Daemon, root: Path) -> None:
    """The machine goes down under the agent, and comes back."""
    daemon.kill()
    _boot(root)
    daemon.start()
    wait_until(lambda: "values" in daemon.components().get("system", {}), "a reading")


def _boot(root: Path) -> None:
    put(root, proc__sys__kernel__random__boot_id=str(uuid.uuid4()))


def devices(bench: Bench) -> None:
    """A USB printer no driver serves."""
    with Daemon() as place:
        tree = Tree(place.home / "sys")
        settings = f'[discovery]\nhotplug = "poll"\npoll_s = 0.2\nsysfs = "{tree.root}"\n'
        with terminal(settings) as daemon:
            wait_until(lambda: "devices" in daemon.components(), "the first look")
            tree.usb("1-1", "04b8:0202", make="EPSON", model="TM-T70")
            tree.function("1-1", "07", sub="01")
            bench.proved(
                daemon, "device.not_recognised", "sysfs tree: USB printer without a driver"
            )


def flash(bench: Bench) -> None:
    """A full store, a read-only one, damage, and what is put aside."""
    with _shimmed() as (daemon, shim):
        shim.full()
        daemon.submit(payment("k-full"))
        bench.proved(daemon, "queue.store_full", "every write answers ENOSPC", undo=shim.well)
    with HostThread() as host, Daemon() as daemon:
        filled(daemon, host)
        folded(daemon)
        garbage_header(daemon.state_dir / "journal.db")
        host.apply(Fault())
        daemon.configure(QUIET + AT_ONCE, url=host.host.url)
        daemon.start()
        how = "forty unsent payments, then the journal's header overwritten"
        bench.proved(daemon, "queue.quarantined", how)
        bench.proved(daemon, "software.data_error", how)


@contextlib.contextmanager
def _shimmed() -> Iterator[tuple[Daemon, Shim]]:
    with HostThread() as host, Daemon() as daemon:
        shim = Shim(daemon.home, daemon.state_dir)
        daemon.environment.update(shim.environment)
        daemon.configure(QUIET + AT_ONCE, url=host.host.url)
        daemon.start()
        try:
            yield daemon, shim
        finally:
            shim.close()


def worn(bench: Bench) -> None:
    """A flash that has told its wear, by the tree of the kernel."""
    with HostThread() as host, Daemon() as daemon:
        told = {"contract": 1, "outcome": "reading", "component": "system",
                "state": {"wear_percent": 97, "wear_limit_percent": 90}}  # fmt: skip
        hook = '[[hook]]\ncomponent = "system"\ndoor = "push"\n'
        daemon.configure(QUIET + hook + AT_ONCE, url=host.host.url)
        daemon.start()
        assert daemon.post("/v1/readings", {"readings": [told]}).status == 200
        bench.proved(daemon, "system.storage_worn", "firmware hook (push): 97 % of the flash worn")


def frozen(bench: Bench) -> None:
    """Stopped for a while as a battery saver does it; and a daemon nobody started."""
    with terminal("[inspection]\nhour = -1\n") as daemon:
        wait_until(lambda: "agent" in daemon.components(), "a reading")
        _paused(daemon, 33.0)
        bench.proved(daemon, "software.agent_frozen", "SIGSTOP for 33 s, then SIGCONT")
        daemon.stop()
        verdict = json.loads(said_by(daemon, "why", "--json"))
        bench.told(
            "software.agent_degraded",
            "daemon not running: posagent why from the store",
            verdict,
            asked="terminal",
        )


def _paused(daemon: Daemon, seconds: float) -> None:
    assert daemon.process is not None
    pids = [daemon.process.pid]
    for name in Path(f"/proc/{daemon.process.pid}/task").iterdir():
        children = name / "children"
        pids += [int(word) for word in children.read_text().split()]
    _all(pids, lambda pid: os.kill(pid, signal.SIGSTOP))
    time.sleep(seconds)  # being frozen is a length of time
    _all(pids, lambda pid: os.kill(pid, signal.SIGCONT))


def _all(pids: list[int], do: Callable[[int], object]) -> None:
    for pid in pids:
        do(pid)


def exposed(bench: Bench) -> None:
    """A file of the store that others may write."""
    with HostThread() as host, Daemon() as daemon:
        daemon.configure(QUIET + AT_ONCE, url=host.host.url)
        daemon.start()
        daemon.stop()
        (daemon.state_dir / "state.db").chmod(0o666)
        daemon.start()
        bench.proved(daemon, "security.exposed_files", "state.db made writable for all")


def copied(bench: Bench) -> None:
    """The state directory of one machine, put into another."""
    from tests.process.test_hardware import machine as numbered

    with HostThread() as host, Daemon() as daemon:
        root = numbered(daemon.home / "machine", 1)
        daemon.configure(QUIET + f'[system]\nroot = "{root}"\n' + AT_ONCE, url=host.host.url)
        daemon.start()
        daemon.stop()
        numbered(root, 2)
        daemon.start()
        bench.proved(
            daemon, "config.identity_copied", "store of one machine started on another's marks"
        )


SCENES = (frozen, body, flash, worn, exposed, copied, devices)
