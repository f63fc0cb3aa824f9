"""kill -9 at random moments, with 20 submitters and a faulty host: nothing lost, nothing twice.

`POSAGENT_KILL_ROUNDS` rounds (25 by default, 200 in `make kill`), `POSAGENT_KILL_SEED` to repeat a
run as far as scheduling allows. The history is kept outside the daemon; the ledger is the host's.
The positive control runs the same rig against a host that ignores keys: it must find duplicates,
else the rig proves nothing.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from agent.sim.host import HostOptions, HostThread
from agent.sim.host_faults import Fault
from tests.process.daemon import Daemon, call, payment, wait_until
from tests.process.history import History, Verdict

pytestmark = pytest.mark.process

ROUNDS = int(os.environ.get("POSAGENT_KILL_ROUNDS", "25"))
SEED = int(os.environ.get("POSAGENT_KILL_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
SUBMITTERS = 20
#: Longest life of a round after READY; starts are killed too (see `_moment`).
LIFE_S = 0.6
#: Less than the uploader's longest wait: a wake-up that is missed must not pass as slow.
DRAIN_S = 200.0
MIX: Mapping[str, float] = {
    "delay": 0.04,
    "drop_before": 0.08,
    "drop_after": 0.10,
    "error_500": 0.04,
    "error_502_after": 0.05,
    "error_503": 0.02,
    "in_progress": 0.06,
    "malformed": 0.03,
    "truncated": 0.03,
}


@dataclass(slots=True)
class Submitters:
    """Twenty payment apps: each repeats a payment with the same key until it is acknowledged."""

    daemon: Daemon
    history: History
    stop: threading.Event
    refused: list[str]

    def run(self, number: int, seed: int) -> None:
        draw = random.Random(seed)
        n = 0
        while not self.stop.is_set():
            n += 1
            key = f"s{number:02d}-{n:06d}-{uuid.UUID(int=draw.getrandbits(128)).hex[:6]}"
            amount = draw.randint(1, 10**6)
            body = json.dumps(payment(key, amount_minor=amount)).encode()
            self.history.attempt(key, amount)
            self._until_acknowledged(key, body, draw)
            self.stop.wait(draw.uniform(0.0, 0.1))

    def _until_acknowledged(self, key: str, body: bytes, draw: random.Random) -> None:
        while not self.stop.is_set():
            try:
                answer = call(self.daemon.socket, "POST", "/v1/transactions", body, timeout_s=10.0)
            except (OSError, http.client.HTTPException):
                self.stop.wait(draw.uniform(0.01, 0.05))
                continue
            if answer.status in (200, 201):
                self.history.acknowledge(key)
                return
            if answer.status not in (503, 507):
                self.refused.append(f"{answer.status} {answer.code}")
                return


def _moment(draw: random.Random) -> tuple[str, float]:
    """When to kill: mostly at work, sometimes while starting or stopping."""
    kind = draw.choices(("working", "starting", "stopping"), (0.75, 0.15, 0.10))[0]
    return kind, draw.uniform(0.0, LIFE_S)


def _round(daemon: Daemon, draw: random.Random) -> str:
    kind, after_s = _moment(draw)
    daemon.start(wait=kind != "starting")
    if kind == "stopping":
        time.sleep(after_s)  # the random moment is the point of this test
        daemon.terminate()
        after_s = draw.uniform(0.0, 0.3)
    time.sleep(after_s)
    assert daemon.running or kind == "stopping", f"died by itself: {daemon.log()[-3_000:]}"
    daemon.kill()
    return kind


def _run(host: HostThread, daemon: Daemon, rounds: int, seed: int) -> Verdict:
    draw = random.Random(seed)
    history, stop, refused = History(), threading.Event(), list[str]()
    daemon.configure(url=host.host.url)
    host.apply_mix(MIX, seed)
    submitters = Submitters(daemon, history, stop, refused)
    threads = [
        threading.Thread(target=submitters.run, args=(number, seed + number), daemon=True)
        for number in range(SUBMITTERS)
    ]
    for thread in threads:
        thread.start()
    try:
        for _ in range(rounds):
            _round(daemon, draw)
        daemon.start()
    finally:
        stop.set()
        for thread in threads:
            thread.join(30.0)
    assert not any(thread.is_alive() for thread in threads)
    assert refused == [], refused[:5]
    host.apply(Fault())
    _drain(daemon)
    return history.verdict(host.host.ledger.postings())


def _drain(daemon: Daemon) -> None:
    """The host is well again: everything unsent goes out, nothing may stay held."""

    def drained() -> bool:
        backlog = daemon.backlog()
        assert backlog["held"]["count"] == 0, backlog
        return bool(backlog["total"]["count"] == 0)

    try:
        wait_until(drained, "an empty backlog", timeout_s=DRAIN_S)
    except AssertionError as late:
        listed = daemon.get("/v1/transactions?limit=3").json["items"]
        stuck = [daemon.record(item["key"]) for item in listed]
        status = daemon.get("/v1/status").json
        raise AssertionError(f"{late}: {stuck}\n{status}") from late


def test_nothing_is_lost_and_nothing_posted_twice_over_kills() -> None:
    """acknowledged - ledger = nothing, duplicates = 0, no amount altered, nothing invented."""
    began = time.monotonic()
    with HostThread(HostOptions(sync=False)) as host, Daemon() as daemon:
        verdict = _run(host, daemon, ROUNDS, SEED)
        state = host.host.state()
        backlog = daemon.backlog()
        damage = daemon.get("/v1/status").json["store"]["damage"]
        assert daemon.stop() == 0
    print(
        f"kill -9: rounds={ROUNDS} seed={SEED} attempted={verdict.attempted} "
        f"acknowledged={verdict.acknowledged} posted={verdict.posted} lost={len(verdict.lost)} "
        f"duplicates={len(verdict.duplicates)} seconds={time.monotonic() - began:.0f} "
        f"faults={state['faults_met']}"
    )
    assert verdict.acknowledged >= ROUNDS, "too little was under way to prove anything"
    assert sum(state["faults_met"].values()) > ROUNDS
    assert verdict.lost == frozenset()
    assert verdict.duplicates == frozenset()
    assert verdict.altered == frozenset()
    assert verdict.invented == frozenset()
    assert backlog["quarantined"] == {"count": 0, "by_currency": {}}
    assert damage == ""


def test_the_rig_finds_duplicates_where_the_host_ignores_keys() -> None:
    """Positive control: the same rig, a host that posts every repeat, and it must be noticed."""
    options = HostOptions(sync=False, ignore_keys=True)
    with HostThread(options) as host, Daemon() as daemon:
        daemon.configure(url=host.host.url)
        verdict = _control(host, daemon)
    assert verdict.duplicates, "a rig that cannot see duplicates proves nothing"
    assert verdict.lost == frozenset()


def _control(host: HostThread, daemon: Daemon) -> Verdict:
    """Resend blindly (no status query) with replies lost after posting."""
    history = History()
    daemon.configure(url=host.host.url, uplink='status_query = false\non_unknown = "resend"')
    host.apply_mix({"drop_after": 0.5}, SEED)
    daemon.start()
    for n in range(40):
        key = f"c-{n:03d}"
        history.attempt(key, 1250)
        assert daemon.submit(payment(key)).status == 201
        history.acknowledge(key)
        if n % 10 == 9:
            daemon.kill()
            daemon.start()
    host.apply(Fault())
    _drain(daemon)
    return history.verdict(host.host.ledger.postings())


def test_the_rig_finds_what_is_lost_when_the_journal_is_taken_away() -> None:
    """Positive control: acknowledged payments whose journal vanished must be reported lost."""
    import shutil

    history = History()
    with HostThread(HostOptions(sync=False)) as host, Daemon() as daemon:
        host.apply(Fault.named("refuse"))
        daemon.configure(url=host.host.url)
        daemon.start()
        for n in range(5):
            history.attempt(f"c-{n}", 1250)
            assert daemon.submit(payment(f"c-{n}")).status == 201
            history.acknowledge(f"c-{n}")
        daemon.kill()
        shutil.rmtree(daemon.state_dir)
        host.apply(Fault())
        daemon.start()
        _drain(daemon)
        assert history.verdict(host.host.ledger.postings()).lost == {f"c-{n}" for n in range(5)}
