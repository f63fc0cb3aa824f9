"""The C library's two calls."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agent import libc


def test_what_the_kernel_does_not_allow_is_an_os_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number is the call's own, and its name is told."""

    class Library:
        def load_function(self, _kind: object, _name: str) -> object:
            return lambda _buffer: -1

    _, int_, size_t = libc._library()
    monkeypatch.setattr(libc, "_library", lambda: (Library(), int_, size_t))
    monkeypatch.setattr(libc.cffi, "get_errno", lambda: 1)
    with pytest.raises(OSError, match="EPERM") as told:
        libc.adjtimex(512)
    assert told.value.errno == 1


def test_a_library_without_the_calls_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """No witness; and a heap that is left as it is."""

    class Library:
        def load_function(self, _kind: object, name: str) -> object:
            raise AttributeError(name)

    _, int_, size_t = libc._library()
    monkeypatch.setattr(libc, "_library", lambda: (Library(), int_, size_t))
    with pytest.raises(AttributeError, match="adjtimex"):
        libc.adjtimex(512)
    assert libc.trim() is False


@pytest.mark.skipif(sys.platform != "linux", reason="glibc")
def test_a_heap_with_holes_gives_them_back() -> None:
    """All blocks but the last are freed: the top of the heap stays where it is."""
    statm = Path("/proc/self/statm")
    blocks = [bytes(20_000) for _ in range(4_000)]
    del blocks[:-1]
    before = int(statm.read_text("ascii").split()[1])
    assert libc.trim()
    assert before - int(statm.read_text("ascii").split()[1]) > 10_000
    assert len(blocks) == 1
