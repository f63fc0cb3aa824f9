"""`posagent probe NAME`: one watcher, run once, here and now, by the code the daemon runs.

Works without a daemon, a store or an alarm: a technician changes a cable and asks again. Shows what
the component said and which conditions hold by it, without the delays that spare people flicker.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

from agent import settings
from agent.cli.screen import local_time
from agent.cli.session import Exit, NotThereError, Session
from agent.clock import SystemClock
from agent.config import Config
from agent.core.health.reading import NotFitted, NotObservable, Outcome, Reading, Unknown
from agent.errors import AgentError, OperatorError


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
    name = session.args.name
    outcome, took_ms = asyncio.run(_ask(session, config, name))
    held = _conditions(name, outcome)
    if session.json:
        session.print_json(_plain(name, outcome, took_ms, held))
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


async def _ask(session: Session, config: Config, name: str) -> tuple[Outcome, int]:
    from agent.supervise import DaemonThreads
    from agent.watch import watchers

    known = {
        one.component: one
        for one in watchers(config, clock=SystemClock(), blocking=DaemonThreads())
    }
    # By the name of the component or by the word `status` shows for it.
    shown = {session.words.word("component", one): one for one in known}
    watcher = known.get(shown.get(name, name))
    if watcher is None and name in ("keypad", session.words.word("component", "keypad")):
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


def _conditions(name: str, outcome: Outcome) -> list[str]:
    """Codes of the conditions that hold by what the component said."""
    from agent.core.health.standard import STANDARD

    match outcome:
        case Reading(values=values):
            judged = STANDARD.judged_by(name)
            return [condition.code for condition, sign in judged if sign.judge(values) is True]
        case Unknown(code=code):
            silence = STANDARD.silence(name, code)
            return [silence.code] if silence else []
        case _:
            return []


def _show(session: Session, name: str, outcome: Outcome, took_ms: int, held: list[str]) -> None:
    from agent.core.why.causes import CATALOGUE

    t, screen = session.words, session.screen
    component = t.word("component", name)
    match outcome:
        case Reading(values=values, evidence=evidence):
            word = t("word.fault") if held else t("word.ok")
            said = f"{word} ({took_ms} ms)"
            screen.line(t("pair", name=component, value=said), "bad" if held else "good")
            for key, value in sorted(values.items()):
                screen.text(f"{key} = {_value(session, value)}", indent="    ", first="  ")
            for key, value in sorted(evidence.items()):
                screen.text(f"{key}: {value}", indent="    ", first="  ", style="dim")
        case Unknown(reason=reason, evidence=evidence):
            said = f"{t('word.unknown')} - {reason} ({took_ms} ms)"
            screen.text(t("pair", name=component, value=said), style="warn")
            for key, value in sorted(evidence.items()):
                screen.text(f"{key}: {value}", indent="    ", first="  ", style="dim")
        case NotObservable(why=reason):
            said = f"{t('word.not_observable')} - {reason}"
            screen.text(t("pair", name=component, value=said))
        case NotFitted():
            screen.line(t("pair", name=component, value=t("word.not_fitted")))
    for code in held:
        cause = CATALOGUE.get(code)
        if cause is None:
            screen.line(code)
            continue
        screen.text(f"{cause.title.render(t.lang)} ({code})", style="bold")
        step = t("pair", name=t.word("owner", cause.owner), value=cause.step.render(t.lang))
        screen.text(step, indent="     ", first="  -> ")


def _show_daemons_word(session: Session, name: str) -> None:
    """A serial port has one reader: what we cannot ask, the running daemon may have heard."""
    from agent.cli.client import Daemon
    from agent.cli.source import AWAKE_WITHIN_S, LiveSource, places

    try:
        health = LiveSource(Daemon(places(session).socket, AWAKE_WITHIN_S)).ask("health")
    except AgentError:
        return  # no daemon, or none that talks to us: then there is nothing to add
    t, screen = session.words, session.screen
    for component in health["components"]:
        if component["component"] == name and component["outcome"] == "reading":
            at = local_time(datetime.fromisoformat(component["at"]), datetime.now(UTC))
            screen.text(t("probe.daemon", at=at))
            for key, value in sorted(component["values"].items()):
                screen.text(f"{key} = {_value(session, value)}", indent="    ", first="  ")


def _value(session: Session, value: object) -> str:
    match value:
        case None:
            return session.words("word.unknown")
        case bool():
            return session.words("word.yes" if value else "word.no")
        case float():
            return f"{value:g}"
        case _:
            return str(value)


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
