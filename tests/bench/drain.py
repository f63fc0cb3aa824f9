"""Drain: payments queued while the uplink is off, then posted over TLS to the minimal host.

Against the same bodies from a urllib3 pool of 8 threads without a journal, to the same host, in
turns. Both begin with a full window: eight posts are under way, their answers are kept back until
the sender has settled, and the clock starts when they are given. The pool ends with its last
answer; the agent only when its own books say that nothing is unsent.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from tests.bench import proc
from tests.bench.payments import submission
from tests.bench.rig import ROOT, Child, Sims, Terminal, fast_host, uplink
from tests.bench.table import Figure

TARGET = 1.5
WINDOW = 8
DEADLINE_S = 120.0
#: The agent has just started and looks at its printer, its network and itself; the pool has not.
SETTLE_S = 4.0


def measure(sims: Sims, *, count: int, rounds: int) -> list[Figure]:
    agent, peer, rss = [], [], []
    with fast_host(sims) as (host, port):
        for number in range(rounds):
            rate, rss_mb = _agent(sims, host, port, count, number)
            agent.append(rate)
            rss.append(rss_mb)
            peer.append(_peer(sims, host, port, count))
    ratio = statistics.median(a / p for a, p in zip(agent, peer, strict=True))
    return [
        Figure(
            group="drain",
            name=f"drain of {count}, window 8, until all are posted",
            value=statistics.median(agent),
            unit="/s",
            floor=statistics.median(peer),
            floor_name="/s urllib3, 8 threads, no journal",
            ratio=ratio,
            target=f"≥ {TARGET:g}×",
            met=ratio >= TARGET,
            note=f"median of {rounds}, best {max(agent):.0f}/s",
        ),
        Figure(group="drain", name="RSS right after a drain", value=max(rss), unit="MiB"),
    ]


def _agent(sims: Sims, host: Child, port: int, count: int, number: int) -> tuple[float, float]:
    url, keys = uplink(sims, port)
    with Terminal(sims) as terminal:
        terminal.configure(url=url, uplink=f"{keys}\nenabled = false")
        terminal.start()
        _fill(terminal, count, number)
        terminal.stop()
        terminal.configure(url=url, uplink=keys)
        host.tell(f"hold {WINDOW}")
        terminal.start()
        host.hear()
        time.sleep(SETTLE_S)
        host.tell(f"go {count}")
        told = json.loads(host.hear())
        ends = time.monotonic() + DEADLINE_S
        while terminal.unsent():
            if time.monotonic() > ends:
                raise RuntimeError("the backlog is not empty although the host has everything")
            time.sleep(0.005)
        took_s = time.monotonic() - told["first_s"]
        rss_mb = proc.memory(terminal.pid).rss_mb
        terminal.stop()
    return count / took_s, rss_mb


def _fill(terminal: Terminal, count: int, number: int) -> None:
    def some(start: int) -> None:
        client = terminal.client()
        for each in range(start, count, 8):
            status, _took = client.submit(submission(f"drain-{number}-{each:08d}", each))
            if status != 201:
                raise RuntimeError(f"a payment was answered {status}")
        client.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(some, range(8)))


def _peer(sims: Sims, host: Child, port: int, count: int) -> float:
    host.tell(f"hold {WINDOW}")
    ca_file = str(sims.certificates.ca_file)
    pool = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.thread_pool", str(port), ca_file, str(count)], cwd=ROOT
    )
    try:
        host.hear()
        host.tell(f"go {count}")
        told = json.loads(host.hear())
        if pool.wait(DEADLINE_S):
            raise RuntimeError("the thread pool failed")
    finally:
        pool.kill()
        pool.wait()
    return count / (told["last_s"] - told["first_s"])
