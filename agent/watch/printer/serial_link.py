"""A printer on a serial line: opened exclusively, kept open, and never beside another program.

Decides whether the line is free before touching it (somebody else's descriptor, lock or lock file
is enough to leave it alone) and how it is set up. Opening is the one blocking call.
"""

from __future__ import annotations

import errno
import os
import stat
import termios
from collections.abc import Callable
from pathlib import Path

from agent.blocking import Blocking
from agent.config.devices import Printer
from agent.link.opening import Opening, number_of
from agent.link.owners import Owner, is_exclusive, owner_of
from agent.watch.printer import problems
from agent.watch.printer.ports import OpenPort, Port, Presence, shut
from agent.watch.printer.problems import BusyError, Where

OPEN_DEADLINE_S = 5.0

OwnerOf = Callable[[str], Owner | None]


def open_serial(config: Printer) -> Port:
    """Open the port exclusively. Blocking; raises OSError (also pyserial's) or termios.error."""
    import serial

    parity = {
        "none": serial.PARITY_NONE,
        "even": serial.PARITY_EVEN,
        "odd": serial.PARITY_ODD,
    }
    port = serial.Serial(
        config.device,
        baudrate=config.baud,
        parity=parity[config.parity],
        timeout=0,
        write_timeout=0,
        rtscts=config.flow == "rtscts",
        dsrdtr=config.flow == "dsrdtr",
        xonxoff=config.flow == "xonxoff",
        exclusive=True,
    )
    try:
        # pyserial sets VMIN=0, with which an empty line and a hung-up one read the same.
        attributes = termios.tcgetattr(port.fileno())
        attributes[6][termios.VMIN] = 1
        attributes[6][termios.VTIME] = 0
        termios.tcsetattr(port.fileno(), termios.TCSANOW, attributes)
        os.set_blocking(port.fileno(), False)
        # Root may open what another program has set to exclusive use; it must not.
        if is_exclusive(port.fileno()):
            raise BusyError(None)
    except BaseException:
        port.close()
        raise
    return port


class SerialLink:
    """The link over one serial line."""

    keeps_open = True

    def __init__(
        self,
        config: Printer,
        blocking: Blocking,
        open_port: OpenPort = open_serial,
        find_owner: OwnerOf = owner_of,
    ) -> None:
        self.where = Where(config.device, "serial")
        self._config = config
        self._blocking = blocking
        self._open_port = open_port
        self._find_owner = find_owner

    @property
    def open_deadline_s(self) -> float:
        return OPEN_DEADLINE_S

    async def presence(self) -> Presence | None:
        """Whether the device node is there."""
        try:
            _number(self._config.device)
        except OSError as error:
            raise problems.not_opened(self.where, error) from error
        return Presence()

    async def open(self) -> Port:
        """The port, ours alone."""
        opening = Opening(self._open_alone, shut)
        try:
            return await self._blocking.call("printer.open", opening.run, OPEN_DEADLINE_S)
        except TimeoutError:
            opening.abandon()
            raise problems.open_hangs(self.where) from None
        except (OSError, termios.error, ValueError) as error:
            raise problems.not_opened(self.where, error) from error
        except BaseException:
            opening.abandon()
            raise

    async def owner(self) -> Owner | None:
        """Another program that has the port open beside us."""
        try:
            return await self._blocking.call("printer.owner", self._other, OPEN_DEADLINE_S)
        except TimeoutError:
            return None

    def _open_alone(self) -> Port:
        if (owner := self._other()) is not None:
            raise BusyError(owner)
        try:
            return self._open_port(self._config)
        except (OSError, termios.error) as error:
            if number_of(error) in {errno.EBUSY, errno.EAGAIN}:
                raise BusyError(self._find_owner(self._config.device)) from error
            raise

    def _other(self) -> Owner | None:
        owner = self._find_owner(self._config.device)
        if owner is not None and owner.how == "open" and _is_pseudo(self._config.device):
            # Whoever made a pseudo terminal has this end open, too: that is no second reader.
            from agent.watch.printer.pseudo import user_of

            return user_of(self._config.device)
        return owner


def _is_pseudo(path: str) -> bool:
    """Unix98 slaves have the major numbers 136 to 143 (Linux devices.txt)."""
    try:
        return 136 <= os.major(_number(path)) <= 143
    except OSError:
        return False


def _number(path: str) -> int:
    """The number of a device node, 0 for anything else. Does not open it, so it does not block."""
    told = Path(path).stat()
    return told.st_rdev if stat.S_ISCHR(told.st_mode) else 0
