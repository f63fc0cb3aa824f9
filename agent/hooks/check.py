"""Tries out a directory of hooks as the agent would run them, and says what is wrong with each.

Decides what is tried: every file's owner, mode, name and first line; every pull hook with a request
of the contract, its answer, time and size; a stream until it has said something. Actions and
`key.unwrap` are looked at and not run: what they do cannot be taken back. Called by
`posagent hooks check`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path
from typing import Any

from agent import __version__
from agent.blocking import Blocking
from agent.clock import Clock
from agent.config.hooks import Hooks
from agent.hooks import child
from agent.hooks.child import Launch
from agent.hooks.files import vetted, vetted_place
from agent.hooks.findings import Finding, HookError, trouble
from agent.hooks.listing import PREFIX
from agent.hooks.pull import Puller, shown
from agent.record import dataclass
from agent.wire import hooks as contract
from agent.wire.hook_table import ContractError, Hook, hook_named, reading_from

#: A hook that needs more than this share of its time will be killed on a bad day.
SLOW_SHARE = 0.5
#: How long a stream may take for its first line.
STREAM_WAIT_S = 10.0
LINES_ENOUGH = 3
#: A stream that has said something and is quiet this long has nothing more to say now.
QUIET_S = 1.5
_ELF = b"\x7fELF"
STREAM = "stream."


@dataclass(slots=True, kw_only=True)
class Checked:
    """One file, and what is to be said about it."""

    file: str
    hook: str = ""  #: its name in the contract; "": none
    took_s: float | None = None  #: None: not run
    answer: Any = None  #: the last thing it said, unless that is secret
    wrong: list[Finding] = field(default_factory=list)
    doubtful: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.wrong


async def check(config: Hooks, clock: Clock, blocking: Blocking) -> list[Checked]:
    """What there is in the directory, file by file. Raises HookError if that may not be used."""
    place = vetted_place(Path(config.directory))
    found = [await _one(path, config, clock, blocking) for path in _files(place)]
    if not any(one.hook for one in found):
        raise trouble("empty", path=place)
    return found


def _files(place: Path) -> Iterator[Path]:
    """Everything that could be meant as a hook; folders and hidden files are the vendor's own."""
    for path in sorted(place.iterdir()):
        hidden = path.name.startswith(".")
        if not hidden and (path.is_symlink() or path.is_file()):
            yield path


async def _one(path: Path, config: Hooks, clock: Clock, blocking: Blocking) -> Checked:
    checked = Checked(file=path.name)
    hook = hook_named(path.name)
    stream = path.name.startswith(STREAM)
    listing = path.name.startswith(PREFIX)
    if hook is None and not stream and not listing:
        if _meant_to_run(path):
            checked.doubtful.append(Finding("name", {"path": path}))
        return checked
    checked.hook = hook.name if hook else "list.<name>" if listing else "stream.<name>"
    try:
        real = vetted(path.parent, path.name)
    except HookError as error:
        checked.wrong.append(error.finding)
        return checked
    checked.wrong += _first_line(real)
    if checked.wrong:
        return checked
    if listing:
        why = "it fetches a list; posagent reconcile pull tries it"
        checked.doubtful.append(Finding("unchecked", {"hook": path.name, "why": why}))
    elif hook is None:
        await _stream(checked, path, config, blocking)
    elif hook.action:
        checked.doubtful += _action(path)
    elif hook.secret:
        why = "a security element may count failed tries"
        checked.doubtful.append(Finding("unchecked", {"hook": path.name, "why": why}))
    else:
        await _pull(checked, hook, Puller(config, clock, blocking))
    return checked


def _meant_to_run(path: Path) -> bool:
    return path.is_file() and path.stat().st_mode & 0o111 != 0


def _action(path: Path) -> Iterator[Finding]:
    if path.parent.name != "actions.d":
        yield Finding("action_here", {"path": path})
    yield Finding("unchecked", {"hook": path.name, "why": "it is an action"})


def _first_line(path: Path) -> Iterator[Finding]:
    with path.open("rb") as file:
        line = file.readline(256)
    if line.startswith(b"#!"):
        if line.endswith(b"\r\n"):
            yield Finding("carriage_return", {"path": path})
    elif not line.startswith(_ELF):
        yield Finding("shebang", {"path": path, "begins": line[:20].decode("utf-8", "replace")})


async def _pull(checked: Checked, hook: Hook, puller: Puller) -> None:
    name = checked.file
    started = time.monotonic()
    try:
        request = puller.request(hook, name, **_sample(hook, name))
        answered = await puller.run(hook, name, request)
    except HookError as error:
        checked.wrong.append(error.finding)
        return
    finally:
        checked.took_s = time.monotonic() - started
    checked.answer = answered.answer
    if answered.left_children:
        checked.doubtful.append(Finding("left_children", {"hook": name}))
    if checked.took_s > SLOW_SHARE * puller.deadline_s:
        args = {"hook": name, "took_s": checked.took_s, "deadline_s": puller.deadline_s}
        checked.doubtful.append(Finding("slow", args))
    if hook.answer == contract.AnyReading:
        own = name.removeprefix("probe.")
        if answered.answer.component != own:
            said = {"hook": name, "said": answered.answer.component, "own": own}
            checked.wrong.append(Finding("component", said))
        checked.doubtful += _evidence(name, answered.answer)


def _evidence(name: str, reading: Any) -> Iterator[Finding]:
    if isinstance(reading, contract.HookReading):
        for key, given in (("raw", reading.raw is not None), ("source", bool(reading.source))):
            if not given:
                yield Finding("no_evidence", {"hook": name, "key": key})


def _sample(hook: Hook, name: str) -> dict[str, object]:
    """The fields of a request beyond those every request has."""
    if hook.request is contract.ProbeRequest:
        return {"component": name.removeprefix("probe.")}
    if hook.request is contract.EventRequest:
        # The end of something that never was: what a hook undoes then is nothing.
        code = name.removeprefix("event.")
        at = "2026-01-01T00:00:00.000+00:00"
        return {
            "code": code, "what": "ended", "component": "printer", "severity": "warning", "at": at
        }  # fmt: skip
    return {}


async def _stream(checked: Checked, path: Path, config: Hooks, blocking: Blocking) -> None:
    name = checked.file
    started = time.monotonic()
    try:
        running = await child.start(Launch(directory=path.parent, name=name), blocking)
    except HookError as error:
        checked.wrong.append(error.finding)
        return
    lines: list[bytes] = []
    try:
        running.feed(b"")
        async with asyncio.timeout(STREAM_WAIT_S) as limit:
            await _lines(running, name, config.output_max_bytes, lines, limit)
            code = await running.ended()
            how = f"exit code {code}: {shown(running.complaint)[:120]}"
            ended = Finding("stream_ended", {"hook": name, "how": how, "rest_s": 1.0})
            checked.wrong.append(ended)
    except TimeoutError:
        if not lines:
            waited = Finding("no_line", {"hook": name, "waited_s": STREAM_WAIT_S})
            checked.doubtful.append(waited)
    except _EnoughError:
        checked.took_s = time.monotonic() - started
    except HookError as error:
        checked.wrong.append(error.finding)
    finally:
        await running.end(blocking)
    for line in lines:
        try:
            checked.answer = reading_from(line)
            checked.doubtful += _evidence(name, checked.answer)
        except ContractError as error:
            begins = line[:40].decode("utf-8", "replace")
            args = {"hook": name, "why": str(error), "begins": begins, "schema": "reading"}
            checked.wrong.append(Finding("contract" if error.is_json else "not_json", args))


class _EnoughError(Exception):
    """A stream has said enough to be judged."""


async def _lines(
    running: child.Child, name: str, most: int, lines: list[bytes], limit: asyncio.Timeout
) -> None:
    """Collect lines until it ends. Raises _EnoughError, HookError."""
    rest = b""
    while some := await running.read():
        *whole, rest = (rest + some).split(b"\n")
        lines += [line for line in whole if line.strip()]
        if len(rest) > most or any(len(line) > most for line in whole):
            raise trouble("line_too_long", hook=name, limit=most)
        if len(lines) >= LINES_ENOUGH:
            raise _EnoughError
        if lines:
            limit.reschedule(asyncio.get_running_loop().time() + QUIET_S)


#: What a report names as the version that checked.
CHECKED_WITH = {"agent_version": __version__, "contract": contract.VERSION}
