"""Loads the named SQL blocks of `queries.sql` and the migrations beside it."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent


def _blocks(text: str) -> dict[str, str]:
    """`-- name: x` starts a block; the comment lines under it describe it and are dropped."""
    found: dict[str, str] = {}
    for part in re.split(r"^-- name: ", text, flags=re.MULTILINE)[1:]:
        name, _, body = part.partition("\n")
        lines = [line for line in body.splitlines() if not line.lstrip().startswith("--")]
        found[name.strip()] = " ".join(line.strip() for line in lines if line.strip())
    return found


QUERIES = _blocks((HERE / "queries.sql").read_text("utf-8"))


def migration(name: str) -> str:
    """The text of one migration script."""
    return (HERE / "migrations" / f"{name}.sql").read_text("utf-8")
