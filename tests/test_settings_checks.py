"""[check] and [[limit]]: what may be set, and the rules that come of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent import settings
from agent.config import Config
from agent.core.money.limits import Ground, Policy
from agent.core.money.transaction import Kind, Posting
from agent.settings.checks import rules_of
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
