"""The kernel's own word that a device came or went (NETLINK_KOBJECT_UEVENT).

Decides what a datagram says and whether this process can hear the kernel at all; who has to look
at what is `agent.watch.discovery.hotplug`. The parser is pure. A socket costs nothing while nothing
happens, where polling would wake the terminal every second.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path

from agent.record import dataclass

#: linux/netlink.h; not in `socket`.
NETLINK_KOBJECT_UEVENT = 15
#: The kernel's own messages. Group 2 is udev's, after its rules were applied.
KERNEL_GROUP = 1
#: lib/kobject_uevent.c: UEVENT_BUFFER_SIZE is 2048; systemd allows the same four times over.
MAX_BYTES = 8_192
#: A burst of a docking station with twenty functions is some 100 messages.
RECEIVE_BUFFER_BYTES = 131_072


@dataclass(frozen=True, slots=True, kw_only=True)
class Uevent:
    """One message: what happened to which device."""

    action: str  #: add, remove, change, move, online, offline, bind, unbind
    path: str  #: below the sysfs root, begins with /devices
    subsystem: str
    node: str = ""  #: name below /dev, as `ttyUSB0` or `bus/usb/001/004`; "" without a node
    driver: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


class UeventsError(Exception):
    """The kernel cannot be heard here; the text says why."""


def parse(datagram: bytes) -> Uevent | None:
    """What the kernel said; None for what is not the kernel's form (udev's, or torn)."""
    head, *rest = datagram.split(b"\0")
    action, at, path = head.partition(b"@")
    if not at or not path.startswith(b"/") or not action.isalpha():
        return None
    fields: dict[str, str] = {}
    for line in rest:
        name, equals, value = line.partition(b"=")
        if equals:
            fields[name.decode("ascii", "replace")] = value.decode("utf-8", "replace")
    # Head and fields are written apart: where they differ, this is no message of the kernel's.
    if fields.get("ACTION", "") != action.decode("ascii") or "SUBSYSTEM" not in fields:
        return None
    return Uevent(
        action=fields["ACTION"],
        path=path.decode("utf-8", "replace"),
        subsystem=fields["SUBSYSTEM"],
        node=fields.get("DEVNAME", "").removeprefix("/dev/"),
        driver=fields.get("DRIVER", ""),
        fields=fields,
    )


def listen(uid_map: Path = Path("/proc/self/uid_map")) -> socket.socket:
    """A socket on which the kernel is heard. Raises UeventsError where it is not.

    Inside a user namespace of its own a socket can be bound, but the kernel tells it nothing
    (uevent_net_broadcast: only namespaces of the first user namespace).
    """
    if _in_a_namespace(uid_map):
        raise UeventsError("the kernel does not tell containers with users of their own")
    try:
        heard = socket.socket(
            socket.AF_NETLINK,
            socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK,
            NETLINK_KOBJECT_UEVENT,
        )
    except (OSError, AttributeError) as error:
        raise UeventsError(f"no kernel messages here ({error})") from error
    try:
        heard.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        heard.bind((0, KERNEL_GROUP))
    except OSError as error:
        heard.close()
        raise UeventsError(f"kernel messages may not be heard ({error})") from error
    return heard


def received(heard: socket.socket) -> Iterator[Uevent | None]:
    """What has come in; None where messages were lost, so that anything may have happened."""
    while True:
        try:
            datagram, sender = heard.recvfrom(MAX_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            yield None
            continue
        # A root process may write to us as well; the kernel is the one with the port id 0.
        if sender[0] == 0 and (said := parse(datagram)) is not None:
            yield said


def _in_a_namespace(uid_map: Path) -> bool:
    try:
        lines = uid_map.read_text("ascii").split()
    except OSError:
        return False
    return lines[:3] != ["0", "0", "4294967295"]
