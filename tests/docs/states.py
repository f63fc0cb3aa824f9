"""Writes docs/states.md from the transition table: `python -m tests.docs.states > docs/states.md`.

The table in agent/core/money/journal.py is the only source, the comments of its enums the only
texts; a test says when the document is stale, and `make contracts` writes it again.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from agent.core.money import journal
from agent.core.money.journal import FINAL, TRANSITIONS, Doubt, Event, State

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENT = ROOT / "docs" / "states.md"

HEAD = """\
# States of a payment

<!-- Written by `python -m tests.docs.states`. Do not edit: change the table in
agent/core/money/journal.py, then run `make contracts`. -->

Two machines, not one: the **state**, and beside it the sticky flag **in doubt** ("the host may
have this payment already"). Nothing but the table below moves a record; the change, its history row
and the new counts are one commit. Code: `agent/core/money/journal.py:TRANSITIONS` is the table and
`agent/core/money/journal.py:move` the only reader of it; what decides which event happens is
`agent/core/money/delivery.py:plan`.

A record enters as `queued`; as `waiting` and in doubt if the payment app tried it before or if it
is older than this journal; as `held` and in doubt if an earlier record under its key was put aside
(`agent/store/journal.py:Journal._new_record`). Rules and edges (L1, U0 …) are explained in
[rules.md](rules.md).
"""

MARKS = {
    Doubt.KEEP: "",
    Doubt.SET: " (doubt begins)",
    Doubt.CLEAR: " (doubt ends)",
    Doubt.REFUSE: " (only without doubt)",
}
DOUBT = {
    Doubt.KEEP: "stays as it is",
    Doubt.SET: "begins",
    Doubt.CLEAR: "ends",
    Doubt.REFUSE: "none allowed",
}


def document() -> str:
    """The whole of docs/states.md."""
    return "\n".join([HEAD, *_diagram(), "", *_states(), "", *_events(), "", *_table()]) + "\n"


def _diagram() -> Iterator[str]:
    yield "## Diagram"
    yield ""
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield "    [*] --> queued"
    ways: dict[tuple[State, State], list[str]] = {}
    for (source, event), row in TRANSITIONS.items():
        ways.setdefault((source, row.to), []).append(f"{event}{MARKS[row.doubt]}")
    for (source, to), labels in sorted(ways.items(), key=_in_order):
        yield f"    {source} --> {to}: {', '.join(labels)}"
    for state in State:
        if state in FINAL:
            yield f"    {state} --> [*]"
    yield "```"


def _in_order(way: tuple[tuple[State, State], list[str]]) -> tuple[int, int]:
    order = list(State)
    return order.index(way[0][0]), order.index(way[0][1])


def _states() -> Iterator[str]:
    yield "## States"
    yield ""
    yield "| state | final | what is true there |"
    yield "|---|---|---|"
    said = comments(State)
    for state in State:
        yield f"| `{state}` | {'yes' if state in FINAL else ''} | {said[state.name]} |"


def _events() -> Iterator[str]:
    yield "## Events"
    yield ""
    yield "| event | when |"
    yield "|---|---|"
    said = comments(Event)
    idle = unraised()
    for event in Event:
        note = " (nothing raises it yet)" if event in idle else ""
        yield f"| `{event}` | {said[event.name]}{note} |"


def _table() -> Iterator[str]:
    yield "## Transitions"
    yield ""
    yield "Whatever is not here is refused (`agent/core/money/journal.py:IllegalMoveError`)."
    yield ""
    yield "| from | event | to | doubt |"
    yield "|---|---|---|---|"
    order = list(State)
    events = list(Event)
    rows = sorted(
        TRANSITIONS.items(), key=lambda row: (order.index(row[0][0]), events.index(row[0][1]))
    )
    for (source, event), row in rows:
        yield f"| `{source}` | `{event}` | `{row.to}` | {DOUBT[row.doubt]} |"


def comments(enum: type[StrEnum]) -> dict[str, str]:
    """Member name -> the `#:` comment beside it in the source."""
    source = Path(journal.__file__).read_text("utf-8")
    body = source.partition(f"class {enum.__name__}(StrEnum):")[2].partition("\n\n\n")[0]
    return dict(re.findall(r"^    (\w+) = \"\w+\"  #: (.+)$", body, re.MULTILINE))


def unraised() -> set[Event]:
    """Events of the table that no code makes happen so far."""
    table = Path(journal.__file__)
    code = "".join(
        path.read_text("utf-8") for path in (ROOT / "agent").rglob("*.py") if path != table
    )
    return {event for event in Event if not re.search(rf"Event\.{event.name}\b", code)}


if __name__ == "__main__":
    sys.stdout.write(document())
