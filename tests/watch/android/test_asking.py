"""How Android is asked: programs of our own in the place of its."""

from __future__ import annotations

import asyncio
import re
import threading
from pathlib import Path

import pytest

from agent.config.android import Android as Settings
from agent.core.health.reading import NotObservable, Reading
from agent.supervise import DaemonThreads
from agent.watch.android import build, here
from agent.watch.android.asking import KEPT_BYTES, LINE_BYTES, Asking, Question
from agent.watch.android.facts import Android, AndroidRadios
from agent.watch.android.watcher import AndroidWatcher
from agent.watch.quality.facts import Kind, NotReadable, RadioFacts, Registration, SimState
from tests.fakes import FakeClock

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "android"
BATTERY = Question(name="dumpsys battery", command=("dumpsys", "battery"), keep=re.compile(rb"x"))
DENIED = "Permission Denial: can't dump BatteryService from from pid=77, uid=10061"


class Terminal:
    """A folder of programs that answer what a test says."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.settings = Settings(bin=str(folder), **settings)  # type: ignore[arg-type]
        self.asking = Asking(
            folder, self.clock, DaemonThreads(), period_s=300, deadline_s=self.settings.deadline_s
        )

    def says(self, script: str, program: str = "dumpsys", path_is: str = "/usr/bin:/bin") -> None:
        """The program is this shell script; it leaves a line in `asked` each time."""
        path = self.folder / program
        # What the script itself needs is not beside it, as Android's programs are.
        path.write_text(
            f'#!/bin/sh\nPATH={path_is}\necho "{program} $*" >> {self.folder}/asked\n{script}\n'
        )
        path.chmod(0o755)

    def plays(self, release: int) -> None:
        """All programs answer with the fixtures of this release."""
        place = FIXTURES / str(release)
        self.says(f'cat "{place}/getprop.txt"', "getprop")
        self.says(
            'case "$1" in package) f=package;; activity) f=activity_processes;; *) f=$1;; esac\n'
            f'exec cat "{place}/dumpsys_$f.txt"'
        )
        self.says(f'exec cat "{place}/cmd_wifi_status.txt"', "cmd")

    @property
    def asked(self) -> list[str]:
        path = self.folder / "asked"
        return path.read_text().splitlines() if path.exists() else []

    def android(self) -> Android:
        found = build(self.settings, clock=self.clock, blocking=DaemonThreads())
        assert found is not None
        return found


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path, deadline_s=20)


@pytest.mark.parametrize(
    ("script", "untold", "needs"),
    [
        (f'echo "{DENIED}"', "needs android.permission.DUMP", "android.permission.DUMP"),
        (
            'echo "java.lang.SecurityException: lacks android.permission.ACCESS_WIFI_STATE."',
            "needs android.permission.ACCESS_WIFI_STATE",
            "android.permission.ACCESS_WIFI_STATE",
        ),
        (
            'echo "avc:  denied  { find } for service=battery" >&2',
            "was denied",
            "android.permission.DUMP",
        ),
        ("echo \"Can't find service: battery\"", "does not know", ""),
        ("echo x; echo '*** SERVICE x DUMP TIMEOUT (10000ms) EXPIRED ***'", "did not end", ""),
        ("exit 0", "answered nothing", ""),
    ],
)  # fmt: skip
def test_a_refusal_is_no_answer(terminal: Terminal, script: str, untold: str, needs: str) -> None:
    """Android refuses with exit code 0: each way of it is named, with the right it needs."""
    terminal.says(script)
    told = asyncio.run(terminal.asking.told(BATTERY))
    assert untold in told.untold
    assert (told.text, told.needs) == ("", needs)


def test_no_program_and_none_that_may_be_run(terminal: Terminal) -> None:
    """Neither is an error of ours."""
    assert terminal.asking.now(BATTERY).absent
    (terminal.folder / "dumpsys").mkdir()
    terminal.clock.advance(400)
    told = terminal.asking.now(BATTERY)
    assert told.needs == "run"


def test_only_the_lines_looked_for_are_kept(terminal: Terminal) -> None:
    """A dump without end to its lines or to itself costs bounded memory."""
    terminal.says("i=0; while [ $i -lt 3000 ]; do echo y$i; i=$((i+1)); done; echo x; echo x2")
    assert terminal.asking.now(BATTERY).text == "x\nx2"
    terminal.clock.advance(400)
    terminal.says(f"head -c 3000000 /dev/zero | tr '\\0' x; echo; yes x{'x' * 200} | head -n 5000")
    told = terminal.asking.now(BATTERY)
    assert len(told.text) <= KEPT_BYTES + 5000 + LINE_BYTES
    assert max(map(len, told.text.split("\n"))) <= LINE_BYTES


def test_one_that_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    """At its deadline, and the program it started behind it too."""
    terminal = Terminal(tmp_path, deadline_s=1)
    terminal.says(f"sleep 300 & echo $! > {tmp_path}/child; echo x; wait")
    told = terminal.asking.now(BATTERY)
    assert "did not end in 1 s" in told.untold
    child = int((tmp_path / "child").read_text())
    stat = Path(f"/proc/{child}/stat")
    # Gone, or dead and not yet reaped by whoever inherited it.
    assert not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] == "Z"


def test_an_answer_is_used_again_for_a_while(terminal: Terminal) -> None:
    """Once in five minutes by itself; for a person who waits, after fifteen seconds."""
    terminal.says("echo x")

    async def ask(fresh: bool = False) -> int:
        await asyncio.gather(*(terminal.asking.told(BATTERY, fresh=fresh) for _ in range(5)))
        return len(terminal.asked)

    async def test() -> None:
        assert await ask() == 1, "five at the same time are one"
        terminal.clock.advance(290)
        assert await ask() == 1
        assert await ask(fresh=True) == 2
        terminal.clock.advance(10)
        assert await ask(fresh=True) == 2
        terminal.clock.advance(300)
        assert await ask() == 3

    asyncio.run(test())
    # From a thread of a blocking watcher, too.
    thread = threading.Thread(target=terminal.asking.now, args=(BATTERY,))
    thread.start()
    thread.join()
    assert len(terminal.asked) == 3


def test_what_the_programs_are_given(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of our environment but what Android's programs want."""
    monkeypatch.setenv("ANDROID_ROOT", "/system")
    monkeypatch.setenv("SECRET", "1234")
    question = Question(name="env", command=("dumpsys",), keep=re.compile(rb"="))
    terminal.says("/usr/bin/env", path_is="$PATH")
    text = terminal.asking.now(question).text
    assert "ANDROID_ROOT=/system" in text
    assert "SECRET" not in text
    assert f"PATH={terminal.folder}" in text


def test_where_android_is(tmp_path: Path) -> None:
    """By its build.prop or its getprop, unless the configuration knows better."""
    auto = Settings(bin=str(tmp_path / "bin"))
    assert not here(auto, tmp_path)
    (tmp_path / "system").mkdir()
    (tmp_path / "system" / "build.prop").touch()
    assert here(auto, tmp_path)
    assert not here(Settings(mode="off"), tmp_path)
    assert here(Settings(mode="on"), Path("/nowhere"))
    assert build(Settings(mode="off"), clock=FakeClock(), blocking=DaemonThreads()) is None


def _reading(terminal: Terminal) -> Reading:
    outcome = asyncio.run(AndroidWatcher(terminal.android()).read())
    assert isinstance(outcome, Reading), outcome
    return outcome


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        (7, {
            "android": "7.1.2", "network": "wifi", "wifi": "joined", "wifi_dbm": -58,
            "cellular": "in_service", "cellular_rsrp_dbm": -87, "battery_percent": 14,
            "battery_charging": False, "version_com_example_pay": "3.2.1",
        }),
        (10, {
            "android": "10", "network": "cellular", "network_interface": "rmnet_data0",
            "wifi": "joined", "cellular": "in_service", "battery_percent": 77,
            "battery_charging": True, "version_com_example_pay": "4.0.0 (rc)",
        }),
        (13, {
            "android": "13", "network": "none", "wifi": "joined", "cellular": "in_service",
            "battery_percent": 100, "version_com_example_pay": "5.1",
        }),
    ],
)  # fmt: skip
def test_a_terminal_of_each_generation(
    tmp_path: Path, release: int, expected: dict[str, object]
) -> None:
    """Network, radios, battery and app versions of three generations, in the same words."""
    terminal = Terminal(tmp_path, packages=("com.example.pay",))
    terminal.plays(release)
    reading = _reading(terminal)
    assert {name: reading.values.get(name) for name in expected} == expected
    assert "needs" not in reading.values
    assert reading.evidence == {}


def test_denied_everything_is_unknown_with_the_right_it_needs(tmp_path: Path) -> None:
    """Properties need no right; the rest says which it needs and is no fault."""
    terminal = Terminal(tmp_path)
    terminal.plays(7)
    terminal.says(f'echo "{DENIED}"')
    terminal.says('echo "java.lang.SecurityException: uid 10061"; exit 255', "cmd")
    reading = _reading(terminal)
    assert reading.values["needs"] == "android.permission.DUMP"
    assert {reading.values[name] for name in ("network", "wifi", "cellular", "battery")} == {
        "unknown"
    }
    assert "pm grant" in reading.evidence["battery"]
    terminal.says('echo "Permission Denial"', "getprop")
    terminal.clock.advance(400)
    outcome = asyncio.run(AndroidWatcher(terminal.android()).read())
    assert isinstance(outcome, NotObservable)
    assert "android.permission.DUMP" in outcome.why


def test_wifi_by_cmd_where_dumps_are_denied(tmp_path: Path) -> None:
    """`cmd wifi status` needs no right to dump: what it tells is used."""
    terminal = Terminal(tmp_path)
    terminal.plays(13)
    terminal.says(f'echo "{DENIED}"')
    reading = _reading(terminal)
    assert (reading.values["wifi"], reading.values["wifi_dbm"]) == ("joined", -42)
    assert reading.values["cellular"] == "unknown"


def _radios(terminal: Terminal) -> list[RadioFacts | NotReadable]:
    async def read() -> list[RadioFacts | NotReadable]:
        return list(await AndroidRadios(terminal.android()).read())

    return asyncio.run(read())


def test_radios_for_the_signal_watcher(tmp_path: Path) -> None:
    """Wi-Fi and the SIM slots in the shape every source of radios has."""
    terminal = Terminal(tmp_path)
    terminal.plays(7)
    wlan, sim = _radios(terminal)
    assert isinstance(wlan, RadioFacts)
    assert isinstance(sim, RadioFacts)
    assert (wlan.kind, wlan.interface, wlan.rssi_dbm) == (Kind.WIFI, "wlan0", -58)
    assert (sim.kind, sim.registration, sim.sim_state) == (
        Kind.CELLULAR, Registration.HOME, SimState.READY,
    )  # fmt: skip
    assert (sim.rsrp_dbm, sim.sinr_db, sim.technology) == (-87, 26.2, "lte")


def test_radios_that_may_not_be_read(tmp_path: Path) -> None:
    """Not readable with the reason; where there is no telephony, no radio and no reason."""
    terminal = Terminal(tmp_path)
    terminal.plays(7)
    terminal.says(f'echo "{DENIED}"')
    terminal.says("exit 0", "cmd")
    assert all(isinstance(one, NotReadable) for one in _radios(terminal))
    terminal.says('echo "Can\'t find service: $1"')
    terminal.clock.advance(400)
    assert _radios(terminal) == []


def test_for_versions_and_processes(tmp_path: Path) -> None:
    """Versions and properties for the software watcher, the process for that of the app."""
    terminal = Terminal(tmp_path)
    terminal.plays(10)
    terminal.says(
        f'if [ -n "$1" ]; then echo "value of $1"; else cat "{FIXTURES}/10/getprop.txt"; fi',
        "getprop",
    )
    android = terminal.android()
    assert android.package_version("com.example.pay") == "4.0.0 (rc)"
    assert android.package_version("not-a-package") is None
    assert android.property("ro.build.version.release") == "10"
    assert android.property("persist.sys.vendor.x") == "value of persist.sys.vendor.x"
    assert android.property("; reboot") is None
    assert asyncio.run(android.running("com.example.pay")) is True
    assert asyncio.run(android.version("com.example.pay")) == "4.0.0 (rc)"
    assert asyncio.run(android.version("..")) == ""
    terminal.says(f'echo "{DENIED}"')
    terminal.clock.advance(400)
    assert android.package_version("com.example.pay") is None
    assert asyncio.run(android.running("com.example.pay")) is None


def test_the_battery_for_the_system_watcher(tmp_path: Path) -> None:
    """What was read last, without starting anything; nothing where nothing was read."""
    terminal = Terminal(tmp_path)
    terminal.plays(7)
    android = terminal.android()
    assert android.power() == {}
    asyncio.run(android.battery())
    asked = len(terminal.asked)
    assert android.power() == {
        "battery_percent": 14, "battery_charging": False, "battery_status": "discharging",
        "battery_health": "good", "external_power": False,
    }  # fmt: skip
    assert len(terminal.asked) == asked


@pytest.mark.parametrize(
    "name", ["-T", "-Z", "--help", "", ".", "a b", "ro.x;id", "ｒｏ.x", "a" * 200]
)
def test_a_name_that_is_none_of_a_property_becomes_no_argument(tmp_path: Path, name: str) -> None:
    """It may come from a manifest; `getprop -T` would list every property there is."""
    terminal = Terminal(tmp_path)
    terminal.says('echo "[ro.product.model]: [X]"', "getprop")
    android = build(terminal.settings, clock=terminal.clock, blocking=DaemonThreads())
    assert android is not None
    assert android.property(name) is None
    assert terminal.asked == ["getprop "]
