"""`posagent probe keypad --guided`: asks a technician to press each key once.

Works beside the daemon: input events reach everybody who listens. Tells on the screen which keys
were not seen, and keeps for the daemon how many of which class; a test that was not seen to its end
keeps nothing. Every wait ends by itself. A device on which PINs are entered is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent import settings
from agent.cli.session import Exit, NotThereError, Session, UnreachableError
from agent.config.devices import Keypad
from agent.errors import OperatorError
from agent.watch.keypad import guide, node, tested


def guided(session: Session) -> int:
    """The test; exit 1 when a key was not seen."""
    config = settings.load(session.config_file, references=False).config
    session.speak(config.agent.language)
    keypad = config.keypad
    if not keypad.device and not keypad.name:
        said = session.words("keypad.not_configured")
        raise NotThereError("keypad.not_configured", said)
    found = _opened(session, keypad)
    try:
        asked = guide.positions(keypad, _keys(found))
        if not asked:
            raise OperatorError("keypad.nothing_to_ask", session.words("keypad.nothing_to_ask"))
        _introduce(session, keypad, asked)
    except BaseException:
        found.close()
        raise
    with _typing_not_shown():
        findings = asyncio.run(_walk(session, keypad, found, asked))
    not_kept = session.words("keypad.not_kept")
    if findings.ended == "complete":
        not_kept = _keep(session, Path(config.agent.state_dir), findings, keypad)
    if session.json:
        session.print_json(_plain(findings, not not_kept))
    else:
        _conclude(session, findings)
        session.screen.text(not_kept or session.words("keypad.kept"))
    if findings.ended == "gone":
        return Exit.UNREACHABLE
    return Exit.FOUND if findings.unseen else Exit.OK


def _opened(session: Session, keypad: Keypad) -> node.Node:
    t, where = session.words, keypad.device or keypad.name
    try:
        place = node.locate(keypad)
        if place is None:
            raise UnreachableError("keypad.gone", t("keypad.gone", where=where))
        return node.open_node(keypad, place)
    except node.NoKeypadError as error:
        match error.finding:
            case "pin_pad":
                raise OperatorError("keypad.pin_pad", t("keypad.pin_pad", where=where)) from error
            case "permission":
                raise UnreachableError(
                    "keypad.permission", t("keypad.permission", where=where)
                ) from error
            case "gone":
                raise UnreachableError("keypad.gone", t("keypad.gone", where=where)) from error
            case "not_input" | "not_a_keypad":
                raise OperatorError("keypad.none", t("keypad.none", where=where)) from error
        raise UnreachableError("keypad.open", error.reason) from error


def _keys(found: node.Node) -> frozenset[int]:
    try:
        return found.keys()
    except OSError:
        return frozenset()  # a socket of events, or gone: then the walk will tell


async def _walk(
    session: Session, keypad: Keypad, found: node.Node, asked: list[str]
) -> guide.Findings:
    t = session.words
    # A program that reads the result must not read the questions, but a person must.
    to = sys.stderr if session.json else sys.stdout
    beside = session.screen.tty and not session.json

    def on_ask(number: int, position: str) -> None:
        name = t.word("key", position)
        line = t("keypad.ask", number=number, count=len(asked), key=name)
        print(line, end=" " if beside else "\n", file=to, flush=True)

    def on_step(step: guide.Step) -> None:
        said = t("keypad.seen") if step.seen else t("keypad.unseen")
        if step.other and not step.seen:
            kinds = ", ".join(t.word("key_class", kind) for kind in step.other)
            said = t("keypad.other", said=said, kinds=kinds)
        style = "good" if step.seen else "bad"
        shown = session.screen.styled(said, style) if beside else f"   {said}"
        print(shown, file=to, flush=True)

    return await guide.walk(
        found,
        asked,
        patience_s=session.args.seconds,
        hidden=lambda: node.hidden(keypad),
        on_ask=on_ask,
        on_step=on_step,
    )


def _introduce(session: Session, keypad: Keypad, asked: list[str]) -> None:
    if session.json:
        return
    t, seconds = session.words, f"{session.args.seconds:g}"
    longest = f"{session.args.seconds * len(asked):g}"
    where = keypad.device or keypad.name
    session.screen.text(t("keypad.head", where=where, count=len(asked)), style="bold")
    session.screen.text(t("keypad.how", seconds=seconds, longest=longest))
    session.screen.text(t("keypad.no_pin"), style="warn")
    sys.stdout.flush()


def _conclude(session: Session, findings: guide.Findings) -> None:
    t, screen = session.words, session.screen
    match findings.ended:
        case "gone":
            screen.line()
            screen.text(t("keypad.went_away"), style="bad")
        case "silent":
            screen.text(t("keypad.silent", count=len(findings.steps)), style="bad")
        case _ if findings.unseen:
            names = ", ".join(t.word("key", position) for position in findings.unseen)
            count = len(findings.unseen)
            screen.text(t("keypad.dead", count=count, names=names), style="bad")
        case _:
            screen.text(t("keypad.fine", count=len(findings.steps)), style="good")


def _keep(session: Session, state_dir: Path, findings: guide.Findings, keypad: Keypad) -> str:
    """Why it could not be kept; "" when it was."""
    try:
        tested.keep(state_dir, findings.kept(keypad.device or keypad.name))
    except OSError as error:
        return session.words("keypad.keep_failed", path=state_dir, reason=error.strerror or error)
    return ""


def _plain(findings: guide.Findings, kept: bool) -> dict[str, Any]:
    counts = findings.kept("")
    return {
        "ended": findings.ended,
        "asked": dict(counts.asked),
        "dead": dict(counts.dead),
        "not_seen": findings.unseen,
        "kept": kept,
    }


@contextlib.contextmanager
def _typing_not_shown() -> Iterator[None]:
    """The keypad may be this terminal's own: its keys must not end up in the shell behind us."""
    if not sys.stdin or not sys.stdin.isatty():
        yield
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    quiet = termios.tcgetattr(terminal)
    quiet[3] &= ~(termios.ECHO | termios.ICANON)  # Ctrl-C still interrupts
    termios.tcsetattr(terminal, termios.TCSANOW, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)  # with what was typed thrown away
