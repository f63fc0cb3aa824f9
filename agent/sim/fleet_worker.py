"""One process of the simulated fleet: up to 300 terminals, watched by `agent.sim.fleet`.

Reads its orders from the first argument and ends, in good order, when its standard input does: a
parent that is gone leaves nobody behind. Says what its terminals do once a second, as a line of
JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import json
import logging
import os
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from agent.clock import SystemClock
from agent.config.telemetry import Telemetry
from agent.errors import OperatorError
from agent.link.tls import client_context
from agent.sim.fleet_story import Hosts, Troubles
from agent.sim.fleet_terminal import Surroundings, Tally, Terminal

log = logging.getLogger(__name__)

#: paho waits with select(), which takes no descriptor above 1023; a terminal has three of them.
MOST = 300
#: A connection's thread runs a few frames of Python and one TLS record deep.
STACK_BYTES = 256 * 1024
FIGURES_S = 1.0
#: Looked at more often than the agent does at rest, so that outages begin and end on time.
LOOK_S = 15.0


class Worker:
    """The terminals of one process."""

    def __init__(self, orders: dict[str, Any]) -> None:
        loop = asyncio.get_running_loop()
        self._orders = orders
        self._tally = Tally()
        self._certs = Path(orders["certs"]) if orders["certs"] else None
        self._contexts: dict[str, ssl.SSLContext] = {}
        found = socket.getaddrinfo(orders["host"], orders["port"], type=socket.SOCK_STREAM)
        around = Surroundings(
            settings=Telemetry(**orders["settings"]),
            tenant=orders["tenant"],
            run=orders["run"],
            clock=SystemClock(),
            # All processes count from the same moment: a host is down for all its terminals.
            began_s=loop.time() - orders["age_s"],
            hosts=Hosts(orders["seed"], Troubles(**orders["troubles"])),
            tally=self._tally,
            address=(found[0][0], *found[0][4]),
        )
        self.terminals = [Terminal(name, around, self._tls(name)) for name in orders["names"]]

    async def run(self, stop: asyncio.Event) -> int:
        """Until `stop`; how many terminals ended badly."""
        tasks = [asyncio.create_task(each.part.run(stop)) for each in self.terminals]
        looking = asyncio.create_task(self._look())
        telling = asyncio.create_task(self._tell())
        try:
            # One that ends badly is a fault of the agent's: nothing to be simulated further.
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            stop.set()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            for task in (looking, telling):
                task.cancel()
            await asyncio.gather(looking, telling, return_exceptions=True)
        failed = [each for each in ended if isinstance(each, BaseException)]
        for each in failed[:1]:
            log.error("event=terminal_failed count=%d", len(failed), exc_info=each)
        self._say({**self.figures(), "ended": not failed})
        if self._orders["report"]:
            self._write_report(Path(self._orders["report"]))
        return len(failed)

    def figures(self) -> dict[str, int]:
        """What is true now, and what was done so far."""
        tally, offline, waiting, unsent, connected, queued = self._tally, 0, 0, 0, 0, 0
        for each in self.terminals:
            offline += each.life.offline
            unsent += each.life.unsent
            waiting += bool(each.life.unsent)
            queued += len(each.outbox.rows)
            connected += each.part.view().connected
        return {
            "terminals": len(self.terminals),
            "connected": connected,
            "offline": offline,
            "tries": tally.tries,
            "reached": tally.reached,
            "made": tally.put,
            "acked": tally.acked,
            "queued": queued,
            "payments": unsent,
            "waiting": waiting,
        }

    async def _look(self) -> None:
        """The one scheduler: every terminal in turn, spread evenly over its period."""
        loop = asyncio.get_running_loop()
        rng = Random(f"{self._orders['seed']}/{self._orders['names'][0]}")
        period_s = min(LOOK_S, *(each.period_s for each in self.terminals))
        start_s = loop.time()
        due = [(start_s + rng.random() * period_s, number) for number in range(len(self.terminals))]
        heapq.heapify(due)
        while True:
            at_s, number = due[0]
            await asyncio.sleep(at_s - loop.time())
            await self.terminals[number].look()
            heapq.heapreplace(due, (max(at_s + period_s, loop.time()), number))

    async def _tell(self) -> None:
        while True:
            self._say(self.figures())
            await asyncio.sleep(FIGURES_S)

    def _say(self, line: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # the parent is gone: standard input says so
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()

    def _write_report(self, path: Path) -> None:
        with path.open("w", encoding="utf-8") as out:
            for each in self.terminals:
                line = {
                    "device_id": each.name,
                    "outbox_id": f"{each.name}-{self._orders['run']}",
                    "connects": each.counters.connects,
                    "acked": each.outbox.acked,
                    "queued": sorted(each.outbox.rows),
                }
                out.write(json.dumps(line, separators=(",", ":")) + "\n")

    def _tls(self, name: str) -> Callable[[], ssl.SSLContext]:
        def context() -> ssl.SSLContext:
            if self._certs is None:
                raise OperatorError("sim.no_certs", "mqtts:// needs --certs")
            own = self._certs / f"{name}.pem"
            who = name if own.exists() else "terminal"
            if who not in self._contexts:
                made = client_context(
                    str(self._certs / "ca.pem"),
                    str(self._certs / f"{who}.pem"),
                    str(self._certs / f"{who}.key"),
                )
                if who == name:
                    return made
                self._contexts[who] = made
            return self._contexts[who]

        return context


async def _work(orders: dict[str, Any]) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def heard() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            stop.set()

    loop.add_reader(sys.stdin.fileno(), heard)
    return await Worker(orders).run(stop)


def main() -> int:
    """The process."""
    # Ctrl-C goes to everybody in front of the screen; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.CRITICAL, stream=sys.stderr)
    log.setLevel(logging.ERROR)
    threading.stack_size(STACK_BYTES)
    orders = json.loads(sys.argv[1])
    if len(orders["names"]) > MOST:
        raise OperatorError("sim.fleet", f"more than {MOST} terminals in one process")
    return 1 if asyncio.run(_work(orders)) else 0


if __name__ == "__main__":
    sys.exit(main())
