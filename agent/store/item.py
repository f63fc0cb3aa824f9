"""A piece of work on its way to the store's thread and back: what it touches, who waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import Any

from agent.errors import StoreError
from agent.record import dataclass


class Target(Enum):
    """What a piece of work touches."""

    JOURNAL = "journal"
    STATE = "state"
    FILES = "files"  #: the counters file: synced by itself, outside any transaction


@dataclass(slots=True)
class Item:
    """One piece of work."""

    target: Target
    work: Callable[[Any], Any]
    future: asyncio.Future[Any] | None  #: None: the thread's own work
    told: Callable[[Any], None] | None = None
    result: Any = None
    error: BaseException | None = None


Answer = tuple[asyncio.Future[Any] | None, Any, BaseException | None, Callable[[Any], None] | None]


def answers(items: list[Item]) -> list[Answer]:
    """What to tell the loop: copies, because the thread goes on with its items."""
    return [(item.future, item.result, item.error, item.told) for item in items]


def resolve(told: list[Answer]) -> None:
    """On the loop's thread: everybody gets an answer before anybody acts on one.

    Who hears of results beside the callers does so behind their next step: an app that waits for
    "recorded" does not wait for those as well.
    """
    heard = [(tell, result) for _, result, error, tell in told if tell and error is None]
    for future, result, error, _ in told:
        if future is None or future.done():
            continue  # the caller gave up; what was committed stays committed
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)
    if heard:
        asyncio.get_running_loop().call_soon(_tell, heard)


def _tell(heard: list[tuple[Callable[[Any], None], Any]]) -> None:
    for tell, result in heard:
        tell(result)


def closed() -> StoreError:
    return StoreError("store.unavailable", "the store is closed")


def again(error: StoreError) -> StoreError:
    """The same once more: an exception raised twice keeps the stacks of both, and all they hold."""
    return StoreError(error.code, error.what, error.hint)
