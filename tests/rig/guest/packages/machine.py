"""What the scenes ask of the guest itself: dpkg, systemd, /proc, the memory there is.

Decides nothing about the daemon. Everything waits for a condition and never for a time: the
processor is emulated and shared.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.rig.guest.results import RigError

UNIT = "posagent.service"
DROP_IN = Path("/etc/systemd/system/posagent.service.d/rig.conf")
COMMAND_S = 600.0
PATIENCE_S = 300.0
LOOK_S = 0.5


def ran(*command: str, within_s: float = COMMAND_S) -> tuple[int, str]:
    """Exit code, and what it said on both streams."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        timeout=within_s,
    )
    return done.returncode, done.stdout.strip()


def must(*command: str) -> str:
    """What it said; raises RigError when it did not work."""
    code, said = ran(*command)
    if code:
        raise RigError(f"{' '.join(command)} ended with {code}: {said[-600:]}")
    return said


def until(condition: Callable[[], bool], what: str, within_s: float = PATIENCE_S) -> float:
    """Seconds until it came true; raises RigError when it did not in time."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > within_s:
            raise RigError(f"not within {within_s:.0f} s: {what}")
        time.sleep(LOOK_S)
    return time.monotonic() - began


def property_of(name: str, unit: str = UNIT) -> str:
    """One property of a unit, as systemd has it."""
    return must("systemctl", "show", f"--property={name}", "--value", unit)


def main_pid(unit: str = UNIT) -> int:
    return int(property_of("MainPID", unit) or 0)


def active(unit: str = UNIT) -> bool:
    return property_of("ActiveState", unit) == "active"


def with_drop_in(text: str) -> None:
    """Start the daemon anew with this laid over its unit; "" takes it away again."""
    if text:
        DROP_IN.parent.mkdir(parents=True, exist_ok=True)
        DROP_IN.write_text(text, "utf-8")
    else:
        DROP_IN.unlink(missing_ok=True)
    must("systemctl", "daemon-reload")
    must("systemctl", "restart", UNIT)


def proc_status(pid: int) -> dict[str, str]:
    """/proc/PID/status by name."""
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def rss_kb(pid: int) -> int:
    return int(proc_status(pid)["VmRSS"].split()[0])


def pss_kb(pid: int) -> int:
    """Its share of what it has in common with others counted as a share."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("utf-8").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise RigError(f"no Pss of process {pid}")


def memory_kb(name: str) -> int:
    """A line of /proc/meminfo."""
    for line in Path("/proc/meminfo").read_text("ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise RigError(f"no {name} in /proc/meminfo")


def unit_memory(name: str, unit: str = UNIT) -> str:
    """A file of the unit's control group, such as memory.peak or memory.events."""
    group = property_of("ControlGroup", unit)
    return Path(f"/sys/fs/cgroup{group}/{name}").read_text("ascii")


def oom_kills() -> int:
    """How many processes the kernel has killed for want of memory since the start."""
    for line in Path("/proc/vmstat").read_text("ascii").splitlines():
        if line.startswith("oom_kill "):
            return int(line.split()[1])
    raise RigError("the kernel does not count what it kills for want of memory")


def installed() -> str:
    """Version of the package, or "" when it is not (wholly) installed."""
    code, said = ran("dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", "posagent")
    status, _, version = said.partition(" ")
    return version if not code and status == "installed" else ""


def log(lines: int) -> str:
    return ran("journalctl", "-u", UNIT, "-n", str(lines), "--no-pager", "-o", "cat")[1]
