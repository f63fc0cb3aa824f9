"""Reads files others write while they may be writing them: settings exports and the profile.

Decides what state a file is in: there, missing, not to be read by us, half written, too large, no
text. A file that does not parse and was changed a moment ago is read again before anything is said
of it. Only regular files are opened: a pipe would hang. Blocking; called on a thread.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Mapping
from dataclasses import field
from enum import StrEnum
from typing import TypeVar

from agent.config.terminal import SettingsFile
from agent.core.configuration.compare import Told
from agent.core.configuration.values import Raw, Unit
from agent.record import dataclass
from agent.watch.configuration.formats import FormError, guess, parse

T = TypeVar("T")

MAX_BYTES = 1_048_576
#: A file changed less long ago may still be being written.
FRESH_S = 10.0
AGAIN_S = (0.2, 0.5)


class State(StrEnum):
    """What became of a file."""

    READ = "read"
    MISSING = "missing"
    DENIED = "denied"
    UNREADABLE = "unreadable"  #: another error of the system
    HALF_WRITTEN = "half_written"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    BINARY = "binary"


class FileError(Exception):
    """A file that tells nothing."""

    def __init__(self, state: State, what: str) -> None:
        super().__init__(what)
        self.state = state


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One settings file as it was found."""

    path: str
    state: State
    what: str = ""  #: a sentence, where it was not read
    told: tuple[Told, ...] = ()
    twice: tuple[str, ...] = ()  #: settings given more than once, with different values
    absent: tuple[str, ...] = ()  #: settings whose place the file does not have


def export(config: SettingsFile, wanted: frozenset[str]) -> Export:
    """One file's settings; `wanted`: those the profile names. Never raises."""

    def values(raw: bytes) -> _Values:
        text = decoded(raw, config.encoding)
        form = guess(config.path, text) if config.format == "auto" else config.format
        flat = parse(text, form)
        return _Values(flat.values, frozenset(flat.twice))

    try:
        found = read(config.path, values)
    except FileError as error:
        return Export(path=config.path, state=error.state, what=str(error))
    places = dict(config.settings) or {name: name for name in sorted(wanted)}
    source = config.path.rpartition("/")[2]
    return Export(
        path=config.path,
        state=State.READ,
        told=tuple(_told(found, places, source, config.amounts)),
        twice=tuple(name for name, place in places.items() if place in found.twice),
        absent=tuple(name for name, place in places.items() if place not in found.values),
    )


@dataclass(frozen=True, slots=True)
class _Values:
    values: Mapping[str, Raw] = field(default_factory=dict)
    twice: frozenset[str] = frozenset()


def _told(found: _Values, places: Mapping[str, str], source: str, unit: Unit) -> list[Told]:
    return [
        Told(name=name, value=found.values[place], source=source, unit=unit)
        for name, place in places.items()
        if place in found.values and place not in found.twice
    ]


def read(
    path: str, form: Callable[[bytes], T], *, sleep: Callable[[float], None] = time.sleep
) -> T:
    """`form` of the file's bytes; again a moment later while it is being written. Raises FileError.

    `form` raises FormError, or UnicodeError, where the bytes are not what they should be.
    """
    for wait_s in (*AGAIN_S, None):
        raw, fresh = _bytes(path)
        try:
            return form(raw)
        except FileError:
            raise
        except (FormError, UnicodeError) as error:
            if not fresh:
                raise FileError(State.MALFORMED, f"{path}: {_said(error)}") from None
            if wait_s is None:
                raise FileError(
                    State.HALF_WRITTEN, f"{path}: {_said(error)}; it is being written"
                ) from None
            sleep(wait_s)
    raise AssertionError("unreachable")  # pragma: no cover


def decoded(raw: bytes, encoding: str) -> str:
    """The text of a file. Raises FileError for bytes that are no text, or UnicodeError."""
    if encoding != "auto":
        return raw.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16")
    if b"\0" in raw:
        raise FileError(State.BINARY, "holds bytes that are no text")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("gb18030")


def _said(error: Exception) -> str:
    if isinstance(error, UnicodeError):
        return "not in the encoding it should have"
    return str(error)


def _bytes(path: str) -> tuple[bytes, bool]:
    """The content, and whether it was changed a moment ago. Raises FileError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise _refused(path, error) from None
    try:
        about = os.fstat(fd)
        if not stat.S_ISREG(about.st_mode):
            raise FileError(State.UNREADABLE, f"{path} is not a regular file")
        with os.fdopen(fd, "rb", closefd=False) as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _refused(path, error) from None
    finally:
        os.close(fd)
    if len(raw) > MAX_BYTES:
        raise FileError(State.TOO_LARGE, f"{path} has more than {MAX_BYTES} bytes")
    age_s = time.time() - about.st_mtime
    return raw, -FRESH_S < age_s < FRESH_S


def _refused(path: str, error: OSError) -> FileError:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return FileError(State.MISSING, f"{path} is not there")
    if error.errno in (errno.EACCES, errno.EPERM):
        return FileError(State.DENIED, f"{path} may not be read by the agent's user")
    return FileError(State.UNREADABLE, f"{path} cannot be read: {error.strerror or error}")
