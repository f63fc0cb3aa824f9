"""How long after something is so the fleet knows: the real daemon, mosquitto over TLS, a reader.

Alarms: the roll is taken out of a simulated printer with automatic status, or put back. The clock
runs from the moment the alarm is visible (the `ts` of its event, same machine, same clock) to its
arrival at a subscriber; from the roll itself is shown beside it. Unsent money: a payment no host
takes becomes as old as the threshold (three seconds here, sixty as shipped); the clock runs from
when it is that old, counted from before it was handed over, so what is shown is too long rather
than too short. It is withdrawn, and the clock runs from then to the message that nothing is left.
Nothing else is made faster than it ships.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any, Self

from agent.link.tls import client_context
from agent.sim.broker import Heard, Watcher
from tests.bench.rig import PATIENCE_S, Sims, Terminal, wait_listening
from tests.bench.table import Figure
from tests.process.daemon import payment, wait_until

CODE = "printer.paper_out"
TARGET_S = 2.0
OLD_S = 3.0
_TELEMETRY = f"backlog_period_s = {OLD_S}"
_HEALTH = f'[health."{CODE}"]\nvisible_after_s = 0\nclear_after_s = 0'


class Subscriber:
    """Hears everything, and notes when."""

    def __init__(self, sims: Sims) -> None:
        assert sims.broker is not None
        self._heard: list[tuple[float, Heard]] = []
        self._from = 0
        self._changed = threading.Condition()
        tls = client_context(str(sims.certificates.ca_file), "", "")
        self.watcher = Watcher(sims.broker.port, host="localhost", tls=tls, on_message=self._note)

    def __enter__(self) -> Self:
        self.watcher.start()
        if not self.watcher.wait(lambda: self.watcher.subscribed, PATIENCE_S):
            raise RuntimeError("the subscriber cannot subscribe")
        return self

    def __exit__(self, *_: object) -> None:
        self.watcher.close()

    def until(self, kind: str, fits: Callable[[dict[str, Any]], bool]) -> tuple[float, Any]:
        """When the next message like this arrived (UTC seconds), and what it says."""

        def found() -> tuple[float, Any] | None:
            while self._from < len(self._heard):
                at_s, heard = self._heard[self._from]
                self._from += 1
                if heard.kind == kind and fits(heard.fields):
                    return at_s, heard.fields
            return None

        with self._changed:
            result = self._changed.wait_for(found, PATIENCE_S)
        if result is None:
            raise RuntimeError(f"no {kind} within {PATIENCE_S:.0f} s")
        return result

    def _note(self, heard: Heard) -> None:
        now_s = time.time()
        with self._changed:
            self._heard.append((now_s, heard))
            self._changed.notify_all()


def measure(sims: Sims, *, alarms: int, crossings: int) -> tuple[list[Figure], list[str]]:
    if sims.broker is None:
        return [], ["fleet latency: NOT MEASURED, mosquitto is not installed"]
    with Subscriber(sims) as subscriber, Terminal(sims) as terminal:
        # The printer's table comes first in this text: what is added to it stands before the next.
        text = sims.configuration().replace("[telemetry]", "push = true\n[telemetry]")
        terminal.configure(f"{text}\n{_TELEMETRY}\n{_HEALTH}")
        terminal.start()
        wait_listening(terminal)
        wait_until(lambda: "printer" in terminal.components(), "a first reading")
        subscriber.until("backlog", lambda told: told["count"] == 0)
        visible, happened = _alarms(sims, subscriber, alarms)
        crossed, gone = _money(terminal, subscriber, crossings)
    rows = (
        ("alarm visible → subscriber", TARGET_S, visible),
        ("roll out or in → subscriber", None, happened),
        (f"oldest unsent is {OLD_S:g} s old → subscriber", TARGET_S, crossed),
        ("last unsent withdrawn → subscriber", TARGET_S, gone),
    )
    figures = [
        Figure(
            group="fleet latency",
            name=f"{name}, {word}",
            value=round(value, 3),
            unit="s",
            target=f"≤ {target:g} s" if target and word == "max" else "",
            met=value <= target if target and word == "max" else None,
            note=f"{len(times)} times" if word == "max" else "",
        )
        for name, target, times in rows
        for word, value in (("p50", sorted(times)[(len(times) - 1) // 2]), ("max", max(times)))
    ]
    return figures, ["fleet latency: daemon, mosquitto over TLS and subscriber on this machine"]


def _alarms(sims: Sims, subscriber: Subscriber, count: int) -> tuple[list[float], list[float]]:
    """Seconds from visible, and from the printer, to the subscriber."""
    chance = random.Random(6)
    visible: list[float] = []
    happened: list[float] = []
    for number in range(count):
        word, active = (("out", True), ("ok", False))[number % 2]
        time.sleep(chance.uniform(0.2, 0.6))
        began_s = time.time()
        sims.switch(paper=word)
        at_s, told = subscriber.until(
            "event", lambda told, its=active: told["code"] == CODE and told["active"] is its
        )
        happened.append(at_s - began_s)
        visible.append(at_s - told["ts"] / 1000)
    return visible, happened


def _money(
    terminal: Terminal, subscriber: Subscriber, count: int
) -> tuple[list[float], list[float]]:
    """Seconds from old enough, and from withdrawn, to the subscriber."""
    chance = random.Random(7)
    crossed: list[float] = []
    gone: list[float] = []
    for _ in range(count):
        time.sleep(chance.uniform(0.2, 1.2))
        body = payment()
        handed_s = time.time()
        answer = terminal.submit(body)
        assert answer.status == 201, answer
        at_s, _told = subscriber.until("backlog", lambda told: told["count"] == 1)
        crossed.append(at_s - (handed_s + OLD_S))
        withdrawn_s = time.time()
        answer = terminal.post(f"/v1/transactions/{body['key']}/void", {})
        assert answer.status == 200, answer
        at_s, _told = subscriber.until("backlog", lambda told: told["count"] == 0)
        gone.append(at_s - withdrawn_s)
    return crossed, gone
