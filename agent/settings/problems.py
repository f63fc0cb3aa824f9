"""What can be wrong with a configuration, said so that an installer can put it right.

One sentence per kind of problem, in both languages, each naming file, line, table, key, what was
found and what is allowed. This file knows no key and reads no file: `agent.settings` finds the
problems, the command line and the log show them.

Nothing that may be a secret is ever part of a sentence: `shown` masks it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from pathlib import Path

from agent.errors import OperatorError
from agent.record import dataclass

#: The same words in English and in Chinese.
Both = tuple[str, str]

MASK = "********"
_SECRET_NAME = re.compile(
    r"(^|_)(password|passwd|passphrase|secret|token|psk|pin|private)(_|$)|key$"
)
_SECRET_FILE = re.compile(r"_(file|path|roles|s|ms|window_s)$")
_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")
_SHOWN_CHARS = 60


class Kind(StrEnum):
    """The kinds of problem; the names in braces below are what `args` must hold."""

    NOT_THERE = "not_there"
    UNREADABLE = "unreadable"
    NOT_OURS = "not_ours"  #: somebody else could have written it
    SYNTAX = "syntax"
    UNKNOWN = "unknown"
    MISSING = "missing"
    NOT_ALLOWED = "not_allowed"  #: wrong type or out of range
    RULE = "rule"  #: fits its bounds, but not the rest of the configuration or the machine


_SENTENCES: Mapping[Kind, Both] = {
    Kind.NOT_THERE: ("there is no such file", "文件不存在"),
    Kind.UNREADABLE: ("cannot be read: {reason}", "无法读取：{reason}"),
    Kind.NOT_OURS: (
        "refused, because {reason}; run: {command}",
        "拒绝使用，因为{reason}；请执行：{command}",
    ),
    Kind.SYNTAX: ("broken TOML: {reason}", "TOML 语法错误：{reason}"),
    Kind.UNKNOWN: (
        "there is no such {what}; did you mean {nearest}? ({allowed})",
        "没有这样的{what}；是否应为 {nearest}？({allowed})",
    ),
    Kind.MISSING: ("missing; it must be given: {allowed}", "缺少此项，必须填写：{allowed}"),
    Kind.NOT_ALLOWED: ("found {found}; allowed: {allowed}", "实际为 {found}；允许：{allowed}"),
    Kind.RULE: ("found {found}; {rule}", "实际为 {found}；{rule}"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, where it stands and what would be right."""

    kind: Kind
    file: Path | None = None
    line: int = 0  #: 0: not known or not applicable
    table: str = ""  #: as written: `[agent]`, `[[uplink]]`
    key: str = ""
    args: Mapping[str, str | Both] = field(default_factory=dict)

    def sentence(self, lang: str = "en") -> str:
        """The whole complaint on one line."""
        file = str(self.file) if self.file else ""
        place = f"{file}:{self.line}" if self.line else file
        subject = " ".join(part for part in (self.table, self.key) if part)
        pick = 1 if lang == "zh" else 0
        args = {name: v if isinstance(v, str) else v[pick] for name, v in self.args.items()}
        said = _SENTENCES[self.kind][pick].format_map(args)
        return ": ".join(part for part in (place, subject, said) if part)


class ConfigError(OperatorError):
    """The configuration cannot be used. Holds every problem, not only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        count = len(problems)
        what = f"configuration: {count} problem{'s' if count != 1 else ''}"
        what = "\n  ".join([what, *(problem.sentence() for problem in problems)])
        super().__init__("config.invalid", what, "posagent config check")
        self.problems = tuple(problems)


def secret_key(key: str) -> bool:
    """Whether a value under this name is a secret rather than a path, a number or a word."""
    return bool(_SECRET_NAME.search(key)) and not _SECRET_FILE.search(key)


def shown(key: str, value: object, limit: int = _SHOWN_CHARS) -> str:
    """`value` as it may appear in a message or in `config show`: TOML, one line, no secret."""
    if isinstance(value, Mapping):
        return "{…}" if value else "{}"
    if isinstance(value, list | tuple):
        items = [shown(key, item, limit) for item in value]
        return "[" + ", ".join(items) + "]"
    if not isinstance(value, str):
        return json.dumps(value, default=str)
    if secret_key(key) or "-----BEGIN" in value:
        return f'"{MASK}"'
    text = _USERINFO.sub(f"{MASK}@", value)
    if len(text) > limit:
        text = text[:limit] + "…"
    text = "".join(char if char.isprintable() else "\ufffd" for char in text)
    return json.dumps(text, ensure_ascii=False)
