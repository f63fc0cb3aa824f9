"""What every command needs: the words, the screen, where configuration, store and socket are.

Also the exit codes and which error means which. Called by `app` and the commands.
"""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from agent.cli.client import DaemonDownError, DaemonSilentError, RefusedError, RoleError
from agent.cli.screen import Screen
from agent.cli.texts import Words, language
from agent.errors import AgentError, CallerError, InternalError, OperatorError, StoreError

SOCKET_NAME = "api.sock"


class Exit(IntEnum):
    """What a command's exit code means; `posagent --help` lists them."""

    OK = 0
    NOT_THERE = 1  #: no such payment, cause or component
    FOUND = 1  #: the host that was examined does not keep the contract
    USAGE = 2  #: arguments or configuration
    UNREACHABLE = 3  #: daemon not running and store not readable, or daemon needed
    ROLE = 4  #: missing right or role
    HELD = 5  #: the store is held by a process that does not answer
    REFUSED = 6  #: the daemon understood and said no
    INTERNAL = 70  #: our own fault (EX_SOFTWARE)
    INTERRUPTED = 130


class NotThereError(OperatorError):
    """Asked for something that does not exist."""


class UnreachableError(OperatorError):
    """Neither the daemon nor the store can be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One invocation of the command line."""

    args: Namespace
    words: Words
    screen: Screen

    @property
    def config_file(self) -> Path | None:
        """The file named on the command line; None: the usual one."""
        return getattr(self.args, "config", None)

    @property
    def json(self) -> bool:
        """Whether a program reads the output."""
        return bool(getattr(self.args, "json", False))

    def speak(self, configured: str) -> None:
        """Change to the configured language, unless one was asked for."""
        self.words.lang = language(getattr(self.args, "lang", None), configured)

    def print_json(self, answer: Any) -> None:
        """The output for programs: one JSON document."""
        print(json.dumps(answer, ensure_ascii=False, indent=2))


def exit_code(error: AgentError) -> Exit:
    """Which exit code tells a script about `error`."""
    match error:
        case RoleError() | OperatorError(code="store.rights" | "role.missing"):
            return Exit.ROLE
        case NotThereError() | RefusedError(status=404):
            return Exit.NOT_THERE
        case RefusedError():
            return Exit.REFUSED
        case StoreError(code="store.busy"):
            return Exit.HELD
        case UnreachableError() | DaemonDownError() | DaemonSilentError() | StoreError():
            return Exit.UNREACHABLE
        case OperatorError(code="store.absent"):
            return Exit.UNREACHABLE
        case InternalError():
            return Exit.INTERNAL
        case OperatorError() | CallerError():
            return Exit.USAGE
        case _:
            return Exit.REFUSED
