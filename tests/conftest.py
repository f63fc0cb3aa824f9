"""What all tests share: no test may hang, and what could not be run is counted aloud."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background of a shell: children would ignore the Ctrl-C tests send them.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How fast examples are drawn and tried says how busy the machine is, and nothing of the code.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

#: A hung test must say where it hangs instead of eating the run; real daemons get more.
LIMIT_S = 120
PROCESS_LIMIT_S = 900


def mosquitto() -> str | None:
    """The real broker's program, or None where it is not installed."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def rabbitmq() -> str | None:
    """Debian's RabbitMQ with what its recipe needs, or None where one of them is missing."""
    program = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    whole = program.exists() and shutil.which("erl") and shutil.which("openssl")
    return str(program) if whole else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if rabbitmq() is None:
        absent = pytest.mark.skip(reason="no RabbitMQ: its recipe was not tried")
        for item in items:
            if item.get_closest_marker("rabbitmq"):
                item.add_marker(absent)
    if mosquitto() is None:
        absent = pytest.mark.skip(reason="no mosquitto: the real broker was not tried")
        for item in items:
            if item.get_closest_marker("broker"):
                item.add_marker(absent)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was not run, and why, so that a green line cannot hide it."""
    skipped = terminalreporter.stats.get("skipped", [])
    if not skipped:
        return
    reasons: dict[str, int] = {}
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[reason] = reasons.get(reason, 0) + 1
    terminalreporter.section("NOT RUN")
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count:4d}  {reason.removeprefix('Skipped: ')}")


@pytest.fixture(autouse=True)
def no_test_hangs(request: pytest.FixtureRequest) -> Iterator[None]:
    """Raise in a test that outlives its limit; the traceback shows where it stood."""
    limit_s = PROCESS_LIMIT_S if request.node.get_closest_marker("process") else LIMIT_S
    limit_s *= max(1, int(os.environ.get("POSAGENT_FUZZ", "0")))  # `make fuzz` takes its time

    def too_long(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"{request.node.nodeid} did not end within {limit_s} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def pytest_report_header() -> list[str]:
    """Say which of the real parts this run has."""
    return [
        f"real broker: {mosquitto() or 'not installed'}",
        f"RabbitMQ: {rabbitmq() or 'not installed'}",
        f"root: {os.geteuid() == 0}, C compiler: {shutil.which('cc') or 'none'}",
    ]
