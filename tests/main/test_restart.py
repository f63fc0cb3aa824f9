"""Starting anew from inside: when, and how often."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.main import restart as module
from agent.main.restart import APART_MS, Restarting
from agent.supervise import EXIT_AGAIN, ServiceNotify, Supervisor, Timers
from tests.fakes import FakeClock


class World:
    """Sleeps pass at once, on the clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, told: str = "") -> None:
        self.clock, self.busy_until_ms = FakeClock(boot_ms=1_000_000), 0
        self.ended: list[tuple[str, int]] = []
        self.restarting = Restarting(
            lambda reason: self.ended.append((reason, self.clock.boot_ms)),
            lambda: self.clock.boot_ms < self.busy_until_ms,
            self.clock,
            told,
        )

        async def sleep(seconds: float, real: Callable[[float], object] = asyncio.sleep) -> None:
            self.clock.advance(seconds)
            await real(0)  # type: ignore[misc]

        monkeypatch.setattr(module.asyncio, "sleep", sleep)

    def asked(self, *reasons: str) -> list[tuple[str, int]]:
        async def go() -> None:
            for reason in reasons:
                self.restarting.restart(reason)
            async with asyncio.timeout(10):
                while not self.ended:
                    await asyncio.get_running_loop().create_task(_turn())

        asyncio.run(go())
        return self.ended


async def _turn() -> None:
    return None


def test_whoever_asks_meanwhile_is_answered_by_the_same_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two reasons, one restart, at once where nothing is on its way."""
    assert World(monkeypatch).asked("one", "two") == [("one", 1_000_000)]


@pytest.mark.parametrize(
    ("told", "at_ms"),
    [
        (str(1_000_000 - 10_000), 1_000_000 - 10_000 + APART_MS),
        (str(1_000_000 - APART_MS), 1_000_000),
        (str(2_000_000), 1_000_000),  # of a boot before this one
        ("garbage", 1_000_000),
    ],
)
def test_not_more_than_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, told: str, at_ms: int
) -> None:
    """The process before it told when it replaced itself."""
    assert World(monkeypatch, told).asked("again") == [("again", at_ms)]


def test_a_payment_on_its_way_is_waited_for_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After that it stops as it always does, and asks about the payment."""
    short = World(monkeypatch)
    short.busy_until_ms = 1_003_000
    assert short.asked("x") == [("x", 1_003_000)]
    long = World(monkeypatch)
    long.busy_until_ms = 10_000_000
    assert long.asked("x") == [("x", 1_060_000)]


def test_the_service_manager_hears_of_a_reload_not_of_an_end(tmp_path: Path) -> None:
    """It would wait for the process to go, and end it, after STOPPING=1."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "n"))
        clock = FakeClock()
        timers = Timers(clock)
        supervisor = Supervisor([], clock, timers, ServiceNotify(str(tmp_path / "n")))

        async def ready() -> None:
            supervisor.end(EXIT_AGAIN, "wanted")

        assert asyncio.run(supervisor.run(ready)) == EXIT_AGAIN
        said = [heard.recv(200).decode() for _ in range(2)]
    assert said[0].startswith("READY=1")
    assert said[1].startswith("RELOADING=1\nMONOTONIC_USEC=")


PROGRAM = """
import os, sys
from agent.clock import SystemClock
from agent.main import restart
opened = os.open(sys.argv[1], os.O_RDONLY)
os.set_inheritable(opened, True)
told = os.environ.get(restart.VARIABLE, "-")
print(os.getpid(), len(os.listdir("/proc/self/fd")), told, *sys.argv)
if restart.VARIABLE not in os.environ:
    restart.anew(SystemClock())
    print("still here")
"""


def test_it_is_the_same_process_with_the_same_words_and_no_file_left_open(tmp_path: Path) -> None:
    """Its number, its arguments, its flags; what a library left inheritable is closed."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-X", "utf8", str(program), "/dev/null", "two words"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    first, second = (line.split(" ", 3) for line in done.stdout.splitlines())
    assert first[0] == second[0]
    assert first[1] == second[1], "one more descriptor would have gone over"
    assert (first[2], second[2].isdecimal()) == ("-", True)
    assert first[3] == second[3] == f"{program} /dev/null two words"
