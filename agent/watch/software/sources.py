"""Where the version of a component is read, and how it is counted there.

Its own version, the operating system and the kernel are always read; the rest is what the
configuration or the manifest in force names. A place that cannot be read gives no version and says
why; it is never a fault. Android and the vendor's hooks are behind small protocols. Called by
`agent.watch.software.watcher`, on a thread that may wait.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

import agent
from agent.core.software.standing import Installed
from agent.core.software.versions import MAX_CHARS, Scheme
from agent.record import dataclass
from agent.watch.head import head_of
from agent.watch.software.files import Files, Told, text_of
from agent.watch.software.packages import Packages

#: A version file holds one line; what is looked through for a key may be longer.
VERSION_FILE_MAX_BYTES = 4_096
KEY_FILE_MAX_BYTES = 262_144
#: Parameter files are small; more would cost the terminal its time.
HASH_MAX_BYTES = 8_388_608
OS_RELEASE = ("etc/os-release", "usr/lib/os-release")
#: Always read.
BUILT_IN = ("agent", "os", "kernel")


class Android(Protocol):
    """What Android tells of its packages and properties. Blocking, keeps what it read itself."""

    def package_version(self, package: str) -> str | None:
        """versionName of a package; "": not installed; None: cannot be told."""
        ...

    def property(self, name: str) -> str | None:
        """A system property; "": not set; None: cannot be told."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the version of one component is told."""

    component: str
    installed_by: str
    package: str = ""
    path: str = ""
    key: str = ""
    scheme: str = ""


class Sources:
    """All the places of one machine."""

    def __init__(
        self, root: Path, *, android: Android | None = None, packages: Packages | None = None
    ) -> None:
        self.files = Files()
        #: Versions the vendor's hooks tell, by name; plugged in by whoever knows the hooks.
        self.hooks: Callable[[], Mapping[str, str] | None] = lambda: None
        self._root = root
        self._android = android
        self._packages = packages or Packages(root, self.files)

    def on_android(self, android: Android) -> None:
        """Packages and properties are asked there."""
        self._android = android

    def read(self, places: Iterable[Place]) -> dict[str, Installed]:
        """Every component with what is installed."""
        named = {one.component: one for one in places}
        wanted: dict[str, set[str]] = {}
        for one in named.values():
            wanted.setdefault(one.installed_by, set()).add(one.package or one.component)
        lists = {
            manager: self._packages.of(manager, frozenset(names))
            for manager, names in wanted.items()
            if manager in ("dpkg", "opkg", "apk", "rpm")
        }
        found = self._built_in()
        for component, one in named.items():
            found[component] = self._of(one, lists)
        return found

    def os_name(self) -> str:
        """The name of the operating system, for people."""
        release = self._release()
        return release.get("PRETTY_NAME", "") or self._property("ro.build.display.id")

    def _built_in(self) -> dict[str, Installed]:
        release = self._release()
        system = next(
            (text for name in ("IMAGE_VERSION", "BUILD_ID", "VERSION_ID")
             if (text := release.get(name, ""))),
            "",
        )  # fmt: skip
        system = self._property("ro.build.display.id") or system or release.get("PRETTY_NAME", "")
        kernel = self._line("proc/sys/kernel/osrelease")
        return {
            "agent": Installed(version=agent.__version__, scheme=Scheme.PYTHON),
            "os": Installed(
                version=system[:MAX_CHARS], told=bool(system), changed_ms=self._release_ms()
            ),
            # A kernel changes with a start; the file system it is told in is as old as that.
            "kernel": Installed(version=kernel, told=bool(kernel), scheme=Scheme.DOTTED),
        }

    def _of(self, one: Place, lists: Mapping[str, Told]) -> Installed:
        name = one.package or one.component
        scheme = Scheme(one.scheme) if one.scheme else Scheme.DPKG
        match one.installed_by:
            case "agent":
                return Installed(version=agent.__version__, scheme=Scheme.PYTHON)
            case "dpkg" | "opkg" | "apk" | "rpm":
                return _of_list(lists[one.installed_by], name, scheme)
            case "python":
                path = self._below(one.path)
                told = self.files.read(path, partial(_distribution, name), name)
                return _made(told, Scheme(one.scheme) if one.scheme else Scheme.PYTHON)
            case "file":
                told = self.files.read(self._below(one.path), partial(_inside, one.key), one.key)
                return _made(told, scheme)
            case "hash":
                told = self.files.read(self._below(one.path), _hashed, "hash")
                return _made(told, Scheme.OPAQUE)
            case "module":
                return self._module(name, Scheme(one.scheme) if one.scheme else Scheme.DOTTED)
            case _:
                return self._told(one.installed_by, name, scheme)

    def _told(self, who: str, name: str, scheme: Scheme) -> Installed:
        """What somebody else reads."""
        said: str | None = None
        if who == "hook":
            by_hooks = self.hooks()
            said = None if by_hooks is None else by_hooks.get(name, "")
        elif self._android is not None:
            read = self._android.property if who == "property" else self._android.package_version
            said = read(name)
        why = "" if said is not None else f"{who} does not tell {name}"
        return Installed(
            version=(said or "").strip()[:MAX_CHARS], scheme=scheme, told=said is not None, why=why
        )

    def _module(self, name: str, scheme: Scheme) -> Installed:
        """A driver: its own version where it has one, else its source's fingerprint."""
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
            return Installed(version="", told=False, why=f"{name!r} is not a module")
        folder = self._root / "sys/module" / name.replace("-", "_")
        if not folder.is_dir():
            return Installed(version="", scheme=scheme, told=folder.parent.is_dir())
        for file, counted in (("version", scheme), ("srcversion", Scheme.OPAQUE)):
            try:
                if text := text_of(folder / file, VERSION_FILE_MAX_BYTES).strip():
                    return Installed(version=text.split("\n")[0][:MAX_CHARS], scheme=counted)
            except OSError:
                continue
        return Installed(version="", scheme=scheme, told=False, why=f"{name} tells no version")

    def _release(self) -> dict[str, str]:
        for place in OS_RELEASE:
            told = self.files.read(self._root / place, _pairs)
            if told.value:
                pairs: dict[str, str] = told.value
                return pairs
        return {}

    def _release_ms(self) -> int | None:
        times = [self.files.read(self._root / place, _pairs).changed_ms for place in OS_RELEASE]
        return max((at for at in times if at is not None), default=None)

    def _property(self, name: str) -> str:
        return "" if self._android is None else self._android.property(name) or ""

    def _line(self, place: str) -> str:
        """Of /proc, whose files have no times worth looking at."""
        try:
            return text_of(self._root / place, VERSION_FILE_MAX_BYTES).strip().split("\n")[0]
        except OSError:
            return ""

    def _below(self, path: str) -> Path:
        return self._root / path.lstrip("/")


def _of_list(told: Told, name: str, scheme: Scheme) -> Installed:
    if told.value is None:
        return Installed(version="", scheme=scheme, told=False, why=told.why)
    return Installed(version=told.value.get(name, ""), scheme=scheme, changed_ms=told.changed_ms)


def _made(told: Told, scheme: Scheme) -> Installed:
    if told.value is None:
        return Installed(version="", scheme=scheme, told=False, why=told.why)
    return Installed(version=told.value[:MAX_CHARS], scheme=scheme, changed_ms=told.changed_ms)


def _pairs(path: Path) -> dict[str, str]:
    found = {}
    for line in text_of(path, VERSION_FILE_MAX_BYTES).splitlines():
        name, _, value = line.partition("=")
        found[name.strip()] = value.strip().strip("\"'")
    return found


def _inside(key: str, path: Path) -> str:
    """The first line, or what stands behind `key`: `key=…`, `key: …`, `"key": "…"`."""
    if not key:
        return text_of(path, VERSION_FILE_MAX_BYTES).strip().partition("\n")[0].strip()
    text = text_of(path, KEY_FILE_MAX_BYTES)
    name = rf"""(?:^|[\s{{,<;])["']?{re.escape(key)}["']?"""
    found = re.search(rf"""(?m){name}[ \t]*[=:>][ \t]*["']?([^"'\r\n,<>;}}]*)""", text)
    if found is None:
        raise ValueError(f"there is no {key} in it")
    return found[1].strip()


def _hashed(path: Path) -> str:
    content = head_of(path, HASH_MAX_BYTES + 1)
    if len(content) > HASH_MAX_BYTES:
        raise ValueError(f"more than {HASH_MAX_BYTES} bytes")
    return hashlib.sha256(content).hexdigest()


def _distribution(package: str, site: Path) -> str:
    """The version in the name of `package`'s dist-info directory; "" where there is none."""
    wanted = re.sub(r"[-_.]+", "_", package).lower()
    for info in sorted(site.glob("*.dist-info")):
        name, _, version = info.name.removesuffix(".dist-info").partition("-")
        if re.sub(r"[-_.]+", "_", name).lower() == wanted:
            return version
    return ""
