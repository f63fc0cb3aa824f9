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
        (
            "zh",
            [
                "wan 断开：接口eth0没有连接（网线、Wi-Fi或SIM卡）",
                "正在使用spare（正常）",
                "third 未试用",
            ],
        ),
    ],
)
def test_each_way_is_named_with_its_state(lang: str, said: list[str]) -> None:
    """The one in use, and why the others are not."""
    assert ways(Words(lang), VALUES) == said  # type: ignore[arg-type]


def test_the_one_in_use_says_why_it_does_not_carry() -> None:
    """A way that is used for want of a better one is not called fine."""
    values = {"in_use": "wan", "state_wan": "down", "reason_wan": "there is no interface eth9"}
    assert ways(Words("en"), values) == ["wan in use (down: there is no interface eth9)"]
    assert ways(Words("zh"), values) == ["正在使用wan（断开：没有接口eth9）"]
