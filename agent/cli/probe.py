"""`posagent probe NAME`: one watcher, run once, here and now, by the code the daemon runs.

Works without a daemon, a store or an alarm: a technician changes a cable and asks again. Shows what
the component said and which conditions hold by it, without the delays that spare people flicker.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from agent import settings
from agent.cli.reason import reason as said_in
from agent.cli.screen import local_time
from agent.cli.session import Exit, NotThereError, Session, UnreachableError
from agent.cli.texts import TEXTS
from agent.clock import SystemClock
from agent.config import Config, looked_at_once
from agent.core.health.reading import NotFitted, NotObservable, Outcome, Reading, Unknown, Value
from agent.errors import AgentError, OperatorError

#: How readings write a time.
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
_COMPONENTS = frozenset(key for key in TEXTS if key.startswith("component."))


def probe(session: Session) -> int:
    """Ask it and show the answer."""
    if session.args.discover:
        from agent.cli.discover import discover

        return discover(session)
    if session.args.ask or session.args.printer:
        raise OperatorError("probe.discover", session.words("error.probe_discover"))
    if session.args.name is None:
        raise OperatorError("probe.name", session.words("error.probe_name"))
    if session.args.guided:
        return _guided(session)
    config = settings.load(session.config_file, references=False).config
    session.speak(config.agent.language)
    name = _meant(session, session.args.name)
    try:
        outcome, took_ms = asyncio.run(_ask(session, config, name))
    except NotThereError:
        # Some of what `status` shows is known to the running daemon alone.
        if f"component.{name}" not in _COMPONENTS:
            raise
        if _show_daemons_word(session, name, "probe.heard"):
            return Exit.OK
        _must_be_reachable(session, name)
        raise
    held = _conditions(name, outcome)
    if session.json:
        session.print_json(_plain(name, outcome, took_ms, list(held)))
    else:
        _show(session, name, outcome, took_ms, held)
        if isinstance(outcome, Unknown):
            _show_daemons_word(session, name)
    return Exit.OK


def _guided(session: Session) -> int:
    if session.args.name not in ("keypad", session.words.word("component", "keypad")):
        raise OperatorError("probe.guided", session.words("error.guided"))
    from agent.cli.keypad import guided

    return guided(session)


def _meant(session: Session, name: str) -> str:
    """The component of this name, or of the word `status` shows for it."""
    said = ((key.partition(".")[2], words) for key, words in TEXTS.items() if key in _COMPONENTS)
    shown = {words[session.words.lang == "zh"]: component for component, words in said}
    return shown.get(name, name)


async def _ask(session: Session, config: Config, name: str) -> tuple[Outcome, int]:
    from agent.supervise import DaemonThreads
    from agent.watch import watchers

    known = {
        one.component: one
        for one in watchers(looked_at_once(config), clock=SystemClock(), blocking=DaemonThreads())
    }
    watcher = known.get(name)
    if watcher is None and name == "keypad":
        return NotFitted(), 0  # without one configured nothing of it is loaded
    if watcher is None:
        names = ", ".join(known)
        said = session.words("error.no_component", name=name, names=names)
        raise NotThereError("component.unknown", said)
    started = time.monotonic()
    try:
        async with asyncio.timeout(watcher.deadline_s):
            outcome = await watcher.read()
    except TimeoutError:
        outcome = Unknown(session.words("probe.silent", seconds=f"{watcher.deadline_s:g}"))
    except AgentError as error:
        outcome = Unknown(error.what, error.code)
    took_ms = round((time.monotonic() - started) * 1000)
    close = getattr(watcher, "close", None)
    if close is not None:
        await close()
    return outcome, took_ms


def _conditions(name: str, outcome: Outcome) -> dict[str, Mapping[str, Value]]:
    """The conditions that hold by what the component said: code -> what their texts name."""
    from agent.core.health.standard import STANDARD

    match outcome:
        case Reading(values=values):
            judged = STANDARD.judged_by(name)
            return {
                condition.code: sign.shown(values)
                for condition, sign in judged
                if sign.judge(values) is True
            }
        case Unknown(reason=reason, code=code):
            silence = STANDARD.silence(name, code)
            return {silence.code: {"component": name, "reason": reason}} if silence else {}
        case _:
            return {}


def _show(
    session: Session,
    name: str,
    outcome: Outcome,
    took_ms: int,
    held: Mapping[str, Mapping[str, Value]],
) -> None:
    from agent.core.why.causes import CATALOGUE

    t, screen = session.words, session.screen
    component = t.word("component", name)
    match outcome:
        case Reading(values=values, evidence=evidence):
            word = t("word.fault") if held else t("word.ok")
            said = f"{word} ({took_ms} ms)"
            screen.line(t("pair", name=component, value=said), "bad" if held else "good")
            _show_values(session, values)
            _show_evidence(session, evidence)
        case Unknown(reason=reason, evidence=evidence):
            said = f"{t('word.unknown')} - {said_in(t, reason)} ({took_ms} ms)"
            screen.text(t("pair", name=component, value=said), style="warn")
            _show_evidence(session, evidence)
        case NotObservable(why=reason):
            said = f"{t('word.not_observable')} - {said_in(t, reason)}"
            screen.text(t("pair", name=component, value=said))
        case NotFitted():
            screen.line(t("pair", name=component, value=t("word.not_fitted")))
    offset = datetime.now(UTC).astimezone().utcoffset() or timedelta(0)
    for code, args in held.items():
        cause = CATALOGUE.get(code)
        if cause is None:
            screen.line(code)
            continue
        screen.text(f"{cause.title.render(t.lang)} ({code})", style="bold")
        screen.text(cause.reason.render(t.lang, args, offset), indent="    ", first="  ")
        said = cause.step.render(t.lang, args, offset)
        step = t("pair", name=t.word("owner", cause.owner), value=said)
        screen.text(step, indent="     ", first="  -> ")


def _must_be_reachable(session: Session, name: str) -> None:
    from agent.cli.source import changing

    try:
        changing(session)
    except UnreachableError as down:
        said = session.words("error.probe_daemon", name=session.words.word("component", name))
        raise UnreachableError(down.code, said, down.hint) from down


def _show_values(session: Session, values: Mapping[str, Any]) -> None:
    for key, value in sorted(values.items()):
        if value != "":  # nothing to tell
            told = f"{key} = {_value(session, value)}"
            session.screen.text(told, indent="    ", first="  ")


def _show_evidence(session: Session, evidence: Mapping[str, Any]) -> None:
    t = session.words
    for key, value in sorted(evidence.items()):
        said = f"{key}: {said_in(t, str(value))}"
        session.screen.text(said, indent="    ", first="  ", style="dim")


def _show_daemons_word(session: Session, name: str, headline: str = "probe.daemon") -> bool:
    """What cannot be asked here the running daemon may have heard: a serial port has one reader."""
    from agent.cli.client import Daemon
    from agent.cli.source import AWAKE_WITHIN_S, LiveSource, places

    try:
        health = LiveSource(Daemon(places(session).socket, AWAKE_WITHIN_S)).ask("health")
    except AgentError:
        return False  # no daemon, or none that talks to us: then there is nothing to add
    t = session.words
    for component in health["components"]:
        if name == component["component"] and component["outcome"] == "reading":
            if session.json:
                session.print_json(component)
                return True
            at = local_time(datetime.fromisoformat(component["at"]), datetime.now(UTC))
            session.screen.text(t(headline, name=t.word("component", name), at=at))
            _show_values(session, component["values"])
            _show_evidence(session, component["evidence"])
            return True
    return False


def _value(session: Session, value: object) -> str:
    match value:
        case None:
            return session.words("word.unknown")
        case bool():
            return session.words("word.yes" if value else "word.no")
        case float():
            return f"{value:g}"
        case str() if _STAMP.fullmatch(value):
            return local_time(datetime.fromisoformat(value), datetime.now(UTC))
        case _:
            return said_in(session.words, str(value))


def _plain(name: str, outcome: Outcome, took_ms: int, held: list[str]) -> dict[str, Any]:
    plain: dict[str, Any] = {"component": name, "duration_ms": took_ms, "conditions": held}
    match outcome:
        case Reading(values=values, evidence=evidence):
            return {**plain, "outcome": "reading", "values": values, "evidence": evidence}
        case Unknown(reason=reason, code=code, evidence=evidence):
            said = {"outcome": "unknown", "reason": reason, "code": code, "evidence": evidence}
            return plain | said
        case NotObservable(why=reason):
            return {**plain, "outcome": "not_observable", "reason": reason}
        case NotFitted():
            return {**plain, "outcome": "not_fitted"}
