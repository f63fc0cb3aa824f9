"""`posagent causes [CODE]`: the catalogue, for whoever met a code in an alarm or a log.

By chapter, filtered by who acts, how it is known and by words; one code in full with what to do
now, what to say to the customer, when to stop and whom to call. Needs no daemon and no store.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from agent.cli.session import Exit, NotThereError, Session
from agent.core.why.causes import CATALOGUE, CHAPTERS, Cause
from agent.core.why.guidance import guidance
from agent.wire.causes import CauseOut, cause_out


def causes(session: Session) -> int:
    """All causes by chapter, those that fit the filters, or one in full."""
    args, words = session.args, session.words
    code = args.code or ""
    one = CATALOGUE.get(code)
    if one is None and not any(known.startswith(code) for known in CATALOGUE):
        raise NotThereError("cause.unknown", words("error.no_cause", code=code), _near(code))
    chosen = [cause for cause in _below(code, args.chapter) if _fits(session, cause)]
    if not chosen:
        raise NotThereError("cause.none", words("causes.none"), words("causes.none.hint"))
    if session.json:
        session.print_json([msgspec.to_builtins(cause_out(cause)) for cause in chosen])
    elif one is not None:
        _in_full(session, one)
    else:
        _listed(session, chosen)
    return Exit.OK


def _below(prefix: str, chapter: str | None) -> Iterator[Cause]:
    if prefix in CATALOGUE:
        yield CATALOGUE[prefix]
        return
    for name, entries in CHAPTERS.items():
        if chapter in (None, name):
            yield from (cause for cause in entries if cause.code.startswith(prefix))


def _fits(session: Session, cause: Cause) -> bool:
    """Whether the filters let it through; words are looked for in both languages."""
    args = session.args
    if args.owner not in (None, cause.owner) or (args.known and args.known not in cause.known_by):
        return False
    if not args.words:
        return True
    text = " ".join(_texts(cause_out(cause))).casefold()
    return all(word in text for word in args.words.casefold().split())


def _texts(cause: CauseOut) -> Iterator[str]:
    told = cause.guidance
    yield cause.code
    for both in (cause.title, cause.step, cause.reason, told.now, told.say, told.stop):
        yield from (both.zh, both.en)


def _near(code: str) -> str:
    import difflib

    return " · ".join(difflib.get_close_matches(code, CATALOGUE, n=3, cutoff=0.4))


def _listed(session: Session, chosen: list[Cause]) -> None:
    words, screen, lang = session.words, session.screen, session.words.lang
    for name, entries in CHAPTERS.items():
        rows = [
            (cause.code, words.word("owner", cause.owner), cause.title.render(lang))
            for cause in entries
            if cause in chosen
        ]
        if rows:
            screen.line(words.word("chapter", name), "bold")
            screen.table((words("causes.code"), words("causes.owner"), words("causes.title")), rows)
            screen.line("")
    screen.line(words("causes.in_full"))


def _in_full(session: Session, cause: Cause) -> None:
    words, screen, lang = session.words, session.screen, session.words.lang
    screen.line(f"{cause.title.render(lang)}  ({cause.code})", "bold")
    screen.text(cause.reason.render(lang), indent="  ")
    step = words("pair", name=words.word("owner", cause.owner), value=cause.step.render(lang))
    screen.text(step, indent="     ", first="  -> ")
    told = guidance(cause.code)
    if told is not None:
        call = told.call(lang) or words("causes.nobody")
        for name, value in (
            ("now", told.now.render(lang)),
            ("say", told.say.render(lang)),
            ("stop", told.stop.render(lang)),
            ("call", call),
        ):
            line = words("pair", name=words(f"causes.{name}"), value=value)
            screen.text(line, indent="     ", first="   * ")
    known = "、" if lang == "zh" else ", "
    how = known.join(sorted(words.word("known", letter) for letter in cause.known_by))
    screen.text(words("causes.known", how=how), indent="  ")
