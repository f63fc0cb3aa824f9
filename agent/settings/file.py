"""Read one configuration file, if nobody but root and ourselves could have written it.

Whoever can write the configuration can send the money elsewhere, so a file, its directory or its
link in other hands is refused with the command that puts it right. What stands in the file is not
known here. Called by `agent.settings`.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from agent.settings.problems import Both, Kind, Problem

#: A configuration is a few kilobytes; more is a mistake (a log, a device, a disk image).
_MAX_BYTES = 1_048_576


def read(file: Path) -> str | list[Problem]:
    """The text of `file`, or why it may not be used.

    Raises FileNotFoundError where there is none.
    """
    try:
        return _untrusted(file) or _content(file)
    except FileNotFoundError:
        raise
    except OSError as error:
        return [unreadable(file, error)]


def unreadable(file: Path, error: OSError) -> Problem:
    """The system refused to read `file`."""
    reason = (error.strerror or str(error)).lower()
    return Problem(kind=Kind.UNREADABLE, file=file, args={"reason": reason})


def syntax(file: Path, text: str, error: ValueError | RecursionError) -> Problem:
    """What tomllib complained about, with its line."""
    line, reason = 0, str(error)
    if isinstance(error, RecursionError):
        reason = "nested too deeply"
    elif at := re.search(r"\s*\(at line (\d+), column (\d+)\)", reason):
        line, reason = int(at[1]), f"{reason[: at.start()]} (column {at[2]})"
    elif "(at end of document)" in reason:
        line = max(1, len(text.splitlines()))
        reason = reason.replace(" (at end of document)", " at the end of the file")
    return Problem(kind=Kind.SYNTAX, file=file, line=line, args={"reason": reason})


def _content(file: Path) -> str | list[Problem]:
    # Looked at again once it is open: what was checked must be what is read.
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as opened:  # noqa: PTH123 - a descriptor, not a path
        seen = os.fstat(descriptor)
        if not stat.S_ISREG(seen.st_mode):
            raise OSError("not a regular file")
        if seen.st_size > _MAX_BYTES:
            raise OSError(f"larger than {_MAX_BYTES} bytes")
        if writable := [_problem(file, *trouble) for trouble in _mode_trouble(file, seen)]:
            return writable
        content = opened.read(_MAX_BYTES)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        reason = {"reason": ("not UTF-8 text", "不是 UTF-8 文本")}
        return [Problem(kind=Kind.SYNTAX, file=file, line=line, args=reason)]


def _untrusted(file: Path) -> list[Problem]:
    """Ways in which somebody else could put another file in this one's place."""
    found = []
    link = file.lstat()
    if stat.S_ISLNK(link.st_mode) and link.st_uid not in {0, os.geteuid()}:
        found.append(_problem(file, _owner_words(link.st_uid), f"chown -h root {file}"))
    directories = {file.absolute().parent, Path(os.path.realpath(file)).parent}
    if file.parent.name == "conf.d":
        directories.add(file.absolute().parent.parent)
    for directory in sorted(directories):
        seen = directory.stat()
        # In a sticky directory (/tmp) others can add files, but not replace ours.
        if not seen.st_mode & stat.S_ISVTX:
            found += [_problem(directory, *trouble) for trouble in _mode_trouble(directory, seen)]
    return found


def _problem(path: Path, why: Both, command: str) -> Problem:
    return Problem(kind=Kind.NOT_OURS, file=path, args={"reason": why, "command": command})


def _owner_words(uid: int) -> Both:
    return f"it belongs to uid {uid}", f"其属主为 uid {uid}"


def _mode_trouble(path: Path, seen: os.stat_result) -> Iterator[tuple[Both, str]]:
    mode = stat.S_IMODE(seen.st_mode)
    if seen.st_uid not in {0, os.geteuid()}:
        yield _owner_words(seen.st_uid), f"chown root {path}"
    elif mode & (stat.S_IWGRP | stat.S_IWOTH):
        why = (
            f"group or others can write it (mode {mode:04o})",
            f"组或其他用户可写（权限 {mode:04o}）",
        )
        yield why, f"chmod go-w {path}"
