"""Zebra and Symbol scanners that speak SSI: packets, their checksum, and the revision string.

Decides where packets begin and end and what they say. Sends REQUEST_REVISION and nothing else, and
never acknowledges a code: an acknowledged code is one the scanner believes to have been taken, and
only the payment app can take it. Refuses to know ports and time.

A packet is: length (without checksum), opcode, source (0 decoder, 4 host), status, data, and the
two's complement of the sum of all these in two bytes, high byte first.
"""

from __future__ import annotations

from collections.abc import Iterator

from agent.record import dataclass
from agent.watch.drivers import scanning
from agent.watch.drivers.scanning import About, Counts, Dialect, Judgement, Question, Verdict

HOST, DECODER = 0x04, 0x00
REQUEST_REVISION, REPLY_REVISION = 0xA3, 0xA4
CMD_ACK, CMD_NAK = 0xD0, 0xD1
DECODE_DATA, EVENT = 0xF3, 0xF6
#: Status bits: sent once more; more packets follow.
RETRANSMIT, CONTINUED = 0x01, 0x02
#: Why a packet was not taken. Others are reserved.
NAK_CAUSES = {1: "checksum", 2: "bad_context", 6: "denied", 10: "cancelled"}
_HEADER = 4
_CHECKSUM = 2
#: Replies to questions that are not ours; everything else the decoder sends by itself.
_REPLIES = frozenset({0xA4, 0xC6, 0xD4, 0x80})


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet whose checksum is right."""

    opcode: int
    source: int
    status: int
    payload: bytes

    @property
    def retransmitted(self) -> bool:
        return bool(self.status & RETRANSMIT)

    @property
    def continued(self) -> bool:
        return bool(self.status & CONTINUED)


def packet(opcode: int, payload: bytes = b"", *, source: int = HOST, status: int = 0) -> bytes:
    """The bytes of one packet."""
    head = bytes((_HEADER + len(payload), opcode, source, status)) + payload
    return head + checksum(head)


def checksum(head: bytes) -> bytes:
    """Two's complement of the sum, in two bytes."""
    return (-sum(head) & 0xFFFF).to_bytes(2, "big")


def split(received: bytes) -> tuple[list[Packet], bytes]:
    """The packets, and the bytes that belong to none; an unfinished packet is among the latter."""
    packets: list[Packet] = []
    rest = bytearray()
    at = 0
    while at < len(received):
        found = _packet_at(received, at)
        if found is None:
            rest.append(received[at])
            at += 1
        else:
            packets.append(found)
            at += _HEADER + len(found.payload) + _CHECKSUM
    return packets, bytes(rest)


def _packet_at(received: bytes, at: int) -> Packet | None:
    length = received[at]
    end = at + length + _CHECKSUM
    if length < _HEADER or end > len(received) or received[at + 2] not in {HOST, DECODER}:
        return None
    head = received[at : at + length]
    if received[at + length : end] != checksum(head):
        return None
    return Packet(head[1], head[2], head[3], head[_HEADER:])


def judge(received: bytes) -> Judgement:
    """Whether `received`, everything since the request, answers it."""
    packets, rest = split(received)
    told = [one for one in packets if one.source == DECODER]
    loose = scanning.counted(rest) if not _unfinished(rest) else Counts()
    codes = list(_codes(told))
    counts = Counts(
        reads=loose.reads + codes.count(True),
        no_reads=loose.no_reads + codes.count(False),
        strange_bytes=loose.strange_bytes,
    )
    for one in told:
        match one.opcode:
            case opcode if opcode == REPLY_REVISION:
                return Judgement(verdict=Verdict.ANSWERED, about=parse(one.payload), counts=counts)
            case opcode if opcode == CMD_NAK:
                return Judgement(verdict=Verdict.REFUSED, counts=counts)
            case opcode if opcode in _REPLIES:
                return Judgement(verdict=Verdict.OTHER, counts=counts)
    return Judgement(verdict=Verdict.WAITING, counts=counts)


def _unfinished(rest: bytes) -> bool:
    """Whether this can be the beginning of a packet that is still on its way."""
    return (
        bool(rest)
        and _HEADER <= rest[0] > len(rest) - _CHECKSUM
        and all(byte == DECODER for byte in rest[2:3])
        and all(byte >= 0x80 for byte in rest[1:2])
    )


def _codes(packets: list[Packet]) -> Iterator[bool]:
    """For each code: whether it was read. The same one sent again is not another."""
    for one in packets:
        if one.opcode == DECODE_DATA and not one.retransmitted and not one.continued:
            # The first byte of the payload is the kind of code.
            yield one.payload[1:].rstrip(b"\r\n\t") != scanning.NO_READ


def parse(revision: bytes) -> About:
    """`S/W_REVISION BOARD_TYPE SCANNER_ID PGM_CHKSUM`, with a space between."""
    words = scanning.plain(revision).split()
    if not words:
        return About()
    return About(firmware=words[0], model=words[2] if len(words) > 2 else "")


def nak_cause(payload: bytes) -> str:
    """Why a packet was refused, in a word; `reserved` with the byte where nobody says."""
    if not payload:
        return "untold"
    return NAK_CAUSES.get(payload[0], f"reserved 0x{payload[0]:02x}")


class PacketCounter:
    """Counts codes in a stream of packets. Keeps sums and positions, never a byte of a code."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._at = 0
        self._length = 0
        self._head = [0, 0, 0]  # opcode, source, status
        self._sum = 0
        self._failed = True  # the code so far reads NR
        self._check = 0

    def feed(self, received: bytes) -> Counts:
        """What these bytes ended."""
        ended = [self._take(byte) for byte in received]
        return Counts(reads=ended.count(True), no_reads=ended.count(False))

    def quiet(self) -> Counts:
        """A packet that stopped half way never comes."""
        self._forget()
        return Counts()

    def _take(self, byte: int) -> bool | None:
        """True or False: this byte ended a code, read or not. None: it ended none."""
        at, self._at = self._at, self._at + 1
        if at == 0:
            if byte < _HEADER:
                self._forget()
                return None
            self._length, self._sum = byte, byte
            return None
        if at < self._length:
            self._sum += byte
            self._look(at, byte)
            return None
        self._check = self._check << 8 | byte
        if at < self._length + 1:
            return None
        return self._ended()

    def _look(self, at: int, byte: int) -> None:
        if at < _HEADER:
            self._head[at - 1] = byte
            return
        place = at - _HEADER - 1  # after the kind of code
        if place >= 0 and byte not in scanning.ENDS:
            self._failed &= place < len(scanning.NO_READ) and byte == scanning.NO_READ[place]

    def _ended(self) -> bool | None:
        opcode, source, status = self._head
        right = self._check == -self._sum & 0xFFFF
        long_enough = self._length >= _HEADER + 1 + len(scanning.NO_READ)
        failed = self._failed and long_enough
        self._forget()
        code = right and opcode == DECODE_DATA and source == DECODER
        return None if not code or status & (RETRANSMIT | CONTINUED) else not failed


DIALECT = Dialect(
    name="ssi",
    questions=(
        Question(
            name="REQUEST_REVISION",
            sent=packet(REQUEST_REVISION),
            judge=judge,
            # Without hardware handshake the first byte only wakes a sleeping scanner.
            again=packet(REQUEST_REVISION, status=RETRANSMIT),
        ),
    ),
    counter=PacketCounter,
)
