"""Links by what became of traffic over them: files, contacts and our own sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config.radio import Signal
from agent.core.health.reading import NotFitted, Outcome, Reading, Value
from agent.core.health.standard import STANDARD
from agent.link.contact import Contact, Contacts
from agent.watch import _let_hear
from agent.watch.quality import interfaces, sockets
from agent.watch.quality.link import LinkWatcher
from tests.fakes import FakeClock, Straight

ROUTES = (
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
    "{name}\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
)


@dataclass
class Bench:
    """A terminal's files, its clock and the watcher."""

    root: Path
    clock: FakeClock = field(default_factory=FakeClock)
    counts: dict[str, tuple[int, int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.watcher = LinkWatcher(
            Signal(), 3_000, Straight(), self.clock, root=self.root, segments=lambda: self.counts
        )

    def interface(self, name: str, changes: int = 2, errors: int = 0, default: bool = True) -> None:
        folder = self.root / "sys/class/net" / name
        (folder / "statistics").mkdir(parents=True, exist_ok=True)
        (folder / "carrier_changes").write_text(f"{changes}\n")
        (folder / "operstate").write_text("up\n")
        (folder / "statistics/rx_errors").write_text(f"{errors}\n")
        if default:
            (self.root / "proc/net").mkdir(parents=True, exist_ok=True)
            (self.root / "proc/net/route").write_text(ROUTES.format(name=name))

    def read(self, minutes: float = 1) -> Outcome:
        self.clock.advance(minutes * 60)
        return asyncio.run(self.watcher.read())

    def values(self, minutes: float = 1) -> dict[str, Value]:
        outcome = self.read(minutes)
        assert isinstance(outcome, Reading), outcome
        return dict(outcome.values)

    def hear(self, *, lost: bool = False, ms: int | None = 40, host: str = "bank.example",
             interface: str = "", reason: str = "bank.example did not answer") -> None:  # fmt: skip
        self.watcher.heard(
            Contact(
                purpose="uplink",
                host=host,
                port=443,
                interface=interface,
                layer="tcp" if lost else "",
                reason=reason if lost else "",
                connect_ms=None if lost else ms,
            )
        )


def raised(values: dict[str, Value]) -> set[str]:
    return {one.code for one, sign in STANDARD.judged_by("link") if sign.judge(values)}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_machine_without_a_network(bench: Bench) -> None:
    """No interface used and nobody heard: not fitted, not a fault."""
    assert isinstance(bench.read(), NotFitted)


def test_a_quiet_link(bench: Bench) -> None:
    """Counted from now on: nothing dropped, nothing judged that nobody measured."""
    bench.interface("eth0", changes=9)
    told = bench.values()
    assert told == {
        "interface": "eth0", "unstable": False, "drops_last_hour": 0, "errors_last_hour": 0,
        "slow_ms": 3000,
    }  # fmt: skip


def test_drops_make_it_unstable_for_an_hour(bench: Bench) -> None:
    """Four lost carriers in the hour, a driver reloaded between them; an hour later it is over."""
    bench.interface("wlan0", changes=20)
    bench.values()
    for changes in (22, 24, 2, 4):
        bench.interface("wlan0", changes=changes, errors=changes)
        told = bench.values(5)
    assert (told["drops_last_hour"], told["interface"]) == (4, "wlan0")
    assert raised(told) == {"network.unstable"}
    told = bench.values(61)
    assert raised(told) == set()
    assert told["drops_last_hour"] == 0


def test_an_interface_that_vanishes_while_used(bench: Bench) -> None:
    """A modem that falls off its bus drops its link, though its counters are gone with it."""
    bench.interface("wwan0")
    bench.values()
    folder = bench.root / "sys/class/net/wwan0"
    folder.rename(bench.root / "away")
    (bench.root / "proc/net/route").write_text("")
    assert bench.values()["drops_last_hour"] == 1
    (bench.root / "away").rename(folder)
    assert bench.values()["drops_last_hour"] == 2  # and 2 changes since it came back


def test_percentiles_and_a_slow_link(bench: Bench) -> None:
    """p50 and p95 of what others measured; slow by the 95th, and clear only well below."""
    bench.interface("eth0")
    bench.values()
    for took in (100, 120, 140, 160, 3_200):
        bench.hear(ms=took)
    told = bench.values()
    assert (told["latency_p50_ms"], told["latency_p95_ms"]) == (140, 3_200)
    assert (told["connect_ms"], told["slow_ms"]) == (3_200, 3_000)
    assert raised(told) == {"network.slow"}
    bench.clock.advance(900)
    for _ in range(5):
        bench.hear(ms=2_500)
    assert raised(bench.values()) == {"network.slow"}
    bench.clock.advance(900)
    for _ in range(5):
        bench.hear(ms=200)
    assert raised(bench.values()) == set()


def test_too_few_measurements_are_no_percentile(bench: Bench) -> None:
    """One slow connection is told and not judged."""
    bench.interface("eth0")
    bench.hear(ms=9_000)
    told = bench.values()
    assert "slow" not in told
    assert raised(told) == set()


def test_connections_that_come_and_go(bench: Bench) -> None:
    """Losses between successes: unstable. The text's figures are there."""
    bench.interface("eth0")
    bench.values()
    for _ in range(4):
        bench.hear(lost=True)
        bench.hear()
        bench.hear()
    told = bench.values()
    assert raised(told) == {"network.unstable"}
    assert told["loss_percent"] == 33.3


@pytest.mark.parametrize("held", [0, 20])
def test_a_host_that_is_away_is_no_unstable_link(bench: Bench, held: int) -> None:
    """Every attempt lost, or all from one moment on: down, which connectivity says."""
    bench.interface("eth0")
    bench.values()
    for _ in range(held):
        bench.hear()
        bench.hear(host="other.example")
    for _ in range(20):
        bench.hear(lost=True)
        bench.hear(host="other.example")
    assert raised(bench.values()) == set()


def test_a_refusal_is_no_loss(bench: Bench) -> None:
    """A host that says no was reached; loopback and our own trouble say nothing of the link."""
    bench.interface("eth0")
    for _ in range(12):
        bench.hear(lost=True, reason="bank.example refused the connection")
        bench.hear(lost=True, host="127.0.0.1")
        bench.hear()
    assert bench.values()["loss_percent"] == 0


def test_each_channel_is_its_own_link(bench: Bench) -> None:
    """What was bound to the backup counts there; the worst is shown, the rest is evidence."""
    bench.interface("wwan0", default=False)
    bench.interface("eth0")
    bench.values()
    for _ in range(5):
        bench.hear(interface="wwan0", ms=4_000)
        bench.hear(ms=30)
    outcome = bench.read()
    assert isinstance(outcome, Reading)
    assert (outcome.values["interface"], outcome.values["slow"]) == ("wwan0", True)
    assert set(outcome.evidence) == {"wwan0", "eth0"}
    assert "p50 30 ms" in outcome.evidence["eth0"]


def test_what_nobody_uses_may_flicker(bench: Bench) -> None:
    """The Wi-Fi of a terminal that has gone over to its cable is no alarm."""
    bench.interface("wlan0")
    bench.values()
    for changes in (4, 8, 12):
        bench.interface("wlan0", changes=changes, default=False)
        bench.interface("eth0")
        told = bench.values()
    assert (told["interface"], raised(told)) == ("eth0", set())
    bench.hear(interface="wlan0")
    told = bench.values()
    assert (told["interface"], raised(told)) == ("wlan0", {"network.unstable"})


def test_segments_sent_again(bench: Bench) -> None:
    """Counted where answers keep coming, and bad when it keeps happening: a burst is an outage."""
    bench.interface("eth0")
    bench.counts = {"socket:[1]": (100, 0, 100), "socket:[2]": (50, 0, 50)}
    bench.values()
    bench.counts = {"socket:[1]": (300, 40, 250), "socket:[2]": (90, 40, 50)}
    told = bench.values()
    assert told["retransmitted_percent"] == 11.4  # 40 of 350; the stuck one is left out
    assert raised(told) == set()
    bench.counts = {"socket:[1]": (310, 50, 260)}
    bench.values()
    bench.counts = {"socket:[1]": (320, 52, 270)}
    told = bench.values()
    assert told["retransmitted_percent"] == 14.1  # 52 of 370
    assert raised(told) == {"network.unstable"}
    bench.counts = {}
    assert "retransmitted_percent" not in bench.values(16)


def test_our_own_sockets() -> None:
    """A real connection over loopback is left out; its bytes are understood all the same."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        client = stack.enter_context(socket.create_connection(server.getsockname()))
        peer = stack.enter_context(server.accept()[0])
        for _ in range(3):
            client.sendall(b"x")
            assert peer.recv(1) == b"x"
        inode = f"socket:[{Path(f'/proc/self/fd/{client.fileno()}').stat().st_ino}]"
        assert inode not in sockets.own()
        found = sockets.parse(client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 144))
    assert found is not None
    sent, again, received = found
    assert sent >= 4
    assert (again, received > 0) == (0, True)
    assert sockets.parse(b"\x01" * 100) is None


def test_the_look_at_this_machine() -> None:
    """The real files, whatever they are."""
    around = interfaces.look(Path("/"))
    assert all(one.name != "lo" for one in around.seen)


@settings(max_examples=40)
@given(st.text(max_size=80), st.text(max_size=80))
def test_odd_files(route: str, count: str) -> None:
    """Whatever the files say: what makes no sense is left out."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        net = root / "sys/class/net/eth0"
        net.mkdir(parents=True)
        (root / "proc/net").mkdir(parents=True)
        (net / "carrier_changes").write_text(count, "utf-8", errors="replace")
        (root / "proc/net/route").write_text(f"head\n{route}", "utf-8", errors="replace")
        (seen,) = interfaces.look(root).seen
        assert seen.counts.get("drops", 0) >= 0


def test_the_daemon_hands_contacts_on(bench: Bench) -> None:
    """Whoever opens a connection is heard by the link, through the one place all tell."""
    bench.interface("eth0")
    bench.values()
    contacts = Contacts()
    _let_hear(contacts, [bench.watcher])
    contacts.tell(Contact(purpose="mqtt", host="broker.example", port=8883, connect_ms=70))
    assert bench.values()["latency_p50_ms"] == 70
