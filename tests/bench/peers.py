"""The journal's append beside two queues on SQLite that people use for this in Python.

persist-queue and litequeue, each as shipped and with a sync for every commit. They are installed by
the extra `bench` and by nothing else; where they are missing, that is said and nothing fails. One
writer, one payment at a time, all in processes of their own that take turns.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from pathlib import Path

from tests.bench.peer_queue import MAKERS, MISSING
from tests.bench.rig import Child
from tests.bench.table import Figure

WARM_UP = 100
TURN = 50
SYNCS = {"1": "NORMAL", "2": "FULL"}


def measure(*, turns: int) -> tuple[list[Figure], list[str]]:
    with tempfile.TemporaryDirectory(prefix="pq-", dir="/tmp") as home:
        directory = Path(home)
        store = Child("tests.bench.writers", str(_made(directory / "store")), "1")
        peers: dict[str, Child] = {}
        notes: list[str] = []
        try:
            for name in MAKERS:
                for durability in ("shipped", "equal"):
                    own = str(_made(directory / f"{name}-{durability}"))
                    peer = Child("tests.bench.peer_queue", name, own, durability)
                    said = peer.hear()
                    if said == MISSING:
                        peer.close()
                        notes.append(f"{name} is not installed: pip install 'posagent[bench]'")
                        break
                    peers[f"{name}, {durability} (synchronous={SYNCS.get(said, said)})"] = peer
            return _figures(store, peers, turns), notes
        finally:
            for child in (store, *peers.values()):
                child.close()


def _made(directory: Path) -> Path:
    directory.mkdir(mode=0o700)
    return directory


def _figures(store: Child, peers: dict[str, Child], turns: int) -> list[Figure]:
    own: list[float] = []
    found: dict[str, list[float]] = {name: [] for name in peers}
    for turn in range(-1, turns):
        count = WARM_UP if turn < 0 else TURN
        store.tell(str(count))
        own_us = 1e6 / float(store.hear())
        for name, peer in peers.items():
            peer.tell(str(count))
            times_us = json.loads(peer.hear())
            if turn >= 0:
                found[name].append(statistics.fmean(times_us))
        if turn >= 0:
            own.append(own_us)
    own_us = statistics.median(own)
    return [
        Figure(
            group="peers", name="append of one writer, agent's store", value=own_us, unit="µs",
            note=f"median of {turns} turns of {TURN}",
        ),
        *(
            Figure(
                group="peers", name=name, value=statistics.median(times_us), unit="µs",
                floor=own_us, floor_name="agent's store",
            )
            for name, times_us in found.items()
        ),
    ]  # fmt: skip
