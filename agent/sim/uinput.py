"""A keypad the kernel believes in: a device of /dev/uinput, where there is one and we may use it.

Whoever opens it meets the real input layer: capabilities in /sys, EVIOCGKEY, removal.
The link at `path` stands for what udev's by-id would be. Needs write access to /dev/uinput.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Sequence
from pathlib import Path

UINPUT = Path("/dev/uinput")
NAME = "posagent simulated keypad"
_EV_KEY, _EV_MSC = 1, 4
_MSC_SCAN = 4
_UI_SET_EVBIT, _UI_SET_KEYBIT, _UI_SET_MSCBIT = 0x40045564, 0x40045565, 0x40045568
_UI_DEV_SETUP, _UI_DEV_CREATE, _UI_DEV_DESTROY = 0x405C5503, 0x5501, 0x5502
_SYSNAME_BYTES = 64
_UI_GET_SYSNAME = 2 << 30 | _SYSNAME_BYTES << 16 | ord("U") << 8 | 44
#: bus (virtual), vendor, product, version, name, ff_effects_max
_SETUP = struct.Struct("=HHHH80sI")


class UinputLine:
    """Events go to the kernel, which makes a device of them and a link to it at `path`."""

    def __init__(self, path: Path, keys: Sequence[int], name: str = NAME) -> None:
        self.path = path
        self._keys = keys
        self._name = name
        self._fd = -1

    @property
    def plugged(self) -> bool:
        return self._fd >= 0

    async def plug(self) -> None:
        """Make the device. Raises OSError where the kernel has no uinput or does not let us."""
        if self._fd >= 0:
            return
        fd = os.open(UINPUT, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            for kind in (_EV_KEY, _EV_MSC):
                fcntl.ioctl(fd, _UI_SET_EVBIT, kind)
            fcntl.ioctl(fd, _UI_SET_MSCBIT, _MSC_SCAN)
            for key in self._keys:
                fcntl.ioctl(fd, _UI_SET_KEYBIT, key)
            fcntl.ioctl(fd, _UI_DEV_SETUP, _SETUP.pack(6, 0x1209, 1, 1, self._name.encode(), 0))
            fcntl.ioctl(fd, _UI_DEV_CREATE)
            node = Path("/dev/input") / _event_of(fd)
            fresh = self.path.with_name(f".{self.path.name}.{os.getpid()}")
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(node)
            fresh.replace(self.path)
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd

    def unplug(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            fcntl.ioctl(fd, _UI_DEV_DESTROY)
            os.close(fd)
            self.path.unlink(missing_ok=True)

    def send(self, events: bytes) -> None:
        """The kernel puts its own time into them, and ignores what a keyboard cannot send."""
        if self._fd >= 0:
            os.write(self._fd, events)


def _event_of(fd: int) -> str:
    """The name of the device's node, such as event5."""
    called = bytearray(_SYSNAME_BYTES)
    fcntl.ioctl(fd, _UI_GET_SYSNAME, called)
    device = Path("/sys/class/input") / called.rstrip(b"\0").decode()
    return next(device.glob("event*")).name
