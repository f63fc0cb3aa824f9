"""What a day of telemetry costs on the wire, and what the same day costs told by others.

Each row is a child in a network namespace of its own (`fleet_day`): real TLS 1.3 with client
certificates (P-256, leaf and intermediate both ways) to a real mosquitto, counted as IP carries it
in both directions, TCP's own packets and handshakes included. The day has news every quarter of an
hour, twenty alarm events and four broken connections that are resumed; the first connection of the
terminal's life is a row of its own. Pings are the one thing a driven clock does not make: one is
measured, and there are as many as the silences of the day are longer than the keepalive.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from agent.core.fleet.keepalive import STEPS_S
from agent.core.fleet.messages import HealthMessage
from agent.sim.broker import mosquitto
from agent.telemetry.gate import Gate
from agent.wire import mqtt
from tests.bench.fleet_terminal import flat
from tests.bench.table import Figure
from tests.network.netns import ip
from tests.process.daemon import ROOT

#: Bytes a day.
TARGETS: dict[str, int | None] = {
    "default": 60_000,
    "default-4h": None,
    "default-quiet": None,
    "eco": 45_000,
}
_NAMES = {
    "default": "profile default",
    "default-4h": "the same with a full report every 4 h: 90 deltas, 6 fulls",
    "default-quiet": "a day on which nothing moves: signs of life",
    "eco": "profile eco",
}
DAY_MIN = 1_440
PATIENCE_S = 180.0


def missing() -> str:
    """Why it cannot be measured here; empty: it can."""
    if mosquitto() is None:
        return "no mosquitto"
    if ip() is None:
        return "no iproute2"
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return "no network namespaces (needs root and unshare)"
    return ""


def measure() -> tuple[list[Figure], list[str]]:
    """The figures, and what was not measured."""
    if reason := missing():
        return [], [f"fleet-bytes: not measured ({reason})"]
    figures: list[Figure] = []
    notes: list[str] = []
    for profile in TARGETS:
        day = _day(profile)
        figures += _ours(profile, day)
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(day["messages"].items()))
        notes.append(f"fleet-bytes {profile}: {told}; {day['packets']} packets, without pings")
    floor = figures[0].value
    naive, sparkplug, collectd = _day("naive"), _day("sparkplug"), _day("collectd")
    figures += [
        _peer("the same readings as JSON every 60 s, QoS 1", naive["day"], floor,
              "an hour measured, times 24; 4 new connections"),
        _peer("the same news as Sparkplug B, QoS 0", sparkplug["day"], floor,
              "NBIRTH at 4 new connections, NDATA by alias; without pings"),
        _peer("its numbers by collectd's MQTT plugin every 60 s", collectd["day"], floor,
              "10 intervals measured; texts are not told"),
        _peer("the same every 10 s, its default", collectd["day_10s"], floor, "times 6"),
    ]  # fmt: skip
    return figures + _gate(), notes


def _day(what: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="pb-") as folder:
        program = shutil.which("unshare")
        assert program is not None
        done = subprocess.run(
            [program, "-n", sys.executable, "-m", "tests.bench.fleet_day", str(Path(folder)), what],
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=PATIENCE_S,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-2_000:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _ours(profile: str, day: dict[str, Any]) -> list[Figure]:
    group = "bytes a day on the wire"
    longest = STEPS_S[-1]
    count = pings(day["exchanged_min"], longest)
    total, target = day["day"] + count * day["ping"], TARGETS[profile]
    shorter = {each: pings(day["exchanged_min"], each) * day["ping"] for each in STEPS_S[:-1]}
    others = ", ".join(
        f"{(day['day'] + more) / 1000:.1f} kB at {each} s" for each, more in shorter.items()
    )
    day_of = Figure(
        group=group, name=_NAMES[profile], value=total, unit="B",
        target="" if target is None else f"≤ {target}",
        met=None if target is None else total <= target,
        note=f"{count} pings of {day['ping']} B at keepalive {longest} s; {others}",
    )  # fmt: skip
    if target is None:
        return [day_of]
    return [
        day_of,
        Figure(
            group=group, name="  of that, 4 resumed reconnects", value=day["reconnects"], unit="B",
            note="TCP, TLS 1.3, CONNECT, state",
        ),
        Figure(
            group=group, name="  the first connection, not in the day", value=day["first"],
            unit="B", note="full handshake, info, first full report",
        ),
    ]  # fmt: skip


def _gate() -> list[Figure]:
    """What the last look at a message costs before it is kept."""
    fields = dict(flat())
    whole = mqtt.encode(
        HealthMessage(ts=1, clock_suspect=None, full=True, alarms=(), fields=fields)
    )
    one = {"signal_rsrp_dbm": -103, "system_battery_percent": 72}
    delta = mqtt.encode(
        HealthMessage(ts=1, clock_suspect=None, full=False, alarms=None, fields=dict(one))
    )
    figures = []
    for name, body, rounds in (("a full report", whole, 200), ("a delta", delta, 2_000)):
        gate, best = Gate(), float("inf")
        for _ in range(5):
            began = time.perf_counter()
            for _ in range(rounds):
                gate.passed("health", body)
            best = min(best, (time.perf_counter() - began) / rounds)
        assert gate.withheld == 0
        figures.append(
            Figure(
                group="the last look before a message is kept", name=name, value=best * 1e6,
                unit="µs", note=f"{len(body)} B, best of 5",
            )
        )  # fmt: skip
    return figures


def pings(exchanged_min: list[int], keepalive_s: int) -> int:
    """How many a day with exchanges at these minutes has: one per whole keepalive of silence."""
    edges = [*exchanged_min, DAY_MIN]
    return sum(
        max(0, (after - before) * 60 - 1) // keepalive_s for before, after in pairwise(edges)
    )


def _peer(name: str, value: float, floor: float, note: str) -> Figure:
    return Figure(
        group="bytes a day on the wire", name=name, value=value, unit="B",
        floor=floor, floor_name="profile default", note=note,
    )  # fmt: skip
