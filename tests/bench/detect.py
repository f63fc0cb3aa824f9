"""Detection: how long after something happens to the printer the agent knows of it.

The real daemon watches a simulated ESC/POS printer on a pseudo terminal, once asking every
interval and once with automatic status (`[printer] push`). The clock runs from the moment the
printer's roll is taken out, or put back, to the event on the local API's stream that says so;
the delays for showing it to people are set to nothing. Moments are drawn over the whole interval.
"""

from __future__ import annotations

import json
import random
import socket
import time
from collections.abc import Iterator
from typing import Any

from tests.bench.rig import PATIENCE_S, Sims, Terminal, wait_listening
from tests.bench.table import Figure
from tests.process.daemon import wait_until

CODE = "printer.paper_out"
POLL_S = 5.0
PUSH_TARGET_S = 1.0
#: With push the interval is long, so that no reading that was due anyway can be taken for it.
PUSH_INTERVAL_S = 60.0


class _Stream:
    """The event stream, read line by line."""

    def __init__(self, terminal: Terminal) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(PATIENCE_S)
        self._socket.connect(str(terminal.socket))
        self._socket.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self._lines = self._socket.makefile("rb")
        while b"connected" not in self._lines.readline():
            pass

    def until(self, what: str) -> float:
        """When the printer's alarm `began` or `ended`, in monotonic seconds."""
        for event in self._events():
            if event.get("code") == CODE and event.get("what") == what:
                return time.monotonic()
        raise RuntimeError("the event stream ended")

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def _events(self) -> Iterator[dict[str, Any]]:
        for line in self._lines:
            if line.startswith(b"data: "):
                yield json.loads(line.removeprefix(b"data: "))


def measure(sims: Sims, *, polled: int, pushed: int) -> tuple[list[Figure], list[str]]:
    poll = _times(sims, f"period_s = {POLL_S}", polled, POLL_S)
    push = _times(sims, f"push = true\nperiod_s = {PUSH_INTERVAL_S}", pushed, 0.3)
    rows = (("polled", POLL_S + 1.0, poll), ("pushed", PUSH_TARGET_S, push))
    figures = [
        Figure(
            group="detection",
            name=f"{how}: {name}",
            value=round(value, 3),
            unit="s",
            target=f"≤ {target:g} s" if name == "longest" else "",
            met=value <= target if name == "longest" else None,
            note=f"{len(times)} changes" if name == "longest" else "",
        )
        for how, target, times in rows
        for name, value in _spread(times)
    ]
    return figures, [f"detection: asked every {POLL_S:g} s, or pushed by automatic status"]


def _spread(times: list[float]) -> list[tuple[str, float]]:
    ordered = sorted(times)
    last = len(ordered) - 1
    return [
        ("p50", ordered[last // 2]),
        ("p90", ordered[round(last * 0.9)]),
        ("longest", ordered[last]),
    ]


def _times(sims: Sims, keys: str, changes: int, spread_s: float) -> list[float]:
    """Seconds from change to event, for `changes` of them."""
    chance = random.Random(4)
    delays = f'[health."{CODE}"]\nvisible_after_s = 0\nclear_after_s = 0'
    sims.switch(paper="ok")
    times: list[float] = []
    with Terminal(sims) as terminal:
        terminal.configure(f'[printer]\ndevice = "{sims.printer_path}"\n{keys}\n{delays}')
        terminal.start()
        wait_listening(terminal)
        wait_until(lambda: "printer" in terminal.components(), "a first reading")
        stream = _Stream(terminal)
        try:
            for number in range(changes):
                word, what = (("out", "began"), ("ok", "ended"))[number % 2]
                time.sleep(chance.uniform(0.2, 0.2 + spread_s))
                began = time.monotonic()
                sims.switch(paper=word)
                times.append(stream.until(what) - began)
        finally:
            stream.close()
            sims.switch(paper="ok")
    return times
