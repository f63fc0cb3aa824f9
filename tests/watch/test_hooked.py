"""What a watcher offers beside its reading is still there when a hook speaks beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import cast

import pytest

from agent.config.hooks import HookComponent
from agent.core.health.reading import Outcome, Reading
from agent.hooks.findings import trouble
from agent.watch import _let_announce
from agent.watch.hooked import AddingWatcher, Doors, FeedingWatcher, plugged
from agent.watch.runner import Watcher
from agent.wire.hooks import AnyReading
from tests.watch.test_runner import Bench


class Bare:
    """A watcher that offers nothing beside its reading."""

    component = "printer"
    period_s = 10.0
    deadline_s = 3.0

    def __init__(self) -> None:
        self.reads = 0
        self.done: list[object] = []

    async def read(self) -> Outcome:
        self.reads += 1
        return Reading({"online": True})


class Able(Bare):
    """A watcher that offers everything the runner knows to ask for."""

    def heed(self, ring: Callable[[], None]) -> None:
        self.ring = ring

    def hear(self, received: bytes, query: int = 0) -> int:
        self.done.append((received, query))
        return len(received)

    async def identity(self) -> Mapping[str, str]:
        return {"model": "SIM-80"}

    async def close(self) -> None:
        self.done.append("closed")


class AbleAndFed(Able):
    """One that takes in what others report, too."""

    def feed(self, outcome: Outcome) -> None:
        self.done.append(type(outcome).__name__)


class Silent:
    """A door nothing comes through."""

    def door(self, component: str) -> Silent:
        return self

    async def ask(self) -> AnyReading:
        raise trouble("never", hook="probe.printer")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "agent.db")
    yield made
    made.db.connection.close()


def beside(own: Watcher) -> Watcher:
    """`own` with a hook beside it."""
    hook = HookComponent(component="printer", owns=False)
    (found,) = plugged([own], [hook], cast("Doors", Silent()), 1.0)
    return found


@pytest.mark.parametrize(("own", "kind"), [(Able(), AddingWatcher), (AbleAndFed(), FeedingWatcher)])
def test_a_hook_beside_it_takes_nothing_away(own: Able, kind: type, bench: Bench) -> None:
    """Its device is named, bytes are heard, news has it read at once, its port is closed."""
    hooked = beside(own)
    assert isinstance(hooked, kind)
    watch = bench.watch(hooked)  # type: ignore[arg-type]
    _let_announce(watch, [hooked])

    async def body() -> None:
        assert await watch.identity("printer") == {"model": "SIM-80"}
        assert watch.hear("printer", b"\x12\x12", 4) == 2
        before = own.reads
        own.ring()
        await watch.ask("printer")
        assert own.reads > before

    bench.during(watch, body)
    assert (b"\x12\x12", 4) in own.done
    assert own.done[-1] == "closed"


def test_what_it_does_not_offer_is_not_offered(bench: Bench) -> None:
    """A watcher that can only be read stays one."""
    hooked = beside(Bare())
    watch = bench.watch(hooked)  # type: ignore[arg-type]
    _let_announce(watch, [hooked])

    async def body() -> None:
        assert await watch.identity("printer") == {}
        assert watch.hear("printer", b"\x12", 4) == 0

    bench.during(watch, body)
