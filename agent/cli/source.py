"""Where answers come from: the running daemon, else the store it left behind.

Both are asked for the same operations of the API table and answer the same documents, so a command
cannot tell them apart, except that a dead daemon's store changes nothing. Decides which of the two
it is; shows nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import msgspec

from agent.cli.client import Daemon, DaemonDownError, DaemonSilentError
from agent.cli.reason import reason
from agent.cli.session import SOCKET_NAME, Session, UnreachableError
from agent.config import Config
from agent.errors import AgentError, OperatorError, StoreError
from agent.settings import agent_table, load
from agent.settings.problems import ConfigError, Kind, Problem
from agent.wire.api import BY_NAME, Operation, arguments_of

#: A daemon that takes longer for the smallest question hangs.
AWAKE_WITHIN_S = 5.0
#: Nothing of such a file was read.
_WHOLE_FILES = frozenset({Kind.NOT_THERE, Kind.UNREADABLE, Kind.NOT_OURS, Kind.SYNTAX})
#: Longer than the daemon itself allows one of its handlers.
ANSWER_WITHIN_S = 35.0


class Source(Protocol):
    """Whoever answers."""

    #: None: the daemon, now; else when the store was last written.
    as_of: datetime | None

    def ask(self, name: str, **arguments: Any) -> Any:
        """The JSON document of operation `name` of the API table."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where this terminal keeps socket and store."""

    config: Config
    socket: Path
    state_dir: Path
    #: False: what the configuration says about it could not be read, and this is a guess.
    certain: bool = True

    @property
    def key_file(self) -> Path | None:
        """The key ring; None: beside the journal."""
        named = self.config.store.key_file
        return Path(named) if named else None


def places(session: Session) -> Places:
    """From the arguments, else the configuration; a broken one is used as far as it goes."""
    import sys

    given: Path | None = getattr(session.args, "state_dir", None)
    certain = True
    try:
        config = load(session.config_file, references=False).config
    except ConfigError as error:
        certain = given is not None or not any(map(_may_name_the_store, error.problems))
        said = session.words("error.config_broken", count=len(error.problems))
        print(session.words("config.warning", what=said), file=sys.stderr)
        config = Config(agent=agent_table(session.config_file))
    session.speak(config.agent.language)
    socket = getattr(session.args, "socket", None) or Path(config.agent.run_dir, SOCKET_NAME)
    state_dir = given or Path(config.agent.state_dir)
    return Places(config=config, socket=socket, state_dir=state_dir, certain=certain)


def _may_name_the_store(problem: Problem) -> bool:
    """A whole file, or a line of [agent], or a name that may have been meant for one."""
    return not problem.line or problem.table in ("", "[agent]") or problem.kind in _WHOLE_FILES


def readable(session: Session) -> Source:
    """The daemon if it answers, else its store. Raises an AgentError if neither can be read."""
    where = places(session)
    try:
        return _awake(where)
    except (DaemonDownError, DaemonSilentError) as down:
        return _stored(session, where, down)


def changing(session: Session) -> Source:
    """The daemon: nobody else may change payments."""
    try:
        return _awake(places(session))
    except DaemonDownError as down:
        raise UnreachableError(
            "daemon.down",
            f"{session.words('error.daemon_needed')} ({reason(session.words, down.what)})",
            session.words("error.start_daemon"),
        ) from down


def _awake(where: Places) -> Source:
    """The daemon, once it has answered something small in time."""
    LiveSource(Daemon(where.socket, AWAKE_WITHIN_S)).ask("health")
    return LiveSource(Daemon(where.socket, ANSWER_WITHIN_S))


def _stored(session: Session, where: Places, down: AgentError) -> Source:
    source = StoredSource(where)
    try:
        source.open()
    except StoreError as error:
        if error.code == "store.busy" and isinstance(down, DaemonSilentError):
            raise StoreError(
                error.code, f"{down.what}; {error.what}", session.words("error.held.hint")
            ) from error
        raise
    except OperatorError as error:
        if error.code == "store.absent":
            raise UnreachableError(error.code, f"{down.what}; {error.what}", error.hint) from error
        raise
    return source


class LiveSource:
    """The daemon over its socket."""

    def __init__(self, daemon: Daemon) -> None:
        self.as_of: datetime | None = None
        self._daemon = daemon

    def ask(self, name: str, **arguments: Any) -> Any:
        operation = BY_NAME[name]
        _checked(operation, arguments)
        path = operation.path
        for argument in list(arguments):
            if f"{{{argument}}}" in path:
                path = path.replace(f"{{{argument}}}", quote(arguments.pop(argument), safe=""))
        if operation.method == "GET":
            return self._daemon.get(path, _query(arguments))
        return self._daemon.post(path, arguments)


class StoredSource:
    """The store of a dead daemon, read as a snapshot each time."""

    def __init__(self, where: Places) -> None:
        self._where = where
        self.as_of: datetime | None = None

    def open(self) -> None:
        """Raises what stands in the way of reading it."""
        asyncio.run(self._as_of())

    def ask(self, name: str, **arguments: Any) -> Any:
        operation = BY_NAME[name]
        return asyncio.run(self._do(operation, _checked(operation, arguments)))

    async def _as_of(self) -> None:
        from agent.store.offline import open_offline

        async with open_offline(self._where.state_dir, self._where.key_file) as store:
            self.as_of = store.as_of

    async def _do(self, operation: Operation, arguments: Any) -> Any:
        from agent.actions.table import action
        from agent.cli.offline import ports
        from agent.store.offline import open_offline

        async with open_offline(self._where.state_dir, self._where.key_file) as store:
            told = await ports(store, self._where.config)
            answer = await action(operation.name)(told, arguments)
            document = json.loads(msgspec.json.encode(answer))
        if operation.name == "status" and document["store"]:
            # Read from a copy, which is gone by now.
            name = Path(document["store"]["path"]).name
            document["store"]["path"] = str(self._where.state_dir / name)
        return document


def _checked(operation: Operation, arguments: Mapping[str, Any]) -> Any:
    """The arguments as the API would take them; wrong ones are refused before anything is asked."""
    if operation.method == "GET":
        return arguments_of(operation, {}, _query(arguments), b"")
    return arguments_of(operation, {}, {}, json.dumps(arguments).encode())


def _query(arguments: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in arguments.items()
    }
