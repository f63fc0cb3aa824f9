"""Who is told of every record after its change is committed, on the loop's thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from agent.core.money.journal import Record


class Feed:
    """The sinks of one store."""

    def __init__(self) -> None:
        self._sinks: list[Callable[[Record], None]] = []

    def on_change(self, sink: Callable[[Record], None]) -> None:
        """Be told of every record after its change is committed."""
        self._sinks.append(sink)

    def tell(self, records: Iterable[Record]) -> None:
        """These records have changed, and it is on disk."""
        for record in records:
            for sink in self._sinks:
                sink(record)
