"""Finding a program among all of them, in trees of files that look like /proc and /sys."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.watch.payment_app.process import HiddenError, Process, Processes, Target


class Machine:
    """A root with processes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.processes = Processes(root)
        self.runs(1, "init", "/sbin/init", started=1)

    def runs(self, pid: int, comm: str, *words: str, started: int = 100, state: str = "S") -> None:
        folder = self.root / "proc" / str(pid)
        folder.mkdir(parents=True, exist_ok=True)
        before = " ".join(["0"] * 18)
        (folder / "stat").write_text(f"{pid} ({comm}) {state} {before} {started} 0 0\n")
        (folder / "comm").write_text(f"{comm}\n")
        (folder / "cmdline").write_bytes("\0".join(words).encode() + b"\0")

    def find(self, **target: str) -> Process | None:
        return self.processes.find(Target(**target))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_by_name_package_and_command_line(machine: Machine) -> None:
    """Whole names, an interpreter's argument, an Android package; the oldest of several."""
    machine.runs(20, "pay) x", "/opt/pay) x", started=300)
    machine.runs(21, "paymentappwithl", "/opt/paymentappwithlongname", started=300)
    machine.runs(22, "paymentappwithl", "paymentappwithlongname", "--fork", started=200)
    machine.runs(23, "python3", "python3", "/opt/pay/main.py")
    machine.runs(24, "acme.pay", "com.acme.pay")
    assert machine.find(process="pay) x") == Process(20, 300)
    assert machine.find(process="paymentappwithlongname") == Process(22, 200)
    assert machine.find(cmdline="/opt/pay/main.py") == Process(23, 100)
    assert machine.find(process="python3", cmdline="main.py") == Process(23, 100)
    assert machine.find(process="python2", cmdline="main.py") is None
    assert machine.find(package="com.acme.pay") == Process(24, 100)
    assert machine.find(package="com.acme") is None


def test_a_dead_process_is_none(machine: Machine) -> None:
    """A zombie waits for its parent and takes no payments."""
    machine.runs(20, "pay", "/opt/pay", state="Z")
    assert machine.find(process="pay") is None
    assert machine.processes.started(99) is None


def test_our_own_process_is_not_the_app(machine: Machine) -> None:
    """Though its command line may name it."""
    machine.runs(os.getpid(), "posagent", "posagent", "probe", "payment_app", "/opt/pay")
    assert machine.find(cmdline="/opt/pay") is None


def test_where_others_are_hidden_nothing_is_claimed(machine: Machine) -> None:
    """Not to see it is not to know that it does not run."""
    (machine.root / "proc/1/stat").unlink()
    with pytest.raises(HiddenError, match="hidepid"):
        machine.find(process="pay")
    (machine.root / "pay.pid").write_text("20\n")
    group = machine.root / "sys/fs/cgroup/system.slice/pay.service"
    group.mkdir(parents=True)
    (group / "cgroup.procs").write_text("20\n")
    for how in ({"pid_file": "/pay.pid"}, {"unit": "pay.service"}):
        with pytest.raises(HiddenError, match="hidepid"):
            machine.find(**how)
    (group / "cgroup.procs").write_text("")
    assert machine.find(unit="pay.service") is None  # nobody is in it, hidden or not


def test_by_pid_file(machine: Machine) -> None:
    """The number must be that of the app where its name is known, too."""
    file = machine.root / "pay.pid"
    assert machine.find(pid_file="/pay.pid") is None
    for text in ("", "abc", "99"):
        file.write_text(text)
        assert machine.find(pid_file="/pay.pid") is None
    machine.runs(20, "pay", "/opt/pay")
    file.write_text("20\n")
    assert machine.find(pid_file="/pay.pid") == Process(20, 100)
    assert machine.find(pid_file="/pay.pid", process="pay") == Process(20, 100)
    assert machine.find(pid_file="/pay.pid", process="other") is None
    file.unlink()
    file.mkdir()
    with pytest.raises(HiddenError, match="cannot be read"):
        machine.find(pid_file="/pay.pid")


def test_by_unit(machine: Machine) -> None:
    """Through its control group; a unit that does not run has none."""
    with pytest.raises(HiddenError, match="no control group"):
        machine.find(unit="pay.service")
    slice_ = machine.root / "sys/fs/cgroup/system.slice"
    slice_.mkdir(parents=True)
    assert machine.find(unit="pay.service") is None
    machine.runs(20, "sh", "sh", started=50)
    machine.runs(21, "pay", "/opt/pay", started=60)
    (slice_ / "pay.service").mkdir()
    (slice_ / "pay.service/cgroup.procs").write_text("21\n20\n98\n")
    assert machine.find(unit="pay.service") == Process(20, 50)
    assert machine.find(unit="pay.service", process="pay") == Process(21, 60)
    (slice_ / "pay.service/cgroup.procs").write_bytes(b"\xff\n")
    with pytest.raises(HiddenError, match="cannot be read"):
        machine.find(unit="pay.service")


@given(stat=st.binary(max_size=60), cmdline=st.binary(max_size=60), comm=st.binary(max_size=20))
def test_nothing_raises(
    tmp_path_factory: pytest.TempPathFactory, stat: bytes, cmdline: bytes, comm: bytes
) -> None:
    """Whatever the files hold."""
    root = tmp_path_factory.mktemp("root")
    machine = Machine(root)
    (root / "proc/7").mkdir()
    for name, raw in {"stat": stat, "cmdline": cmdline, "comm": comm}.items():
        (root / "proc/7" / name).write_bytes(raw)
    (root / "pay.pid").write_bytes(comm)
    machine.find(process="pay")
    machine.find(pid_file="/pay.pid")


def test_a_pid_file_that_is_no_file_is_not_waited_for(machine: Machine) -> None:
    """Whoever may write there puts a pipe or a device without end in its place."""
    place = machine.root / "run"
    place.mkdir()
    os.mkfifo(place / "pipe.pid")
    (place / "zero.pid").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        with pytest.raises(HiddenError, match="not a regular file"):
            machine.find(pid_file=f"/run/{name}.pid")
