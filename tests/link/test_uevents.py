"""The kernel's messages are taken apart as it writes them, and nobody else's are believed."""

from __future__ import annotations

import os
import select
import socket
from pathlib import Path

import pytest

from agent.link.uevents import Uevent, UeventsError, listen, parse, received

#: In the form of lib/kobject_uevent.c: an FTDI adapter is plugged and pulled, a printer of the
#: printer class is plugged.
FTDI_TTY = (
    b"add@/devices/pci0000:00/0000:00:14.0/usb1/1-3/1-3:1.0/ttyUSB0/tty/ttyUSB0\0ACTION=add\0"
    b"DEVPATH=/devices/pci0000:00/0000:00:14.0/usb1/1-3/1-3:1.0/ttyUSB0/tty/ttyUSB0\0"
    b"SUBSYSTEM=tty\0MAJOR=188\0MINOR=0\0DEVNAME=ttyUSB0\0SEQNUM=4312\0"
)
FTDI_GONE = (
    b"unbind@/devices/pci0000:00/0000:00:14.0/usb1/1-3/1-3:1.0\0ACTION=unbind\0"
    b"DEVPATH=/devices/pci0000:00/0000:00:14.0/usb1/1-3/1-3:1.0\0SUBSYSTEM=usb\0"
    b"DEVTYPE=usb_interface\0PRODUCT=403/6001/600\0TYPE=0/0/0\0INTERFACE=255/255/255\0"
    b"MODALIAS=usb:v0403p6001d0600dc00dsc00dp00icFFiscFFipFFin00\0SEQNUM=4330\0"
)
PRINTER = (
    b"add@/devices/platform/soc/20980000.usb/usb1/1-1/1-1.4/1-1.4:1.0/usbmisc/lp0\0ACTION=add\0"
    b"DEVPATH=/devices/platform/soc/20980000.usb/usb1/1-1/1-1.4/1-1.4:1.0/usbmisc/lp0\0"
    b"SUBSYSTEM=usbmisc\0MAJOR=180\0MINOR=0\0DEVNAME=usb/lp0\0SEQNUM=1177\0"
)
#: Recorded on 6.18, asked for through sysfs.
BOARD = (
    b"add@/devices/pnp0/00:00/00:00:0/00:00:0.0/tty/ttyS0\0ACTION=add\0"
    b"DEVPATH=/devices/pnp0/00:00/00:00:0/00:00:0.0/tty/ttyS0\0SUBSYSTEM=tty\0SYNTH_UUID=0\0"
    b"MAJOR=4\0MINOR=64\0DEVNAME=ttyS0\0SEQNUM=1085\0"
)
UDEV = (
    b"libudev\0\xfe\xed\xca\xfe\x28\0\0\0\x28\0\0\0"
    b"ACTION=add\0SUBSYSTEM=tty\0DEVNAME=/dev/ttyUSB0\0"
)


@pytest.mark.parametrize(
    ("datagram", "action", "subsystem", "node"),
    [
        (FTDI_TTY, "add", "tty", "ttyUSB0"),
        (FTDI_GONE, "unbind", "usb", ""),
        (PRINTER, "add", "usbmisc", "usb/lp0"),
        (BOARD, "add", "tty", "ttyS0"),
    ],
)
def test_messages_are_taken_apart(datagram: bytes, action: str, subsystem: str, node: str) -> None:
    """Action, subsystem and node of messages as the kernel writes them."""
    event = parse(datagram)
    assert event is not None
    assert (event.action, event.subsystem, event.node) == (action, subsystem, node)
    assert event.path == event.fields["DEVPATH"]


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\0",
        b"add@",
        b"add",
        UDEV,
        b"add@/devices/x\0ACTION=remove\0SUBSYSTEM=tty\0",  # head and fields differ
        b"add@/devices/x\0ACTION=add\0",
        b"a\xffd@/devices/x\0ACTION=add\0SUBSYSTEM=tty\0",
        FTDI_TTY[:60],
    ],
)
def test_what_is_no_kernel_message_is_none(datagram: bytes) -> None:
    """udev's own form, torn and contradicting ones."""
    assert parse(datagram) is None


def test_no_prefix_of_a_message_raises() -> None:
    """However a message is torn, it is a shorter one or none."""
    for end in range(len(FTDI_GONE)):
        event = parse(FTDI_GONE[:end])
        assert event is None or event.action == "unbind"


def test_random_bytes_raise_nothing() -> None:
    """Whatever arrives, the loop goes on."""
    for _ in range(2_000):
        parse(os.urandom(40))
        parse(b"add@/" + os.urandom(20) + b"\0ACTION=add\0SUBSYSTEM=" + os.urandom(8))


def test_a_user_namespace_is_told_apart(tmp_path: Path) -> None:
    """A container's socket binds and stays silent for ever: better to be told."""
    (tmp_path / "uid_map").write_text("         0     100000      65536\n")
    with pytest.raises(UeventsError, match="containers"):
        listen(tmp_path / "uid_map")


def _kernel() -> socket.socket:
    try:
        return listen()
    except UeventsError as error:
        pytest.skip(f"kernel messages cannot be heard here: {error}")


def test_the_kernel_is_heard_and_a_process_is_not() -> None:
    """A change asked for through sysfs comes from the kernel; the same bytes of ours do not count.

    Skipped where sysfs cannot be written.
    """
    asked = Path("/sys/class/tty/tty/uevent")
    with _kernel() as heard:
        if not os.access(asked, os.W_OK):
            pytest.skip("sysfs cannot be written here")
        with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 15) as ours:
            ours.bind((0, 0))
            ours.sendto(PRINTER, (heard.getsockname()[0], 0))
        asked.write_text("change")
        found: list[Uevent | None] = []
        while not any(one and one.node == "tty" for one in found):
            assert select.select([heard], [], [], 5.0)[0], "nothing heard"
            found += received(heard)
        assert not any(one and one.node == "usb/lp0" for one in found)


def test_a_process_at_our_socket_is_not_believed() -> None:
    """Only the port id 0 is the kernel."""
    with _kernel() as heard, socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 15) as ours:
        ours.bind((0, 0))
        try:
            ours.sendto(PRINTER, (heard.getsockname()[0], 0))
        except OSError:
            pytest.skip("this user may not send such messages at all")
        assert select.select([heard], [], [], 5.0)[0]
        assert [one for one in received(heard) if one and one.node == "usb/lp0"] == []
