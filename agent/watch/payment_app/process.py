"""Finds the payment app's process and tells whether it is still the same one.

Decides what counts as it: a pid file, the processes of a systemd unit's cgroup, or a name among all
processes. The last is a walk through /proc, so it is done only while nobody knows the process. A
process is a number and a start time: numbers are given out again. Where this system hides other
users' processes (`hidepid`, Android), not finding it proves nothing, and that is said. Blocking;
called by `presence` on a thread, except for the one small read of `started`.
"""

from __future__ import annotations

import os
from pathlib import Path

from agent.record import dataclass
from agent.watch.head import head_of

#: Of a command line; what is longer is cut.
CMDLINE_BYTES = 4_096
#: TASK_COMM_LEN without its NUL.
COMM_BYTES = 15
_DEAD = (b"Z", b"X", b"x")
#: Where cgroup v2 and both layouts of v1 keep the units of the system.
_SLICES = (
    "sys/fs/cgroup/system.slice",
    "sys/fs/cgroup/unified/system.slice",
    "sys/fs/cgroup/systemd/system.slice",
)


class HiddenError(Exception):
    """Whether it runs cannot be told here; the text says what is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What finds it. At least one is set."""

    process: str = ""
    cmdline: str = ""
    package: str = ""
    pid_file: str = ""
    unit: str = ""

    @property
    def named(self) -> bool:
        """Whether a process can be told by its name."""
        return bool(self.process or self.cmdline or self.package)


@dataclass(frozen=True, slots=True)
class Process:
    """One process of this boot."""

    pid: int
    started: int  #: clock ticks after boot

    @property
    def began_ms(self) -> int:
        """The same by CLOCK_BOOTTIME, milliseconds."""
        return self.started * 1000 // os.sysconf("SC_CLK_TCK")


class Processes:
    """The processes of this machine."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._proc = root / "proc"

    def started(self, pid: int) -> int | None:
        """When process `pid` started; None: there is none, or it is dead and not yet reaped."""
        try:
            stat = (self._proc / str(pid) / "stat").read_bytes()
            fields = stat.rpartition(b")")[2].split()
            return None if fields[0] in _DEAD else int(fields[19])
        except (OSError, IndexError, ValueError):
            return None

    def find(self, target: Target) -> Process | None:
        """The app; None: it does not run. Raises HiddenError where that cannot be told."""
        if target.pid_file:
            return self._by_file(target)
        if target.unit:
            return self._by_unit(target)
        return self._by_name(target)

    def _by_file(self, target: Target) -> Process | None:
        path = self._root / target.pid_file.lstrip("/")
        try:
            text = head_of(path, 32)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise HiddenError(
                f"the pid file {target.pid_file} cannot be read: {error.strerror}"
            ) from error
        if not text.strip().isdigit():
            return None  # empty while it is being written, or left by a power cut
        one = self._process(int(text))
        if one is None:
            self._must_be_seen()
        if one is None or (target.named and not self._is(one.pid, target)):
            return None
        return one

    def _by_unit(self, target: Target) -> Process | None:
        for place in _SLICES:
            group = self._root / place
            try:
                numbers = (group / target.unit / "cgroup.procs").read_text("ascii").split()
            except FileNotFoundError:
                if group.is_dir():
                    return None  # systemd removes the group of a unit that does not run
                continue
            except (OSError, UnicodeError) as error:
                raise HiddenError(
                    f"the processes of {target.unit} cannot be read: {error}"
                ) from error
            pids = [int(number) for number in numbers if number.isdigit()]
            if target.named:
                pids = [pid for pid in pids if self._is(pid, target)]
            found = self._oldest(pids)
            if found is None and numbers:
                self._must_be_seen()
            return found
        raise HiddenError(f"this system has no control group for {target.unit}")

    def _by_name(self, target: Target) -> Process | None:
        own = os.getpid()
        try:
            entries = [int(one.name) for one in self._proc.iterdir() if one.name.isdigit()]
        except OSError as error:
            raise HiddenError(f"{self._proc} cannot be listed: {error.strerror}") from error
        found = self._oldest([pid for pid in entries if pid != own and self._is(pid, target)])
        if found is None:
            self._must_be_seen()
        return found

    def _must_be_seen(self) -> None:
        """What was not found may only be hidden from us. Raises HiddenError."""
        if self._others_hidden():
            raise HiddenError(
                "this system hides other users' processes (needs /proc without hidepid, the "
                "capability CAP_SYS_PTRACE, or a hook for the component payment_app)"
            )

    def _is(self, pid: int, target: Target) -> bool:
        folder = self._proc / str(pid)
        try:
            if target.process and not target.cmdline and not target.package:
                comm = (folder / "comm").read_bytes().rstrip(b"\n")
                if comm == target.process.encode()[:COMM_BYTES]:
                    return True
            with (folder / "cmdline").open("rb") as file:
                words = file.read(CMDLINE_BYTES).split(b"\0")
        except OSError:
            return False
        first = words[0].decode("utf-8", "replace")
        if target.package and first != target.package:
            return False
        if target.process and first.rpartition("/")[2] != target.process:
            return False
        return target.cmdline.encode() in b" ".join(words) and bool(first)

    def _oldest(self, pids: list[int]) -> Process | None:
        there = [one for pid in pids if (one := self._process(pid)) is not None]
        return min(there, key=lambda one: (one.started, one.pid), default=None)

    def _process(self, pid: int) -> Process | None:
        started = self.started(pid)
        return None if started is None else Process(pid, started)

    def _others_hidden(self) -> bool:
        """Process 1 is always there and never ours: whoever cannot see it sees no others."""
        return self.started(1) is None
