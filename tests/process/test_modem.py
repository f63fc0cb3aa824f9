"""A modem through the real daemon: SIM trouble and a weak signal are shown, and cleared again.

Its port comes and goes with each change, so that the daemon looks at once and no test waits.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.sim.modem import ICCID, IMEI, IMSI, SimulatedModem, obey
from tests.process.daemon import ROOT, Daemon, wait_until
from tests.process.fleet import LoopThread

pytestmark = pytest.mark.process

CONFIG = """
[signal]
period_s = 1.0
[discovery]
hotplug = "poll"
poll_s = 0.1
[cellular]
device = "{device}"
open = "always"
"""
AT_ONCE = "".join(
    f'[health."{code}"]\nvisible_after_s = 0\nclear_after_s = 0\n'
    for code in ("network.sim_problem", "network.weak_signal")
)


@pytest.fixture(scope="module")
def loop() -> Iterator[LoopThread]:
    with LoopThread() as one:
        yield one


class Modem:
    """The simulated modem beside a daemon, switched from a test."""

    def __init__(self, loop: LoopThread, path: Path) -> None:
        self._loop = loop
        self.sim = SimulatedModem(path)

    def order(self, words: str) -> None:
        async def on_the_loop() -> None:
            assert obey(self.sim, words) == "ok"

        self._loop.run(on_the_loop())

    def becomes(self, *words: str) -> None:
        """It falls off its bus and comes back like this: the daemon looks at once."""
        for order in ("cable out", *words, "cable in"):
            self.order(order)


def said(daemon: Daemon, lang: str, command: str) -> str:
    done = subprocess.run(
        daemon.command(command, "--lang", lang, "--config", str(daemon.config_file)),
        capture_output=True,
        text=True,
        env={**daemon._environment(), "COLUMNS": "200"},
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def values(daemon: Daemon) -> dict[str, Any]:
    found: dict[str, Any] = daemon.components().get("signal", {}).get("values", {})
    return found


def cleared(daemon: Daemon, code: str) -> None:
    wait_until(lambda: code not in daemon.alarms(), f"{code} cleared")


def test_sim_and_signal_are_alarms_and_clear(loop: LoopThread) -> None:
    """No SIM, a PIN, a refusal, a weak cell: each shown with its words, and gone when it is over.

    What identifies modem and subscriber is nowhere: not in the state, not in the log.
    """
    with Daemon() as daemon:
        modem = Modem(loop, daemon.home / "modem")
        modem.order("reset")
        modem.order("chatter on")
        daemon.configure(CONFIG.format(device=modem.sim.path) + AT_ONCE)
        daemon.start()
        try:
            wait_until(lambda: values(daemon).get("sim_state") == "ready", "a modem that works")
            assert values(daemon)["signal_dbm"] == -85
            assert values(daemon)["band"] == "good"
            assert not {"network.sim_problem", "network.weak_signal"} & set(daemon.alarms())

            modem.becomes("sim absent")
            alarm = wait_until(lambda: daemon.alarms().get("network.sim_problem"), "no SIM")
            assert alarm["args"]["sim_state"] == "absent"
            assert "SIM卡异常" in said(daemon, "zh", "status")
            assert "没有SIM卡" in said(daemon, "zh", "why")

            modem.becomes("sim ready", "rsrp -118")
            alarm = wait_until(lambda: daemon.alarms().get("network.weak_signal"), "a weak signal")
            assert (alarm["args"]["signal_dbm"], alarm["args"]["band"]) == (-118, "weak")
            cleared(daemon, "network.sim_problem")
            assert "weak signal" in said(daemon, "en", "status")

            modem.becomes("network denied")
            alarm = wait_until(lambda: daemon.alarms().get("network.sim_problem"), "a refusal")
            assert alarm["args"]["registration"] == "denied"

            modem.becomes("reset")
            cleared(daemon, "network.sim_problem")
            cleared(daemon, "network.weak_signal")

            kept = [*daemon.state_dir.rglob("*"), daemon.log_file]
            everything = b"".join(one.read_bytes() for one in kept if one.is_file())
        finally:
            modem.order("cable out")
        for number in (IMEI, IMSI, ICCID):
            assert number.encode() not in everything
