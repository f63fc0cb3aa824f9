"""Start: from exec to the first payment answered 201, with everything configured."""

from __future__ import annotations

import contextlib
import statistics
import time

from tests.bench.payments import submission
from tests.bench.rig import Sims, Terminal, UnixClient
from tests.bench.table import Figure

TARGET_S = 1.5


def measure(sims: Sims, *, rounds: int) -> list[Figure]:
    with Terminal(sims) as terminal:
        terminal.configure(sims.configuration())
        first_s = _once(terminal, 0)  # writes the byte code and makes the store
        times = [_once(terminal, number) for number in range(1, rounds + 1)]
    middle = statistics.median(times)
    return [
        Figure(
            group="start",
            name="exec to first payment accepted",
            value=middle,
            unit="s",
            target=f"≤ {TARGET_S:g} s",
            met=middle <= TARGET_S,
            note=f"median of {rounds}, {min(times):.2f} to {max(times):.2f}",
        ),
        Figure(group="start", name="the same without byte code or store", value=first_s, unit="s"),
    ]


def _once(terminal: Terminal, number: int) -> float:
    terminal.socket.unlink(missing_ok=True)
    body = submission(f"start-{number:08d}", number)
    began = time.monotonic()
    terminal.start(wait=False)
    client = None
    while client is None:
        if not terminal.running or time.monotonic() - began > 60:
            raise RuntimeError(f"the agent did not start:\n{terminal.log()[-2000:]}")
        with contextlib.suppress(OSError):
            client = UnixClient(terminal.socket)
        if client is None:
            time.sleep(0.002)
    status, _took = client.submit(body)
    took_s = time.monotonic() - began
    client.close()
    if status != 201:
        raise RuntimeError(f"the first payment was answered {status}")
    terminal.wait_notified("READY=1")
    terminal.stop()
    return took_s
