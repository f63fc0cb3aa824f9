"""Scenes f and g: the root is read-only and the machine has 256 MB.

The package was put into the image before its first boot (tests/rig/imaged.py); /var is apart.
"""

from __future__ import annotations

import csv
import http.client
import json
import time
from pathlib import Path

from tests.rig.guest.packages import machine, payments
from tests.rig.guest.packages.machine import must, ran, until
from tests.rig.guest.packages.payments import MANY, Host
from tests.rig.guest.packages.sandbox import drawn, sandboxed
from tests.rig.guest.packages.scene import Scene, check
from tests.rig.guest.results import RigError

LIST = Path("/run/rig-list.csv")
DROP_IN = Path("/run/systemd/system/posagent.service.d/rig.conf")
HUNGRY = "b = bytearray(120 << 20); print(len(b))"


class Small:
    """The machine with little, and what it has done so far."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.restarts = 0

    def read_only(self) -> str:
        """The daemon came up by itself, with nothing to write to but /var."""
        code, said = ran("touch", "/etc/rig-was-here")
        check(code != 0 and "Read-only" in said, f"/ can be written to: {said}")
        until(machine.active, "the daemon")
        ready_s = payments.answering()
        mounts = must("findmnt", "-n", "-o", "SOURCE,OPTIONS", "/var")
        return f"touch: {said.rpartition(': ')[2]}; /var is {mounts.split()[0]}; {sandboxed()}" + (
            f"; answered {ready_s:.0f} s after the rig asked" if ready_s > 1 else ""
        )

    def nowhere(self) -> str:
        """The control: no state directory that can be written to; no payment may be accepted."""
        DROP_IN.parent.mkdir(parents=True, exist_ok=True)
        DROP_IN.write_text("[Service]\nStateDirectory=\n", "ascii")
        try:
            must("systemctl", "daemon-reload")
            ran("systemctl", "restart", machine.UNIT)
            try:
                payments.paid(1, "nowhere")
            except (OSError, http.client.HTTPException, RigError) as error:
                said = f"{type(error).__name__}: {error}"
            else:
                raise RigError("a payment was accepted without a place to keep it")
        finally:
            DROP_IN.unlink()
            must("systemctl", "daemon-reload")
            must("systemctl", "restart", machine.UNIT)
            payments.answering()
        return f"noticed: {said[:200]}"

    def paid(self) -> str:
        """1,000 payments, the host being there all the time."""
        self.host.up()
        self.restarts = int(machine.property_of("NRestarts"))
        took_s = payments.paid(MANY, "small")
        try:
            drained_s = payments.drained()
        finally:
            payments.due("small")
        posted = [key for key in self.host.posted() if key.startswith("small-")]
        check(len(posted) == len(set(posted)) == MANY, f"{len(posted)} of {len(set(posted))} keys")
        return (
            f"{MANY} accepted in {took_s:.0f} s, all with the host {drained_s:.0f} s later, "
            f"each key once; {_memory()}"
        )

    def reconciled(self) -> str:
        """A list of those 1,000 is held against them, in a child."""
        with LIST.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(("key", "amount", "currency"))
            for number in range(MANY):
                rows.writerow((f"small-{number:04d}", f"{(1000 + number) / 100:.2f}", "CNY"))
        said = must(
            "/usr/bin/posagent",
            "reconcile",
            str(LIST),
            "--json",
            "--settled-on",
            time.strftime("%Y-%m-%d", time.gmtime()),
        )
        counts = json.loads(said)["reconciliation"]["counts"]
        check(counts == {"matched": MANY}, f"not all matched: {counts}")
        return f"{MANY} lines, {counts['matched']} matched; {_memory()}"

    def slip(self) -> str:
        """An image is drawn in a child."""
        file = Path("/run/rig-slip.png")
        return f"{drawn(file)}; {_memory()}"

    def spared(self) -> str:
        """Nothing was killed for want of memory, and nothing was started again."""
        killed = machine.oom_kills()
        check(killed == 0, f"the kernel killed {killed} processes for want of memory")
        events = dict(line.split() for line in machine.unit_memory("memory.events").splitlines())
        check(events["oom_kill"] == "0", f"memory.events: {events}")
        restarts = int(machine.property_of("NRestarts")) - self.restarts
        check(restarts == 0, f"started again {restarts} times")
        peak = int(machine.unit_memory("memory.peak")) / (1 << 20)
        return f"oom_kill 0, restarts 0; unit at most {peak:.0f} MB with children and cache"

    def hungry(self) -> str:
        """The control: a process that asks for more than it is given is seen to be killed."""
        # Not with --wait: that wants the message bus, which this guest has not got.
        must("systemd-run", "--quiet", "--unit=rig-hungry", "-p", "MemoryMax=30M",
             "-p", "MemorySwapMax=0", "/usr/bin/python3", "-c", HUNGRY)  # fmt: skip
        until(lambda: machine.oom_kills() > 0, "something killed for want of memory", 60.0)
        result = machine.property_of("Result", "rig-hungry.service")
        return f"noticed: oom_kill {machine.oom_kills()}, systemd says {result}"


def _memory() -> str:
    pid = machine.main_pid()
    total, free = machine.memory_kb("MemTotal"), machine.memory_kb("MemAvailable")
    return (
        f"daemon RSS {machine.rss_kb(pid) / 1024:.1f} MB, PSS {machine.pss_kb(pid) / 1024:.1f} MB; "
        f"{free / 1024:.0f} of {total / 1024:.0f} MB available"
    )


def scenes(small: Small) -> list[Scene]:
    return [
        Scene("f", "root read-only, /var apart", small.read_only),
        Scene("f", "/var read-only, too", small.nowhere, control=True),
        Scene("g", "256 MB: 1,000 payments", small.paid),
        Scene("g", "256 MB: a list reconciled", small.reconciled),
        Scene("g", "256 MB: a slip as an image", small.slip),
        Scene("g", "256 MB: nothing killed for want of memory", small.spared),
        Scene("g", "a process without enough memory", small.hungry, control=True),
    ]
