"""What a browser that reads Chinese is told when the page's door says no."""

from __future__ import annotations

import pytest

from agent.local import door
from agent.wire.problem import problem
from agent.wire.submit import RequestError


@pytest.mark.parametrize(
    ("code", "what", "title", "detail"),
    [
        ("slip.nothing", "no such drill is kept", "没有可打印的内容", "没有保存这份演练报告"),
        ("session.stale", "the session is over", "登录已失效", "登录已过期或已退出"),
        ("reconcile.busy", "words nobody knows", "正在读另一份清单", "words nobody knows"),
    ],
)
def test_a_refusal_is_said_in_the_reader_s_language(
    code: str, what: str, title: str, detail: str
) -> None:
    """Title, detail and advice in Chinese where Chinese is read first, untouched elsewhere."""
    told = problem(RequestError(code, what))
    chinese = door._spoken(told, {"accept-language": "zh-CN"})
    assert (chinese.code, chinese.title, chinese.detail) == (code, title, detail)
    assert chinese.hint
    assert not chinese.hint.isascii()
    assert door._spoken(told, {"accept-language": "en"}) == told
