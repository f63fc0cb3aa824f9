"""The command line without the wait for its modules: one process loads them, every call is a fork.

A call is a process of its own with its own environment, working directory, output and exit code,
and ends as the interpreter ends; only its imports were made before. Whether a command loads what it
needs, and nothing else, is not seen here: `tests.cli.test_commands.whole` starts from nothing.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Prepared:
    """The process that has everything loaded. Its forks are made one after the other."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # killed with the fork that hangs
        )

    def run(
        self, arguments: list[str], environment: Mapping[str, str], timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        """Carry out one command, to the end."""
        asked, told = self._process.stdin, self._process.stdout
        assert asked is not None
        assert told is not None
        wanted = {"arguments": arguments, "environment": dict(environment)}
        asked.write(json.dumps(wanted).encode() + b"\n")
        asked.flush()
        if not select.select([told], [], [], timeout_s)[0]:
            self.close()
            raise subprocess.TimeoutExpired(arguments, timeout_s)
        code, out, err = json.loads(told.readline())
        return subprocess.CompletedProcess(arguments, code, out, err)

    def close(self) -> None:
        """End it, and what hangs in it."""
        _prepared.cache_clear()
        os.killpg(self._process.pid, signal.SIGKILL)
        with self._process:
            pass


@cache
def _prepared() -> Prepared:
    made = Prepared()
    atexit.register(made.close)
    return made


def run(
    arguments: list[str], environment: Mapping[str, str], timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """One command in a fork of the process that is made with the first call."""
    return _prepared().run(arguments, environment, timeout_s)


def _load() -> None:
    import importlib
    import pkgutil

    import agent.cli
    import agent.core.why.causes
    import agent.watch

    for module in pkgutil.iter_modules(agent.cli.__path__, "agent.cli."):
        importlib.import_module(module.name)


def _become(wanted: Mapping[str, object], out: int, err: int) -> None:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.chdir("/")
    environment, arguments = wanted["environment"], wanted["arguments"]
    assert isinstance(environment, dict)
    assert isinstance(arguments, list)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["posagent", *arguments]


def _serve() -> None:
    from agent.__main__ import main

    _load()
    for line in sys.stdin.buffer:
        out, err = os.memfd_create("out"), os.memfd_create("err")
        child = os.fork()
        if child == 0:
            _become(json.loads(line), out, err)
            main()  # ends with sys.exit
        _, status = os.waitpid(child, 0)
        said = [_text(out), _text(err)]
        os.write(1, json.dumps([os.waitstatus_to_exitcode(status), *said]).encode() + b"\n")


def _text(file: int) -> str:
    os.lseek(file, 0, os.SEEK_SET)
    with open(file, encoding="utf-8") as opened:
        return opened.read()


if __name__ == "__main__":
    _serve()
