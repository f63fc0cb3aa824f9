"""A slip as an image where what draws it is not installed: the refusal names what to install."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from agent.actions import slips
from agent.actions.ports import Ports
from agent.wire import problem_chinese
from agent.wire.problem import problem


class Without:
    """A program whose library is not there."""

    async def run(
        self, task: str, asked: AsyncIterator[bytes], within_s: float
    ) -> AsyncIterator[bytes]:
        yield b'{"missing": "PIL"}'


class Desk:
    offload: Any = Without()


def test_without_the_extras_the_error_names_the_package() -> None:
    """Debian's name for it and pip's, in both languages."""
    with pytest.raises(slips.RequestError) as refused:
        asyncio.run(slips._drawn(cast("Ports", Desk()), "png", [], 32))
    told = problem(refused.value)
    assert (told.code, told.status) == ("slip.failed", 503)
    chinese = problem_chinese.advice(told.code, told.hint, "")
    for said in (told.hint, chinese):
        assert "posagent-extras" in said
        assert "pip install 'posagent[slips]'" in said
    assert not chinese.isascii()
