"""The component `firmware`: what the vendor's hooks say of the terminal itself."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from agent import settings
from agent.config import Config
from agent.config.hooks import Hooks
from agent.core.health.reading import NotFitted, Outcome, Reading, Unknown
from agent.settings.problems import ConfigError
from agent.supervise import DaemonThreads
from agent.watch import watchers
from agent.watch.discovery.sysfs import Attached
from agent.watch.firmware import FirmwareWatcher
from tests.fakes import FakeClock
from tests.watch.test_inventory import Bench

IDENTITY = '{"contract":1,"outcome":"told","make":"Example","model":"X1","serial":"A-77"}'
INVENTORY = (
    '{"contract":1,"outcome":"told","items":[{"kind":"device","name":"printer","model":"P1",'
    '"serial":"P-99"},{"kind":"software","name":"pay","version":"1.2"}]}'
)
UNKNOWN = '{"contract":1,"outcome":"unknown","reason":"no getprop here"}'


def about(tmp_path: Path, **hooks: str) -> FirmwareWatcher:
    home = tmp_path / "hooks.d"
    home.mkdir(mode=0o755)
    for name, answer in hooks.items():
        (home / name).write_text(f"#!/bin/sh\necho '{answer}'\n", "utf-8")
        (home / name).chmod(0o755)
    config = Config(hooks=Hooks(directory=str(home), about_period_s=3600.0, deadline_s=20.0))
    found = watchers(config, clock=FakeClock(), blocking=DaemonThreads())
    watcher = next(one for one in found if one.component == "firmware")
    assert isinstance(watcher, FirmwareWatcher)
    return watcher


def read(tmp_path: Path, **hooks: str) -> Outcome:
    watcher = about(tmp_path, **hooks)

    async def once() -> Outcome:
        return await watcher.read()

    return asyncio.run(once())


def test_identity_and_inventory_are_one_reading(tmp_path: Path) -> None:
    """Values say what it is; evidence what is in it, without the devices' serial numbers."""
    outcome = read(tmp_path, identity=IDENTITY, inventory=INVENTORY)
    assert isinstance(outcome, Reading)
    assert outcome.values == {
        "make": "Example", "model": "X1", "serial": "A-77", "devices": 1, "packages": 1
    }  # fmt: skip
    assert outcome.evidence == {"device printer": "P1", "software pay": "1.2"}


def test_one_of_both_is_enough(tmp_path: Path) -> None:
    """The other's silence is told beside it."""
    outcome = read(tmp_path, identity=IDENTITY, inventory=UNKNOWN)
    assert isinstance(outcome, Reading)
    assert outcome.values["model"] == "X1"
    assert outcome.evidence["unknown"] == "no getprop here"


def test_neither_is_unknown(tmp_path: Path) -> None:
    """Both reasons are given."""
    outcome = read(tmp_path, identity=UNKNOWN)
    assert isinstance(outcome, Unknown)
    assert "no getprop here" in outcome.reason
    assert "there is no hook" in outcome.reason


def test_without_it_nobody_asks() -> None:
    """Off by default: no watcher, no hook code."""
    found = watchers(Config(), clock=FakeClock(), blocking=DaemonThreads())
    assert "firmware" not in {one.component for one in found}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[hook]]\ncomponent='printer'\n[[hook]]\ncomponent='printer'", "another [[hook]]"),
        ("[[hook]]\ncomponent='printer'\nstream='x'", 'door = "stream"'),
        ("[[hook]]\ncomponent='printer'\npush=['x']", 'door = "push"'),
        ("[[hook]]\ncomponent='Printer'", "a letter first"),
        ("[[hook]]\ndoor='pull'", "component"),
        ("[hooks]\ndirectory='hooks.d'", "absolute path"),
        ("[hooks]\nrest_s=60\nrest_max_s=30", "no more than"),
        ("[hooks]\nevents=['held']", "cause code"),
    ],
)
def test_a_wrong_configuration_is_said(text: str, said: str, tmp_path: Path) -> None:
    """Twice the same component, keys of another door, names that are none: each by its line."""
    file = tmp_path / "posagent.toml"
    file.write_text(text + "\n", "utf-8")
    file.chmod(0o600)
    with pytest.raises(ConfigError) as caught:
        settings.load(file)
    assert any(said in problem.sentence() for problem in caught.value.problems), [
        problem.sentence() for problem in caught.value.problems
    ]


def test_what_it_names_is_in_the_inventory(tmp_path: Path) -> None:
    """Built-in devices nobody watches, serial numbers by the policy; nothing of what is watched."""
    items = [
        {"kind": "device", "name": "camera", "model": "C1", "serial": "C-123456"},
        {"kind": "device", "name": "camera", "model": "C2"},
        {"kind": "device", "name": "printer", "model": "P1"},
        {"kind": "device", "name": "scanner", "model": "S1"},
        {"kind": "device", "name": "keypad", "model": "K1"},
        {"kind": "device", "name": "modem", "model": "M1", "interface": "usb"},
        {"kind": "device", "name": "No Component", "model": "X"},
        {"kind": "software", "name": "pay", "model": "X"},
    ]
    told = json.dumps({"contract": 1, "outcome": "told", "items": items})

    def look(policy: str) -> dict[str, dict[str, str]]:
        home = tmp_path / policy
        home.mkdir()
        bench = Bench(home, {"scanner": "/dev/ttyS9"}, policy)
        bench.watched.said = {
            "firmware": Reading({"devices": 7}),
            "printer": Unknown("switched off"),
            "keypad": NotFitted(),
        }
        bench.watched.knows = {"firmware": named(home, told)}
        bench.attached = Attached(readable=True)
        asyncio.run(bench.inventory.look())
        return {one.component: one.facts() for one in bench.inventory.items()}

    found = look("masked")
    assert found == {
        "camera": {"model": "C1", "serial": "****3456"},
        "camera_2": {"model": "C2"},
        "keypad": {"model": "K1"},
    }
    assert look("off")["camera"] == {"model": "C1"}
    assert look("full")["camera"]["serial"] == "C-123456"


def named(home: Path, told: str) -> dict[str, str]:
    """What the watcher of the firmware knows after one reading."""

    async def once() -> dict[str, str]:
        watcher = about(home, identity=UNKNOWN, inventory=told)
        assert isinstance(await watcher.read(), Reading)
        return await watcher.identity()

    return asyncio.run(once())
