"""Reads exported settings: JSON, TOML, INI, properties, XML; each becomes flat names and values.

Decides how a place in a file is named: dots between levels, `section.key`, `element@attribute`; an
XML element with an attribute `name` (Android's preferences) goes by that. A name given twice with
two values is ambiguous and left out. Anything that is not of the format is a FormError; no other
exception leaves this file, whatever is read. Called by `files`, on a thread.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from typing import Any

from agent.core.configuration.values import Raw
from agent.record import dataclass

#: Names taken from one file; an export of a payment app has tens.
MOST_NAMES = 2_000
MOST_DEPTH = 12
MOST_LINE = 65_536

_PROPERTY = re.compile(r"((?:\\.|[^\\=:\s])+)(?:\s*[=:]\s*|\s+|$)(.*)")
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)")
_ESCAPED = {"t": "\t", "n": " ", "r": " ", "f": " "}
_DECLARED = re.compile(r"^\s*<\?xml[^>]*\?>")


class FormError(ValueError):
    """The text is not of its format; where, without quoting it: a value may be a secret."""


@dataclass(slots=True)
class Flat:
    """Names and values of one file."""

    values: dict[str, Raw] = field(default_factory=dict)
    twice: set[str] = field(default_factory=set)

    def put(self, name: str, value: Raw) -> None:
        """One value."""
        if len(self.values) >= MOST_NAMES and name not in self.values:
            raise FormError(f"more than {MOST_NAMES} values")
        if name in self.values and self.values[name] != value:
            self.twice.add(name)
        self.values[name] = value


def parse(text: str, form: str) -> Flat:
    """The values of a text in a format. Raises FormError."""
    if not text.strip("\ufeff \t\r\n"):
        raise FormError("empty")
    try:
        return _READERS[form](text.lstrip("\ufeff"))
    except RecursionError:
        raise FormError("nested too deeply") from None


def guess(path: str, text: str) -> str:
    """The format of a file by its name, or else by how it begins."""
    ending = path.rpartition(".")[2].lower()
    known = {"json": "json", "toml": "toml", "ini": "ini", "conf": "ini", "cfg": "ini",
             "nmconnection": "ini", "network": "ini", "properties": "properties",
             "prop": "properties", "env": "properties", "xml": "xml"}  # fmt: skip
    if ending in known:
        return known[ending]
    begin = text.lstrip("\ufeff \t\r\n")[:1]
    if begin == "{":
        return "json"
    if begin == "<":
        return "xml"
    return "ini" if begin == "[" else "properties"


def _json(text: str) -> Flat:
    import json

    flat = Flat()
    doubled: list[str] = []

    def pairs(given: list[tuple[str, Any]]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, value in given:
            if name in made and made[name] != value:
                doubled.append(name)
            made[name] = value
        return made

    try:
        whole = json.loads(text, object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        raise FormError(f"line {error.lineno}: {error.msg}") from None
    except ValueError as error:  # a number of thousands of digits
        raise FormError(str(error)) from None
    _spread(flat, whole)
    # Which of several objects had the name twice is not known: all places of that name are unsure.
    flat.twice |= {name for name in flat.values if name.rpartition(".")[2] in doubled}
    return flat


def _toml(text: str) -> Flat:
    import tomllib

    from agent.watch import toml

    try:
        whole = toml.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FormError(str(error).splitlines()[0][:120]) from None
    except ValueError as error:
        raise FormError(str(error)[:120]) from None
    flat = Flat()
    _spread(flat, whole)
    return flat


def _spread(flat: Flat, whole: object) -> None:
    if not isinstance(whole, dict):
        raise FormError("not an object with names")
    for name, value in _leaves(whole, "", 0):
        flat.put(name, value)


def _leaves(value: object, name: str, depth: int) -> Iterator[tuple[str, Raw]]:
    if depth > MOST_DEPTH:
        raise FormError("nested too deeply")
    match value:
        case dict():
            for key, inner in value.items():
                yield from _leaves(inner, f"{name}.{key}" if name else str(key), depth + 1)
        case list() if all(isinstance(one, str | int | float) for one in value):
            yield name, tuple(str(one) for one in value)
        case list():
            for at, inner in enumerate(value):
                yield from _leaves(inner, f"{name}.{at}", depth + 1)
        case None:
            return
        case str() | bool() | int() | float():
            yield name, value
        case _:
            yield name, str(value)  # a date of TOML


def _ini(text: str) -> Flat:
    flat = Flat()
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.strip()
        if not bare or bare[0] in "#;":
            continue
        if bare[0] == "[" and bare[-1] == "]":
            section = bare[1:-1].strip()
            continue
        at = min((at for sign in "=:" if (at := bare.find(sign)) > 0), default=0)
        if not at:
            raise FormError(f"line {number}: neither a section nor a value")
        name = bare[:at].rstrip()
        value = _unquoted(bare[at + 1 :].lstrip())
        flat.put(f"{section}.{name}" if section else name, value)
    return flat


def _properties(text: str) -> Flat:
    flat = Flat()
    for number, line in _joined(text):
        bare = line.strip()
        if not bare or bare[0] in "#!":
            continue
        found = _PROPERTY.fullmatch(bare.removeprefix("export "))
        if found is None:
            raise FormError(f"line {number}: no value")
        flat.put(_ESCAPE.sub(_unescaped, found[1]), _unquoted(_ESCAPE.sub(_unescaped, found[2])))
    return flat


def _joined(text: str) -> Iterator[tuple[int, str]]:
    """Lines, those that end in a backslash with the next."""
    waiting, first = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        first = first or number
        whole = waiting + (line.lstrip() if waiting else line)
        if len(whole) > MOST_LINE:
            raise FormError(f"line {first}: longer than {MOST_LINE} characters")
        if (len(whole) - len(whole.rstrip("\\"))) % 2:
            waiting = whole[:-1]
            continue
        yield first, whole
        waiting, first = "", 0
    if waiting:
        yield first, waiting


def _unescaped(found: re.Match[str]) -> str:
    word = found[1]
    if len(word) == 5:
        return chr(int(word[1:], 16))
    return _ESCAPED.get(word, word)


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text


def _xml(text: str) -> Flat:
    # Entities can make a small file a huge one; no export of settings needs any.
    if re.search(r"<!\s*(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise FormError("has a document type, which no export of settings needs")
    from xml.etree import ElementTree as ET

    try:
        root = ET.fromstring(_DECLARED.sub("", text, count=1))
    except ET.ParseError as error:
        raise FormError(f"line {error.position[0]}: not well-formed") from None
    except ValueError as error:
        raise FormError(str(error)[:120]) from None
    flat = Flat()
    for name, value in _elements(root, "", 0):
        flat.put(name, value)
    return flat


def _elements(element: Any, path: str, depth: int) -> Iterable[tuple[str, str]]:
    if depth > MOST_DEPTH:
        raise FormError("nested too deeply")
    attributes: Mapping[str, str] = element.attrib
    for name, value in attributes.items():
        if name != "name":
            yield f"{path}@{_local(name)}" if path else f"@{_local(name)}", value
    text = (element.text or "").strip()
    if path and (text or not (len(element) or attributes)):
        yield path, text
    elif path and "value" in attributes and "name" in attributes:
        yield path, attributes["value"]
    for child in element:
        if not isinstance(child.tag, str):
            continue
        named = child.attrib.get("name") or _local(child.tag)
        yield from _elements(child, f"{path}.{named}" if path else named, depth + 1)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


_READERS: Mapping[str, Callable[[str], Flat]] = {
    "json": _json,
    "toml": _toml,
    "ini": _ini,
    "properties": _properties,
    "xml": _xml,
}
