"""A printer behind the kernel's usblp: known from sysfs without opening, opened only for a moment.

/dev/usb/lp0 has one user at a time, and that is the payment app: the port is opened for the length
of one reading and closed again, and a refusal with EBUSY means that the app has it, which is not a
fault. With `share` pass_through or off it is never opened at all. The port status (LPGETSTATUS)
goes over the control pipe and puts no byte into the printer's buffer.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import re
from collections.abc import Callable
from pathlib import Path

from agent.blocking import Blocking
from agent.config.devices import Printer
from agent.link.opening import Opening
from agent.link.owners import Owner, owner_of
from agent.watch.drivers.identity import clean
from agent.watch.drivers.ieee1284 import LPGETSTATUS, parse_id
from agent.watch.printer import problems
from agent.watch.printer.ports import Presence, shut
from agent.watch.printer.problems import BusyError, Where
from agent.watch.printer.serial_link import OwnerOf

OPEN_DEADLINE_S = 7.0  # the kernel gives the status request 5 s
PRESENCE_DEADLINE_S = 2.0
SYSFS = Path("/sys")


class UsbPort:
    """An open usblp device and the port status it had when it was opened."""

    def __init__(self, fd: int, status: int | None) -> None:
        self._fd = fd
        self.status = status  #: None: not told

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)


OpenUsb = Callable[[Printer], UsbPort]


def open_usb(config: Printer) -> UsbPort:
    """Open the printer and ask for its port status. Blocking; raises OSError."""
    fd = os.open(config.device, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        return UsbPort(fd, _port_status(fd))
    except BaseException:
        os.close(fd)
        raise


class UsbLink:
    """The link over one /dev/usb/lpN."""

    keeps_open = False

    def __init__(
        self,
        config: Printer,
        blocking: Blocking,
        open_port: OpenUsb = open_usb,
        find_owner: OwnerOf = owner_of,
        sysfs: Path = SYSFS,
    ) -> None:
        self.where = Where(config.device, "usb")
        self._config = config
        self._blocking = blocking
        self._open_port = open_port
        self._find_owner = find_owner
        self._sysfs = sysfs

    @property
    def open_deadline_s(self) -> float:
        return PRESENCE_DEADLINE_S + OPEN_DEADLINE_S

    async def presence(self) -> Presence | None:
        """The printer's id as the kernel keeps it; NoReadingError when it is unplugged."""
        try:
            return await self._blocking.call("printer.sysfs", self._look, PRESENCE_DEADLINE_S)
        except TimeoutError:
            raise problems.open_hangs(self.where) from None
        except OSError as error:
            raise problems.not_opened(self.where, error) from error

    async def open(self) -> UsbPort:
        """The port, for one reading."""
        opening = Opening(self._open_or_owner, shut)
        try:
            return await self._blocking.call("printer.open", opening.run, OPEN_DEADLINE_S)
        except TimeoutError:
            opening.abandon()
            raise problems.open_hangs(self.where) from None
        except OSError as error:
            raise problems.not_opened(self.where, error) from error
        except BaseException:
            opening.abandon()
            raise

    async def owner(self) -> Owner | None:
        """The kernel lets nobody else in while we have it."""
        return None

    def _open_or_owner(self) -> UsbPort:
        try:
            return self._open_port(self._config)
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise BusyError(self._find_owner(self._config.device)) from error
            raise

    def _look(self) -> Presence:
        path = Path(self._config.device)
        path.stat()  # raises ENOENT: unplugged, the kernel takes the node away
        name = path.name if re.fullmatch(r"lp\d+", path.name) else path.resolve().name
        interface = (self._sysfs / "class" / "usbmisc" / name / "device").resolve()
        raw = _attribute(interface / "ieee1284_id")
        told = parse_id(raw)
        evidence = {
            "maker": told.maker or clean(_attribute(interface.parent / "manufacturer")),
            "model": told.model or clean(_attribute(interface.parent / "product")),
            "serial": told.serial or clean(_attribute(interface.parent / "serial")),
            "usb_id": _usb_id(interface.parent),
            "commands": ",".join(told.commands),
        }
        known = {name: value for name, value in evidence.items() if value}
        return Presence(tells=True, device_id=told if raw else None, evidence=known)


def _attribute(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _usb_id(device: Path) -> str:
    vendor, product = (clean(_attribute(device / name)) for name in ("idVendor", "idProduct"))
    return f"{vendor}:{product}" if vendor and product else ""


def _port_status(fd: int) -> int | None:
    told = array.array("i", [0])
    try:
        fcntl.ioctl(fd, LPGETSTATUS, told)
    except OSError:
        return None  # no such request: a driver of another kind, or a printer that refuses it
    return told[0]
