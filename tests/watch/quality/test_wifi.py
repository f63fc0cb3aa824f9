"""Wi-Fi by nl80211, with the kernel's side played in bytes, and by the old file behind it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.watch.drivers import nl80211
from agent.watch.drivers.nl80211 import Message
from agent.watch.quality.facts import NotReadable, RadioFacts
from agent.watch.quality.wifi import Exchange, WifiSource, netlink
from tests.fakes import FakeClock, Straight
from tests.watch.drivers.netlink_bytes import attribute, done, interface, message, station

LINES = " head\n head | x\n wlan0: 0000   54.  -56.  -256  0 0 0 0 0 2\n"


class Kernel:
    """Answers requests with the bytes of a machine with one radio, and one access point of ours."""

    def __init__(self, *stations: bytes, family: bool = True, error: int = 0) -> None:
        self.stations = stations
        self.family = family
        self.error = error
        self.asked: list[int] = []

    @contextmanager
    def opened(self) -> Iterator[Exchange]:
        yield self.exchange

    def exchange(self, request: bytes) -> Sequence[Message]:
        sequence, command = nl80211.sequence_of(request), request[16]
        self.asked.append(command)
        if self.error:
            raise OSError(self.error, "Operation not permitted")
        if command == nl80211.CTRL_CMD_GETFAMILY:
            number = attribute(1, b"\x1c\x00") if self.family else b""
            return nl80211.decode(message(0x10, sequence, 1, number))
        if command == nl80211.CMD_GET_INTERFACE:
            both = interface() + b"", interface("ap0", kind=3, index=4)
            told = [message(28, sequence, 7, one) for one in both]
        else:
            told = [message(28, sequence, 19, one) for one in self.stations]
        return nl80211.decode(b"".join(told) + done(sequence))


def source(kernel: Kernel, root: Path, *, names: bool = False) -> WifiSource:
    return WifiSource(Straight(), FakeClock(), names=names, root=root, opened=kernel.opened)


def read(kernel: Kernel, root: Path, *, names: bool = False) -> list[RadioFacts | NotReadable]:
    return list(asyncio.run(source(kernel, root, names=names).read()))


def wireless(root: Path) -> Path:
    (root / "proc/net").mkdir(parents=True)
    (root / "proc/net/wireless").write_text(LINES)
    return root


def test_a_joined_station(tmp_path: Path) -> None:
    """The average is believed before the moment; our own access point is not looked at."""
    (told,) = read(Kernel(station(-54, -57)), tmp_path)
    assert isinstance(told, RadioFacts)
    assert (told.interface, told.associated, told.rssi_dbm) == ("wlan0", True, -57)
    assert (told.frequency_mhz, told.bitrate_kbps, told.beacon_losses) == (5180, 866_700, 4)
    assert (told.ssid, told.bssid) == ("", "")


def test_names_are_told_only_where_asked_for(tmp_path: Path) -> None:
    """[signal] names = true: the network's name and the access point's address."""
    (told,) = read(Kernel(station()), tmp_path, names=True)
    assert isinstance(told, RadioFacts)
    assert (told.ssid, told.bssid) == ("店铺", "0a:1b:2c:3d:4e:5f")


def test_not_joined(tmp_path: Path) -> None:
    """Without an access point there is no signal, and the old file's figure is not believed."""
    (told,) = read(Kernel(), wireless(tmp_path))
    assert isinstance(told, RadioFacts)
    assert (told.associated, told.rssi_dbm) == (False, None)


def test_a_driver_without_dbm(tmp_path: Path) -> None:
    """Where nl80211 has no figure the old file may have one."""
    (told,) = read(Kernel(station(0, None)), wireless(tmp_path))
    assert isinstance(told, RadioFacts)
    assert (told.source, told.rssi_dbm, told.beacon_losses) == ("wireless", -56, 2)


@pytest.mark.parametrize("kernel", [Kernel(family=False), Kernel(error=errno.EPERM)])
def test_without_nl80211(tmp_path: Path, kernel: Kernel) -> None:
    """The old file where there is one; else a sentence, never a fault of the radio."""
    (told,) = read(kernel, tmp_path)
    assert isinstance(told, NotReadable)
    assert told.reason.startswith("nl80211 cannot be asked: ")
    (old,) = read(kernel, wireless(tmp_path))
    assert isinstance(old, RadioFacts)
    assert (old.source, old.rssi_dbm, old.associated) == ("wireless", -56, True)


def test_the_family_is_asked_for_once(tmp_path: Path) -> None:
    """Its number is kept between looks."""
    kernel = Kernel(station())

    async def twice() -> None:
        one = source(kernel, tmp_path)
        await one.read()
        await one.read()

    asyncio.run(twice())
    assert kernel.asked.count(nl80211.CTRL_CMD_GETFAMILY) == 1


def test_the_real_kernel_answers() -> None:
    """A real netlink socket: the controller answers, with nl80211's number or that it has none."""
    with netlink() as exchange:
        found: list[int | None] = [0]
        with contextlib.suppress(FileNotFoundError):  # no wireless stack in this kernel
            found = [nl80211.family_of(one) for one in exchange(nl80211.ask_family(1))]
        assert found[0] is not None
        # A family every kernel has, to be sure that the bytes are right.
        asked = nl80211.ask_family(2).replace(b"nl80211\0", b"nlctrl\0\0")
        (told,) = exchange(asked.replace(b"\x0c\x00\x02\x00nl", b"\x0b\x00\x02\x00nl"))
        assert nl80211.family_of(told) == nl80211.GENL_ID_CTRL
