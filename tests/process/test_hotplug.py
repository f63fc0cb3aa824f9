"""A device that comes or goes is told at once by the real daemon, long before its own turn.

Its watcher's turn comes once an hour here, and the alarm waits for nothing: what is seen within
seconds was seen because the device's coming or going was noticed.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from agent.link.uevents import UeventsError, listen
from tests.process.daemon import Daemon, wait_until
from tests.process.fleet import LoopThread, Printer, at_once, said_by
from tests.watch.discovery.trees import Tree

pytestmark = pytest.mark.process

SILENT = "printer.not_answering"
UNKNOWN = "device.not_recognised"


def configuration(device: Path, hotplug: str, sysfs: Path) -> str:
    return (
        f'[printer]\ndevice = "{device}"\nperiod_s = 3600\nanswer_timeout_s = 0.3\n'
        f'[discovery]\nhotplug = "{hotplug}"\nsysfs = "{sysfs}"\n' + at_once(SILENT, UNKNOWN)
    )


def test_a_pulled_and_plugged_printer_is_noticed_by_looking(tmp_path: Path) -> None:
    """Where the kernel's word cannot be had: unknown with the reason, then well again."""
    with LoopThread() as loop, Daemon() as daemon, Printer(loop, daemon) as sim:
        daemon.configure(configuration(sim.device, "poll", Tree(tmp_path / "sys").root))
        daemon.start()
        daemon.wait_log("event=hotplug how=polling every_s=1 reason=configured")
        wait_until(
            lambda: daemon.components().get("printer", {}).get("outcome") == "reading", "a reading"
        )
        wait_until(lambda: "devices" in daemon.components(), "the first look")
        assert daemon.components()["devices"]["values"]["hotplug"] == "polling"
        for _ in range(3):
            began = time.monotonic()
            sim.unplug()
            wait_until(lambda: SILENT in daemon.alarms(), "the missing printer")
            gone_s, began = time.monotonic() - began, time.monotonic()
            sim.reset()
            wait_until(lambda: SILENT not in daemon.alarms(), "the printer's return")
            print(f"noticed after {gone_s:.2f} s and {time.monotonic() - began:.2f} s")
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log()


def test_an_unserved_usb_device_is_an_alarm_as_soon_as_it_is_plugged(tmp_path: Path) -> None:
    """Told with its id to API and `status`, and over as soon as a driver takes it."""
    tree = Tree(tmp_path / "sys")
    with Daemon() as daemon:
        daemon.configure(configuration(Path("/dev/null"), "poll", tree.root))
        daemon.start()
        wait_until(lambda: "devices" in daemon.components(), "the first look")
        assert UNKNOWN not in daemon.alarms()
        folder = tree.usb("1-1", "04b8:0202", make="EPSON", model="TM-T70")
        function = tree.function("1-1", "07", sub="01")
        alarm = wait_until(lambda: daemon.alarms().get(UNKNOWN), "the unserved device")
        assert alarm["component"] == "devices"
        assert alarm["args"]["usb_id"] == "04b8:0202"
        assert "04b8:0202" in alarm["step"]["en"]
        assert "04b8:0202" in said_by(daemon, "status")
        driver = tree.root / "bus/usb/drivers/usblp"
        driver.mkdir(parents=True)
        (function / "driver").symlink_to(driver)
        # The driver alone moves no directory that is looked at; the plug does.
        (tree.root / "bus/usb/devices/1-1").unlink()
        wait_until(lambda: UNKNOWN not in daemon.alarms(), "the end of it")
        (tree.root / "bus/usb/devices/1-1").symlink_to(folder)
        wait_until(
            lambda: daemon.components()["devices"]["values"]["usb"] == 1, "the served device"
        )
        assert UNKNOWN not in daemon.alarms()
        assert daemon.stop() == 0


def test_the_kernels_word_has_the_devices_read(tmp_path: Path) -> None:
    """A port of this machine announces itself through its own sysfs; the fake tree has changed."""
    asked = Path("/sys/class/tty/tty/uevent")
    try:
        listen().close()
    except UeventsError as error:
        pytest.skip(f"kernel messages cannot be heard here: {error}")
    tree = Tree(tmp_path / "sys")
    with Daemon() as daemon:
        daemon.configure(configuration(Path("/dev/null"), "uevents", tree.root))
        daemon.start()
        daemon.wait_log("event=hotplug how=uevents")
        wait_until(lambda: "devices" in daemon.components(), "the first look")
        tree.usb("1-1", "04b8:0202")
        tree.function("1-1", "07", sub="01")
        try:
            asked.write_text("online")
        except OSError as error:
            pytest.skip(f"sysfs cannot be written here: {error}")
        began = time.monotonic()
        wait_until(
            lambda: daemon.components()["devices"]["values"]["not_recognised"] == 1, "a look"
        )
        print(f"noticed after {time.monotonic() - began:.2f} s")
        wait_until(lambda: UNKNOWN in daemon.alarms(), "the unserved device")
        assert daemon.components()["devices"]["values"]["hotplug"] == "uevents"
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log()
