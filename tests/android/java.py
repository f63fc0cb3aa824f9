"""The sample client compiled, and kept at the other end of a pipe."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.android.fakes import ROOT

SAMPLE = ROOT / "packaging" / "android" / "sample"
#: Stand-ins for the two classes of Android that are used, so that all of it is compiled.
ANDROID = Path(__file__).resolve().parent / "stand_ins"


def compiled(to: Path) -> Path:
    """All Java of the sample; warnings are errors. Raises CalledProcessError."""
    sources = [*sorted(SAMPLE.rglob("*.java")), *sorted(ANDROID.rglob("*.java"))]
    subprocess.run(
        ["javac", "-J-XX:TieredStopAtLevel=1", "-Xlint:all", "-Werror", "-d", str(to),
         *map(str, sources)],
        check=True, timeout=120,
    )  # fmt: skip
    return to


def missing(*tools: str) -> str:
    """Which of the programs are not on this machine; "" for none."""
    return ", ".join(tool for tool in tools if shutil.which(tool) is None)


class Client:
    """A running sample: a line in, a line out."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate(timeout=30)

    def ask(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().rstrip("\n")


def java(classes: Path, *arguments: str) -> Client:
    """The Java sample."""
    flags = ["-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp", str(classes)]
    return Client(["java", *flags, "com.example.posagent.Try", *arguments])
