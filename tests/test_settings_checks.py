"""[check] and [[limit]]: what may be set, and the rules that come of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent import settings
from agent.config import App, Config
from agent.core.money.limits import Ground, Policy
from agent.core.money.qr import ALIPAY, WECHAT, Windows
from agent.core.money.stages import Patience
from agent.core.money.transaction import Kind, Posting
from agent.settings.checks import patience_of, rules_of, windows_of
from agent.settings.problems import ConfigError

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a configuration file nobody else can change."""

    def to(text: str, name: str = "posagent.toml") -> Path:
        file = tmp_path / name
        file.parent.mkdir(mode=0o700, exist_ok=True)
        file.write_text(text, "utf-8")
        file.chmod(0o600)
        return file

    return to


def test_limits_add_up_and_become_the_rules_of_the_check(write: Write) -> None:
    """[check] and [[limit]] are what payments are judged by; nothing is lost on the way."""
    file = write("[[limit]]\ncurrency = 'CNY'\ntotal_minor = 1000\n")
    write(
        "[check]\nkinds = ['sale']\nterminal_ids = ['T1']\non_limit = 'hold'\n"
        "[[limit]]\ncurrency = 'CNY'\nposting = 'advice'\ncount = 3\n",
        "conf.d/a.toml",
    )
    rules = rules_of(settings.load(file).config)
    assert [(one.posting, one.total_minor, one.count) for one in rules.limits] == [
        (None, 1000, None),
        (Posting.ADVICE, None, 3),
    ]
    assert rules.terminal_ids == {"T1"}
    assert rules.kinds == {Kind.SALE, Kind.REVERSAL, Kind.BATCH_UPLOAD, Kind.SETTLEMENT}
    assert rules.policies[Ground.LIMIT] is Policy.HOLD
    assert rules_of(Config()).kinds == frozenset()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[limit]]\ncurrency = 'XXX'\ncount = 1\n", "not an ISO 4217 currency"),
        ("[[limit]]\ncurrency = 'CNY'\nwarn_percent = 50\n", "it limits nothing"),
        ("[[limit]]\ncount = 1\n", "missing"),
        ("[check]\ncurrencies = ['CNY', 'ABC']\n", "not an ISO 4217 currency"),
        (
            "[[limit]]\ncurrency='CNY'\ncount=1\n[[limit]]\ncurrency='CNY'\nage_s=60\n",
            '[[limit]] #2 currency: found "CNY"; there is another limit of CNY',
        ),
    ],
)
def test_limits_that_cannot_be_meant(write: Write, text: str, said: str) -> None:
    """A limit in no currency, of nothing, or twice is refused with its place."""
    with pytest.raises(ConfigError) as caught:
        settings.load(write(text))
    assert said in caught.value.problems[0].sentence()


UPLINK = "[[uplink]]\nname = 'main'\nurl = 'https://host.example/p'\n"


@pytest.mark.parametrize(
    ("text", "windows"),
    [
        ("", None),
        ("qr = 'wechat'\n", WECHAT),
        ("qr = 'alipay'\n", ALIPAY),
        (
            "qr = { confirm_s = 30, cancel_same_day = true, cancel_after_s = 9 }\n",
            Windows(confirm_s=30, cancel_day_utc_s=28_800, cancel_after_s=9),
        ),
    ],
)
def test_whose_times_payments_by_code_keep(
    write: Write, text: str, windows: Windows | None
) -> None:
    """A platform by name, or a table of one's own times; the rules and the uplink get the same."""
    config = settings.load(write(UPLINK + text)).config
    expected = {} if windows is None else {"main": windows}
    assert windows_of(config) == expected
    assert rules_of(config).qr == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("qr = 'paypal'\n", 'one of "alipay", "wechat", or a table'),
        ("qr = 5\n", 'one of "alipay", "wechat", or a table'),
        ("qr = { confirm = 3 }\n", "confirm_s"),
        ("qr = { query_s = 0.1 }\n", "number 1 to 60"),
    ],
)
def test_times_that_cannot_be_meant(write: Write, text: str, said: str) -> None:
    """A wrong name, a wrong key or a wrong time is refused with what is allowed."""
    with pytest.raises(ConfigError) as caught:
        settings.load(write(UPLINK + text))
    assert said in caught.value.problems[0].sentence()


def test_the_patience_with_the_app_is_configured() -> None:
    """[app] as the core takes it."""
    config = Config(app=App(answer_timeout_s=30, silence_s=0))
    assert patience_of(config) == Patience(answer_timeout_s=30, silence_s=0)
