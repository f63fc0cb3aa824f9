"""The configuration to start with: the terminal's own files, and what the fleet laid over them.

Read before anything else runs, so it trusts nothing: a file that cannot be read, settings that the
terminal's own files do not allow or that no longer fit, and a trial that a start did not survive
all end in the settings that were good before, and those in the files alone. It counts the starts of
a trial, on disk before the start. Loaded only where the fleet ever wanted something. Called by
`agent.main` and by `posagent config`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from agent import settings
from agent.config import Config
from agent.core.fleet import DESIRED_FILE, desired
from agent.core.fleet.desired import Held
from agent.durable import replaced
from agent.settings.problems import ConfigError
from agent.wire import desired_file
from agent.wire.signed import DocumentError

log = logging.getLogger(__name__)


def read(file: Path) -> Held | None:
    """What was decided; None: nothing, or nothing that can be read."""
    try:
        return desired_file.decode(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    except (OSError, DocumentError) as error:
        log.warning("event=desired_unreadable file=%s reason=%r", file, str(error)[:200])
        return None


def laid_over(config: Config, source: Path | None, held: Held, file: Path) -> Config:
    """`config` with the fleet's settings. Raises NotAllowedError and ConfigError."""
    if not held.config:
        return config
    over = settings.Overlay(tables=held.config, file=file)
    found = settings.load(source, overlay=over).config
    return settings.kept_in(found, config.agent.state_dir)


def what_of(error: settings.NotAllowedError | ConfigError) -> str:
    """The key that is in the way."""
    if isinstance(error, ConfigError):
        found = error.problems[0]
        return f"{found.table.strip('[]')}.{found.key}".strip(".")
    return error.what


def starting(config: Config, source: Path | None) -> Config:
    """The configuration to start with. Never raises for what the fleet wanted."""
    file = Path(config.agent.state_dir) / DESIRED_FILE
    before = read(file)
    if before is None:
        return config
    held = desired.started(before)
    if held.trial is not None and not _kept(file, held):
        # Uncounted, it could be tried for ever.
        log.warning("event=desired_not_tried version=%s", held.trial.version)
        held = before = _without_trial(held)
    while True:
        try:
            found = laid_over(config, source, held, file)
        except (settings.NotAllowedError, ConfigError) as error:
            tried = held.trial is not None
            held = desired.conflicting(held, what_of(error))
            log.warning("event=desired_in_conflict key=%s trial=%s", held.what, tried)
            if tried:
                continue
            found = config
        else:
            held = desired.agreeing(held)
        if held != before:
            _kept(file, held)
        return found


def ended(config: Config) -> bool:
    """The daemon ended by itself with a failure: whether that ends a trial, so that it is worth
    starting again at once."""
    file = Path(config.agent.state_dir) / DESIRED_FILE
    held = read(file)
    if held is None or held.trial is None:
        return False
    log.error("event=desired_failed version=%s reason=stopped", held.trial.version)
    return _kept(file, desired.failed(held, "stopped"))


def checker(config: Config, source: Path | None) -> Callable[[Held], tuple[str, str]]:
    """Tells of what somebody wants why it cannot be: a stable word and the key; ("", "") if it can.

    Reads the files as they are then. Blocking.
    """
    file = Path(config.agent.state_dir) / DESIRED_FILE

    def check(held: Held) -> tuple[str, str]:
        try:
            laid_over(config, source, held, file)
        except settings.NotAllowedError as error:
            return "not_allowed", error.what
        except ConfigError as error:
            return "config_invalid", what_of(error)
        return "", ""

    return check


def shown(loaded: settings.Loaded, *, references: bool) -> tuple[settings.Loaded, int, str]:
    """What would be started with, the number of the statement in it (0: none), and the key that
    keeps it out ("": none). For whoever only looks."""
    file = Path(loaded.config.agent.state_dir) / DESIRED_FILE
    held = read(file)
    if held is None or not held.config:
        return loaded, 0, ""
    source = loaded.looked_for if loaded.files else None
    over = settings.Overlay(tables=held.config, file=file)
    try:
        found = settings.load(source, references=references, overlay=over)
    except (settings.NotAllowedError, ConfigError) as error:
        return loaded, held.config_version, what_of(error)
    return found, held.config_version, ""


def in_order(config: Config, source: Path | None) -> None:
    """The files as they are now may be started with. Raises ConfigError and NotAllowedError: what
    the fleet set over them may be right no more."""
    settings.load(source)
    file = Path(config.agent.state_dir) / DESIRED_FILE
    held = read(file)
    if held is not None:
        laid_over(config, source, held, file)


def _without_trial(held: Held) -> Held:
    return held if held.trial is None else desired.withdrawn(held)


def _kept(file: Path, held: Held) -> bool:
    try:
        replaced(file, desired_file.encode(held))
    except OSError as error:
        log.warning("event=desired_not_kept reason=%r", error.strerror)
        return False
    return True
