"""Who else could change what the agent trusts, or read what it must keep: an audit of files.

Looks at owner, mode, links and every directory above, of the state, the keys, the configuration,
the hooks and the agent's own code; says what is wrong and the command that puts it right. It
changes nothing and opens no file. What must not be used at all is refused where it is opened
(`settings.file`, `store.files`, `hooks.files`): here a person hears of it before, and of the code,
which nobody opens. Blocking; loaded by the first look, by `posagent verify` and `config check`.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from agent.record import dataclass

#: The same words in English and in Chinese.
Both = tuple[str, str]

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
#: Android's own user and group `system` own /data, and are as good as root there.
_ANDROID = 1_000
#: Findings told at once; the rest is the same mistake.
MOST = 50
#: Keys of the configuration whose file is trusted, nobody else's to read, or full of programs.
#: Files of the payment app (`pid_file`, `pause_file`) are the app's own business.
_TRUSTED = frozenset({"ca_file", "cert_file", "holiday_file"})
_SECRETS = frozenset(
    {"key_file", "token_file", "password_file", "proxy_password_file", "authorization_file",
     "wrapped_keys"}
)  # fmt: skip
_FOLDERS = frozenset({"directory"})
#: What lies at the root of an environment that was made to be shipped on devices.
SHIPPED = "MANIFEST.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed:
    """One thing in wrong hands."""

    path: Path
    what: str  #: code, configuration, secret, state, run, hooks
    reason: Both
    command: str

    def sentence(self, lang: str = "en") -> str:
        """The whole complaint on one line."""
        if lang == "zh":
            return f"{self.path}：{self.reason[1]}；请执行：{self.command}"
        return f"{self.path}: {self.reason[0]}; run: {self.command}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the agent's things lie."""

    state: Path
    run: Path
    configuration: tuple[Path, ...] = ()
    secrets: tuple[Path, ...] = ()
    hooks: tuple[Path, ...] = ()
    code: tuple[Path, ...] = ()
    shipped: bool = False  #: the code is a device's: not even the agent's user may write it
    user: int = 0  #: who the agent runs as
    group: int = 0


def places(config: Any, files: Iterable[Path] = (), *, daemon: bool = False) -> Places:
    """From the configuration in force and the files it came from.

    Who is not the `daemon` takes the owner of its state for its user, as root does who asks.
    """
    named = tuple(_named(config))
    state = Path(config.agent.state_dir)
    seen = None if daemon else _seen(state)
    shipped = (Path(sys.prefix) / SHIPPED).exists()
    code = Path(sys.prefix) if shipped else Path(__file__).absolute().parent
    return Places(
        state=state,
        run=Path(config.agent.run_dir),
        configuration=tuple(sorted({*files, *(path for key, path in named if key in _TRUSTED)})),
        secrets=tuple(
            sorted(
                {state / "row.key", state / "payload.keys"}
                | {path for key, path in named if key in _SECRETS}
            )
        ),
        hooks=tuple(sorted({path for key, path in named if key in _FOLDERS})),
        code=(Path(sys.executable), code),
        shipped=shipped,
        user=os.geteuid() if seen is None else seen.st_uid,
        group=os.getegid() if seen is None else seen.st_gid,
    )


def audit(where: Places) -> tuple[Exposed, ...]:
    """Everything found, worst first; at most MOST."""
    found: dict[tuple[Path, str], Exposed] = {}
    for one in _all(where):
        found.setdefault((one.path, one.reason[0]), one)
        if len(found) >= MOST:
            break
    return tuple(found.values())


def _all(where: Places) -> Iterator[Exposed]:
    trusted = frozenset({0, where.user})
    masters = frozenset({0}) if where.shipped else trusted
    for path in where.code:
        yield from _tree(path, "code", masters, where.user)
    for path in where.secrets:
        yield from _file(path, "secret", trusted)
        yield from _kept(path, where.group)
    for path in where.configuration:
        yield from _file(path, "configuration", trusted)
    for path in where.hooks:
        yield from _folder(path, "hooks", trusted)
    yield from _state(where.state, trusted, where.group)
    yield from _folder(where.run, "run", trusted)


def _state(folder: Path, trusted: frozenset[int], group: int) -> Iterator[Exposed]:
    """The store's directory, and what lies in it."""
    yield from _folder(folder, "state", trusted)
    seen = _seen(folder)
    if seen is None:
        return
    looked = stat.S_IXOTH | (0 if seen.st_gid in {0, group} else stat.S_IXGRP)
    if seen.st_mode & looked:
        yield _found(folder, "state", _mode("others can look into it", "其他用户可查看", seen),
                     f"chmod 0700 {_quoted(folder)}")  # fmt: skip
    for name in sorted(_names(folder)):
        path = folder / name
        inside = _seen(path)
        if inside is None:
            continue
        if stat.S_ISLNK(inside.st_mode):
            target = _target(path)
            reason = f"it is a link to {target}", f"它是指向 {target} 的链接"
            yield _found(path, "state", reason, f"ls -l {_quoted(path)}")
        elif stat.S_ISREG(inside.st_mode):
            yield from _own(path, "state", inside, trusted)
            yield from _second(path, inside)


def _kept(path: Path, group: int) -> Iterator[Exposed]:
    """What nobody else may read, nor find under another name."""
    seen = _seen(path)
    if seen is None:
        return
    if stat.S_ISLNK(seen.st_mode):
        real = _seen(Path(os.path.realpath(path)))
        if real is None:
            return
        seen = real
    # root:posagent 0640 is how images hand a key to the agent.
    readers = stat.S_IROTH | (0 if seen.st_gid in {0, group} else stat.S_IRGRP)
    if stat.S_ISREG(seen.st_mode) and seen.st_mode & readers:
        yield _found(path, "secret", _mode("others can read it", "其他用户可读", seen),
                     f"chmod 0600 {_quoted(path)}")  # fmt: skip
    yield from _second(path, seen)


def _second(path: Path, seen: os.stat_result) -> Iterator[Exposed]:
    """A hard link elsewhere outlives every rename and every careful directory."""
    if stat.S_ISREG(seen.st_mode) and seen.st_nlink > 1:
        count = seen.st_nlink
        yield _found(path, "state", (f"it has {count} names, one of them elsewhere",
                     f"它有{count}个名字，其中有的在别处"),
                     f"find / -xdev -inum {seen.st_ino}")  # fmt: skip


def _file(path: Path, what: str, trusted: frozenset[int]) -> Iterator[Exposed]:
    """A file, its link and its target; and every directory that leads to either."""
    seen = _seen(path)
    if seen is None:
        return
    if stat.S_ISLNK(seen.st_mode):
        if seen.st_uid not in trusted:
            yield _found(path, what, _owner(seen), f"chown -h root {_quoted(path)}")
        yield from _above(path, what, trusted)
        path = Path(os.path.realpath(path))
        seen = _seen(path)
        if seen is None:
            return
    yield from _own(path, what, seen, trusted)
    yield from _above(path, what, trusted)


def _folder(path: Path, what: str, trusted: frozenset[int]) -> Iterator[Exposed]:
    """A directory, and those above it."""
    real = Path(os.path.realpath(path))
    seen = _seen(real)
    if seen is None:
        return
    yield from _own(real, what, seen, trusted)
    yield from _above(real, what, trusted)


def _above(path: Path, what: str, trusted: frozenset[int], user: int = -1) -> Iterator[Exposed]:
    """Whoever can write a directory can put another file in this one's place."""
    for place in path.absolute().parents:
        seen = _seen(Path(os.path.realpath(place)))
        # In a sticky directory (/tmp) others can add files, but not replace ours.
        if seen is not None and not seen.st_mode & stat.S_ISVTX:
            yield from _own(place, what, seen, trusted, user)


def _tree(path: Path, what: str, masters: frozenset[int], user: int) -> Iterator[Exposed]:
    """Code: each file, each directory, and those above."""
    real = Path(os.path.realpath(path))
    seen = _seen(real)
    if seen is None:
        return
    yield from _own(real, what, seen, masters, user)
    yield from _above(real, what, masters, user)
    if not stat.S_ISDIR(seen.st_mode):
        return
    for folder, folders, names in os.walk(real):
        folders.sort()
        for name in sorted([*folders, *names]):
            inside = Path(folder, name)
            found = _seen(inside)
            if found is not None and not stat.S_ISLNK(found.st_mode):
                yield from _own(inside, what, found, masters, user)


def _own(
    path: Path, what: str, seen: os.stat_result, trusted: frozenset[int], user: int = -1
) -> Iterator[Exposed]:
    """Owner and mode of one thing."""
    systems = frozenset({_ANDROID}) if _on_android() else frozenset()
    if seen.st_uid not in trusted | systems:
        if seen.st_uid == user:
            reason = ("the agent's own user can change it", "本程序自己的用户可以改动它")
        else:
            reason = _owner(seen)
        yield _found(path, what, reason, f"chown -h root:root {_quoted(path)}")
        return
    writers = stat.S_IWOTH if seen.st_gid in systems | {0} else _OTHERS_WRITE
    if seen.st_uid and seen.st_gid == seen.st_uid and seen.st_uid in trusted:
        writers = stat.S_IWOTH  # a group of one's own, as desktops give everybody
    if seen.st_mode & writers and not stat.S_ISLNK(seen.st_mode):
        yield _found(path, what, _mode("others can write it", "其他用户可写", seen),
                     f"chmod go-w {_quoted(path)}")  # fmt: skip


def _found(path: Path, what: str, reason: Both, command: str) -> Exposed:
    return Exposed(path=path, what=what, reason=reason, command=command)


def _owner(seen: os.stat_result) -> Both:
    return f"it belongs to uid {seen.st_uid}", f"其属主为 uid {seen.st_uid}"


def _mode(english: str, chinese: str, seen: os.stat_result) -> Both:
    mode = f"{stat.S_IMODE(seen.st_mode):04o}"
    return f"{english} (mode {mode})", f"{chinese}（权限 {mode}）"


def _seen(path: Path) -> os.stat_result | None:
    """What is there, links not followed; None where there is nothing to be seen."""
    try:
        return path.lstat()
    except OSError:
        return None


def _target(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return "?"


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(folder)]
    except OSError:
        return []


def _named(section: Any, key: str = "") -> Iterator[tuple[str, Path]]:
    """Key and path of every absolute path in a section and those inside it."""
    if isinstance(section, str):
        if section.startswith("/"):
            yield key, Path(section)
    elif isinstance(section, tuple | list):
        for one in section:
            yield from _named(one)
    else:
        for name in getattr(section, "__struct_fields__", ()):
            yield from _named(getattr(section, name), name)


def _on_android() -> bool:
    return Path("/system/build.prop").exists()


def _quoted(path: Path) -> str:
    from shlex import quote  # only where something is wrong

    return quote(str(path))
