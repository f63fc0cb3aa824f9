"""Has a component read at once when its device comes or goes.

Listens to the kernel; where that is not allowed it looks at a few directories every second
instead, and says so. Decides which watchers an event concerns and when they are asked: once as soon
as a burst of events is over, and after an arrival once more, because the node is there before its
rights are. What they then find is their business. Run by `agent.main` as the part `hotplug`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from agent.link import uevents
from agent.link.uevents import Uevent, UeventsError
from agent.record import dataclass

log = logging.getLogger(__name__)

#: A USB printer that is plugged in is five messages within some 30 ms.
SETTLE_S = 0.15
#: udev has set owner and mode of a new node by then (it is done within 0.5 s on a loaded machine).
AGAIN_S = 1.0
#: Where no device is configured nobody waits for one: it is looked no more often than this.
IDLE_POLL_S = 10.0
#: The subsystems of printers, scanners and keypads.
SUBSYSTEMS = frozenset(
    {"tty", "usb", "usbmisc", "usb-serial", "input", "hidraw", "hid", "bluetooth"}
)
#: That of sticks and cards; of no concern to whoever has not asked for it.
STORAGE = "block"
HEARD = SUBSYSTEMS | {STORAGE}
ACTIONS = frozenset({"add", "remove", "bind", "unbind", "online", "offline"})
_ARRIVALS = frozenset({"add", "bind", "online"})

Mode = Literal["auto", "uevents", "poll", "off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """A component and the device it is configured to have; "" = any device."""

    component: str
    device: str = ""
    storage: bool = False  #: sticks and cards; those and nothing else

    def heeds(self, event: Uevent) -> bool:
        """Whether `event` may be about this device. In doubt it is: a read costs little."""
        if self.storage or event.subsystem == STORAGE:
            return self.storage and event.subsystem == STORAGE and event.action in _ARRIVALS
        if not self.device.startswith("/dev/") or _is_alias(self.device):
            return True
        # The events of the bus come without the node's name, and before or after its own.
        return event.node == self.device.removeprefix("/dev/")


def _is_alias(device: str) -> bool:
    """/dev/serial/by-id and the like are links that are made only after the event."""
    return "/by-" in device or Path(device).is_symlink()


class Hotplug:
    """The part."""

    name = "hotplug"
    fatal = False

    def __init__(
        self,
        interests: Iterable[Interest],
        poke: Callable[[str], None],
        *,
        mode: Mode = "auto",
        poll_s: float = 1.0,
        sysfs: str = "/sys",
        dev: str = "/dev",
        listen: Callable[[], socket.socket] = uevents.listen,
        received: Callable[[socket.socket], Iterator[Uevent | None]] = uevents.received,
    ) -> None:
        self.how = "off"  #: uevents, polling or off; shown by the component `devices`
        self._interests = tuple(interests)
        self._poke = poke
        self._mode = mode
        watched = any(one.device for one in self._interests)
        self._poll_s = poll_s if watched else max(poll_s, IDLE_POLL_S)
        self._places = (Path(sysfs), Path(dev))
        self._listen = listen
        self._received = received
        self._due: dict[str, bool] = {}  # component -> whether something of its came
        self._settling: asyncio.TimerHandle | None = None
        self._again: set[asyncio.TimerHandle] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`."""
        if self._mode == "off":
            await stop.wait()
            return
        try:
            heard = self._heard()
            if heard is None:
                await self._poll(stop)
            else:
                with heard:
                    await self._attend(heard, stop)
        finally:
            self.how = "off"
            for handle in (self._settling, *self._again):
                if handle is not None:
                    handle.cancel()
            self._settling = None
            self._again.clear()

    def beat(self, now_ms: int) -> str:
        """Nothing here can hang: no call waits for a device."""
        del now_ms
        return ""

    def _heard(self) -> socket.socket | None:
        if self._mode == "poll":
            log.info("event=hotplug how=polling every_s=%g reason=configured", self._poll_s)
            return None
        try:
            return self._listen()
        except UeventsError as error:
            level = logging.ERROR if self._mode == "uevents" else logging.WARNING
            log.log(
                level, "event=hotplug how=polling every_s=%g reason=%r", self._poll_s, str(error)
            )
            return None

    # -- the kernel tells ------------------------------------------------------------------------

    async def _attend(self, heard: socket.socket, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        broken: asyncio.Future[None] = loop.create_future()

        def take_in() -> None:
            try:
                for event in self._received(heard):
                    self._take(event)
            except OSError as error:
                loop.remove_reader(heard)
                broken.set_exception(error)

        loop.add_reader(heard, take_in)
        self.how = "uevents"
        log.info("event=hotplug how=uevents")
        stopping = asyncio.create_task(stop.wait())
        try:
            both: set[asyncio.Future[Any]] = {stopping, broken}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if broken.done():
                broken.result()
        finally:
            loop.remove_reader(heard)
            stopping.cancel()

    def _take(self, event: Uevent | None) -> None:
        if event is None:
            log.warning("event=uevents_lost action=look_at_everything")
            self._note((one.component for one in self._interests), came=True)
        elif event.subsystem in HEARD and event.action in ACTIONS:
            log.debug(
                "event=uevent action=%s subsystem=%s node=%s",
                event.action, event.subsystem, event.node,
            )  # fmt: skip
            heeding = (one.component for one in self._interests if one.heeds(event))
            self._note(heeding, came=event.action in _ARRIVALS)

    # -- or we look ------------------------------------------------------------------------------

    async def _poll(self, stop: asyncio.Event) -> None:
        self.how = "polling"
        seen = self._glance()
        while not stop.is_set():
            try:
                async with asyncio.timeout(self._poll_s):
                    await stop.wait()
            except TimeoutError:
                now = self._glance()
                if now != seen:
                    self._compare(seen, now)
                seen = now

    def _glance(self) -> Mapping[str, object]:
        """What is there, as cheaply as it can be told: a handful of calls, none to a device."""
        sysfs, dev = self._places
        told: dict[str, object] = {
            one.device: _node(one.device) for one in self._interests if one.device.startswith("/")
        }
        told["usb"] = _names(sysfs / "bus/usb/devices")
        # devtmpfs keeps the times of its directories; sysfs does not.
        told["dev"] = tuple(_changed(dev / name) for name in (".", "usb", "input", "serial/by-id"))
        return told

    def _compare(self, seen: Mapping[str, object], now: Mapping[str, object]) -> None:
        moved = [
            one.component
            for one in self._interests
            # Whoever has no node of its own looks whenever anything moved.
            if not one.device.startswith("/") or seen[one.device] != now[one.device]
        ]
        log.debug("event=devices_moved components=%s", ",".join(moved))
        self._note(moved, came=True)

    # -- and have them read ----------------------------------------------------------------------

    def _note(self, components: Iterable[str], *, came: bool) -> None:
        for component in components:
            self._due[component] = self._due.get(component, False) or came
        if self._due and self._settling is None:
            self._settling = asyncio.get_running_loop().call_later(SETTLE_S, self._settled)

    def _settled(self) -> None:
        self._settling = None
        due, self._due = self._due, {}
        for component in due:
            self._poke(component)
        came = [component for component, again in due.items() if again]
        if came:
            self._later(came)

    def _later(self, components: Sequence[str]) -> None:
        def once_more() -> None:
            self._again.discard(handle)
            for component in components:
                self._poke(component)

        handle = asyncio.get_running_loop().call_later(AGAIN_S, once_more)
        self._again.add(handle)


def _node(path: str) -> tuple[int, int] | None:
    """Which device stands behind a path; a new one of the same name is another."""
    try:
        told = os.stat(path)  # noqa: PTH116 - a path of the configuration, perhaps not one at all
    except (OSError, ValueError):
        return None
    return (told.st_rdev, told.st_ino) if stat.S_ISCHR(told.st_mode) else (0, told.st_ino)


def _names(folder: Path) -> tuple[str, ...]:
    try:
        return tuple(sorted(one.name for one in folder.iterdir()))
    except OSError:
        return ()


def _changed(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0
