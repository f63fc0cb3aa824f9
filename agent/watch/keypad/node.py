"""Where the keypad is, whether it may be read at all, and the few questions its driver answers.

Decides from /sys, without opening anything, whether a device is there, is a keypad, and is not one
on which PINs are entered. Opening asks the driver only for what it is and which keys are down; it
is never grabbed, so nobody else misses a key. Called by `agent.watch.keypad.watcher` and by the
guided test; everything here may block for as long as a driver does.

`ask` is the seam for tests: `fcntl.ioctl` where there is a kernel behind the descriptor. A unix
socket that carries input events (a vendor's service, a simulator) has none and is asked nothing.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import socket
import stat
import struct
import time
from collections.abc import Callable
from pathlib import Path

from agent.config.devices import Keypad
from agent.record import dataclass
from agent.watch.drivers import evdev
from agent.watch.kernel_files import text

Ask = Callable[[int, int, bytearray], object]

SYS = Path("/sys/class/input")
DEV = Path("/dev/input")
#: Names of devices that take PINs. What hides it must be declared: [keypad] read = "never".
PIN_PAD = re.compile(
    r"pin[ _-]?(pad|entry|keypad)|(?<![a-z])(ped|epp|sped)(?![a-z])|encrypt|密码", re.IGNORECASE
)


@dataclass(eq=False)
class NoKeypadError(Exception):
    """Nothing to read from. `finding` is one word, `reason` the sentence a person reads."""

    finding: str
    reason: str
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A keypad that is there."""

    path: Path
    name: str = ""  #: as its driver calls it; "" where nobody tells
    kernel: bool = True  #: a device of the kernel; False: a socket carrying events


def locate(config: Keypad, sys: Path = SYS, dev: Path = DEV) -> Place | None:
    """The keypad that is configured; None when it is not there. Opens nothing.

    Raises NoKeypadError for what is there and is no keypad, or is one that takes PINs.
    """
    place = _by_path(Path(config.device), sys) if config.device else _by_name(config.name, sys, dev)
    if place is not None and (
        config.read == "never" or (config.read == "auto" and PIN_PAD.search(place.name))
    ):
        raise NoKeypadError("pin_pad", f"PINs are entered on {place.name or place.path}")
    return place


def _by_path(path: Path, sys: Path) -> Place | None:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _problem(path, error) from error
    if stat.S_ISSOCK(mode):
        return Place(path=path, kernel=False)
    if not stat.S_ISCHR(mode):
        raise _not_input(path)
    described = sys / path.resolve().name / "device"
    keys = _keys(described)
    if keys is not None and not evdev.has_digits(keys):
        raise _not_a_keypad(path)
    return Place(path=path, name=text(described / "name"))


def _by_name(name: str, sys: Path, dev: Path) -> Place | None:
    """The first with digits whose name contains `name`."""
    for node in sorted(sys.glob("event*"), key=lambda node: (len(node.name), node.name)):
        called = text(node / "device" / "name")
        if name.casefold() in called.casefold() and evdev.has_digits(
            _keys(node / "device") or frozenset()
        ):
            return Place(path=dev / node.name, name=called)
    return None


def _keys(described: Path) -> frozenset[int] | None:
    """The keys a device says it has; None where /sys does not tell."""
    try:
        return evdev.keys_of_sysfs(text(described / "capabilities" / "key")) or None
    except ValueError:
        return None


def hidden(config: Keypad) -> bool:
    """Whether the payment app says that a PIN is being entered; yes, where that cannot be seen."""
    if not config.pause_file:
        return False
    try:
        os.stat(config.pause_file)  # noqa: PTH116 - asked before every read: no object for it
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


class Node:
    """An open keypad: a descriptor that does not block, and what its driver can be asked."""

    def __init__(self, fd: int, kernel: bool, ask: Ask) -> None:
        self.fd = fd
        self._kernel = kernel
        self._ask = ask

    def down(self) -> frozenset[int]:
        """The keys that are down now; none where nobody can be asked. Raises OSError."""
        if not self._kernel:
            return frozenset()
        bitmap = bytearray(evdev.KEY_BYTES)
        self._ask(self.fd, evdev.EVIOCGKEY, bitmap)
        keys = evdev.keys_of(bitmap)
        evdev.wipe(bitmap)
        return keys

    def keys(self) -> frozenset[int]:
        """The keys it has; none where nobody can be asked. Raises OSError."""
        if not self._kernel:
            return frozenset()
        bitmap = bytearray(evdev.KEY_BYTES)
        self._ask(self.fd, evdev.EVIOCGBIT_KEY, bitmap)
        return evdev.keys_of(bitmap)

    def close(self) -> None:
        """Let go of it."""
        os.close(self.fd)


def open_node(config: Keypad, place: Place, ask: Ask = fcntl.ioctl) -> Node:
    """Open it for reading, never grabbing it. Raises NoKeypadError."""
    try:
        fd = _open(place)
    except OSError as error:
        raise _problem(place.path, error) from error
    node = Node(fd, place.kernel, ask)
    try:
        if place.kernel:
            _examine(config, place, node, ask)
    except BaseException:
        node.close()
        raise
    return node


def _open(place: Place) -> int:
    if place.kernel:
        return os.open(place.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.setblocking(False)
        line.connect(str(place.path))
        return line.detach()


def _examine(config: Keypad, place: Place, node: Node, ask: Ask) -> None:
    """What /sys did not tell is asked of the driver, before a single event is read."""
    try:
        if not place.name and config.read == "auto":
            called = bytearray(256)
            ask(node.fd, evdev.EVIOCGNAME, called)
            if PIN_PAD.search(called.rstrip(b"\0").decode("utf-8", "replace")):
                raise NoKeypadError("pin_pad", f"PINs are entered on {place.path}")
        if not evdev.has_digits(node.keys()):
            raise _not_a_keypad(place.path)
    except OSError as error:
        if error.errno == errno.ENODEV:
            raise _problem(place.path, error) from error
        raise _not_input(place.path) from error
    try:
        ask(node.fd, evdev.EVIOCSCLOCKID, bytearray(struct.pack("=i", time.CLOCK_MONOTONIC)))
    except OSError:
        return  # before Linux 3.4: a stepped wall clock may then hide or make one bounce


def _problem(path: Path, error: OSError) -> NoKeypadError:
    match error.errno:
        case errno.EPERM:  # of the device's own mode it would be EACCES
            return NoKeypadError(
                "permission",
                f"the sandbox the agent runs in does not let it open {path}: allow the device "
                "there (systemd: DeviceAllow= by `systemctl edit posagent`), and restart the agent",
            )
        case errno.EACCES:
            return NoKeypadError(
                "permission",
                f"no right to read {path}: add the agent's user to the group that owns it, "
                "usually input, and restart the agent",
            )
        case errno.ENOENT | errno.ENODEV | errno.ENXIO | errno.ECONNREFUSED:
            return NoKeypadError("gone", f"{path} is not there")
    return NoKeypadError("open_failed", f"{path} cannot be opened: {error.strerror or error}")


def _not_input(path: Path) -> NoKeypadError:
    return NoKeypadError(
        "not_input",
        f"{path} is not an input device: check [keypad] device",
        "device.interface_mismatch",
    )


def _not_a_keypad(path: Path) -> NoKeypadError:
    return NoKeypadError(
        "not_a_keypad",
        f"{path} has no ten digit keys, so it is no keypad: check [keypad] device",
        "device.interface_mismatch",
    )
