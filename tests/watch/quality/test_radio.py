"""The signal watcher: what it loads, what it asks, and what it says when it may not."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agent.config.radio import Cellular, Signal
from agent.core.health.reading import NotFitted, NotObservable, Outcome, Reading
from agent.link.contact import Contact
from agent.watch.quality import radio
from agent.watch.quality.facts import Kind, NotReadable, RadioFacts, Registration, SimState
from agent.watch.quality.radio import SignalWatcher
from tests.fakes import FakeClock, Straight

ROOT = Path(__file__).resolve().parent.parent.parent.parent
PHONE = RadioFacts(
    kind=Kind.CELLULAR,
    source="dumpsys",
    level=3,
    registration=Registration.HOME,
    sim_state=SimState.READY,
)


class Source:
    """A source that says what it is told to; hangs on None."""

    def __init__(self, *told: RadioFacts | NotReadable, name: str = "dumpsys") -> None:
        self.name = name
        self.told: tuple[RadioFacts | NotReadable, ...] | None = told
        self.closed = False

    async def read(self) -> Sequence[RadioFacts | NotReadable]:
        if self.told is None:
            await asyncio.Event().wait()
        return self.told or ()

    async def close(self) -> None:
        self.closed = True


def watcher(
    root: Path, *more: Source, clock: FakeClock | None = None, **cellular: object
) -> SignalWatcher:
    return SignalWatcher(
        Signal(),
        Cellular(**cellular),  # type: ignore[arg-type]
        Straight(),
        clock or FakeClock(),
        more=more,
        root=root,
    )


def read(one: SignalWatcher) -> Outcome:
    return asyncio.run(one.read())


def test_no_radio_is_not_fitted(tmp_path: Path) -> None:
    """A terminal on a cable has none; with [cellular] source = "off" a modem is none either."""
    assert read(watcher(tmp_path)) == NotFitted()
    (tmp_path / "sys/class/net/wwan0").mkdir(parents=True)
    (tmp_path / "run/dbus").mkdir(parents=True)
    (tmp_path / "run/dbus/system_bus_socket").touch()
    assert read(watcher(tmp_path, source="off")) == NotFitted()


def test_a_terminal_without_radios_loads_none_of_this() -> None:
    """Neither a decoder nor a socket nor D-Bus: only the thin watchers, until a radio is seen."""
    program = (
        "import asyncio, sys, pathlib\n"
        "from agent.config import Config\n"
        "from agent.watch.quality import build\n"
        "from tests.fakes import FakeClock, Straight\n"
        "for one in build(Config(), clock=FakeClock(), blocking=Straight()):\n"
        "    one._root = pathlib.Path('/nonexistent')\n"
        "    print(asyncio.run(one.read()))\n"
        "print(sorted(name for name in sys.modules if 'jeepney' in name or '.drivers.' in name\n"
        "      or name.startswith('agent.watch.quality.')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False
    )
    loaded = [
        f"agent.watch.quality.{one}" for one in ("interfaces", "link", "radio", "sockets", "window")
    ]
    assert done.stdout.splitlines() == ["NotFitted()", "NotFitted()", str(loaded)], done.stderr


def test_sources_of_others_are_judged_the_same(tmp_path: Path) -> None:
    """Android's readers hand in the same facts: bars become bands, SIM trouble is SIM trouble."""
    source = Source(PHONE)
    one = watcher(tmp_path, source)
    outcome = read(one)
    assert isinstance(outcome, Reading)
    assert (outcome.values["band"], outcome.values["sim_state"]) == ("good", "ready")
    source.told = (replace(PHONE, sim_state=SimState.ABSENT, registration=Registration.UNKNOWN),)
    outcome = read(one)
    assert isinstance(outcome, Reading)
    assert outcome.values["sim_trouble"] is True
    asyncio.run(one.close())
    assert source.closed


def test_one_radio_told_by_two_sources(tmp_path: Path) -> None:
    """The source that has a figure speaks; a second SIM of one source stays a second SIM."""
    joined = RadioFacts(kind=Kind.WIFI, source="dumpsys", interface="wlan0", associated=True)
    first = Source(joined, replace(PHONE, sim_state=SimState.UNKNOWN), PHONE)
    second = Source(replace(joined, source="nl80211", rssi_dbm=-80), name="other")
    outcome = read(watcher(tmp_path, first, second))
    assert isinstance(outcome, Reading)
    assert set(outcome.evidence) == {"wlan0", "dumpsys", "dumpsys#2"}
    assert "-80 dBm" in outcome.evidence["wlan0"]


def test_what_may_not_be_read_is_not_observable(tmp_path: Path) -> None:
    """Unknown with the right that is needed, never a fault of the radio."""
    source = Source(NotReadable(source="dumpsys", reason="needs android.permission.DUMP"))
    assert read(watcher(tmp_path, source)) == NotObservable("needs android.permission.DUMP")


def test_a_source_that_hangs_costs_only_its_own_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are told; beside them that it did not answer."""
    monkeypatch.setattr(radio, "SOURCE_S", 0.05)
    hanging = Source(name="slow")
    hanging.told = None
    outcome = read(watcher(tmp_path, Source(PHONE), hanging))
    assert isinstance(outcome, Reading)
    assert outcome.evidence["slow_unread"] == "slow does not answer"


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A modem that only ModemManager knows, and no D-Bus library: said with what is missing."""
    monkeypatch.setitem(sys.modules, "jeepney", None)
    monkeypatch.delitem(sys.modules, "agent.watch.quality.bus", raising=False)
    outcome = read(watcher(tmp_path, source="modemmanager"))
    assert isinstance(outcome, NotObservable)
    assert "extra modem" in outcome.why


def test_a_failed_connection_has_the_radio_looked_at(tmp_path: Path) -> None:
    """At once, but not with every failure; on a terminal without a radio not at all."""
    clock, pokes = FakeClock(), []
    one = watcher(tmp_path, Source(PHONE), clock=clock)
    one.heed(lambda: pokes.append(clock.now().boot_ms))
    failed = Contact(purpose="uplink", host="bank", port=443, layer="tcp")
    one.heard(failed)
    assert pokes == []
    read(one)
    for _ in range(3):
        one.heard(failed)
        one.heard(replace(failed, layer=""))
    clock.advance(15)
    one.heard(failed)
    assert len(pokes) == 2


def test_one_module_knows_dbus() -> None:
    """The library stands in one file, so that it is loaded in one place."""
    knowing = [
        path.name
        for path in sorted((ROOT / "agent").rglob("*.py"))
        if "jeepney" in {word.split(".")[0] for word in path.read_text("utf-8").split()}
        and (
            "import jeepney" in path.read_text("utf-8") or "from jeepney" in path.read_text("utf-8")
        )
    ]
    assert knowing == ["bus.py"]
