"""`posagent causes [CODE]`: the catalogue, for whoever met a code in an alarm or a log."""

from __future__ import annotations

from typing import Any

from agent.cli.session import Exit, NotThereError, Session
from agent.core.why.causes import CATALOGUE, Cause


def causes(session: Session) -> int:
    """All causes as a list, those below a chapter (`printer`), or one in full."""
    code = session.args.code or ""
    chosen = [CATALOGUE[code]] if code in CATALOGUE else _below(code)
    if not chosen:
        raise NotThereError(
            "cause.unknown", session.words("error.no_cause", code=code), _near(code)
        )
    if session.json:
        session.print_json([_plain(cause) for cause in chosen])
    elif code in CATALOGUE:
        _in_full(session, chosen[0])
    else:
        words, lang = session.words, session.words.lang
        session.screen.table(
            (words("causes.code"), words("causes.owner"), words("causes.title")),
            [
                (cause.code, words.word("owner", cause.owner), cause.title.render(lang))
                for cause in chosen
            ],
        )
    return Exit.OK


def _below(prefix: str) -> list[Cause]:
    return [cause for code, cause in CATALOGUE.items() if code.startswith(prefix)]


def _near(code: str) -> str:
    import difflib

    return " · ".join(difflib.get_close_matches(code, CATALOGUE, n=3, cutoff=0.4))


def _in_full(session: Session, cause: Cause) -> None:
    words, screen, lang = session.words, session.screen, session.words.lang
    screen.line(f"{cause.title.render(lang)}  ({cause.code})", "bold")
    screen.text(cause.reason.render(lang), indent="  ")
    step = words("pair", name=words.word("owner", cause.owner), value=cause.step.render(lang))
    screen.text(step, indent="     ", first="  -> ")
    known = "、" if lang == "zh" else ", "
    told = known.join(sorted(words.word("known", letter) for letter in cause.known_by))
    screen.text(words("causes.known", how=told), indent="  ")


def _plain(cause: Cause) -> dict[str, Any]:
    return {
        "code": cause.code,
        "owner": cause.owner,
        "known_by": sorted(cause.known_by),
        "title": {"zh": cause.title.zh, "en": cause.title.en},
        "step": {"zh": cause.step.zh, "en": cause.step.en},
        "reason": {"zh": cause.reason.zh, "en": cause.reason.en},
    }
