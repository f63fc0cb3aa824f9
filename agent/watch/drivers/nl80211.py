"""What Linux' wireless stack says of a station, as generic netlink carries it: bytes both ways.

Encodes the three questions (which number the family has, which interfaces there are, what an
interface hears) and decodes the answers. Numbers are those of <linux/nl80211.h>, <linux/netlink.h>
and <linux/genetlink.h>; byte order is the machine's own. Refuses to know sockets; `wifi` has one.
Never raises on what the kernel, or anybody in its place, may send: what is cut short is left out.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Mapping
from typing import Literal

from agent.record import dataclass
from agent.watch.drivers.wireless import dbm

FAMILY = "nl80211"
NETLINK_GENERIC = 16
#: The controller, which knows the numbers of all families, has a fixed one.
GENL_ID_CTRL = 0x10
CTRL_CMD_GETFAMILY = 3
CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 1, 2

NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_DUMP = 0x01, 0x300

CMD_GET_INTERFACE, CMD_NEW_INTERFACE = 5, 7
CMD_GET_STATION, CMD_NEW_STATION = 17, 19
ATTR_IFINDEX, ATTR_IFNAME, ATTR_IFTYPE, ATTR_MAC = 3, 4, 5, 6
ATTR_STA_INFO, ATTR_WIPHY_FREQ, ATTR_SSID = 21, 38, 52
IFTYPE_STATION = 2

STA_INACTIVE_TIME, STA_SIGNAL, STA_TX_BITRATE, STA_TX_PACKETS = 1, 7, 8, 10
STA_TX_RETRIES, STA_TX_FAILED, STA_SIGNAL_AVG = 11, 12, 13
STA_CONNECTED_TIME, STA_BEACON_LOSS, STA_BEACON_SIGNAL_AVG = 16, 18, 30
RATE_BITRATE, RATE_BITRATE32 = 1, 5

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_GENERIC = struct.Struct("=BBH")  # command, version, reserved
_ATTRIBUTE = struct.Struct("=HH")  # length, type
_TYPE_MASK = 0x3FFF  # without the flags for nested and network byte order


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One netlink message. `error` is set where the kernel refuses (a positive errno)."""

    kind: int
    sequence: int
    command: int = 0
    attributes: Mapping[int, bytes] | None = None
    error: int = 0

    @property
    def last(self) -> bool:
        """Whether nothing follows it."""
        return self.kind in (NLMSG_DONE, NLMSG_ERROR)


@dataclass(frozen=True, slots=True, kw_only=True)
class WirelessInterface:
    """An interface of the wireless stack."""

    index: int
    name: str
    station: bool  #: a client of an access point, not one itself
    frequency_mhz: int | None
    ssid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """The access point as an interface hears it. `signal` only where the driver has dBm."""

    bssid: str
    signal_dbm: float | None
    signal_avg_dbm: float | None
    bitrate_kbps: int | None
    tx_packets: int | None
    tx_retries: int | None
    tx_failed: int | None
    beacon_losses: int | None
    connected_s: int | None
    inactive_ms: int | None


def ask_family(sequence: int) -> bytes:
    """Which number nl80211 has on this machine."""
    name = _attribute(CTRL_ATTR_FAMILY_NAME, FAMILY.encode() + b"\0")
    return _request(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, sequence, name)


def ask_interfaces(family: int, sequence: int) -> bytes:
    """All interfaces."""
    return _request(family, CMD_GET_INTERFACE, sequence, dump=True)


def ask_stations(family: int, sequence: int, interface_index: int) -> bytes:
    """Everybody the interface talks to; a client talks to one access point."""
    index = _attribute(ATTR_IFINDEX, struct.pack("=I", interface_index))
    return _request(family, CMD_GET_STATION, sequence, index, dump=True)


def sequence_of(request: bytes) -> int:
    """The number the answers to a request carry."""
    return int(_HEADER.unpack_from(request)[3])


def is_dump(request: bytes) -> bool:
    """Whether a request has many answers, the last of which says so."""
    return bool(_HEADER.unpack_from(request)[2] & NLM_F_DUMP)


def decode(received: bytes) -> list[Message]:
    """The messages of one datagram, up to the first that is cut short."""
    found: list[Message] = []
    place = 0
    while place + _HEADER.size <= len(received):
        length, kind, _, sequence, _ = _HEADER.unpack_from(received, place)
        if length < _HEADER.size or place + length > len(received):
            break
        found.append(_message(kind, sequence, received[place + _HEADER.size : place + length]))
        place += _aligned(length)
    return found


def family_of(message: Message) -> int | None:
    """The number of the family, out of the controller's answer."""
    return _unsigned((message.attributes or {}).get(CTRL_ATTR_FAMILY_ID), 2)


def interface_of(message: Message) -> WirelessInterface | None:
    """The interface this message is about; None where it is about none."""
    told = message.attributes or {}
    index = _unsigned(told.get(ATTR_IFINDEX), 4)
    if message.command != CMD_NEW_INTERFACE or index is None or ATTR_IFNAME not in told:
        return None
    return WirelessInterface(
        index=index,
        name=told[ATTR_IFNAME].split(b"\0")[0].decode("ascii", "replace")[:15],
        station=_unsigned(told.get(ATTR_IFTYPE), 4) == IFTYPE_STATION,
        frequency_mhz=_unsigned(told.get(ATTR_WIPHY_FREQ), 4),
        ssid=told.get(ATTR_SSID, b"")[:32].decode("utf-8", "replace"),
    )


def station_of(message: Message) -> Station | None:
    """The station this message is about; None where it is about none."""
    told = message.attributes or {}
    if message.command != CMD_NEW_STATION or ATTR_STA_INFO not in told:
        return None
    info = attributes(told[ATTR_STA_INFO])
    rate = attributes(info.get(STA_TX_BITRATE, b""))
    bits = _unsigned(rate.get(RATE_BITRATE32), 4) or _unsigned(rate.get(RATE_BITRATE), 2)
    average = _signal(info.get(STA_SIGNAL_AVG))
    return Station(
        bssid=told.get(ATTR_MAC, b"")[:6].hex(":"),
        signal_dbm=_signal(info.get(STA_SIGNAL)),
        signal_avg_dbm=average if average is not None else _signal(info.get(STA_BEACON_SIGNAL_AVG)),
        bitrate_kbps=bits * 100 if bits else None,
        tx_packets=_unsigned(info.get(STA_TX_PACKETS), 4),
        tx_retries=_unsigned(info.get(STA_TX_RETRIES), 4),
        tx_failed=_unsigned(info.get(STA_TX_FAILED), 4),
        beacon_losses=_unsigned(info.get(STA_BEACON_LOSS), 4),
        connected_s=_unsigned(info.get(STA_CONNECTED_TIME), 4),
        inactive_ms=_unsigned(info.get(STA_INACTIVE_TIME), 4),
    )


def frequency_band(frequency_mhz: int | None) -> str:
    """`2.4 GHz`, `5 GHz`, `6 GHz`; "" where that is not known."""
    match frequency_mhz:
        case int(mhz) if 2_400 <= mhz < 2_500:
            return "2.4 GHz"
        case int(mhz) if 4_900 <= mhz < 5_925:
            return "5 GHz"
        case int(mhz) if 5_925 <= mhz < 7_125:
            return "6 GHz"
        case _:
            return ""


def attributes(received: bytes) -> dict[int, bytes]:
    """Type -> content, up to the first that is cut short."""
    found: dict[int, bytes] = {}
    place = 0
    while place + _ATTRIBUTE.size <= len(received):
        length, kind = _ATTRIBUTE.unpack_from(received, place)
        if length < _ATTRIBUTE.size or place + length > len(received):
            break
        found[kind & _TYPE_MASK] = received[place + _ATTRIBUTE.size : place + length]
        place += _aligned(length)
    return found


def _message(kind: int, sequence: int, body: bytes) -> Message:
    if kind == NLMSG_ERROR:
        code = int.from_bytes(body[:4], _ORDER, signed=True) if len(body) >= 4 else 0
        return Message(kind=kind, sequence=sequence, error=-code if code < 0 else 0)
    if kind == NLMSG_DONE or len(body) < _GENERIC.size:
        return Message(kind=kind, sequence=sequence)
    command, _, _ = _GENERIC.unpack_from(body)
    told = attributes(body[_GENERIC.size :])
    return Message(kind=kind, sequence=sequence, command=command, attributes=told)


def _request(
    kind: int, command: int, sequence: int, body: bytes = b"", dump: bool = False
) -> bytes:
    flags = NLM_F_REQUEST | (NLM_F_DUMP if dump else 0)
    told = _GENERIC.pack(command, 1, 0) + body
    return _HEADER.pack(_HEADER.size + len(told), kind, flags, sequence, 0) + told


def _attribute(kind: int, content: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(content)
    return _ATTRIBUTE.pack(length, kind) + content + bytes(_aligned(length) - length)


def _unsigned(content: bytes | None, size: int) -> int | None:
    if content is None or len(content) != size:
        return None
    return int.from_bytes(content, _ORDER)


def _signal(content: bytes | None) -> float | None:
    """A signed byte of dBm."""
    if content is None or len(content) != 1:
        return None
    return dbm(int.from_bytes(content, _ORDER, signed=True))


def _aligned(length: int) -> int:
    return (length + 3) & ~3


#: The kernel speaks the machine's own byte order.
_ORDER: Literal["little", "big"] = sys.byteorder
