"""A watcher's reason in the reader's language, wherever a command shows one as it was given."""

from __future__ import annotations

from agent.cli.texts import Words
from agent.core.why.reasons import in_chinese


def reason(t: Words, words: str) -> str:
    """Chinese where the table knows it; a device's own words stay."""
    return in_chinese(words) if t.lang == "zh" else words
