"""The command line in the test's own process: the same code, without an interpreter's start each.

A command that is started as a program costs half a second of a slow machine; a test that asks ten
times starts one, to show that it can be, and asks the rest here.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
from unittest import mock

from agent.cli.app import main
from tests.process.daemon import Daemon


def typed(daemon: Daemon, *arguments: str, lang: str = "en") -> subprocess.CompletedProcess[str]:
    """What `posagent ARGUMENTS` on this daemon's terminal answers."""
    command = [*arguments, "--lang", lang, "--config", str(daemon.config_file)]
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    with (
        mock.patch.dict(os.environ, {**daemon._environment(), "COLUMNS": "200"}, clear=True),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            code = main(command)
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
    said = []
    for stream in (out, err):
        stream.flush()
        stream.seek(0)
        said.append(stream.read())
        stream.close()
    return subprocess.CompletedProcess(command, code, *said)
