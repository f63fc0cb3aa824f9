"""The scanner watcher against simulated scanners on real pseudo terminals."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.config.devices import Scanner
from agent.core.health.reading import NotFitted, NotObservable, Reading, Unknown
from agent.sim.scanners.brains import VENDORS
from agent.supervise import DaemonThreads
from agent.watch.scanner import build
from agent.watch.scanner.presence import Presence
from tests.fakes import FakeClock
from tests.watch.scanner.desk import Desk, at_desk, reading, unknown, until, usb

GONE, SILENT = "scanner.disconnected", "scanner.not_answering"
MISMATCH = "device.interface_mismatch"
vendors = pytest.mark.parametrize("vendor", VENDORS)


def held(desk: Desk) -> int:
    """How many descriptors of the scanner's port this process has."""
    port = Path(os.path.realpath(desk.sim.path))
    targets = [one.readlink() for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    return targets.count(port)


@vendors
def test_every_vendor_is_asked_and_named(vendor: str, tmp_path: Path) -> None:
    """A living scanner is a reading with its model and firmware, and got nothing but questions."""

    async def scenario(desk: Desk) -> None:
        said = reading(await desk.read())
        assert said.values["answers"] is True
        assert said.values["connected"] is True
        assert said.evidence["model"] == "SIM-2000"
        assert said.evidence["firmware"].endswith("3.14")
        assert said.evidence["dialect"] == vendor
        if vendor != "ssi":  # its revision string has no serial number
            assert said.evidence["serial"] == "SN20260042"
        assert desk.sim.brain.orders == []

    at_desk(tmp_path, scenario, vendor)


@vendors
def test_a_vendor_nobody_named_is_found_without_harm(vendor: str, tmp_path: Path) -> None:
    """dialect = auto: found by asking around, remembered, and never given an order."""

    async def scenario(desk: Desk) -> None:
        assert reading(await desk.read()).evidence["dialect"] == vendor
        asked = len(desk.sim.received)
        assert reading(await desk.read()).evidence["dialect"] == vendor
        assert len(desk.sim.received) - asked <= len(b"$$$$#99900301;%%%%")
        assert desk.sim.brain.orders == []

    at_desk(tmp_path, scenario, vendor, dialect="auto", answer_timeout_s=1.0)


@pytest.mark.parametrize("vendor", ["newland_v1", "newland_v2"])
def test_either_newland_is_found(vendor: str, tmp_path: Path) -> None:
    """dialect = newland: the present language first, then the old one; remembered."""

    async def scenario(desk: Desk) -> None:
        for _ in range(2):
            assert reading(await desk.read()).evidence["dialect"] == vendor
        assert desk.sim.received.count(b"QRYSYS") == (2 if vendor == "newland_v2" else 1)

    at_desk(tmp_path, scenario, vendor, dialect="newland", answer_timeout_s=1.0)


def test_a_usb_id_settles_the_language(tmp_path: Path) -> None:
    """Where the kernel says who made it, only its maker's languages are tried."""

    async def scenario(desk: Desk) -> None:
        said = reading(await desk.read())
        assert desk.sim.received == b"~\x010000@QRYSYS;\x03"
        assert said.evidence["interface"] == "usb 1eab:0b61"

    around = {"look": usb(vendor="1eab")}
    at_desk(tmp_path, scenario, "newland_v2", dialect="auto", around=around)


def test_the_port_is_held_for_the_question_only(tmp_path: Path) -> None:
    """Between reads nothing is open, after good answers and bad ones, a hundred times over."""

    async def scenario(desk: Desk) -> None:
        for number in range(100):
            desk.sim.switch(answer="other" if number % 3 == 0 else "ok")
            await desk.read()
            assert held(desk) == 0

    at_desk(tmp_path, scenario, "datalogic")


def test_without_a_device_there_is_no_scanner_until_a_hook_speaks_of_one() -> None:
    """No device configured means not fitted; a hook's scanner is a built-in one."""
    absent = build(Scanner(battery_low_percent=7), DaemonThreads(), FakeClock())
    assert asyncio.run(absent.read()) == NotFitted()
    absent.feed(Reading({"battery_percent": 80}))
    said = reading(asyncio.run(absent.read()))
    assert said.values == {"battery_percent": 80, "battery_limit_percent": 7}


# -- no answer, and what that may mean -------------------------------------------------------------


@vendors
def test_a_silent_scanner_is_unknown_not_faulty(vendor: str, tmp_path: Path) -> None:
    """No answer is unknown with what to check; the next answer is a reading."""

    async def scenario(desk: Desk) -> None:
        desk.sim.switch(silent=True)
        nothing = unknown(await desk.read(), "silent", SILENT)
        assert "9600 baud" in nothing.reason
        assert str(desk.sim.path) in nothing.reason
        desk.sim.switch(silent=False)
        reading(await desk.patient())

    at_desk(tmp_path, scenario, vendor, answer_timeout_s=0.3)


def test_a_slow_answer_is_waited_for(tmp_path: Path) -> None:
    """An answer within the timeout is a reading."""

    async def scenario(desk: Desk) -> None:
        desk.sim.switch(slow_s=0.1)
        reading(await desk.read())

    at_desk(tmp_path, scenario)


def test_an_answer_that_comes_too_late_is_no_code(tmp_path: Path) -> None:
    """On a port of our own a late reply is neither taken for a code nor for the next answer."""

    async def scenario(desk: Desk) -> None:
        reading(await desk.read())
        desk.sim.switch(slow_s=0.4)
        unknown(await desk.read(), "silent", SILENT)
        await until(lambda: desk.sim.late == 0)
        desk.sim.switch(slow_s=0.0)
        for _ in range(2):
            said = reading(await desk.patient())
            assert "good_read_age_s" not in said.values

    at_desk(tmp_path, scenario, open="always", answer_timeout_s=0.2)


@vendors
def test_noise_is_an_interface_mismatch(vendor: str, tmp_path: Path) -> None:
    """Bytes that make no sense are told by their number; what they were is not."""

    async def scenario(desk: Desk) -> None:
        desk.sim.switch(garbage=True)
        nothing = unknown(await desk.read(), "garbage", MISMATCH)
        assert int(nothing.evidence["received_bytes"]) >= 5
        assert set(nothing.evidence) == {"device", "finding", "received_bytes"}
        assert "9600 baud" in nothing.reason
        desk.sim.switch(garbage=False)
        reading(await desk.patient())

    at_desk(tmp_path, scenario, vendor, answer_timeout_s=0.2)


@pytest.mark.parametrize("vendor", ["honeywell", "newland_v2", "ssi", "datalogic"])
def test_the_likely_speed_is_found(vendor: str, tmp_path: Path) -> None:
    """A scanner that talks at another speed is found there, and the setting is named."""

    async def scenario(desk: Desk) -> None:
        desk.sim.switch(baud=115_200)
        for _ in range(3):
            outcome = await desk.read()
        nothing = unknown(outcome, "wrong_speed", MISMATCH)
        assert "set [scanner] baud = 115200" in nothing.reason
        desk.sim.switch(baud=9_600)
        reading(await desk.patient())

    at_desk(tmp_path, scenario, vendor, answer_timeout_s=0.5)


@vendors
def test_the_reply_to_another_question_is_no_answer(vendor: str, tmp_path: Path) -> None:
    """A device that answers what nobody asked is unknown, not alive and not broken."""

    async def scenario(desk: Desk) -> None:
        desk.sim.switch(answer="other")
        nothing = unknown(await desk.read(), "out_of_step", SILENT)
        assert "another question" in nothing.reason

    at_desk(tmp_path, scenario, vendor)


@pytest.mark.parametrize("vendor", ["honeywell", "newland_v1", "newland_v2", "ssi"])
def test_a_refusal_is_a_sign_of_life(vendor: str, tmp_path: Path) -> None:
    """A scanner that does not know the question is there all the same."""

    async def scenario(desk: Desk) -> None:
        desk.sim.switch(answer="refused")
        said = reading(await desk.read())
        assert said.values["answers"] is True
        assert said.evidence["query"] == "refused"
        assert "model" not in said.evidence

    at_desk(tmp_path, scenario, vendor)


def test_replies_that_come_one_late_are_told(tmp_path: Path) -> None:
    """A line that hands over the reply before: each question gets the other's, so none counts."""

    async def scenario(desk: Desk) -> None:
        reading(await desk.read())
        desk.sim.switch(stale="lag")
        unknown(await desk.read(), "out_of_step", SILENT)

    at_desk(tmp_path, scenario, "datalogic", open="always")


@vendors
def test_an_old_reply_beside_the_new_one_does_no_harm(vendor: str, tmp_path: Path) -> None:
    """One stale reply in front of the right one: a reading now, or at the latest the next time."""

    async def scenario(desk: Desk) -> None:
        reading(await desk.read())
        desk.sim.switch(stale="next")
        await desk.read()
        reading(await desk.read())

    at_desk(tmp_path, scenario, vendor)


def test_the_setting_mode_is_left_even_after_a_failure(tmp_path: Path) -> None:
    """Newland's old language: whatever became of the question, %%%% ends the setting mode."""

    async def scenario(desk: Desk) -> None:
        desk.sim.switch(answer="other")
        await desk.read()
        await until(lambda: desk.sim.received.endswith(b"%%%%"))
        assert desk.sim.brain.setting is False  # type: ignore[attr-defined]

    at_desk(tmp_path, scenario, "newland_v1")


# -- bad ports -------------------------------------------------------------------------------------


def test_a_pulled_cable_is_gone_and_heals(tmp_path: Path) -> None:
    """Unplugged between reads: gone, with who must act; plugged in again it reads again."""

    async def scenario(desk: Desk) -> None:
        reading(await desk.read())
        desk.sim.unplug()
        unknown(await desk.read(), "missing", GONE)
        desk.sim.plug()
        reading(await desk.read())

    at_desk(tmp_path, scenario)


@pytest.mark.parametrize("open_", ["when_free", "always"])
def test_a_cable_pulled_during_the_question(open_: str, tmp_path: Path) -> None:
    """Gone in the middle of the exchange: said at once, and nothing stays open."""

    async def scenario(desk: Desk) -> None:
        reading(await desk.read())
        await desk.watcher.close()
        desk.sim.switch(slow_s=60.0)
        asked = len(desk.sim.received)
        asking = asyncio.create_task(desk.read())
        await until(lambda: len(desk.sim.received) > asked)
        desk.sim.unplug()
        unknown(await asking, "unplugged", GONE)
        assert desk.watcher._asker._held is None

    at_desk(tmp_path, scenario, open=open_)


def test_a_cable_pulled_while_a_port_of_our_own_is_idle(tmp_path: Path) -> None:
    """The hang-up is seen, costs nothing, and the replugged scanner is read over a new port."""

    async def scenario(desk: Desk) -> None:
        reading(await desk.read())
        desk.sim.unplug()
        desk.sim.plug()
        for _ in range(3):
            outcome = await desk.read()
        reading(outcome)

    at_desk(tmp_path, scenario, open="always")


def test_a_port_of_our_own_is_closed_as_soon_as_it_hangs_up(tmp_path: Path) -> None:
    """Not at the next read: a scanner that comes back meanwhile would get another name."""

    async def scenario(desk: Desk) -> None:
        reading(await desk.read())
        assert held(desk) == 1
        desk.sim.unplug()
        await until(lambda: desk.watcher._asker._held is None)

    at_desk(tmp_path, scenario, open="always")


def test_another_scanner_in_its_place_is_recognised(tmp_path: Path) -> None:
    """After a replug the language is found afresh."""

    async def scenario(desk: Desk) -> None:
        assert reading(await desk.read()).evidence["dialect"] == "datalogic"
        desk.sim.unplug()
        unknown(await desk.read(), "missing", GONE)
        desk.sim.brain = VENDORS["ssi"]()
        desk.sim.plug()
        assert reading(await desk.read()).evidence["dialect"] == "ssi"

    at_desk(tmp_path, scenario, "datalogic", dialect="auto", answer_timeout_s=1.0)


@pytest.mark.parametrize(
    ("number", "words"), [(errno.EACCES, "often dialout"), (errno.EPERM, "DeviceAllow=")]
)
def test_a_refused_open_names_the_group_or_the_sandbox(
    tmp_path: Path, number: int, words: str
) -> None:
    """No right to open is unknown, with what to do: the mode's word is not the sandbox's."""

    def refuse(*_: object) -> object:
        raise PermissionError(number, os.strerror(number))

    async def scenario(desk: Desk) -> None:
        nothing = unknown(await desk.read(), "permission", SILENT)
        assert words in nothing.reason

    at_desk(tmp_path, scenario, around={"open_port": refuse})


def test_a_locked_port_is_not_forced(tmp_path: Path) -> None:
    """A port another program holds a lock on is busy, and gets not a byte."""

    async def scenario(desk: Desk) -> None:
        fd = os.open(desk.sim.path, os.O_RDWR | os.O_NOCTTY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            unknown(await desk.read(), "busy", SILENT)
        finally:
            os.close(fd)
        assert desk.sim.received == b""
        reading(await desk.read())

    at_desk(tmp_path, scenario)


def test_a_file_is_no_serial_line(tmp_path: Path) -> None:
    """A device that is no terminal is an interface mismatch."""

    async def scenario(desk: Desk) -> None:
        desk.sim.unplug()
        desk.sim.path.write_bytes(b"")
        unknown(await desk.read(), "not_serial", MISMATCH)

    at_desk(tmp_path, scenario)


def test_a_line_that_echoes_is_no_scanner(tmp_path: Path) -> None:
    """Our own question coming back is told as such."""

    async def scenario(desk: Desk) -> None:
        desk.sim.brain.feed = lambda received: [received]  # type: ignore[method-assign]
        unknown(await desk.read(), "echo", MISMATCH)

    at_desk(tmp_path, scenario, answer_timeout_s=0.3)


# -- the payment app comes first -------------------------------------------------------------------

HOLD = "import os,sys; os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY); print(flush=True); input()"


def test_a_port_another_program_holds_is_never_opened(tmp_path: Path) -> None:
    """Not a byte is sent; the reading says who holds it, and the port is asked again afterwards."""

    async def scenario(desk: Desk) -> None:
        with subprocess.Popen(
            [sys.executable, "-c", HOLD, str(desk.sim.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as app:
            assert app.stdin is not None
            assert app.stdout is not None
            await asyncio.to_thread(app.stdout.readline)
            said = reading(await desk.read())
            app.stdin.close()
        assert desk.sim.received == b""
        assert said.values["in_use"] is True
        assert said.values["connected"] is True
        assert f"(pid {app.pid}" in said.evidence["in_use_by"]
        assert "answers" not in said.values
        assert reading(await desk.read()).values["in_use"] is False

    at_desk(tmp_path, scenario, around={"look": usb()})


def test_a_port_of_our_own_is_let_go_when_somebody_else_takes_it(tmp_path: Path) -> None:
    """open = always, and another program opened it all the same: it gets the port for itself."""
    owner: list[str] = []

    async def scenario(desk: Desk) -> None:
        reading(await desk.read())
        assert held(desk) == 1
        owner.append("app (pid 4711)")
        said = reading(await desk.read())
        assert said.evidence["in_use_by"] == "app (pid 4711)"
        assert held(desk) == 0

    around = {"look": usb(), "owner": lambda _: owner[0] if owner else None}
    at_desk(tmp_path, scenario, open="always", around=around)


@pytest.mark.parametrize(
    ("settings", "around", "why"),
    [
        ({"open": "never"}, {}, "never"),
        ({}, {"sees_everybody": lambda: False}, "cannot see"),
        ({}, {"owner": lambda _: "app (pid 4711)"}, "in use by app (pid 4711)"),
    ],
)
def test_what_may_not_be_opened_is_seen_from_afar(
    settings: dict[str, str], around: dict[str, object], why: str, tmp_path: Path
) -> None:
    """USB: that it is there. A fixed line: nothing, by design, and no alarm."""

    async def on_usb(desk: Desk) -> None:
        said = reading(await desk.read())
        assert said.values["connected"] is True
        assert why in said.evidence["not_asked"]
        assert desk.sim.received == b""

    async def on_a_fixed_line(desk: Desk) -> None:
        outcome = await desk.read()
        assert isinstance(outcome, NotObservable)
        assert why in outcome.why
        assert desk.sim.received == b""

    at_desk(tmp_path, on_usb, around={"look": usb(), **around}, **settings)
    at_desk(tmp_path, on_a_fixed_line, around=around, **settings)


def test_what_the_app_reports_stands_in_for_asking(tmp_path: Path) -> None:
    """The app owns a fixed line and counts: that is a reading, with its age and ratio."""

    async def scenario(desk: Desk) -> None:
        desk.watcher.feed(Reading({"reads": 1_000, "no_reads": 10}))
        desk.clock.advance(60)
        desk.watcher.feed(Reading({"reads": 1_010, "no_reads": 40}))
        desk.clock.advance(7)
        said = reading(await desk.read())
        assert said.values["good_read_age_s"] == 7
        assert said.values["no_read_percent"] == 75.0
        assert said.values["misses_codes"] is True
        assert said.evidence["rate"] == "75 %"

    at_desk(tmp_path, scenario, around={"owner": lambda _: "app (pid 4711)"})


@pytest.mark.parametrize("around", [{}, {"look": usb()}], ids=["fixed line", "usb"])
def test_what_the_app_reports_as_wrong_is_not_lost(
    around: dict[str, object], tmp_path: Path
) -> None:
    """The app has the port and says the scanner does not answer: neither fine nor unseen."""

    async def scenario(desk: Desk) -> None:
        desk.watcher.feed(Unknown("no answer to the app", SILENT, {"source": "app"}))
        said = await desk.read()
        assert isinstance(said, Unknown)
        assert (said.code, said.evidence["in_use_by"]) == (SILENT, "app (pid 4711)")
        desk.clock.advance(10_000)  # nobody says so any more
        assert not isinstance(await desk.read(), Unknown)

    at_desk(tmp_path, scenario, around={"owner": lambda _: "app (pid 4711)", **around})


# -- how it reads ----------------------------------------------------------------------------------


@vendors
def test_codes_on_a_port_of_our_own_are_counted(vendor: str, tmp_path: Path) -> None:
    """open = always: age of the last good read, and the ratio once tries in vain are told."""

    async def scenario(desk: Desk) -> None:
        reading(await desk.read())
        for _ in range(15):
            desk.sim.scan()
        for _ in range(15):
            desk.sim.scan(None)
        tries = desk.watcher._tally._ratio
        await until(lambda: tries._reads + tries._missed == 30)
        desk.clock.advance(42)
        said = reading(await desk.read())
        assert said.values["good_read_age_s"] == 42
        assert said.values["no_read_percent"] == 50.0
        assert said.values["misses_codes"] is True

    at_desk(tmp_path, scenario, vendor, open="always")


def test_no_ratio_without_a_word_for_a_try_in_vain(tmp_path: Path) -> None:
    """Most scanners are silent where nothing was read: then zero in vain means nothing."""

    async def scenario(desk: Desk) -> None:
        reading(await desk.read())
        for _ in range(30):
            desk.sim.scan()
        tries = desk.watcher._tally._ratio
        await until(lambda: tries._reads == 30)
        said = reading(await desk.read())
        assert "good_read_age_s" in said.values
        assert "no_read_percent" not in said.values
        assert "misses_codes" not in said.values

    at_desk(tmp_path, scenario, open="always")


@pytest.mark.parametrize(("self_test", "fault"), [("ok", False), ("fail", True)])
def test_its_own_test_is_believed(self_test: str, fault: bool, tmp_path: Path) -> None:
    """Datalogic tells what of it failed."""

    async def scenario(desk: Desk) -> None:
        desk.sim.switch(self_test=self_test)
        said = reading(await desk.read())
        assert said.values["sensor_fault"] is fault
        assert said.evidence.get("error") == ("laser" if fault else None)

    at_desk(tmp_path, scenario, "datalogic")


def test_the_battery_is_read_where_it_is_told(tmp_path: Path) -> None:
    """The scanner's own word, else the kernel's."""

    async def own(desk: Desk) -> None:
        desk.sim.switch(battery_percent=9)
        said = reading(await desk.read())
        assert (said.values["battery_percent"], said.evidence["percent"]) == (9, "9")
        assert said.values["battery_limit_percent"] == 15

    async def kernels(desk: Desk) -> None:
        said = reading(await desk.read())
        assert (said.values["battery_percent"], said.values["battery_charging"]) == (33, True)

    at_desk(tmp_path, own, "newland_v2")
    look = usb(battery_percent=33, battery_charging=True)
    at_desk(tmp_path, kernels, around={"look": look})


# -- scanners that are only seen -------------------------------------------------------------------


def test_a_keyboard_scanner_is_only_looked_at(tmp_path: Path) -> None:
    """hid: there, gone, or without a driver; never opened."""
    seen = [Presence(connected=True), usb()("x"), usb(bound=False)("x"), Presence(connected=False)]

    async def scenario(desk: Desk) -> None:
        assert reading(await desk.read()).values["connected"] is True
        assert reading(await desk.read()).evidence["driver"] == "cdc_acm"
        unknown(await desk.read(), "no_driver", "device.not_recognised")
        unknown(await desk.read(), "missing", GONE)
        assert desk.sim.received == b""

    around = {"look": lambda _: seen.pop(0)}
    at_desk(tmp_path, scenario, around=around, dialect="hid")
