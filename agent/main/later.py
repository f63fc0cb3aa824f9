"""Ports whose module is loaded with the first call: most terminals are asked for them once a month.

Called by whoever plugs the actions together; what stands behind a name is decided there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


class _Later(Generic[T]):
    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make

    def __getattr__(self, name: str) -> Any:
        """Only what is not here already: the first time it is made, then kept."""
        if name == "_made":
            self._made = self._make()
            return self._made
        return getattr(self._made, name)


def later(make: Callable[[], T]) -> T:
    """Stands for what `make` returns, which is called with the first look at it."""
    return cast("T", _Later(make))
