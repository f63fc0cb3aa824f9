"""What a compiled file says of itself: for which machine, with which C library, how new.

Reads the header and the tables the dynamic loader reads, in plain Python: no tool of the target's
architecture is needed, and what a wheel's name promises is not believed.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

MAGIC = b"\x7fELF"
_DYNAMIC, _STRINGS, _VERSIONS_NEEDED = 6, 3, 0x6FFFFFFE
_NEEDED = 1


@dataclass(frozen=True)
class Compiled:
    """One shared object."""

    bits: int
    machine: int
    needed: tuple[str, ...]  # names of the libraries it asks for
    glibc: tuple[int, int]  # the newest interface of glibc it asks for; (0, 0) without one

    @property
    def libc(self) -> str:
        """`gnu`, `musl` or `android`; "" where the file asks for no C library."""
        for name in self.needed:
            if name == "libc.so.6":
                return "gnu"
            if name.startswith("libc.musl-"):
                return "musl"
            if name == "libc.so":
                return "android"
        return ""


@dataclass(frozen=True)
class _Section:
    kind: int
    offset: int
    size: int
    link: int
    count: int


def compiled(content: bytes) -> Compiled | None:
    """What `content` is; None where it is no compiled file. Only little-endian ones are known."""
    if content[:4] != MAGIC or content[5] != 1:
        return None
    wide = content[4] == 2
    (machine,) = struct.unpack_from("<H", content, 18)
    sections = _sections(content, wide=wide)
    needed: list[str] = []
    newest = (0, 0)
    for section in sections:
        if section.kind == _DYNAMIC:
            needed += _libraries(content, section, sections[section.link], wide=wide)
        if section.kind == _VERSIONS_NEEDED:
            newest = max([newest, *_versions(content, section, sections[section.link])])
    return Compiled(64 if wide else 32, machine, tuple(needed), newest)


def _sections(content: bytes, *, wide: bool) -> list[_Section]:
    at, form = (40, "<Q") if wide else (32, "<I")
    (offset,) = struct.unpack_from(form, content, at)
    size, count = struct.unpack_from("<HH", content, 58 if wide else 46)
    found = []
    for number in range(count):
        start = offset + number * size
        if wide:
            _, kind, _, _, place, length, link, info = struct.unpack_from(
                "<IIQQQQII", content, start
            )
        else:
            _, kind, _, _, place, length, link, info = struct.unpack_from("<8I", content, start)
        found.append(_Section(kind, place, length, link, info))
    return found


def _text(content: bytes, strings: _Section, at: int) -> str:
    start = strings.offset + at
    return content[start : content.index(b"\0", start)].decode("ascii", "replace")


def _libraries(content: bytes, dynamic: _Section, strings: _Section, *, wide: bool) -> list[str]:
    form = "<QQ" if wide else "<II"
    body = content[dynamic.offset : dynamic.offset + dynamic.size]
    body = body[: len(body) - len(body) % struct.calcsize(form)]
    pairs = struct.iter_unpack(form, body)
    return [_text(content, strings, value) for tag, value in pairs if tag == _NEEDED]


def _versions(content: bytes, needs: _Section, strings: _Section) -> list[tuple[int, int]]:
    found = []
    at = needs.offset
    for _ in range(needs.count):
        _, count, _, first, following = struct.unpack_from("<HHIII", content, at)
        entry = at + first
        for _ in range(count):
            _, _, _, name, step = struct.unpack_from("<IHHII", content, entry)
            if match := re.fullmatch(r"GLIBC_(\d+)\.(\d+)(\.\d+)?", _text(content, strings, name)):
                found.append((int(match[1]), int(match[2])))
            entry += step
        at += following
    return found
