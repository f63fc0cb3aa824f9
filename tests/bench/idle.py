"""Idle: memory, threads, CPU and wake-ups of a terminal that has nothing to do.

The daemon runs with MQTT over TLS, a printer and an uplink, has taken and posted one payment, and
is then left alone. Its floor is a process that has imported the same modules (`-X importtime` of a
daemon in the same configuration names them, lazily loaded ones too) and idles in an asyncio loop.
Wake-ups are voluntary context switches of the threads alive at both ends; threads that came and
went are only in the total the kernel gives at the end, hence the upper bound.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass

from tests.bench import proc
from tests.bench.payments import submission
from tests.bench.rig import PATIENCE_S, Child, Sims, Terminal, fast_host, uplink
from tests.bench.table import Figure
from tests.process.daemon import imported, wait_until


@dataclass(frozen=True, slots=True, kw_only=True)
class _Quiet:
    """One process over the window."""

    memory: proc.Memory
    threads: int
    cpu_percent: float
    wakes_s: float
    by_thread: list[float]  #: wake-ups a second, the main thread first


def measure(sims: Sims, *, settle_s: float, window_s: float) -> tuple[list[Figure], list[str]]:
    notes = [] if sims.broker is not None else ["no mosquitto: idle was measured without MQTT"]
    with fast_host(sims) as (host, port), Terminal(sims) as terminal:
        url, keys = uplink(sims, port)
        terminal.configure(sims.configuration(), url=url, uplink=keys)
        modules = _modules(sims, terminal, host, settle_s)
        # As under systemd with WatchdogSec=30.
        terminal.start(environment={"WATCHDOG_USEC": "30000000"})
        _pay(sims, terminal, host, "idle-2")
        floor = _floor(modules, sims)
        time.sleep(settle_s)
        try:
            quiet, bare = _watch(terminal.pid, floor.process.pid, window_s)
        finally:
            floor.close()
        upper_s = _upper(terminal, quiet, window_s)
    notes.append(
        f"idle: {len(modules)} modules in the floor; wake-ups by thread (main, writer, MQTT): "
        + ", ".join(f"{rate:.2f}" for rate in quiet.by_thread)
    )
    return _figures(quiet, bare, upper_s, window_s), notes


def _modules(sims: Sims, terminal: Terminal, host: Child, settle_s: float) -> list[str]:
    """What the daemon imports, from its own mouth, in order."""
    terminal.options = ("-X", "importtime")
    terminal.start()
    _pay(sims, terminal, host, "idle-1")
    time.sleep(settle_s)
    terminal.stop()
    terminal.options = ()
    names = imported(terminal.log())
    terminal.log_file.unlink()
    return [name for name in names if name != "site"]


def _pay(sims: Sims, terminal: Terminal, host: Child, key: str) -> None:
    host.tell("go 1")
    client = terminal.client()
    status, _took = client.submit(submission(key, 1))
    client.close()
    if status != 201:
        raise RuntimeError(f"a payment was answered {status}")
    host.hear()
    wait_until(lambda: terminal.unsent() == 0, "the payment posted", timeout_s=PATIENCE_S)
    if sims.broker is not None:
        wait_until(lambda: sims.heard_daemon, "telemetry connected", timeout_s=PATIENCE_S)


def _floor(modules: list[str], sims: Sims) -> Child:
    cache = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(sims.home / "pyc")}
    floor = Child("tests.bench.imports_idle", environment=cache)
    assert floor.process.stdin is not None
    floor.process.stdin.write("\n".join(modules) + "\n")
    floor.process.stdin.close()
    floor.hear()
    return floor


def _watch(pid: int, floor_pid: int, window_s: float) -> tuple[_Quiet, _Quiet]:
    """Both processes over the same time."""
    pids = (pid, floor_pid)
    before = {each: (proc.cpu_s(each), proc.wake_ups(each)) for each in pids}
    most = dict.fromkeys(pids, 0)
    began = time.monotonic()
    while (left_s := window_s - (time.monotonic() - began)) > 0:
        for each in pids:
            most[each] = max(most[each], proc.threads(each))
        time.sleep(min(1.0, left_s))
    took_s = time.monotonic() - began
    found = []
    for each in pids:
        cpu_s, wakes = before[each]
        after = proc.wake_ups(each)
        rates = {tid: (count - wakes.get(tid, 0)) / took_s for tid, count in after.items()}
        found.append(
            _Quiet(
                memory=proc.memory(each),
                threads=most[each],
                cpu_percent=100 * (proc.cpu_s(each) - cpu_s) / took_s,
                wakes_s=sum(rates.values()),
                by_thread=[rates[tid] for tid in sorted(rates)],
            )
        )
    return found[0], found[1]


def _upper(terminal: Terminal, quiet: _Quiet, window_s: float) -> float:
    """Wake-ups a second with those of threads that ended: all of the process's life counts."""
    living = proc.wake_ups(terminal.pid)
    assert terminal.process is not None
    os.kill(terminal.pid, signal.SIGKILL)
    _pid, _status, usage = os.wait4(terminal.pid, 0)
    terminal.process.returncode = -signal.SIGKILL
    ended = max(0, usage.ru_nvcsw - sum(living.values()))
    return quiet.wakes_s + ended / window_s


def _figures(quiet: _Quiet, bare: _Quiet, upper_s: float, window_s: float) -> list[Figure]:
    rss, pss = quiet.memory.rss_mb, quiet.memory.pss_mb

    def row(name: str, value: float, unit: str, limit: float, **more: object) -> Figure:
        return Figure(
            group=f"idle over {window_s:.0f} s", name=name, value=value, unit=unit,
            target=f"≤ {limit:g} {unit}", met=value <= limit, **more,  # type: ignore[arg-type]
        )  # fmt: skip

    imports = "MiB, same imports idle"
    return [
        row("RSS", rss, "MiB", 40, floor=bare.memory.rss_mb, floor_name=imports),
        row("RSS above the same imports", rss - bare.memory.rss_mb, "MiB", 6),
        row("PSS", pss, "MiB", 33, floor=bare.memory.pss_mb, floor_name=imports),
        row("threads", quiet.threads, "", 8, floor=bare.threads),
        row("CPU of one core", quiet.cpu_percent, "%", 0.2),
        row("wake-ups a second", quiet.wakes_s, "/s", 4),
        Figure(
            group=f"idle over {window_s:.0f} s",
            name="wake-ups, upper bound with ended threads",
            value=upper_s,
            unit="/s",
        ),
    ]
