"""Load the configuration: one file, its conf.d, every complaint at once.

Decides whether what stands in the files may be used, and refuses as a whole otherwise: a daemon
that guesses at half a configuration sends money to the wrong place. The bounds are those of
`agent.config`, read by introspection, so that messages, the key table in docs and the check itself
cannot drift apart. What an uplink or a watcher does with a value is not known here.

`<file>` and then `conf.d/*.toml` beside it, in the order of their names, are laid over each other:
a later key wins, `[[uplink]]` entries add up. What the fleet wants comes last, as far as
`agent.core.fleet.overlay` lets it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect as shapes

from agent.config import Agent, Config
from agent.errors import OperatorError
from agent.record import dataclass
from agent.settings import file as config_file
from agent.settings import rules, schema
from agent.settings.lines import Lines
from agent.settings.problems import Both, ConfigError, Kind, Problem, secret_key, shown

DEFAULT_FILE = Path("/etc/posagent/posagent.toml")
_SECRETS_APART: Both = ("secrets stay in files of their own", "密钥和密码应放在单独的文件中")
_ELSEWHERE: Both = ("that key belongs there", "该键属于那个表")
_CODES: Both = ("condition code", "状态代码")
_KEY: Both = ("key", "键")
_A_TABLE: Both = ("a table", "一个表")
_TABLE: Both = ("table", "表")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A configuration that may be used, and where it came from."""

    config: Config
    looked_for: Path
    files: tuple[Path, ...]  #: in the order they were laid over each other; empty: defaults only
    origins: Mapping[str, str]  #: `telemetry.window` -> `/etc/…/posagent.toml:12`
    warnings: tuple[Both, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """Tables laid over the files: what the fleet wants of this terminal."""

    tables: Mapping[str, Any]
    file: Path  #: where they are kept


class NotAllowedError(OperatorError):
    """A setting is not the fleet's to change, or not in this direction; `what` is the key."""


def load(
    file: Path | None = None, *, references: bool = True, overlay: Overlay | None = None
) -> Loaded:
    """The configuration in `file`, or in the usual place; defaults where there is none.

    Raises ConfigError with every problem found. `references=False` leaves out whether files named
    in the configuration can be read: a technician's `status` needs no private keys.
    With an `overlay`, NotAllowedError for what it may not touch.
    """
    reader = _Reader(references=references)
    looked_for = file or DEFAULT_FILE
    merged = reader.read(looked_for, must_exist=file is not None)
    if overlay is not None and not reader.problems:
        reader.lay(overlay)
    for trouble in rules.between_keys(merged, schema.defaults()):
        reader.complain(trouble.path, Kind.RULE, found=trouble.found, rule=trouble.rule)
    if reader.problems:
        raise ConfigError(sorted(reader.problems, key=lambda p: (str(p.file), p.line)))
    return Loaded(
        config=msgspec.convert(merged, Config),
        looked_for=looked_for,
        files=tuple(reader.files),
        origins={path: _origin(place) for path, place in reader.places.items()},
        warnings=tuple(rules.warnings(merged)) if references else (),
    )


def kept_in(config: Config, state_dir: str) -> Config:
    """With another `state_dir`: one given on the command line stands in no file."""
    agent = msgspec.structs.replace(config.agent, state_dir=state_dir)
    return msgspec.structs.replace(config, agent=agent)


def agent_table(file: Path | None = None) -> Agent:
    """[agent] alone, from a configuration that is broken elsewhere; defaults if that too is."""
    merged = _Reader(references=False).read(file or DEFAULT_FILE, must_exist=False)
    return msgspec.convert(merged.get("agent", {}), Agent)


@dataclass(frozen=True, slots=True)
class _Place:
    file: Path | None
    line: int


@dataclass(frozen=True, slots=True)
class _Document:
    """One file while it is being checked."""

    file: Path
    lines: Lines
    merged: Mapping[str, int]  #: how many entries of each [[table]] earlier files brought


class _Reader:
    """Reads the files one after the other and collects what is wrong with them."""

    def __init__(self, *, references: bool) -> None:
        self.problems: list[Problem] = []
        self.files: list[Path] = []
        self.places: dict[str, _Place] = {}
        self._references = references
        self._merged: dict[str, Any] = {}

    def read(self, file: Path, *, must_exist: bool) -> dict[str, Any]:
        self._file(file, must_exist=must_exist)
        conf_d = file.parent / "conf.d"
        try:
            more = sorted(entry for entry in conf_d.iterdir() if entry.suffix == ".toml")
        except (FileNotFoundError, NotADirectoryError):
            more = []
        except OSError as error:
            self._problem(config_file.unreadable(conf_d, error))
            more = []
        for part in more:
            self._file(part, must_exist=True)
        return self._merged

    def lay(self, overlay: Overlay) -> None:
        """Lay the fleet's tables over those of the files. Raises NotAllowedError."""
        from agent.core.fleet.overlay import limits_over, named, refused

        wish = dict(overlay.tables)
        if isinstance(wish.get("health"), dict):
            wish["health"] = _codes(wish["health"])
        local = msgspec.to_builtins(msgspec.convert(self._merged, Config))
        if key := refused(wish, local):
            raise NotAllowedError("config.not_allowed", key)
        # Without a line: nobody wrote these as text.
        document = _Document(overlay.file, Lines(""), {})
        checked = _Checker(self, document, self._references).check(wish)
        if limits := checked.pop("limit", None):
            self._merged["limit"] = limits_over(self._merged.get("limit", ()), limits)
            for number, one in enumerate(self._merged["limit"]):
                for key in (key for entry in limits if named(entry) == named(one) for key in entry):
                    self.places[f"limit.{number}.{key}"] = _Place(overlay.file, 0)
        self._lay_over(document, checked)

    def complain(self, path: str, kind: Kind, **args: str | Both) -> None:
        """A problem at a place in the merged configuration."""
        place = self.places.get(path, _Place(None, 0))
        self.problems.append(_at(path, place, kind, args))

    def _file(self, file: Path, *, must_exist: bool) -> None:
        try:
            text = config_file.read(file)
        except FileNotFoundError:
            if must_exist or file.is_symlink():
                self._problem(Problem(kind=Kind.NOT_THERE, file=file))
            return
        if not isinstance(text, str):
            for problem in text:
                self._problem(problem)
            return
        self.files.append(file)
        try:
            raw = tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            self._problem(config_file.syntax(file, text, error))
            return
        earlier = {name: len(self._merged.get(name, ())) for name in schema.ARRAYS}
        document = _Document(file, Lines(text), earlier)
        self._lay_over(document, _Checker(self, document, self._references).check(raw))

    def _problem(self, problem: Problem) -> None:
        # A directory in wrong hands is found once for every file in it.
        if problem not in self.problems:
            self.problems.append(problem)

    def _lay_over(self, document: _Document, checked: Mapping[str, Any]) -> None:
        for table, content in checked.items():
            if isinstance(content, list):
                self._merged.setdefault(table, []).extend(content)
                rows = ((f"{table}.{n}", entry) for n, entry in enumerate(content))
                for path, entry in rows:
                    self._remember(document, path, entry)
            elif table == "health":
                for code, delay in content.items():
                    self._merged.setdefault(table, {}).setdefault(code, {}).update(delay)
                    self._remember(document, f"{table}.{code}", delay)
            else:
                self._merged.setdefault(table, {}).update(content)
                self._remember(document, table, content)

    def _remember(self, document: _Document, path: str, content: Mapping[str, Any]) -> None:
        merged = path
        table, _, number = path.partition(".")
        if table in document.merged:
            merged = f"{table}.{int(number) + document.merged[table]}"
        for key in ("", *content):
            inside, outside = (f"{p}.{key}" if key else p for p in (path, merged))
            self.places[outside] = _Place(document.file, document.lines.find(inside))


class _Checker:
    """Holds one document against the shapes of `agent.config`; keeps what is right in it."""

    def __init__(self, reader: _Reader, document: _Document, references: bool) -> None:
        self._reader = reader
        self._document = document
        self._references = references

    def check(self, raw: dict[str, Any]) -> dict[str, Any]:
        if isinstance(raw.get("health"), dict):
            raw["health"] = _codes(raw["health"])
        checked = self._table(raw, schema.struct(Config), "", "")
        return {name: value for name, value in checked.items() if value}

    def _table(
        self, found: Mapping[str, Any], shape: shapes.StructType, path: str, rule: str
    ) -> dict[str, Any]:
        entries = {entry.name: entry for entry in shape.fields}
        good: dict[str, Any] = {}
        for key, value in found.items():
            inside = f"{path}.{key}" if path else key
            entry = entries.get(key)
            if entry is None:
                self._unknown(inside, key, value, entries)
                continue
            checked = self._value(value, entry.type, inside, f"{rule}.{key}".strip("."))
            if checked is not None:
                good[key] = checked
        for key, entry in entries.items():
            if entry.required and key not in found:
                self._say(f"{path}.{key}", Kind.MISSING, allowed=schema.allowed(entry.type))
        return good

    def _value(self, value: Any, shape: shapes.Type, path: str, rule: str) -> Any:
        """`value` if it may stay, else None after a complaint."""
        match shape, value:
            case shapes.UnionType(), dict() if tags := schema.variants(shape):
                return self._variant(value, tags, path, rule)
            case shapes.UnionType(), _ if schema.variants(shape):
                self._say(path, Kind.NOT_ALLOWED, found=shown("", value), allowed=_A_TABLE)
                return None
            case shapes.UnionType(), _:
                meant = schema.present(shape, value)
                if isinstance(value, dict | list) or schema.fits(value, meant):
                    return self._value(value, meant, path, rule)
            case shapes.StructType(), dict():
                return self._table(value, shape, path, rule)
            case shapes.DictType(), dict():
                return self._dict(value, shape, path, rule)
            case shapes.VarTupleType(item_type=item), list():
                entries = [
                    self._value(entry, item, f"{path}.{n}", rule) for n, entry in enumerate(value)
                ]
                return [entry for entry in entries if entry is not None]
        if not schema.fits(value, shape):
            key = path.rpartition(".")[2]
            self._say(
                path,
                Kind.NOT_ALLOWED,
                found=shown(key, value),
                allowed=schema.allowed(shape),
            )
            return None
        if trouble := rules.alone(rule, value, references=self._references):
            key = rule.rpartition(".")[2]
            self._say(path, Kind.RULE, found=shown(key, value), rule=trouble)
            return None
        return value

    def _variant(
        self, found: Mapping[str, Any], tags: Mapping[str, shapes.StructType], path: str, rule: str
    ) -> dict[str, Any] | None:
        """A table whose `type` says which keys it has; without one it is of the first type."""
        tag = found.get("type", next(iter(tags)))
        shape = tags.get(tag) if isinstance(tag, str) else None
        if shape is None:
            words = ", ".join(shown("", one) for one in tags)
            allowed = f"one of {words}", f"以下之一：{words}"
            self._say(f"{path}.type", Kind.NOT_ALLOWED, found=shown("type", tag), allowed=allowed)
            return None
        rest = {key: value for key, value in found.items() if key != "type"}
        return {"type": tag, **self._table(rest, shape, path, rule)}

    def _dict(
        self, found: Mapping[str, Any], shape: shapes.DictType, path: str, rule: str
    ) -> dict[str, Any]:
        good = {}
        for key, value in found.items():
            inside = f"{path}.{key}"
            if rule == "health" and (nearest := rules.unknown_code(key)):
                self._say(inside, Kind.UNKNOWN, what=_CODES, nearest=nearest, allowed=key)
            elif not schema.fits(key, shape.key_type):
                self._say(
                    inside,
                    Kind.NOT_ALLOWED,
                    found=shown("", key),
                    allowed=schema.allowed(shape.key_type),
                )
            elif (checked := self._value(value, shape.value_type, inside, rule)) is not None:
                good[key] = checked
        return good

    def _unknown(
        self, path: str, key: str, value: Any, entries: Mapping[str, shapes.Field]
    ) -> None:
        import difflib

        elsewhere = [table for table, name in schema.all_keys() if name == key]
        if "." not in path and isinstance(value, dict | list):
            close = difflib.get_close_matches(key, entries, n=1, cutoff=0.0)
            tables = " ".join(schema.tables())
            self._say(path, Kind.UNKNOWN, what=_TABLE, nearest=f"[{close[0]}]", allowed=tables)
        elif secret_key(key) and f"{key}_file" in entries:
            self._say(path, Kind.UNKNOWN, what=_KEY, nearest=f"{key}_file", allowed=_SECRETS_APART)
        elif elsewhere:
            self._say(
                path, Kind.UNKNOWN, what=_KEY, nearest=f"{elsewhere[0]} {key}", allowed=_ELSEWHERE
            )
        else:
            close = difflib.get_close_matches(key, entries, n=1, cutoff=0.0)
            hint = schema.allowed(entries[close[0]].type)
            self._say(path, Kind.UNKNOWN, what=_KEY, nearest=close[0], allowed=hint)

    def _say(self, path: str, kind: Kind, **args: str | Both) -> None:
        place = _Place(self._document.file, self._document.lines.find(path))
        self._reader.problems.append(_at(path, place, kind, args))


def _codes(tables: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """`[health.printer.paper_out]` means the same as `[health."printer.paper_out"]`."""
    flat: dict[str, Any] = {}
    for name, value in tables.items():
        code = f"{prefix}{name}"
        if isinstance(value, dict) and value and all(isinstance(v, dict) for v in value.values()):
            flat |= _codes(value, f"{code}.")
        else:
            flat[code] = value
    return flat


def _origin(place: _Place) -> str:
    return f"{place.file}:{place.line}" if place.line else str(place.file)


def _at(path: str, place: _Place, kind: Kind, args: Mapping[str, str | Both]) -> Problem:
    table, key = _place_words(path)
    return Problem(kind=kind, file=place.file, line=place.line, table=table, key=key, args=args)


def _place_words(path: str) -> tuple[str, str]:
    """`uplink.1.url` -> `[[uplink]] (2nd)`, `url`."""
    parts = path.split(".")
    if parts[0] in schema.ARRAYS and len(parts) > 1:
        return f"[[{parts[0]}]] #{int(parts[1]) + 1}", ".".join(parts[2:])
    if parts[0] == "health" and len(parts) > 2:
        return f"[health.{'.'.join(parts[1:-1])}]", parts[-1]
    if len(parts) == 1:
        return "", parts[0]
    return f"[{parts[0]}]", re.sub(r"\.(\d+)$", r"[\1]", ".".join(parts[1:]))


__all__ = [
    "DEFAULT_FILE",
    "ConfigError",
    "Loaded",
    "NotAllowedError",
    "Overlay",
    "agent_table",
    "kept_in",
    "load",
]
