"""Which files may be run as hooks: those nobody but root and the agent could have written.

Decides by owner, mode and place, of the file and of every directory above it; refuses to know what
a hook does. Blocking (file system): called in the same breath as the hook is started.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from agent.hooks.findings import trouble

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
#: Android's own user and group `system`: it owns /data, and is as good as root there.
_ANDROID = frozenset({1_000})


def vetted(directory: Path, name: str) -> Path:
    """The file to run for the hook `name`. Raises HookError saying why there is none."""
    home = vetted_place(directory)
    path = home / name
    try:
        is_link = stat.S_ISLNK(path.lstat().st_mode)
        real = path.resolve(strict=True)
        found = real.stat()
    except (OSError, RuntimeError):  # RuntimeError: links in a circle
        raise trouble("missing", path=path) from None
    if is_link and home not in real.parents:
        raise trouble("link_outside", path=path, target=real)
    if not stat.S_ISREG(found.st_mode):
        raise trouble("not_a_file", path=path)
    if found.st_uid not in _owners():
        raise trouble("owner", path=path, uid=found.st_uid)
    if found.st_mode & _OTHERS_WRITE:
        raise trouble("writable", path=path, mode=stat.filemode(found.st_mode))
    for above in real.parents:
        if above == home:
            break
        _vet_directory(above)
    if not os.access(real, os.X_OK):
        raise trouble("not_executable", path=path)
    return real


def vetted_place(directory: Path) -> Path:
    """The directory itself, resolved. Raises HookError if strangers could put a hook there."""
    try:
        home = directory.resolve(strict=True)
    except (OSError, RuntimeError):
        raise trouble("no_directory", path=directory) from None
    if not home.is_dir():
        raise trouble("no_directory", path=directory)
    for place in (home, *home.parents):
        _vet_directory(place, sticky=place != home)
    return home


def signature(path: Path) -> tuple[int, int, int]:
    """Differs after the file was changed or replaced; zeros where there is none."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_size, found.st_mtime_ns)


def _vet_directory(place: Path, *, sticky: bool = False) -> None:
    found = place.stat()
    systems = _ANDROID if _on_android() else frozenset()
    if found.st_uid not in _owners() | systems:
        raise trouble("place_owner", path=place, uid=found.st_uid)
    writers = _OTHERS_WRITE
    if found.st_gid in systems:
        writers = stat.S_IWOTH
    if found.st_mode & writers and not (sticky and found.st_mode & stat.S_ISVTX):
        raise trouble("place_writable", path=place, mode=stat.filemode(found.st_mode))


def _owners() -> frozenset[int]:
    return frozenset({0, os.geteuid()})


def _on_android() -> bool:
    return Path("/system/build.prop").exists()
