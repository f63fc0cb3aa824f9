"""The manifest without a signature or an address, as a person writes it: JSON or TOML.

One entry for each component; only where no signature is required:

    [pinpad-driver]
    required = "2.4.1"
    installed_by = "dpkg"          # or "python", "file", "agent"
    package = "acme-pinpad"        # dpkg, python: if named otherwise than the component
    path = "/opt/acme/VERSION"     # file: the version file; python: the site-packages directory

Whatever is wrong with it is said with file and line. Called by `agent.watch.software.manifests`.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib

from agent.core.software.wanted import Manifest, Wanted
from agent.watch import toml

_KEYS = {"required", "installed_by", "package", "path"}
#: As in a signed one: names stand in logs and go to the fleet.
MOST = 256
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
_SOURCES = ("dpkg", "python", "file", "agent")


class PlainError(ValueError):
    """The manifest cannot be used; the text names file and line."""


def whole_of(name: str, text: str) -> object:
    """What the file says, whichever of the two it is. Raises PlainError."""
    try:
        return toml.loads(text) if name.endswith(".toml") else json.loads(text)
    except json.JSONDecodeError as error:
        raise PlainError(f"{name}:{error.lineno}: {error.msg}") from None
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))  # else: at the end of the document
        number = line[1] if line else len(text.splitlines())
        raise PlainError(f"{name}:{number}: {error}") from None
    except (RecursionError, ValueError) as error:
        raise PlainError(f"{name}:1: {error}") from None


def manifest_of(name: str, text: str, whole: object) -> Manifest:
    """The manifest it is. Raises PlainError."""
    if not isinstance(whole, dict):
        raise PlainError(f"{name}:1: must be one object, component -> required version")
    if len(whole) > MOST:
        raise PlainError(f"{name}:1: more than {MOST} components")
    return Manifest(
        sequence=0,
        wanted=tuple(_entry(name, text, component, one) for component, one in whole.items()),
        digest=hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(),
    )


def _entry(name: str, text: str, component: str, entry: object) -> Wanted:
    if not _NAME.fullmatch(component):
        raise PlainError(f"{name}:1: {component[:64]!r} is not the name of a component")
    where = f"{name}:{_line_of(text, component)}: {component}"
    if not isinstance(entry, dict):
        raise PlainError(f"{where}: must be a table with `required` and `installed_by`")
    if unknown := sorted(set(entry) - _KEYS):
        raise PlainError(f"{where}: unknown key {unknown[0]}; known: {', '.join(sorted(_KEYS))}")
    if wrong := [key for key, value in entry.items() if not isinstance(value, str)]:
        raise PlainError(f"{where}: {wrong[0]} must be a text in quotes")
    if not entry.get("required"):
        raise PlainError(f"{where}: `required` is missing")
    source = entry.get("installed_by", "")
    if source not in _SOURCES:
        raise PlainError(f"{where}: installed_by must be one of {', '.join(_SOURCES)}")
    if source in ("file", "python") and not entry.get("path"):
        raise PlainError(f"{where}: installed_by = {source} needs `path`")
    return Wanted(
        component=component,
        required=entry["required"],
        installed_by=source,
        package=entry.get("package", ""),
        path=entry.get("path", ""),
    )


def _line_of(text: str, component: str) -> int:
    """Where a component stands in the manifest; 1 if it cannot be found."""
    for number, line in enumerate(text.splitlines(), start=1):
        if component in line:
            return number
    return 1
