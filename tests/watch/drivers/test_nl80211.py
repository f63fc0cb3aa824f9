"""Generic netlink of the wireless stack, in bytes laid out by hand after the kernel's headers."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from agent.watch.drivers import nl80211
from agent.watch.drivers.nl80211 import Message
from tests.watch.drivers.netlink_bytes import attribute, done, interface, message, refused, station


def one(received: bytes) -> Message:
    (found,) = nl80211.decode(received)
    return found


def test_the_questions() -> None:
    """Byte for byte what the kernel takes: header, generic header, attributes."""
    assert (
        nl80211.ask_family(1)
        == struct.pack("=IHHII", 32, 0x10, 1, 1, 0)
        + struct.pack("=BBH", 3, 1, 0)
        + struct.pack("=HH", 12, 2)
        + b"nl80211\0"
    )
    assert nl80211.ask_interfaces(28, 2) == struct.pack("=IHHIIBBH", 20, 28, 0x301, 2, 0, 5, 1, 0)
    asked = nl80211.ask_stations(28, 7, 3)
    assert asked == struct.pack("=IHHIIBBHHHI", 28, 28, 0x301, 7, 0, 17, 1, 0, 8, 3, 3)
    assert (nl80211.sequence_of(asked), nl80211.is_dump(asked)) == (7, True)
    assert not nl80211.is_dump(nl80211.ask_family(1))


def test_the_number_of_the_family() -> None:
    """Out of the controller's answer."""
    told = message(0x10, 1, 1, attribute(2, b"nl80211\0") + attribute(1, struct.pack("=H", 28)))
    assert nl80211.family_of(one(told)) == 28


def test_an_interface() -> None:
    """Name, number, whether it is a station, channel and network."""
    found = nl80211.interface_of(one(message(28, 2, 7, interface())))
    assert found is not None
    assert (found.index, found.name, found.station) == (3, "wlan0", True)
    assert (found.frequency_mhz, found.ssid) == (5180, "店铺")
    other = nl80211.interface_of(one(message(28, 2, 7, interface("ap0", kind=3))))
    assert other is not None
    assert not other.station


def test_a_station() -> None:
    """Signal as signed dBm, rate in kbit/s by the wider field, counters."""
    found = nl80211.station_of(one(message(28, 3, 19, station())))
    assert found is not None
    assert (found.signal_dbm, found.signal_avg_dbm) == (-54, -57)
    assert (found.bitrate_kbps, found.connected_s, found.inactive_ms) == (866_700, 3600, 120)
    assert (found.tx_packets, found.tx_retries, found.tx_failed, found.beacon_losses) == (
        1000, 50, 2, 4,
    )  # fmt: skip
    assert found.bssid == "0a:1b:2c:3d:4e:5f"


def test_a_signal_that_can_be_none() -> None:
    """A driver that fills the field with zero, or with percent, has told nothing."""
    for nonsense in (0, 55, -5, -120):
        found = nl80211.station_of(one(message(28, 3, 19, station(nonsense, None))))
        assert found is not None
        assert found.signal_dbm is None


def test_several_messages_and_the_end() -> None:
    """A datagram holds many; done and errors are told apart."""
    received = message(28, 3, 7, interface()) + message(28, 3, 7, interface("wlan1")) + done(3)
    found = nl80211.decode(received)
    assert [each.last for each in found] == [False, False, True]
    error = one(refused(3, 19))
    assert (error.error, error.last) == (19, True)


@given(st.binary(max_size=300))
def test_no_bytes_break_it(received: bytes) -> None:
    """Whatever comes: messages up to the first that is cut short, never an exception."""
    for each in nl80211.decode(received):
        nl80211.family_of(each)
        nl80211.interface_of(each)
        nl80211.station_of(each)


@given(st.integers(0, 400), st.binary(max_size=8))
def test_an_answer_cut_or_overwritten_anywhere(place: int, noise: bytes) -> None:
    """A real answer with bytes missing or wrong is read as far as it goes."""
    whole = message(28, 3, 19, station()) + done(3)
    for received in (whole[:place], whole[:place] + noise + whole[place + len(noise) :]):
        for each in nl80211.decode(received):
            found = nl80211.station_of(each)
            if found is not None and found.signal_dbm is not None:
                assert -110 <= found.signal_dbm <= -10


def test_the_bands_of_frequencies() -> None:
    """By channel's middle; anything else is not known."""
    assert [nl80211.frequency_band(mhz) for mhz in (2412, 5180, 5955, 868, None)] == [
        "2.4 GHz", "5 GHz", "6 GHz", "", "",
    ]  # fmt: skip
