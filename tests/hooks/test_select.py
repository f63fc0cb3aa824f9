"""Asking the firmware for another channel: what is said when nobody is there to ask."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.hooks import actions
from agent.wire.hooks import ActionDone, ActionFailed


def test_without_the_service_it_is_refused_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No posagent-actions: a sentence, no exception; done is nothing to say."""

    place = tmp_path / "none"

    async def answers(name: str, *, deadline_s: float, **fields: object) -> object:
        assert (name, deadline_s, fields) == (
            "network.select", 2.0, {"channel": "sim", "socket": place},
        )  # fmt: skip
        return said.pop(0)

    assert f"at {place}" in asyncio.run(actions.select_channel("sim", 2.0, place))
    said: list[object] = [
        ActionDone(contract=1),
        ActionFailed(contract=1, reason="no SIM", changed=False),
    ]
    monkeypatch.setattr(actions, "act", answers)
    assert asyncio.run(actions.select_channel("sim", 2.0, place)) == ""
    assert asyncio.run(actions.select_channel("sim", 2.0, place)) == "no SIM"
