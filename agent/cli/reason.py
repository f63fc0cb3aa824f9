"""A watcher's reason in the reader's language, wherever a command shows one as it was given."""

from __future__ import annotations

from functools import cache

from agent.cli.texts import Words
from agent.core.why.reasons import in_chinese


def reason(t: Words, words: str) -> str:
    """Chinese where a table knows it; a device's own words stay."""
    if t.lang != "zh":
        return words
    for say in (in_chinese, _of_the_api, _of_operators):
        if (said := say(words)) != words:
            return said
    return words


def _of_the_api(words: str) -> str:
    from agent.wire.problem_chinese import detail

    return detail(words)


def advice(t: Words, code: str, hint: str) -> str:
    """What to do about a refusal: in Chinese what the table of codes has, unless it was said
    otherwise this time."""
    if t.lang != "zh":
        return hint
    from agent.wire import problem, problem_chinese

    row = problem.CODES.get(code)
    said = problem_chinese.advice(code, hint, row.hint if row else "")
    return said if said != hint else reason(t, hint)


@cache
def _of_operators(words: str) -> str:
    import re

    from agent.cli.texts_fleet_errors import SENTENCES

    for english, chinese in SENTENCES:
        pieces = re.split(r"\{(\w+)\}", english)
        pattern = "".join(
            f"(?P<{piece}>.+?)" if place % 2 else re.escape(piece)
            for place, piece in enumerate(pieces)
        )
        if found := re.fullmatch(pattern, words, re.DOTALL):
            return chinese.format_map(found.groupdict())
    return words
