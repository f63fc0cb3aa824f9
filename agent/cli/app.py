"""The command line's top: from arguments to an exit code, and no traceback on the way.

Decides which function carries out which command and how an error is shown. Expected errors are one
sentence and one hint; everything else is our own fault, goes to a file whose name is told, and
exits 70. Modules of commands are imported when they are needed: `run` loads no other command.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from agent.cli import arguments
from agent.cli.reason import advice, reason
from agent.cli.screen import Screen
from agent.cli.session import Exit, Session, exit_code
from agent.cli.texts import Words, asked_language, language
from agent.errors import AgentError, OperatorError
from agent.settings.problems import ConfigError


def main(argv: Sequence[str]) -> int:
    """Carry out one command; the exit code."""
    try:
        return _main(argv)
    except BrokenPipeError:
        # `posagent queue list | head`: the reader has enough. Nothing may be flushed at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except KeyboardInterrupt:
        return Exit.INTERRUPTED


def _main(argv: Sequence[str]) -> int:
    words = Words(language(asked_language(argv)))
    try:
        args = arguments.parse(argv, words)
        session = Session(args=args, words=words, screen=Screen())
        code = _command(args.command)(session)
        sys.stdout.flush()
    except ConfigError as error:
        _tell_config(error, words)
        return Exit.USAGE
    except AgentError as error:
        _tell(error, words)
        return exit_code(error)
    except (BrokenPipeError, KeyboardInterrupt):
        raise
    except Exception as error:  # noqa: BLE001 - boundary: CLI top
        _tell_internal(error, words)
        return Exit.INTERNAL
    return code


def failed(error: Exception, argv: Sequence[str]) -> int:
    """Our own fault, met outside of any command."""
    _tell_internal(error, Words(language(asked_language(argv))))
    return Exit.INTERNAL


#: Where a command is, if not in the function of its name in the file of its name.
_ELSEWHERE = {
    "verify": "care",
    "salvage": "care",
    "key": "care",
    "restore": "backup",
    "inspect": "inspection",
    "demo": "sim",
    "update": "software",
}

#: What packages for terminals leave out (packaging/bundle/tree.py).
NOT_ON_TERMINALS = frozenset({"conformance", "demo", "fleet", "sim"})


def _command(name: str) -> Callable[[Session], int]:
    """The function for a command; only its own module is imported."""
    where = f"agent.cli.{_ELSEWHERE.get(name, name)}"
    try:
        module = importlib.import_module(where)
    except ModuleNotFoundError as error:
        # A terminal's bundle holds no simulators and nothing for operators (packaging/bundle).
        if error.name != where or name not in NOT_ON_TERMINALS:
            raise
        raise OperatorError(
            "command.absent",
            f"posagent {name} is not part of the installation on a terminal",
            "install the Python package posagent on a computer and run it there",
        ) from None
    function: Callable[[Session], int] = getattr(module, name)
    return function


def _tell(error: AgentError, words: Words) -> None:
    print(words("error", what=reason(words, error.what)), file=sys.stderr)
    if error.hint:
        print(words("error.hint", hint=advice(words, error.code, error.hint)), file=sys.stderr)


def _tell_config(error: ConfigError, words: Words) -> None:
    print(words("config.bad", count=len(error.problems)), file=sys.stderr)
    for problem in error.problems:
        print(f"  {problem.sentence(words.lang)}", file=sys.stderr)


def _tell_internal(error: Exception, words: Words) -> None:
    import traceback

    report = "".join(traceback.format_exception(error))
    print(words("error.internal", kind=type(error).__name__, path=_kept(report)), file=sys.stderr)


def _kept(report: str) -> str:
    """The file that holds the report, or the report itself where no file can be written."""
    at = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    import tempfile  # with the archive formats it may need: 0.8 MB the daemon does without

    try:
        descriptor, name = tempfile.mkstemp(prefix=f"posagent-{at}-", suffix=".log")
    except OSError:
        return report
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
        file.write(report)
    return str(Path(name))
