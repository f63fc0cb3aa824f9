"""`posagent config check|show|keys`: is it good, what is in force, what is there to set."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

from agent import settings
from agent.cli.session import Exit, Session
from agent.core.fleet import DESIRED_FILE
from agent.settings.problems import ConfigError, Problem


def config(session: Session) -> int:
    """Carry out one of the three."""
    match session.args.order:
        case "check":
            return _check(session)
        case "show":
            return _show(session)
        case _:
            return _keys(session)


def _check(session: Session) -> int:
    try:
        loaded = settings.load(session.config_file)
    except ConfigError as error:
        if not session.json:
            raise
        session.print_json(
            {"ok": False, "problems": [_plain(problem) for problem in error.problems]}
        )
        return Exit.USAGE
    warnings = [warning[1 if session.words.lang == "zh" else 0] for warning in loaded.warnings]
    from agent.exposure import audit, places

    exposed = audit(places(loaded.config, loaded.files))
    warnings += [one.sentence(session.words.lang) for one in exposed]
    files = [str(file) for file in loaded.files]
    _, version, conflict = _laid_over(loaded, references=True)
    if conflict:
        warnings.append(session.words("config.desired.conflict", version=version, key=conflict))
    if session.json:
        told = {"ok": True, "files": files, "warnings": warnings}
        if version:
            told["desired"] = {"version": version, "in_force": not conflict, "key": conflict}
        session.print_json(told)
        return Exit.OK
    for warning in warnings:
        session.screen.line(session.words("config.warning", what=warning), "warn")
    _say_where(session, loaded)
    if version and not conflict:
        session.screen.line(session.words("config.desired", version=version))
    return Exit.OK


def _show(session: Session) -> int:
    from agent.settings.schema import effective

    loaded = settings.load(session.config_file, references=False)
    loaded, version, conflict = _laid_over(loaded, references=False)
    if session.json:
        tables: dict[str, dict[str, str]] = {}
        for table, key, value in effective(loaded.config):
            tables.setdefault(table, {})[key] = value
        session.print_json({"files": [str(file) for file in loaded.files], "tables": tables})
        return Exit.OK
    _say_where(session, loaded, comment="# ")
    if version:
        word = "config.desired.conflict" if conflict else "config.desired"
        session.screen.line("# " + session.words(word, version=version, key=conflict))
    origins = _Origins(loaded)
    last = ""
    for table, key, value in effective(loaded.config):
        another = origins.next_entry(table, key)
        if another or table != last:
            session.screen.line(f"\n{table}", "bold")
            last = table
        came_from = origins.of(table, key)
        if Path(came_from).name == DESIRED_FILE:
            came_from = session.words("config.desired.key", version=version)
        session.screen.line(f"{key} = {value}" + (f"  # {came_from}" if came_from else ""))
    return Exit.OK


def _laid_over(loaded: settings.Loaded, *, references: bool) -> tuple[settings.Loaded, int, str]:
    """With what the fleet set over the files, where it ever did."""
    if not (Path(loaded.config.agent.state_dir) / DESIRED_FILE).exists():
        return loaded, 0, ""
    from agent.main.overlay import shown

    return shown(loaded, references=references)


#: The key each entry of an array of tables begins with, where it is not the first of its shape.
_FIRST = {"[[uplink]]": "type"}


class _Origins:
    """Which file and line a key in force came from; "" for a default."""

    def __init__(self, loaded: settings.Loaded) -> None:
        self._places = loaded.origins
        self._entries: dict[str, int] = {}

    def next_entry(self, table: str, key: str) -> bool:
        """Whether `key` begins another entry of an array of tables."""
        if not table.startswith("[["):
            return False
        from agent.settings.schema import tables

        if key != (_FIRST.get(table) or tables()[table].fields[0].name):
            return False
        self._entries[table] = self._entries.get(table, -1) + 1
        return True

    def of(self, table: str, key: str) -> str:
        name = table.strip("[]").replace('"', "")
        path = f"{name}.{key}"
        if table.startswith("[["):
            path = f"{name}.{self._entries[table]}.{key}"
        return self._places.get(path, "")


def _keys(session: Session) -> int:
    from agent.cli import config_reference

    toml = session.args.toml
    sys.stdout.write(config_reference.toml() if toml else config_reference.markdown())
    return Exit.OK


def _say_where(session: Session, loaded: settings.Loaded, comment: str = "") -> None:
    if loaded.files:
        files = ", ".join(str(file) for file in loaded.files)
        session.screen.line(comment + session.words("config.good", files=files))
    else:
        session.screen.text(
            session.words("config.none", path=loaded.looked_for), indent=comment, first=comment
        )


def _plain(problem: Problem) -> dict[str, object]:
    plain = asdict(problem)
    plain["file"] = str(problem.file) if problem.file else None
    plain["sentence"] = {lang: problem.sentence(lang) for lang in ("en", "zh")}
    del plain["args"]
    return plain
