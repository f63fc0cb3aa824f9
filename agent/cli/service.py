"""`posagent run --config FILE`, as an init system starts it: the daemon without the command line.

The commands' arguments and texts are 1.3 MB that the daemon would carry for as long as it runs.
Whatever is not exactly this form, or has something to say to a person, is left to the command line.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agent import settings
from agent.errors import AgentError
from agent.settings.problems import ConfigError

INTERRUPTED = 130


def served(argv: Sequence[str]) -> int | None:
    """The exit code of a daemon that has run; None: this is the command line's to do."""
    match argv:
        case ["run", "--config", file] if not file.startswith("-"):
            at = Path(file)
        case _:
            return None
    try:
        loaded = settings.load(at)
    except (AgentError, ConfigError):
        return None  # it is read again there, and what is wrong is told in the right language
    if loaded.warnings or not loaded.files:
        return None
    from agent.main import run

    try:
        return run(loaded.config, at)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - boundary: CLI top
        from agent.cli.app import failed

        return failed(error, argv)
