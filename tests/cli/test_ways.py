"""The ways out as `status` shows them."""

from __future__ import annotations

import pytest

from agent.cli.texts import Words
from agent.cli.ways import ways

VALUES = {
    "in_use": "spare",
    "main": "wan",
    "state_wan": "down",
    "reason_wan": "eth0 has no carrier",
    "state_spare": "ok",
    "state_third": "untried",
}


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("en", ["wan down: eth0 has no carrier", "spare in use (ok)", "third not tried"]),
        ("zh", ["wan 断开：eth0 has no carrier", "正在使用spare（正常）", "third 未试用"]),
    ],
)
def test_each_way_is_named_with_its_state(lang: str, said: list[str]) -> None:
    """The one in use, and why the others are not."""
    assert ways(Words(lang), VALUES) == said  # type: ignore[arg-type]
