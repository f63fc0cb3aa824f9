"""DNS in bytes: one question about a name's addresses, and what a server says to it (RFC 1035).

Pure and strict: an answer is held against its question, and whatever does not fit is refused as
`BrokenAnswerError`, never guessed at. No cache, no EDNS, no sockets: `agent.link.resolver` asks for
a channel, `agent.watch.connectivity.names` to find out which server is well.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import field

from agent.record import dataclass

A, CNAME, AAAA, IN = 1, 5, 28, 1
FLAGS_ASKED = 0x0100  #: recursion desired
RESPONSE, OPCODE, TRUNCATED, RCODE = 0x8000, 0x7800, 0x0200, 0x000F
NO_ERROR, NAME_ERROR = 0, 3
#: More is no answer to a question about one name.
RECORDS_MAX = 64
ALIASES_MAX = 8
JUMPS_MAX = 16


class BrokenAnswerError(ValueError):
    """What came is no answer a server gives."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said to one question."""

    rcode: int
    truncated: bool
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Record:
    name: bytes
    kind: int
    value: bytes = field(repr=False)


def question(number: int, name: str, kind: int) -> bytes:
    """The bytes that ask for the addresses of a name. UnicodeError for what is no name."""
    head = struct.pack("!HHHHHH", number, FLAGS_ASKED, 1, 0, 0, 0)
    return head + _encoded(name) + struct.pack("!HH", kind, IN)


def answer(got: bytes, number: int, name: str, kind: int) -> Answer:
    """What the bytes say to this question. Raises BrokenAnswerError for all else."""
    try:
        said, flags, questions, answers, _, _ = struct.unpack_from("!HHHHHH", got)
        if said != number or not flags & RESPONSE or flags & OPCODE:
            raise BrokenAnswerError("it answers another question")
        rcode, truncated = flags & RCODE, bool(flags & TRUNCATED)
        if rcode != NO_ERROR and not questions:
            return Answer(rcode, truncated, ())  # some refuse without repeating what they refuse
        if questions != 1:
            raise BrokenAnswerError("it answers several questions or none")
        asked, at = _name(got, 12)
        asked_kind, asked_class = struct.unpack_from("!HH", got, at)
        if (asked, asked_kind, asked_class) != (_plain(_encoded(name)), kind, IN):
            raise BrokenAnswerError("it answers for another name")
        if truncated or rcode != NO_ERROR:
            return Answer(rcode, truncated, ())
        records = list(_records(got, at + 4, min(answers, RECORDS_MAX)))
    except (struct.error, IndexError) as error:
        raise BrokenAnswerError("it is cut off") from error
    return Answer(rcode, False, tuple(_addresses(records, asked, kind)))


def _addresses(records: Sequence[_Record], name: bytes, kind: int) -> Iterator[str]:
    aliases = {one.name: one.value for one in records if one.kind == CNAME}
    names = {name}
    for _ in range(ALIASES_MAX):
        if name not in aliases:
            break
        name = aliases[name]
        names.add(name)
    size, family = (4, socket.AF_INET) if kind == A else (16, socket.AF_INET6)
    for one in records:
        if one.kind == kind and one.name in names and len(one.value) == size:
            yield socket.inet_ntop(family, one.value)


def _records(got: bytes, at: int, count: int) -> Iterator[_Record]:
    for _ in range(count):
        name, at = _name(got, at)
        kind, group, _, size = struct.unpack_from("!HHIH", got, at)
        at += 10
        if at + size > len(got):
            raise BrokenAnswerError("it is cut off")
        value = got[at : at + size]
        if kind == CNAME:
            value, _ = _name(got, at)
        at += size
        if group == IN:
            yield _Record(name, kind, value)


def _name(got: bytes, at: int) -> tuple[bytes, int]:
    """A name in small letters, and where what follows it begins."""
    labels: list[bytes] = []
    after = 0
    for _ in range(JUMPS_MAX + 128):
        size = got[at]
        if size == 0:
            return b".".join(labels), after or at + 1
        if size & 0xC0 == 0xC0:
            after = after or at + 2
            target = (size & 0x3F) << 8 | got[at + 1]
            if target >= at:
                raise BrokenAnswerError("a name points forward")
            at = target
        elif size & 0xC0:
            raise BrokenAnswerError("a label of an unknown kind")
        else:
            label = got[at + 1 : at + 1 + size]
            if len(label) != size or sum(map(len, labels)) + size > 255:
                raise BrokenAnswerError("a name is cut off or too long")
            labels.append(label.lower())
            at += 1 + size
    raise BrokenAnswerError("a name does not end")


def _encoded(name: str) -> bytes:
    text = name.removesuffix(".")
    labels = (text if text.isascii() else text.encode("idna").decode("ascii")).split(".")
    if not all(0 < len(label) < 64 for label in labels) or len(text) > 253:
        raise UnicodeError(f"{name!r} is not a host name")
    return b"".join(bytes([len(one)]) + one.encode("ascii") for one in labels) + b"\0"


def _plain(encoded: bytes) -> bytes:
    return _name(encoded, 0)[0]
