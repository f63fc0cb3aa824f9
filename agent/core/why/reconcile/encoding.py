"""In which characters a list is written: byte order marks, UTF-8, UTF-16, GB18030 (GBK with it).

Fed with the whole file once, piece by piece; only then is one chosen, because the first Chinese
word may stand in the last line. GB18030 takes almost any bytes, so UTF-8 goes first.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from typing import Protocol

from agent.core.why.reconcile.profile import ListError


class _Decoder(Protocol):
    def decode(self, input: bytes, final: bool = False) -> str: ...  # noqa: A002 - the library's


_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: As people name them -> as Python does.
NAMES = {
    "utf-8": "utf-8-sig",
    "gb18030": "gb18030",
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
}
_SHOWN = {
    "utf-8": "UTF-8", "utf-8-sig": "UTF-8", "gb18030": "GB18030", "utf-16": "UTF-16",
    "utf-16-le": "UTF-16LE", "utf-16-be": "UTF-16BE",
}  # fmt: skip
_SAMPLE = 64


class Trial:
    """Tries what the file may be written in. Raises ListError from `chosen` where nothing fits."""

    def __init__(self, asked: str = "auto") -> None:
        self._asked = NAMES.get(asked, "")
        self._tried: dict[str, _Decoder] = {}
        self._lines: dict[str, int] = {}
        self._failed: dict[str, int] = {}
        self.size_bytes = 0

    def feed(self, chunk: bytes, *, final: bool = False) -> None:
        """The next bytes; `final` with the last ones, which may be none."""
        if not self._tried:
            for name in [self._asked] if self._asked else _candidates(chunk[:_SAMPLE]):
                self._tried[name] = codecs.getincrementaldecoder(name)("strict")
                self._lines[name] = 1
        self.size_bytes += len(chunk)
        for name, decoder in self._tried.items():
            if name in self._failed:
                continue
            try:
                text = decoder.decode(chunk, final)
            except UnicodeError as error:
                before = getattr(error, "object", b"")[: getattr(error, "start", 0)]
                self._failed[name] = self._lines[name] + _lines_in(bytes(before), name)
                continue
            if "\0" in text:
                self._failed[name] = self._lines[name] + text[: text.index("\0")].count("\n")
            self._lines[name] += text.count("\n")

    def chosen(self) -> str:
        """Python's name of what fits."""
        if not self.size_bytes:
            raise ListError("empty")
        for name in self._tried:
            if name not in self._failed:
                return name
        tried = ", ".join(f"{_SHOWN[name]} ({line})" for name, line in self._failed.items())
        raise ListError("encoding", line=max(self._failed.values()), told=tried)


def shown(name: str) -> str:
    """What people call it."""
    return _SHOWN.get(name, name)


def decoded(chunks: Iterable[bytes], name: str) -> Iterator[str]:
    """The text of a file `Trial` has accepted."""
    decoder = codecs.getincrementaldecoder(name)("strict")
    for chunk in chunks:
        yield decoder.decode(chunk)
    yield decoder.decode(b"", True)


def lines_of(texts: Iterable[str]) -> Iterator[str]:
    """Lines with their ends, whatever the pieces were; the last one may have none."""
    left = ""
    for text in texts:
        left += text
        if "\n" not in text:
            continue
        *whole, left = left.split("\n")
        for line in whole:
            yield line + "\n"
    if left:
        yield left


def _candidates(head: bytes) -> list[str]:
    for mark, name in _MARKS:
        if head.startswith(mark):
            return [name]
    if len(head) >= 4 and not head[1::2].strip(b"\0"):
        return ["utf-16-le"]
    if len(head) >= 4 and not head[0::2].strip(b"\0"):
        return ["utf-16-be"]
    return ["utf-8", "gb18030"]


def _lines_in(before: bytes, name: str) -> int:
    return before.count(b"\n\0" if name.endswith("le") else b"\n")
