"""From method and path to the operation, and the values that stand in the path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.wire.api import OPERATIONS, Operation
from agent.wire.problem import RequestError

Segments = tuple[str, ...]


class WrongMethodError(RequestError):
    """The address exists, but not for this method."""

    def __init__(self, allowed: str) -> None:
        super().__init__("route.method", f"only {allowed} is possible at this address")
        self.allowed = allowed


class Routes:
    """The table, by the segments of its paths."""

    def __init__(self, operations: Sequence[Operation] = OPERATIONS) -> None:
        self._table = [(_segments(operation.path), operation) for operation in operations]

    def find(self, method: str, path: str) -> tuple[Operation, Mapping[str, str]]:
        """Raises RequestError `route.unknown`, or WrongMethodError with those allowed."""
        segments = _segments(path)
        allowed: list[str] = []
        for pattern, operation in self._table:
            values = _match(pattern, segments)
            if values is None:
                continue
            if operation.method == method:
                return operation, values
            allowed.append(operation.method)
        if allowed:
            raise WrongMethodError(", ".join(allowed))
        raise RequestError("route.unknown", "there is nothing at this address")


def _segments(path: str) -> Segments:
    return tuple(path.split("/")[1:])


def _match(pattern: Segments, segments: Segments) -> Mapping[str, str] | None:
    if len(pattern) != len(segments):
        return None
    values: dict[str, str] = {}
    for wanted, found in zip(pattern, segments, strict=True):
        if wanted.startswith("{"):
            values[wanted[1:-1]] = found
        elif wanted != found:
            return None
    return values
