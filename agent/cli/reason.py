"""A watcher's reason in the reader's language, wherever a command shows one as it was given."""

from __future__ import annotations

from functools import cache

from agent.cli.texts import Words
from agent.core.why.reasons import in_chinese


def reason(t: Words, words: str) -> str:
    """Chinese where a table knows it; a device's own words stay."""
    if t.lang != "zh":
        return words
    said = in_chinese(words)
    return said if said != words else _of_operators(words)


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
