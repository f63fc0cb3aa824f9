"""Heavy work beside the daemon: lines in, lines out, an end in every case."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

import pytest

from agent.offload import ChildOffload, HereOffload, OffloadError

PROGRAM = """
import sys, os
def answer(lines):
    lines = iter(lines)
    first = next(lines)
    if first == b"die":
        print("secret words", file=sys.stderr)
        sys.exit(3)
    if first == b"niceness":
        yield str(os.nice(0)).encode()
    if first == b"hang":
        import time
        time.sleep(60)
    yield first
    for line in lines:
        yield line.upper()
"""


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ChildOffload:
    """An offload whose children know the program `trial`."""
    site = tmp_path / "sitecustomize.py"
    site.write_text(
        "import sys, types\n"
        "m = types.ModuleType('agent.offloaded.trial')\n"
        f"exec({PROGRAM!r}, m.__dict__)\n"
        "sys.modules['agent.offloaded.trial'] = m\n"
    )
    here = str(Path(__file__).resolve().parent.parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), here)))
    return ChildOffload()


async def told(*lines: bytes) -> AsyncIterator[bytes]:
    for line in lines:
        yield line


def heard(lines: AsyncIterator[bytes]) -> list[bytes]:
    """All that comes back."""

    async def gathered() -> list[bytes]:
        return [line async for line in lines]

    return asyncio.run(gathered())


def test_lines_come_back_in_order_while_more_are_told(child: ChildOffload) -> None:
    """Neither side waits for the other to be done, however much there is."""
    many = [b"x" * 1000] * 2000
    assert heard(child.run("trial", told(b"go", *many), 60)) == [
        b"go",
        *(line.upper() for line in many),
    ]


def test_it_runs_at_a_low_priority(child: ChildOffload) -> None:
    """A payment goes before it on a terminal's one core."""
    assert int(heard(child.run("trial", told(b"niceness"), 60))[0]) >= 15


def test_a_program_that_fails_is_an_error_without_its_words(child: ChildOffload) -> None:
    """What it complained of may quote a payment."""
    with pytest.raises(OffloadError) as caught:
        heard(child.run("trial", told(b"die"), 60))
    assert caught.value.code == "offload.failed"
    assert "secret" not in str(caught.value)


def test_a_program_that_hangs_is_ended(child: ChildOffload) -> None:
    """And the next one has its turn."""
    with pytest.raises(OffloadError) as caught:
        heard(child.run("trial", told(b"hang"), 0.3))
    assert caught.value.code == "offload.timeout"
    assert heard(child.run("trial", told(b"go"), 60)) == [b"go"]


def test_who_stops_reading_ends_it(child: ChildOffload) -> None:
    """Its input never ends, and still it is gone."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"more"

    async def first() -> bytes:
        async with contextlib.aclosing(child.run("trial", endless(), 60)) as lines:
            return await anext(lines)

    assert asyncio.run(first()) == b"more"
    assert heard(child.run("trial", told(b"go"), 60)) == [b"go"]


def test_the_command_line_runs_the_same_program_itself() -> None:
    """The same lines, without a second process."""

    def answer(lines: Iterable[bytes]) -> Iterator[bytes]:
        for line in lines:
            yield line.upper()

    here = HereOffload({"trial": answer}.__getitem__)
    assert heard(here.run("trial", told(b"a", b"b"), 1)) == [b"A", b"B"]


def test_a_program_of_another_folder_is_never_run(
    child: ChildOffload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the agent happens to be started may belong to anybody; its programs are its own."""
    evil = tmp_path / "evil/agent/offloaded"
    evil.mkdir(parents=True)
    for file in (evil.parent / "__init__.py", evil / "__init__.py"):
        file.touch()
    (evil / "__main__.py").write_text("print('another program')\n")
    monkeypatch.chdir(evil.parent.parent)

    async def body() -> list[bytes]:
        return [line async for line in child.run("trial", told(b"first"), 20.0)]

    assert asyncio.run(body()) == [b"first"]
