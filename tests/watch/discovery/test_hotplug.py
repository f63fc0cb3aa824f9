"""A device that comes or goes is read at once, by the kernel's word or by looking."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.link.uevents import Uevent, UeventsError, listen, parse
from agent.watch.discovery import hotplug
from agent.watch.discovery.hotplug import Hotplug, Interest

ADD_USB0 = b"add@/devices/x/tty/ttyUSB0\0ACTION=add\0SUBSYSTEM=tty\0DEVNAME=ttyUSB0\0"
GONE_USB0 = ADD_USB0.replace(b"add", b"remove")
ADD_BATTERY = b"add@/devices/x\0ACTION=add\0SUBSYSTEM=power_supply\0"
CHANGE_USB0 = ADD_USB0.replace(b"add", b"change")
LOST = b"lost"

PRINTER = Interest(component="printer", device="/dev/ttyUSB0")
SCANNER = Interest(component="scanner", device="/dev/serial/by-id/usb-Newland-if00")
EVERYTHING = Interest(component="devices")


def take(heard: socket.socket) -> Iterator[Uevent | None]:
    while True:
        try:
            datagram = heard.recv(8192)
        except BlockingIOError:
            return
        if datagram == LOST:
            yield None
        elif said := parse(datagram):
            yield said


class Pokes:
    """What was asked to be read, in order; waits for a number of them."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._more = asyncio.Event()

    def __call__(self, component: str) -> None:
        self.said.append(component)
        self._more.set()

    async def until(self, count: int) -> list[str]:
        async with asyncio.timeout(10):
            while len(self.said) < count:
                self._more.clear()
                await self._more.wait()
        return self.said


def told(messages: list[bytes], interests: list[Interest], count: int) -> list[str]:
    """The pokes after `messages`, `count` of them at least, and those until the end."""

    async def story() -> list[str]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        theirs.setblocking(False)
        pokes, stop = Pokes(), asyncio.Event()
        part = Hotplug(interests, pokes, listen=lambda: theirs, received=take)
        running = asyncio.create_task(part.run(stop))
        with ours:
            for message in messages:
                ours.send(message)
            # A message nobody heeds before the one that ends the wait would be lost otherwise.
            await pokes.until(count)
            assert part.how == "uevents"
            stop.set()
            await asyncio.wait_for(running, 5)
        assert part.how == "off"
        return pokes.said

    return asyncio.run(story())


def test_an_arrival_is_read_twice_and_a_burst_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five messages of one plug are one read; one more follows when udev has set the rights."""
    monkeypatch.setattr(hotplug, "AGAIN_S", 0.05)
    assert told([ADD_USB0] * 5, [PRINTER], 2) == ["printer", "printer"]


def test_a_removal_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to wait for behind a pulled plug."""
    monkeypatch.setattr(hotplug, "AGAIN_S", 0.0)
    assert told([GONE_USB0], [PRINTER, EVERYTHING], 2) == ["printer", "devices"]


def test_only_those_concerned_are_read() -> None:
    """Another port's event is not the printer's; a link by id may be made by any."""
    other = GONE_USB0.replace(b"ttyUSB0", b"ttyUSB1")
    assert told([other], [PRINTER, SCANNER, EVERYTHING], 2) == ["scanner", "devices"]


def test_a_battery_wakes_nobody() -> None:
    """Subsystems and actions that are not ours pass unheeded."""
    assert told([ADD_BATTERY, CHANGE_USB0, b"junk", GONE_USB0], [PRINTER], 1) == ["printer"]


def test_lost_messages_have_everything_read() -> None:
    """The kernel dropped some: anything may have come or gone."""
    assert told([LOST], [PRINTER, SCANNER, EVERYTHING], 3) == ["printer", "scanner", "devices"]


def test_a_broken_socket_ends_the_part_so_that_it_is_restarted() -> None:
    """An error of the socket is raised, not swallowed; the descriptor is closed."""

    async def story() -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)

        def broken(_: socket.socket) -> Iterator[Uevent | None]:
            raise OSError(5, "input/output error")

        part = Hotplug([EVERYTHING], Pokes(), listen=lambda: theirs, received=broken)
        running = asyncio.create_task(part.run(asyncio.Event()))
        with ours:
            ours.send(ADD_USB0)
            with pytest.raises(OSError, match="input/output"):
                await asyncio.wait_for(running, 5)
        assert theirs.fileno() == -1

    asyncio.run(story())


def refused() -> socket.socket:
    raise UeventsError("not here")


def test_without_the_kernels_word_it_looks_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A node that comes and goes is noticed by polling, and so is a USB device without a node."""
    caplog.set_level("INFO")
    bus = tmp_path / "sys/bus/usb/devices"
    bus.mkdir(parents=True)
    node = tmp_path / "ttyUSB9"
    mine = Interest(component="printer", device=str(node))

    async def story() -> None:
        pokes, stop = Pokes(), asyncio.Event()
        part = Hotplug(
            [mine, EVERYTHING], pokes, poll_s=0.05, sysfs=str(tmp_path / "sys"),
            dev=str(tmp_path / "dev"), listen=refused,
        )  # fmt: skip
        running = asyncio.create_task(part.run(stop))
        await asyncio.sleep(0)
        assert part.how == "polling"
        node.symlink_to("/dev/null")
        assert (await pokes.until(2))[:2] == ["printer", "devices"]
        count = len(await pokes.until(4))  # once more: it came
        node.unlink()
        assert (await pokes.until(count + 2))[count:] == ["printer", "devices"]
        count = len(await pokes.until(count + 4))
        (bus / "1-1").mkdir()
        assert (await pokes.until(count + 1))[count:] == ["devices"]
        stop.set()
        await asyncio.wait_for(running, 5)

    asyncio.run(story())
    assert "how=polling every_s=0.05 reason='not here'" in caplog.text


def test_with_nothing_configured_it_looks_less_often(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody waits for a device: a terminal without any is not woken every second."""
    caplog.set_level("INFO")

    async def story(interests: list[Interest]) -> None:
        stop = asyncio.Event()
        part = Hotplug(interests, Pokes(), poll_s=1.0, listen=refused)
        running = asyncio.create_task(part.run(stop))
        await asyncio.sleep(0)
        stop.set()
        await asyncio.wait_for(running, 5)

    asyncio.run(story([EVERYTHING]))
    assert "how=polling every_s=10 " in caplog.text
    asyncio.run(story([EVERYTHING, Interest(component="keypad", device="Acme Pad")]))
    assert "how=polling every_s=1 " in caplog.text


def test_switched_off_it_does_nothing() -> None:
    """`hotplug = "off"` waits for the end."""

    async def story() -> None:
        stop = asyncio.Event()
        part = Hotplug([EVERYTHING], Pokes(), mode="off", listen=refused)
        running = asyncio.create_task(part.run(stop))
        await asyncio.sleep(0)
        assert part.how == "off"
        assert part.beat(0) == ""
        stop.set()
        await asyncio.wait_for(running, 5)

    asyncio.run(story())


def test_the_real_kernel_is_heard() -> None:
    """A port of this machine announces itself through sysfs; skipped where it may not be asked."""
    asked = Path("/sys/class/tty/tty/uevent")
    try:
        listen().close()
    except UeventsError as error:
        pytest.skip(f"kernel messages cannot be heard here: {error}")
    if not os.access(asked, os.W_OK):
        pytest.skip("sysfs cannot be written here")

    async def story() -> None:
        pokes, stop = Pokes(), asyncio.Event()
        mine = Interest(component="printer", device="/dev/tty")
        running = asyncio.create_task(Hotplug([mine], pokes).run(stop))
        await asyncio.sleep(0)
        asked.write_text("online")
        assert await pokes.until(1) == ["printer"]
        stop.set()
        await asyncio.wait_for(running, 5)

    asyncio.run(story())
