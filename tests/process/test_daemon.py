"""The test double itself: what it promises to every other test of the real daemon."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.sim.leash import leash
from tests.process.daemon import ROOT, wait_until

pytestmark = pytest.mark.process

KILLED_IN_THE_MIDDLE = """
import signal
from agent.sim.broker import mosquitto
from tests.process.daemon import Daemon
from tests.process.fleet import BrokerThread
kind = "amqtt" if mosquitto() is None else "mosquitto"
with BrokerThread(kind=kind) as broker, Daemon() as daemon:
    daemon.start()
    print(daemon.home, daemon.process.pid, broker.pid, flush=True)
    signal.pause()
"""


@pytest.mark.skipif(not leash(), reason="no setpriv: the end of a killed run was NOT tried")
def test_a_killed_run_leaves_nothing_running() -> None:
    """A daemon left alone would open the pseudo terminal a later test's printer is given."""
    pids: list[int] = []
    with subprocess.Popen(
        [sys.executable, "-c", KILLED_IN_THE_MIDDLE],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as run:
        try:
            assert run.stdout is not None
            home, *words = run.stdout.readline().split()
            pids = [int(word) for word in words if word != "0"]
            assert pids
            assert all(map(_alive, pids))
            run.kill()
            wait_until(lambda: not any(map(_alive, pids)), f"the end of {pids}")
        finally:
            run.kill()
            for pid in filter(_alive, pids):
                os.kill(pid, signal.SIGKILL)
    shutil.rmtree(home)


def _alive(pid: int) -> bool:
    """Whether it runs; nobody may have fetched its exit code yet."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return False
    return told.rpartition(")")[2].split()[0] not in "ZX"
