"""The list of devices follows what is attached and what devices say, and tells when it changes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest

from agent.core.fleet.inventory import Item, ItemChange, Policy, recovered
from agent.core.health.reading import NotFitted, Outcome, Reading, Unknown
from agent.core.health.tracker import ComponentState
from agent.errors import StoreError
from agent.watch.discovery.sysfs import Attached, attached
from agent.watch.inventory import Inventory
from tests.fakes import FakeClock
from tests.watch.discovery.trees import Tree


class Kept:
    """Rows in memory, which may refuse."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.log: list[ItemChange] = []
        self.refuses = False
        self.saves = 0

    async def load(self) -> list[Item]:
        return self.items

    async def cover(self, policy: Policy) -> None:
        self.items = [recovered(one, policy) for one in self.items]

    async def save(self, known: Iterable[Item], changed: Sequence[ItemChange]) -> None:
        if self.refuses:
            raise StoreError("store.full", "no space left")
        self.saves += 1
        self.items = list(known)
        self.log += changed

    async def changes(self, limit: int) -> list[ItemChange]:
        return self.log[::-1][:limit]


class Watched:
    """Components that say what they are told to."""

    def __init__(self) -> None:
        self.said: dict[str, Outcome] = {}
        self.knows: dict[str, Mapping[str, str]] = {}

    def components(self) -> list[ComponentState]:
        at = FakeClock().now().at
        return [
            ComponentState(component=name, outcome=said, at=at, duration_ms=1, success=True)
            for name, said in self.said.items()
        ]

    async def identity(self, component: str) -> Mapping[str, str]:
        return self.knows.get(component, {})


class Bench:
    def __init__(self, root: Path, devices: Mapping[str, str], policy: str = "masked") -> None:
        self.tree = Tree(root)
        self.kept, self.watched, self.clock = Kept(), Watched(), FakeClock()
        self.told: list[list[Item]] = []
        self.attached: Attached | None = None
        self.devices = devices
        self.policy = policy
        self.inventory = self.fresh()

    def fresh(self) -> Inventory:
        return Inventory(
            self.watched, self.kept, self.clock, attached=lambda: self.attached,
            devices=self.devices, policy=self.policy,  # type: ignore[arg-type]
            told=lambda items: self.told.append(list(items)),
        )  # fmt: skip

    def look(self) -> dict[str, Item]:
        self.attached = attached(str(self.tree.root))
        asyncio.run(self.inventory.look())
        return {one.component: one for one in self.inventory.items()}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "sys", {"printer": "/dev/usb/lp0"})


def test_a_usb_printer_is_known_by_the_kernel_and_by_its_own_word(bench: Bench) -> None:
    """What it says itself goes before what its USB chip says; the serial number is masked."""
    bench.tree.usb("1-1", "04b8:0e15", make="EPSON", model="UB", serial="CHIP0001", release="0201")
    bench.tree.printer("1-1")
    bench.watched.said["printer"] = Reading({"paper": "ok"}, {"device": "/dev/usb/lp0"})
    bench.watched.knows["printer"] = {"maker": "EPSON", "model": "TM-T20II", "serial": "J3BF1234"}
    found = bench.look()["printer"]
    assert found.facts() == {
        "make": "EPSON", "model": "TM-T20II", "firmware": "2.01", "serial": "****1234",
        "interface": "usb", "driver": "usblp", "usb_id": "04b8:0e15",
    }  # fmt: skip
    assert [one.component for one in bench.told[-1]] == ["printer"]


def test_a_silent_device_stays_and_nothing_is_written(bench: Bench) -> None:
    """Switched off over night: no change, no write, nobody told."""
    bench.watched.said["printer"] = Reading({}, {"model": "TM-T20", "interface": "serial"})
    bench.look()
    saves, told = bench.kept.saves, len(bench.told)
    bench.watched.said["printer"] = Unknown("no answer")
    bench.clock.advance(3600)
    assert bench.look()["printer"].model == "TM-T20"
    assert (bench.kept.saves, len(bench.told)) == (saves, told)


def test_another_device_is_an_event(bench: Bench) -> None:
    """Kept with before and after, and told."""
    heard: list[ItemChange] = []
    bench.inventory.subscribe(heard.extend)
    bench.watched.said["printer"] = Reading({}, {"model": "TM-T20", "serial": "AAAA1111"})
    bench.look()
    bench.look()  # nothing new is no event
    assert [one.what for one in heard] == ["added"]
    bench.watched.said["printer"] = Reading({}, {"model": "TM-T88", "serial": "BBBB2222"})
    bench.look()
    (change, first) = asyncio.run(bench.inventory.changes(10))
    assert heard == [first, change]
    assert change.what == "changed"
    assert first.before is None
    assert change.before is not None
    assert change.after is not None
    assert (change.before.model, change.after.model) == ("TM-T20", "TM-T88")
    assert len(bench.told) == 2


def test_what_nobody_watches_is_listed_and_goes_when_it_is_pulled(bench: Bench) -> None:
    """By the place it is plugged at."""
    bench.tree.usb("1-2", "1234:5678", make="Acme", model="Thing")
    assert bench.look()["usb:1-2"].model == "Thing"
    (bench.tree.root / "bus/usb/devices/1-2").unlink()
    assert bench.look() == {}
    assert [one.after for one in bench.kept.log][1:] == [None]


def test_a_component_of_a_hook_is_listed_when_it_names_itself(bench: Bench) -> None:
    """Built-in devices are known by what their firmware says."""
    bench.watched.said["scanner"] = Reading({"present": True}, {"make": "Sunmi", "model": "L2H"})
    bench.watched.said["system"] = Reading({"memory_available_mb": 100})
    bench.watched.said["keypad"] = NotFitted()
    assert list(bench.look()) == ["scanner"]


def test_the_list_outlives_a_restart_and_a_full_store(bench: Bench) -> None:
    """Taken up with its dates; what could not be written is written at the next look."""
    bench.watched.said["printer"] = Reading({}, {"model": "TM-T20"})
    bench.kept.refuses = True
    assert bench.look() == {}
    assert bench.told == []
    bench.kept.refuses = False
    since = bench.look()["printer"].since_ms
    bench.inventory = bench.fresh()
    bench.watched.said.clear()
    bench.clock.advance(60)
    assert bench.look()["printer"].since_ms == since
    assert len(bench.told) == 2, "told once after each start"


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("tcp://10.0.0.9:9100", {"interface": "tcp", "model": "X"}),
        ("/dev/ttyS1", {"interface": "serial", "driver": "serial", "model": "X"}),
        ("usb:1EAB:1D06", {"interface": "usb", "usb_id": "1eab:1d06", "driver": "cdc_acm",
                           "firmware": "1.00", "model": "X"}),
        ("/nowhere", {"model": "X"}),
    ],
)  # fmt: skip
def test_interfaces(tmp_path: Path, device: str, expected: dict[str, str]) -> None:
    """Each form of a configured device."""
    bench = Bench(tmp_path / "sys", {"printer": device}, "off")
    bench.tree.board(1)
    bench.tree.usb("1-2", "1eab:1d06", serial="SECRET12")
    bench.tree.acm("1-2")
    bench.watched.said["printer"] = Reading({"model": "X"}, {"serial": "SECRET34"})
    assert bench.look()["printer"].facts() == expected
    assert "SECRET" not in repr(bench.kept.items)


def test_a_payment_app_that_takes_the_port_makes_no_other_device(bench: Bench) -> None:
    """Unknown for a while, or told by the kernel alone, also over a restart: nothing changed."""
    bench.tree.usb("1-1", "04b8:0e15", make="EPSON", model="UB", serial="CHIP0001", release="0201")
    bench.tree.printer("1-1")
    bench.look()
    bench.watched.said["printer"] = Reading({"paper": "ok"})
    bench.watched.knows["printer"] = {"model": "TM-T20II", "serial": "J3BF1234", "firmware": "1.5"}
    known = bench.look()["printer"]
    assert (known.model, len(bench.kept.log)) == ("TM-T20II", 1)
    bench.watched.said["printer"] = Unknown("in use")
    assert bench.look()["printer"] == known
    bench.inventory = bench.fresh()
    assert bench.look()["printer"] == known
    assert len(bench.kept.log) == 1


def test_a_number_kept_under_a_looser_policy_is_not_told(bench: Bench) -> None:
    """Serial numbers switched off: the one written down before goes, and is no change."""
    bench.policy = "full"
    bench.inventory = bench.fresh()
    bench.watched.said["printer"] = Reading({}, {"model": "TM-T20", "serial": "SECRET12"})
    bench.look()
    bench.policy = "off"
    bench.inventory = bench.fresh()
    bench.look()
    assert "SECRET12" not in repr((bench.told[-1], bench.kept.items))
    assert len(bench.kept.log) == 1
