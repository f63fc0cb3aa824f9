"""What watching the network costs a terminal that has nothing to do: bytes on its line, and CPU.

The real daemon runs in the lab of `tests.network` with one payment behind it and is left alone.
Every byte that crosses its line is counted there, as IP carries it (name server, host and the
server for the captive portal are all beyond the line, there is no broker). A day cannot be waited
for: the daemon paces its tests by an account of what they cost, so the account is held against the
line, and the day is the account's limit times what the line saw for each byte on it.
"""

from __future__ import annotations

import time

from tests.bench import proc
from tests.bench.rig import Child
from tests.bench.table import Figure
from tests.network.lab import PUBLIC_DNS, Lab
from tests.network.netns import missing
from tests.process.daemon import imported, payment, wait_until

BYTES_A_DAY, CPU_PERCENT = 10_000, 0.3


def measure(*, settle_s: float, window_s: float) -> tuple[list[Figure], list[str]]:
    """The figures, and what was not measured."""
    if reason := missing():
        return [], [f"network: not measured ({reason})"]
    with Lab() as lab:
        modules = _ready(lab, settle_s)
        floor = _floor(modules)
        try:
            figures = _watch(lab, floor.process.pid, window_s)
        finally:
            floor.close()
    note = f"network: {len(modules)} modules in the floor; the window was {window_s:.0f} s"
    return figures, [note]


def _ready(lab: Lab, settle_s: float) -> list[str]:
    """The daemon idle on its line; the modules it has loaded by then."""
    lab.stop_broker()
    lab.terminal.resolver(PUBLIC_DNS)
    lab.configure(thrifty=True)
    lab.terminal.start(environment={"PYTHONPROFILEIMPORTTIME": "1"})
    _pay(lab, "b-1")
    time.sleep(settle_s)
    lab.terminal.stop()
    modules = imported(lab.terminal.log())
    lab.terminal.log_file.unlink()
    lab.terminal.start()
    _account(lab)
    _pay(lab, "b-2")
    time.sleep(settle_s)
    return [name for name in modules if name != "site"]


def _pay(lab: Lab, key: str) -> None:
    lab.terminal.submit(payment(key))
    lab.terminal.wait_drained()


def _account(lab: Lab) -> tuple[int, int]:
    """Bytes the daemon says it has spent on tests, and its limit for a day."""

    def told() -> tuple[int, int] | None:
        values = lab.terminal.components().get("connectivity", {}).get("values", {})
        spent = values.get("bytes_spent")
        return None if not spent else (int(spent), int(values["bytes_limit"]))

    found: tuple[int, int] = wait_until(told, "the daemon's account of its tests")
    return found


def _floor(modules: list[str]) -> Child:
    floor = Child("tests.bench.imports_idle")
    assert floor.process.stdin is not None
    floor.process.stdin.write("\n".join(modules) + "\n")
    floor.process.stdin.close()
    floor.hear()
    return floor


def _line_bytes(lab: Lab) -> int:
    counters = lab.line.counters
    return counters.up_bytes + counters.down_bytes


def _tested(lab: Lab) -> float:
    """Bytes on the line for each byte on the account: a test of everything, nothing else going."""
    lab.terminal.stop()
    line = _line_bytes(lab)
    lab.terminal.start()  # what it knew is forgotten: name, connection, handshake
    _account(lab)
    time.sleep(3.0)
    return (_line_bytes(lab) - line) / _account(lab)[0]


def _watch(lab: Lab, floor_pid: int, window_s: float) -> list[Figure]:
    assert lab.terminal.process is not None
    pid = lab.terminal.process.pid
    spent, limit = _account(lab)
    line, began = _line_bytes(lab), time.monotonic()
    cpu_s, floor_s = proc.cpu_s(pid), proc.cpu_s(floor_pid)
    time.sleep(window_s)
    took_s = time.monotonic() - began
    cpu = 100 * (proc.cpu_s(pid) - cpu_s) / took_s
    bare = 100 * (proc.cpu_s(floor_pid) - floor_s) / took_s
    seen, booked = _line_bytes(lab) - line, _account(lab)[0] - spent
    ratio = _tested(lab)
    day = limit * ratio
    group = f"network, idle over {window_s:.0f} s"
    return [
        Figure(
            group=group, name="bytes on the line in the window", value=seen, unit="B",
            note=f"{booked} B on the account",
        ),
        Figure(
            group=group, name="bytes on the line for a byte on the account", value=ratio, unit="",
            target="≤ 1", met=ratio <= 1.0,
        ),
        Figure(
            group=group, name="probe bytes a day at most", value=day, unit="B",
            target=f"≤ {BYTES_A_DAY:,} B", met=day <= BYTES_A_DAY,
            note=f"the account's limit of {limit:,} B by the ratio",
        ),
        Figure(
            group=group, name="CPU of the whole daemon", value=cpu, unit="%", floor=bare or None,
            floor_name="%, same imports idle", target=f"≤ {CPU_PERCENT:g} %",
            met=cpu <= CPU_PERCENT,
        ),
    ]  # fmt: skip
