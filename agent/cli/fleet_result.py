"""What a command brought back, in the reader's language.

Knows the results of the closed list that people read; anything else, and what a newer terminal
says, is shown as it came, each text in one language. Called by `fleet_send` and the screen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from agent.cli.reason import reason
from agent.cli.session import Session
from agent.cli.texts import Words

MOST_LINES = 40
LONGEST = 400
_INDENT = "    "


def why_not(code: str, detail: str, t: Words) -> str:
    """Why a command was refused or failed, in words, with the word programs go by."""
    said = t.word("fleetcode", code) if code else ""
    said = "" if said == code else said
    parts = [said or reason(t, detail) or code]
    if said and detail:
        parts.append(reason(t, detail))
    told = ": ".join(part for part in parts if part)
    return f"{told} ({code})" if code and told != code else told


def show(session: Session, op: str, result: object) -> None:
    """Print it below the terminal's line."""
    if not _shown(session, op, result):
        _as_it_came(session, result)


def _shown(session: Session, op: str, result: object) -> bool:
    """Whether it was of a form known here; another version's is shown as it came."""
    known = _KNOWN.get(op)
    if known is None or not isinstance(result, Mapping):
        return False
    try:
        known(session, result)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        return False
    return True


def one_language(value: Any, lang: str) -> Any:
    """The same with every text for people in one language."""
    if isinstance(value, Mapping):
        if value.keys() == {"zh", "en"}:
            return value[lang]
        return {name: one_language(each, lang) for name, each in value.items()}
    if isinstance(value, list):
        return [one_language(each, lang) for each in value]
    return value


def _as_it_came(session: Session, result: object) -> None:
    told = one_language(result, session.words.lang)
    entries = list(told.items()) if isinstance(told, dict) else [("", told)]
    filled = [(name, each) for name, each in entries if each not in (None, "", [], {})]
    for name, value in filled[:MOST_LINES]:
        if isinstance(value, str) and "\n" in value:  # a certificate request is copied from here
            session.screen.text(f"{name}:", first=_INDENT)
            print(value.rstrip("\n"))
            continue
        shown = value if isinstance(value, str | int | float) else _json(value)
        text = f"{name}: {shown}" if name else str(shown)
        session.screen.text(text, indent=f"{_INDENT}  ", first=_INDENT)
    if len(filled) > MOST_LINES:
        _say(session, "fleetres.more", count=len(filled) - MOST_LINES)


def _json(value: object) -> str:
    told = json.dumps(value, ensure_ascii=False)
    return told if len(told) < LONGEST else f"{told[:LONGEST]}…"


def _say(session: Session, name: str, /, **args: object) -> None:
    session.screen.text(session.words(name, **args), indent=f"{_INDENT}  ", first=_INDENT)


def _explained(session: Session, result: Mapping[str, Any]) -> None:
    t, screen = session.words, session.screen
    told = one_language(result, t.lang)
    lines: list[tuple[str, str]] = [(_INDENT, told["headline"])]
    for number, each in enumerate(told["findings"], 1):
        lines.append((_INDENT, f"{number}. {each['title']} ({each['code']})"))
        deep = f"{_INDENT}   "
        lines += [
            (deep, t("fleetres.step", step=each["step"])),
            (deep, t("fleetres.who", owner=t.word("owner", each["owner"]))),
            (deep, t("fleetres.why", why=each["reason"])),
        ]
    payments = told.get("payments") or []  # an older terminal tells none
    if told["advice"]["text"] and (told.get("key") or payments):
        lines.append((_INDENT, told["advice"]["text"]))
    if payments:
        lines.append((_INDENT, t("fleetres.payments")))
        lines += [(_INDENT, f"- {each['text']}") for each in payments]
        if beyond := int(told.get("payments_total") or 0) - len(payments):
            lines.append((_INDENT, t("fleetres.payments.more", count=beyond)))
    lines += [(_INDENT, t("fleetres.unknown", what=each)) for each in told["unknowns"]]
    for first, text in lines:  # all of it is there: nothing half shown, then shown again
        screen.text(text, indent=f"{first}  ", first=first)


def _reported(session: Session, result: Mapping[str, Any]) -> None:
    from agent.cli.status import Page

    Page(session, result).body()


def _inspected(session: Session, result: Mapping[str, Any]) -> None:
    from agent.cli import inspection

    for check in result["checks"]:
        inspection.line(session, check)
    inspection.ending(session, dict(result))


def _moved(name: str) -> Callable[[Session, Mapping[str, Any]], None]:
    def moved(session: Session, result: Mapping[str, Any]) -> None:
        _say(session, name, count=int(result["moved"]))
        if result["skipped"]:
            _say(session, "queue.skipped", count=int(result["skipped"]))

    return moved


def _noted(session: Session, result: Mapping[str, Any]) -> None:
    told = one_language(result, session.words.lang)
    _say(session, "fleetres.noted", title=told["title"], code=told["code"])


_KNOWN: Mapping[str, Callable[[Session, Mapping[str, Any]], None]] = {
    "report": _reported,
    "explain": _explained,
    "inspect": _inspected,
    "forward_now": _moved("fleetres.retry"),
    "retry": _moved("fleetres.retry"),
    "hold": _moved("queue.moved_hold"),
    "release": _moved("queue.moved_release"),
    "acknowledge_alarm": _noted,
}
