"""Netlink messages as the kernel sends them, laid out by hand after its headers."""

from __future__ import annotations

import struct


def attribute(kind: int, content: bytes, flags: int = 0) -> bytes:
    length = 4 + len(content)
    return struct.pack("=HH", length, kind | flags) + content + bytes(-length % 4)


def message(kind: int, sequence: int, command: int, body: bytes) -> bytes:
    told = struct.pack("=BBH", command, 1, 0) + body
    return struct.pack("=IHHII", 16 + len(told), kind, 2, sequence, 4711) + told


def done(sequence: int) -> bytes:
    return struct.pack("=IHHIIi", 20, 3, 2, sequence, 4711, 0)


def refused(sequence: int, number: int) -> bytes:
    return struct.pack("=IHHIIi", 36, 2, 0, sequence, 4711, -number) + bytes(16)


def interface(name: str = "wlan0", kind: int = 2, index: int = 3) -> bytes:
    return b"".join(
        (
            attribute(3, struct.pack("=I", index)),
            attribute(4, name.encode() + b"\0"),
            attribute(5, struct.pack("=I", kind)),
            attribute(38, struct.pack("=I", 5180)),
            attribute(52, "店铺".encode()),
        )
    )


def station(signal: int = -54, average: int | None = -57) -> bytes:
    info = attribute(1, struct.pack("=I", 120)) + attribute(7, struct.pack("=b", signal))
    if average is not None:
        info += attribute(13, struct.pack("=b", average))
    rate = attribute(1, struct.pack("=H", 1300)) + attribute(5, struct.pack("=I", 8667))
    info += attribute(8, rate, 0x8000)
    for kind, count in ((10, 1000), (11, 50), (12, 2), (16, 3600), (18, 4)):
        info += attribute(kind, struct.pack("=I", count))
    return attribute(6, bytes.fromhex("0a1b2c3d4e5f")) + attribute(21, info, 0x8000)
