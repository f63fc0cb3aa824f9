"""Android's two small languages, read far enough to find what a build or init would refuse:
Blueprint (Android.bp) and init.rc. Both raise ValueError with the line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

TOKEN = re.compile(
    r"""(?P<space>[ \t\n]+|//[^\n]*|/\*.*?\*/)|(?P<text>"(?:[^"\\\n]|\\.)*")"""
    r"""|(?P<word>[A-Za-z_][A-Za-z0-9_.]*|-?[0-9]+)|(?P<sign>[{}\[\]:,=+])""",
    re.VERBOSE | re.DOTALL,
)
#: Properties by module type; what is not here was not meant, or has to be looked up first.
COMMON = {"name", "src", "system_ext_specific", "required", "init_rc", "enabled"}
MODULES = {
    "sh_binary": COMMON | {"sub_dir", "filename"},
    "prebuilt_etc": COMMON | {"sub_dir", "filename", "filename_from_src"},
}


@dataclass
class _Tokens:
    found: list[tuple[str, str, int]]
    at: int = 0

    def next(self, *wanted: str) -> str:
        if self.at >= len(self.found):
            raise ValueError("ends too early")
        kind, text, line = self.found[self.at]
        if wanted and text not in wanted and kind not in wanted:
            raise ValueError(f"line {line}: {text!r} where {' or '.join(wanted)} was expected")
        self.at += 1
        return text

    def peek(self) -> str:
        return self.found[self.at][1] if self.at < len(self.found) else ""


def _tokens(text: str) -> _Tokens:
    at, found = 0, []
    while at < len(text):
        match = TOKEN.match(text, at)
        line = text.count("\n", 0, at) + 1
        if match is None:
            raise ValueError(f"line {line}: {text[at]!r} is no part of the language")
        if match.lastgroup != "space":
            found.append((str(match.lastgroup), match[0], line))
        at = match.end()
    return _Tokens(found)


def blueprint(text: str) -> list[tuple[str, dict[str, object]]]:
    """The modules of an Android.bp."""
    tokens, modules = _tokens(text), []
    while tokens.peek():
        kind = tokens.next("word")
        if kind not in MODULES:
            raise ValueError(f"no module type {kind}")
        properties = _map(tokens)
        if unknown := set(properties) - MODULES[kind]:
            raise ValueError(f"{kind} has no {', '.join(sorted(unknown))}")
        modules.append((kind, properties))
    return modules


def _map(tokens: _Tokens) -> dict[str, object]:
    tokens.next("{")
    held: dict[str, object] = {}
    while tokens.peek() != "}":
        name = tokens.next("word")
        if name in held:
            raise ValueError(f"{name} twice")
        tokens.next(":")
        held[name] = _value(tokens)
        if tokens.peek() != "}":
            tokens.next(",")
    tokens.next("}")
    return held


def _value(tokens: _Tokens) -> object:
    first = tokens.peek()
    if first == "{":
        return _map(tokens)
    if first == "[":
        tokens.next()
        items = []
        while tokens.peek() != "]":
            items.append(_value(tokens))
            if tokens.peek() != "]":
                tokens.next(",")
        tokens.next("]")
        return items
    if first.startswith('"'):
        return tokens.next("text")[1:-1]
    return {"true": True, "false": False}[tokens.next("true", "false")]


#: Option of a service -> how many words it takes.
OPTIONS = {
    "user": (1, 1), "group": (1, 9), "seclabel": (1, 1), "capabilities": (0, 40), "oneshot": (0, 0),
    "disabled": (0, 0), "class": (1, 9), "socket": (3, 6), "restart_period": (1, 1),
    "rlimit": (3, 3), "oom_score_adjust": (1, 1), "task_profiles": (1, 9), "shutdown": (1, 1),
}  # fmt: skip
COMMANDS = {
    "mkdir": (1, 5),
    "restorecon_recursive": (1, 9),
    "exec_start": (1, 1),
    "restart": (1, 1),
}


@dataclass
class InitFile:
    """Services with their options, and the commands under each trigger."""

    services: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    programs: dict[str, list[str]] = field(default_factory=dict)
    actions: dict[str, list[list[str]]] = field(default_factory=dict)


def init_rc(text: str) -> InitFile:
    """What an init.rc says."""
    read, into, kind = InitFile(), "", ""
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if words[0] in {"on", "service"} and not line.startswith(" "):
            kind, into = words[0], words[1]
            if kind == "on":
                read.actions.setdefault(into, [])
            else:
                if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,16}", into) or into in read.services:
                    raise ValueError(f"line {number}: a service cannot be called {into}")
                read.services[into], read.programs[into] = {}, words[2:]
            continue
        known = OPTIONS if kind == "service" else COMMANDS if kind == "on" else {}
        if words[0] not in known:
            raise ValueError(f"line {number}: {words[0]} is not known here")
        least, most = known[words[0]]
        if not least <= len(words) - 1 <= most:
            raise ValueError(f"line {number}: {words[0]} takes {least} to {most} words")
        if kind == "service":
            read.services[into][words[0]] = words[1:]
        else:
            read.actions[into].append(words)
    return read
