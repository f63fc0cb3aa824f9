"""Who may use the files, directories, sockets and devices the agent needs, and what is missing.

Decides what counts as needed: what the configuration names. What is not there is no matter of
rights and left to whoever watches it. Nothing is opened: an open would disturb a device, and the
kernel says what it would allow. Blocking; called on a thread.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from agent.config import Config
from agent.core.configuration.compare import Finding
from agent.record import dataclass

_MODES = (("r", os.R_OK, "read"), ("w", os.W_OK, "write"), ("x", os.X_OK, "enter"))
_CODE = "config.permission_denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One path, and what the agent must be able to do with it."""

    path: str
    rights: str  #: of "r", "w", "x"
    what: str  #: what it is, for people
    private: bool = False  #: nobody else may read it


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What came of it."""

    checked: int
    findings: tuple[Finding, ...]
    lines: dict[str, str]  #: path -> who may, where that is worth showing


def needs(config: Config) -> Iterator[Need]:
    """Everything the configuration names."""
    yield Need(path=config.agent.state_dir, rights="rwx", what="state directory")
    yield Need(path=f"{config.agent.run_dir}/api.sock", rights="rw", what="API socket")
    if config.store.key_file:
        yield Need(path=config.store.key_file, rights="r", what="payload keys", private=True)
    for uplink in config.uplink:
        for name in ("ca_file", "cert_file", "key_file"):
            if path := getattr(uplink, name):
                yield _credential(path, f"uplink {uplink.name} {name}", name == "key_file")
    telemetry = config.telemetry
    for name in ("ca_file", "cert_file", "key_file", "password_file"):
        if path := getattr(telemetry, name):
            yield _credential(path, f"telemetry {name}", name in ("key_file", "password_file"))
    for device, what in (
        (config.printer.device, "printer"),
        (config.scanner.device, "scanner"),
        (config.keypad.device, "keypad"),
    ):
        if device.startswith("/"):
            yield Need(path=device, rights="r" if what == "keypad" else "rw", what=what)
    if config.hook:
        yield Need(path=config.hooks.directory, rights="rx", what="hooks")
    if config.hooks.wrapped_keys:
        yield _credential(config.hooks.wrapped_keys, "wrapped keys", False)
    if config.software.manifest:
        yield Need(path=config.software.manifest, rights="r", what="software manifest")
    if config.payment_app.restart:
        yield Need(path=config.hooks.actions_socket, rights="rw", what="posagent-actions")
    for path in config.configuration.credentials:
        yield _credential(path, "credential", False)
    for path in config.configuration.access:
        yield Need(path=path, rights="r", what="access")


def _credential(path: str, what: str, private: bool) -> Need:
    return Need(path=path, rights="r", what=what, private=private)


def look(wanted: Iterator[Need]) -> Access:
    """What may be used and what not."""
    findings: list[Finding] = []
    lines: dict[str, str] = {}
    checked = 0
    for need in wanted:
        checked += 1
        try:
            about = os.stat(need.path)  # noqa: PTH116 - nothing else of the path is wanted
        except PermissionError:
            findings.append(_finding(need, _closed_above(need.path)))
            continue
        except (OSError, ValueError):
            continue  # not there, or not now: no matter of rights
        rights = need.rights
        if stat.S_ISDIR(about.st_mode) and "x" not in rights:
            rights += "x"
        lacks = [
            word
            for letter, mode, word in _MODES
            if letter in rights and not os.access(need.path, mode, effective_ids=True)
        ]
        if lacks:
            findings.append(_finding(need, f"no right to {' and '.join(lacks)}: {_who(about)}"))
        elif need.private and about.st_mode & (stat.S_IROTH | stat.S_IWOTH):
            lines[need.path] = f"{need.what}: every user may read it ({_who(about)})"
    return Access(checked=checked, findings=tuple(findings), lines=lines)


def _finding(need: Need, reason: str) -> Finding:
    return Finding(
        code=_CODE,
        setting=need.path,
        line=f"{need.what}: {reason}",
        args={"subject": need.path, "reason": f"{need.what} {need.path}: {reason}"},
    )


def denied(path: str, what: str) -> Finding:
    """A file somebody tried to read and may not."""
    try:
        about = os.stat(path)  # noqa: PTH116
    except OSError:
        return _finding(Need(path=path, rights="r", what=what), _closed_above(path))
    return _finding(Need(path=path, rights="r", what=what), f"no right to read: {_who(about)}")


def _closed_above(path: str) -> str:
    for folder in reversed(Path(path).parents):
        try:
            if not os.access(folder, os.X_OK, effective_ids=True):
                return f"{folder} may not be entered: {_who(folder.stat())}"
        except OSError:
            break
    return "a directory above it may not be entered"


def _who(about: os.stat_result) -> str:
    """Whose it is and what would help."""
    owner, group = _name(about.st_uid, "user"), _name(about.st_gid, "group")
    mode = stat.S_IMODE(about.st_mode)
    said = f"{owner}:{group} {mode:04o}, the agent is {_name(os.geteuid(), 'user')}"
    node = stat.S_ISCHR(about.st_mode) or stat.S_ISBLK(about.st_mode)
    if node and mode & stat.S_IRGRP:
        said += f"; needs the group {group}"
    return said


def _name(number: int, kind: str) -> str:
    try:
        return pwd.getpwuid(number).pw_name if kind == "user" else grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
