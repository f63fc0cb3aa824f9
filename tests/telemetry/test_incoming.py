"""What a broker or a local server sends without end costs neither bytes nor lines without end."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from agent.telemetry import incoming
from agent.telemetry.adapters import StateAsked
from agent.telemetry.adapters.native import Native
from agent.telemetry.attempt import Delivered
from agent.telemetry.incoming import ANSWERS, Incoming


class Scheme(Native):
    """Asks for our state on one topic."""

    def heard(self, topic: str, payload: bytes) -> Any:
        return StateAsked() if topic == "ask" else None


class Connection:
    def __init__(self) -> None:
        self.taken_topics: list[str] = []

    def taken(self, delivered: Delivered) -> None:
        self.taken_topics.append(delivered.topic)


def test_floods_of_questions_and_of_others_messages_are_bounded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A few questions are answered, one line tells of what is not ours; all is acknowledged."""
    monkeypatch.setattr(incoming, "PACE_S", 0.0)
    asked: list[int] = []

    async def story() -> None:
        connection: Any = Connection()
        part = Incoming(Scheme("acme", "T-1"), None, lambda: asked.append(1))
        for number in range(100):
            for topic in ("ask", "strange"):
                part.put(connection, Delivered(number, 1, topic, b"x", False))
        task = asyncio.create_task(part.run())
        async with asyncio.timeout(10):
            while len(connection.taken_topics) < 200:
                await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with caplog.at_level(logging.INFO, "agent.telemetry.incoming"):
        asyncio.run(story())
    assert len(asked) == ANSWERS
    assert len(caplog.records) == 1
