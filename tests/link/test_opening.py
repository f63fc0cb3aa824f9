"""What was opened for nobody is closed, exactly once, whoever is late."""

from __future__ import annotations

from agent.link.opening import Opening


def test_what_was_opened_in_time_stays_open() -> None:
    """Its caller closes it."""
    closed: list[int] = []
    assert Opening(lambda: 7, closed.append).run() == 7
    assert closed == []


def test_an_open_that_comes_back_too_late_is_closed() -> None:
    """By the thread that opened it."""
    closed: list[int] = []
    opening = Opening(lambda: 7, closed.append)
    opening.abandon()
    opening.run()
    assert closed == [7]


def test_an_open_nobody_takes_is_closed_once() -> None:
    """The caller was cancelled between the opening and its result."""
    closed: list[int] = []
    opening = Opening(lambda: 7, closed.append)
    opening.run()
    opening.abandon()
    opening.abandon()
    assert closed == [7]
