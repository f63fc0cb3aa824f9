"""The real daemon with two ways out, in network namespaces: cut, healed, flapping.

    terminal --main0-- world (the host's address lives there, and a name server for each way)
             --spare0-

The daemon has none of root's rights: binding to a device needs none on these kernels.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import pytest
import trustme

from agent.sim.host import HostOptions, HostThread
from agent.sim.host_faults import Fault
from tests.network.doubles import NameServer
from tests.network.netns import Namespace, Namespaces, cable, enter, missing
from tests.process.daemon import Daemon, payment, wait_until

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(bool(missing()), reason=f"no network namespaces: {missing()}"),
]

HOST, HOST_NAME = "198.51.100.10", "acquirer.test"
BARE = ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all", "--no-new-privs")
CHANNELS = """
[[channel]]
name = "main"
kind = "ethernet"
interface = "main0"
resolvers = ["10.71.1.1"]
[[channel]]
name = "spare"
kind = "cellular"
interface = "spare*"
metered = true
resolvers = ["10.71.2.1"]
[channels]
quiet_s = 2.0
calm_s = 1.0
probe_s = 0.3
recheck_s = 0.2
grace_s = 1.0
probe_timeout_s = 0.7
doubt_after_s = 0.5
[connectivity]
period_s = 3600
"""


class _Inside(HostThread):
    def __init__(self, options: HostOptions, place: Namespace) -> None:
        super().__init__(options)
        self._place = place

    def __enter__(self) -> Self:
        self._loop.call_soon(enter, self._place.name)
        return super().__enter__()


class _Terminal(Daemon):
    """The daemon inside the terminal's namespace."""

    def __init__(self, place: Namespace) -> None:
        self._place = place
        super().__init__()

    def command(self, *arguments: str) -> list[str]:
        return self._place.command(*BARE, *super().command(*arguments))

    def ways(self) -> dict[str, Any]:
        values: dict[str, Any] = self.components()["channels"]["values"]
        return values

    def in_use(self) -> str:
        return str(self.ways()["in_use"])

    def wait_in_use(self, name: str) -> None:
        wait_until(lambda: self.in_use() == name, f"{name} in use")


@dataclass(frozen=True, slots=True)
class Lab:
    terminal: Namespace
    world: Namespace
    host: HostThread
    daemon: _Terminal
    names: Mapping[str, NameServer]  #: by the way it is asked over

    def start(self) -> None:
        ca = self.daemon.home / "ca.pem"
        self.daemon.configure(
            CHANNELS,
            url=self.host.host.url.replace(HOST, HOST_NAME),
            uplink=f'ca_file = "{ca}"\nanswer_timeout_s = 20',
        )
        self.daemon.start()

    def whole(self) -> _Terminal:
        """Everything works, the main is in use, nothing is unsent."""
        wait_until(lambda: "channels" in self.daemon.components(), "the channels were read")
        self.daemon.wait_in_use("main")
        self.pay()
        wait_until(lambda: self.daemon.ways()["state_main"] == "ok", "the main is known to work")
        return self.daemon

    def pay(self) -> str:
        """A payment that has arrived."""
        body = payment()
        assert self.daemon.submit(body).status == 201
        self.daemon.wait_drained()
        assert self.posted().count(body["key"]) == 1
        return str(body["key"])

    def cut(self, name: str = "main") -> None:
        """The cable is pulled: the far end is gone, and with it our carrier."""
        self.world.ip(f"link set {name}1 down")

    def mend(self, name: str = "main") -> None:
        self.world.ip(f"link set {name}1 up")

    def swallow(self, name: str = "main") -> None:
        """Behind the next hop nothing comes back; the carrier stands."""
        self.world.ip(f"route add blackhole {ADDRESS[name]}/32")

    def release(self, name: str = "main") -> None:
        self.world.ip(f"route del blackhole {ADDRESS[name]}/32")

    def posted(self) -> list[str]:
        return [one.key for one in self.host.host.ledger.postings()]


ADDRESS = {"main": "10.71.1.2", "spare": "10.71.2.2"}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Namespaces(f"pc{uuid.uuid4().hex[:6]}") as spaces:
        terminal, world = spaces.add("t"), spaces.add("w")
        world.ip(f"addr add {HOST}/32 dev lo")
        for number, name in enumerate(ADDRESS, start=1):
            cable(terminal, f"{name}0", world, f"{name}1")
            world.ip(f"addr add 10.71.{number}.1/24 dev {name}1", f"link set {name}1 up")
            terminal.ip(
                f"addr add {ADDRESS[name]}/24 dev {name}0",
                f"link set {name}0 up",
                f"route add default via 10.71.{number}.1 dev {name}0 metric {number * 100}",
            )
        with _Terminal(terminal) as daemon:
            ca = trustme.CA()
            leaf = ca.issue_cert(HOST_NAME)
            ca.cert_pem.write_to_path(str(daemon.home / "ca.pem"))
            pem = daemon.home / "host.pem"
            leaf.private_key_and_cert_chain_pem.write_to_path(str(pem))
            options = HostOptions(
                address=HOST, sync=False, cert_file=pem, key_file=pem, in_flight_s=1
            )
            known = {HOST_NAME: HOST}
            names = {
                name: NameServer(world, f"10.71.{number}.1", known)
                for number, name in enumerate(ADDRESS, start=1)
            }
            try:
                with _Inside(options, world) as host:
                    built = Lab(terminal, world, host, daemon, names)
                    built.start()
                    yield built
                    daemon.kill()
            finally:
                for one in names.values():
                    one.close()


def test_cut_in_mid_upload_and_healed(lab: Lab) -> None:
    """Main cut while the host works on a payment: it and the next go by the backup, each posted
    once; the alarm names the main and why; the healed main is taken again without loss."""
    daemon, before = lab.whole(), len(lab.posted())
    # Posted and not answered yet: this one is in doubt whatever happens now.
    lab.host.apply(Fault.named("delay", delay_s=30.0, after=True, times=1, only="post"))
    doubtful, following = payment(), payment()
    daemon.submit(doubtful)
    wait_until(lambda: doubtful["key"] in lab.posted(), "the host has it")
    switches, asked = int(daemon.ways()["switches"]), lab.names["spare"].asked
    lab.cut()
    began_s = time.monotonic()
    daemon.submit(following)
    daemon.wait_drained()
    print(f"both delivered {time.monotonic() - began_s:.2f} s after the cut")
    assert sorted(lab.posted()[before:]) == sorted(one["key"] for one in (doubtful, following))
    ways = daemon.ways()
    assert (ways["in_use"], ways["state_main"], ways["backup_in_use"]) == ("spare", "down", True)
    assert ways["metered"] is True
    causes = {step.get("cause") for step in daemon.record(doubtful["key"])["history"]}
    assert not {cause for cause in causes if str(cause).startswith("host.")}, causes
    assert "network.no_link" in causes
    assert lab.names["spare"].asked > asked, "the backup's own name server was asked"
    alarm = wait_until(lambda: daemon.alarms().get("network.backup_in_use"), "the alarm")
    assert alarm["args"]["error"] == "main0 has no carrier"
    lab.mend()
    daemon.wait_in_use("main")
    lab.pay()
    assert len(lab.posted()) == before + 3
    assert daemon.ways()["switches"] == switches + 2


def test_a_main_that_swallows_is_proven_broken(lab: Lab) -> None:
    """The carrier stands and nothing comes back: probes prove it, the backup carries."""
    daemon = lab.whole()
    lab.swallow()
    # The kept connection looks alive, so that this one leaves by the dead main first.
    lab.pay()
    assert daemon.in_use() == "spare"
    assert daemon.ways()["state_main"] == "broken"
    lab.release()
    daemon.wait_in_use("main")


def test_a_dead_host_moves_nothing(lab: Lab) -> None:
    """The host answers on neither way: the main is kept, no channel is blamed."""
    daemon = lab.whole()
    switches = daemon.ways()["switches"]
    lab.world.ip(f"addr del {HOST}/32 dev lo", f"route add blackhole {HOST}/32")
    body = payment()
    daemon.submit(body)
    for name in ("main", "spare"):
        wait_until(lambda n=name: daemon.ways()[f"state_{n}"] == "broken", f"{name} looked at")
    assert daemon.ways()["switches"] == switches
    assert "backup_usable" not in daemon.ways()
    lab.world.ip(f"route del blackhole {HOST}/32", f"addr add {HOST}/32 dev lo")
    daemon.wait_drained()
    assert lab.posted().count(body["key"]) == 1


def test_a_flapping_main_is_left_once(lab: Lab) -> None:
    """Pulled and plugged faster than the quiet time: three switches at most, nothing lost."""
    daemon = lab.whole()
    switches, bodies = int(daemon.ways()["switches"]), []
    for _ in range(3):
        lab.cut()
        bodies.append(payment())
        daemon.submit(bodies[-1])
        wait_until(lambda: daemon.ways()["state_main"] == "down", "noticed")
        lab.mend()
        wait_until(lambda: daemon.ways()["state_main"] == "ok", "healed")
    daemon.wait_in_use("main")
    daemon.wait_drained()
    posted = lab.posted()
    assert all(posted.count(one["key"]) == 1 for one in bodies)
    assert int(daemon.ways()["switches"]) - switches <= 3


def test_a_backup_without_a_route_is_named(lab: Lab) -> None:
    """No default route of its own: not used, the reason is told, and the main alone carries."""
    daemon = lab.whole()
    route = "default via 10.71.2.1 dev spare0 metric 200"
    lab.terminal.ip(f"route del {route}")
    wait_until(lambda: daemon.ways().get("backup_usable") is False, "noticed")
    assert daemon.ways()["error"] == "spare0 has no default route of its own"
    lab.pay()
    assert daemon.in_use() == "main"
    lab.terminal.ip(f"route add {route}")
    wait_until(lambda: daemon.ways().get("backup_usable") is True, "usable again")
