"""The simulated fleet: real messages from many terminals, and processes that end with it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from agent.core.fleet.messages import Kind
from agent.core.moment import Moment
from agent.errors import OperatorError
from agent.sim.broker import Broker, Watcher
from agent.sim.fleet import Figures, Fleet, FleetOptions
from agent.sim.fleet_story import Hosts, Life, Spells, Troubles
from agent.wire import mqtt

ROOT = Path(__file__).parents[2]


async def until(reached: object, timeout_s: float = 30.0) -> None:
    assert callable(reached)
    async with asyncio.timeout(timeout_s):
        while not reached():
            await asyncio.sleep(0.05)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # Nobody waits for children of a parent that was killed but the system.
    return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] == "Z"


@pytest.mark.broker
def test_a_fleet_speaks_by_contract_and_ends_in_good_order(tmp_path: Path) -> None:
    """Every message keeps the contract, the report is what a subscriber saw, none stays behind."""
    report = tmp_path / "report.jsonl"

    async def story() -> tuple[list[int], Watcher]:
        async with Broker() as broker:
            watcher = Watcher(broker.port)
            watcher.start()
            assert await watcher.expect(lambda: watcher.subscribed)
            options = FleetOptions(
                count=12,
                broker=broker.url,
                tenant="acme",
                per_process=6,
                ramp_s=0.2,
                report=report,
                troubles=Troubles(offline=0.0, hosts_down=1.0, alarms=1.0, sales_per_hour=36_000),
                settings={"health_period_s": 0.3, "backlog_period_s": 0.3, "full_period_s": 9.0},
            )
            async with Fleet(options) as fleet:
                pids = fleet.pids
                kinds = {str(kind) for kind in ("state", "info", "health", "backlog", "event")}
                await watcher.expect(lambda: {each.kind for each in watcher.messages} >= kinds, 60)
                await until(lambda: fleet.figures.connected == 12)
            await watcher.expect(
                lambda: sum(e.fields["state"] == "offline" for e in watcher.of("state")) == 12
            )
            watcher.close()
            return pids, watcher

    pids, watcher = asyncio.run(story())
    assert len(pids) == 2
    assert all(gone(pid) for pid in pids)
    for each in watcher.messages:
        assert not mqtt.problems(Kind(each.kind), each.payload), each
    seen = {
        (each.topic.split("/")[3], each.fields["seq"])
        for each in watcher.messages
        if "seq" in each.fields
    }
    said = [json.loads(line) for line in report.read_text("utf-8").splitlines()]
    assert [line["device_id"] for line in said] == [f"S-{n:06d}" for n in range(1, 13)]
    acked = {(line["device_id"], seq) for line in said for seq in line["acked"]}
    assert acked
    assert acked <= seen
    causes = {e.fields.get("cause") for e in watcher.of("backlog") if e.fields["count"]}
    assert causes <= {"host.down", "host.maintenance", "network.host_unreachable"}
    assert causes


@pytest.mark.broker
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nobody_outlives_the_command(number: signal.Signals) -> None:
    """Ctrl-C ends it with 0; when the command itself is killed its processes end as well."""

    async def story() -> None:
        async with Broker() as broker:
            command = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "agent", "--lang", "en", "sim", "fleet", "-n", "3",
                "--broker", broker.url, "--ramp", "0.1",
                stdout=asyncio.subprocess.PIPE, cwd=ROOT,
            )  # fmt: skip
            try:
                children = Path(f"/proc/{command.pid}/task/{command.pid}/children")
                await until(lambda: children.read_text("ascii").split())
                pids = [int(word) for word in children.read_text("ascii").split()]
                await until(lambda: any("New client connected" in each for each in broker.lines))
                command.send_signal(number)
                code = await command.wait()
                assert code == (0 if number == signal.SIGINT else -signal.SIGKILL)
                await until(lambda: all(gone(pid) for pid in pids))
            finally:
                if command.returncode is None:
                    command.kill()
                    await command.wait()
                command._transport.close()  # type: ignore[attr-defined]

    asyncio.run(story())


def test_a_terminal_without_network_does_not_connect() -> None:
    """An outage is met by the agent's own way of connecting: it tries, and fails there."""

    async def story() -> Figures:
        async with Broker(kind="auto") as broker:
            options = FleetOptions(
                count=2, broker=broker.url, ramp_s=0.1, troubles=Troubles(offline=1.0),
                settings={"reconnect_base_s": 0.05, "reconnect_cap_s": 0.2, "protocol": "3.1.1"},
            )  # fmt: skip
            async with Fleet(options) as fleet:
                await until(lambda: fleet.figures.tries > 4)
                return fleet.figures

    figures = asyncio.run(story())
    assert figures.reached == 0
    assert figures.offline == 2


def moment(seconds: float) -> Moment:
    ms = round(seconds * 1000)
    return Moment(wall_ms=1_795_000_000_000 + ms, boot_ms=ms, boot_id="b", trusted=True)


def test_the_same_seed_is_the_same_life() -> None:
    """Two fleets of one seed agree in every figure; another seed differs."""

    def lived(seed: int) -> list[tuple[int, str, bool]]:
        life = Life("S-000001", Hosts(seed, Troubles(hosts_down=0.3, offline=0.2)))
        told = []
        for second in range(0, 36_000, 60):
            life.live(moment(second), second)
            told.append((life.unsent, life.cause, life.offline))
        return told

    assert lived(1) == lived(1)
    assert lived(1) != lived(2)


def test_a_host_is_down_for_all_its_terminals_at_once() -> None:
    """Whoever asks, in whatever process, hears the same of a host at the same moment."""
    one, other = (Hosts(5, Troubles(hosts_down=0.4)) for _ in range(2))
    asked = [one.cause(3, second) for second in range(0, 20_000, 50)]
    assert asked == [other.cause(3, second) for second in range(0, 20_000, 50)]
    assert {bool(each) for each in asked} == {True, False}


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_spells_take_their_share(share: float) -> None:
    """Over a long time something is ill for as much of it as was asked for."""
    spells = [Spells(f"x/{number}", share, 100.0) for number in range(50)]
    ill = Counter(one.ill(second) for one in spells for second in range(0, 20_000, 100))
    assert abs(ill[True] / ill.total() - share) < 0.05


def test_a_backlog_grows_while_the_host_is_down_and_drains_afterwards() -> None:
    """The unsent money rises without a host, and is gone some time after it came back."""
    life = Life("S-000007", Hosts(3, Troubles(offline=0.0, hosts_down=0.5, sales_per_hour=120)))
    most, emptied = 0, False
    for second in range(0, 100_000, 30):
        life.live(moment(second), second)
        most = max(most, life.unsent)
        emptied = emptied or (most > 20 and not life.unsent)
    assert most > 20
    assert emptied


@pytest.mark.parametrize(
    "changes",
    [
        {"broker": "http://localhost:1"},
        {"broker": "mqtt://192.0.2.1:1883"},
        {"broker": "mqtts://localhost:8883"},
        {"broker": "mqtt://localhost:1883", "per_process": 301},
    ],
    ids=["no mqtt", "in clear over a network", "TLS without certificates", "too many"],
)
def test_what_cannot_be_is_refused(changes: dict[str, object]) -> None:
    """Before anything is started."""
    with pytest.raises(OperatorError):
        Fleet(FleetOptions(**{"count": 1, "broker": "mqtt://127.0.0.1:1"} | changes))  # type: ignore[arg-type]
