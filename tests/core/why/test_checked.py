"""The sentences of the check: every finding has one, in both languages, with its figures."""

from __future__ import annotations

import ast
import inspect
from datetime import UTC, datetime
from typing import Any

import pytest

from agent.core.money import lately, limits, originals
from agent.core.money.limits import Finding, Ground, Level, Use
from agent.core.why import checked
from agent.core.why.causes import CATALOGUE

AT = datetime(2026, 11, 21, 14, 5, 9, tzinfo=UTC)


def finding(code: str, cause: str, level: Level = Level.REFUSE, **args: Any) -> Finding:
    return Finding(code=code, cause=cause, level=level, ground=Ground.LIMIT, args=args)


def test_every_code_of_the_judge_has_a_sentence_and_a_cause() -> None:
    """No finding can reach a cashier without words."""
    said = set()
    for judge in (limits, lately, originals):
        for node in ast.walk(ast.parse(inspect.getsource(judge))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                said.add(node.value)
    codes = {word for word in said if word in checked.CODES}
    assert (
        codes
        | {
            "terminal.mismatch",
            "merchant.mismatch",
            "store.full",
            "payment.unfinished",
        }
        == checked.CODES
    )
    for code in checked.CODES & CATALOGUE.keys():
        assert CATALOGUE[code].step.zh


@pytest.mark.parametrize(
    ("found", "sentence", "step"),
    [
        (
            finding("limit.total", "queue.limit_reached", currency="CNY", found=5001, limit=5000),
            "With this payment CNY 50.01 are unsent; the limit is CNY 50.00",
            "Take online payments only until the backlog drains",
        ),
        (
            finding("limit.single", "operator.wrong_amount", currency="CNY", found=9, limit=8),
            "CNY 0.09 is more than CNY 0.08, the limit of one payment",
            "Check the amount CNY 0.09 with the customer; if wrong, void it and take it again",
        ),
        (
            finding(
                "limit.single", "operator.wrong_amount", Level.WARN,
                currency="JPY", found=7, limit=8,
            ),
            "JPY 7 is close to JPY 8, the limit of one payment",
            "Check the amount JPY 7 with the customer; if wrong, void it and take it again",
        ),
        (
            finding("limit.count", "queue.limit_reached", currency="CNY", found=11, limit=10),
            "With this one 11 payments are unsent; the limit is 10",
            "Take online payments only until the backlog drains",
        ),
        (
            finding("limit.age", "queue.limit_reached", currency="CNY", found=90_000, limit=86_400),
            "The oldest unsent payment is 25 h old; the limit is 24 h",
            "Take online payments only until the backlog drains",
        ),
        (
            finding(
                "duplicate.suspected", "duplicate.suspected", Level.CONFIRM, currency="CNY",
                found=1250, twin="k0", twin_at=AT, twin_minor=1250, twin_stan="000123",
            ),
            "Looks like CNY 12.50 of 2026-11-21 14:05:09, STAN 000123 (k0)",
            "Compare it with its twin k0, then release it or void it",
        ),
        (
            finding(
                "amount.mistyped", "operator.wrong_amount", Level.CONFIRM, currency="CNY",
                found=125, twin="k0", twin_at=AT, twin_minor=1250, twin_stan="",
            ),
            (
                "CNY 1.25, but the same card paid CNY 12.50 at 2026-11-21 14:05:09: "
                "a zero too many or too few?"
            ),
            "Check the amount CNY 1.25 with the customer; if wrong, void it and take it again",
        ),
        (
            finding("merchant.mismatch", "config.merchant_mismatch", expected="M1", found="M2"),
            "MID M2 is not an issued one (M1)",
            "Stop taking payments and have the acquirer check MID M2 and TID",
        ),
        (
            finding("terminal.mismatch", "config.merchant_mismatch", expected="T1", found="T2"),
            "TID T2 is not an issued one (T1)",
            "Stop taking payments and have the acquirer check MID and TID T2",
        ),
        (
            finding("date.future", "config.invalid_parameter", found=AT, now=AT),
            "Its time 2026-11-21 14:05:09 is ahead of this terminal's 2026-11-21 14:05:09",
            "Check the entry for occurred_at and key this transaction again",
        ),
    ],
)  # fmt: skip
def test_findings_read_well(found: Finding, sentence: str, step: str) -> None:
    """Figures with their units, and one step with what is needed for it."""
    assert checked.sentence(found).render("en") == sentence
    assert checked.step(found).render("en") == step
    for line in (checked.sentence(found), checked.step(found)):
        assert "{" not in line.render("zh")
        assert "未知" not in line.render("zh")


@pytest.mark.parametrize(
    ("seconds", "en", "zh"),
    [
        (0, "0 s", "0秒"),
        (89, "89 s", "89秒"),
        (90, "1 min", "1分钟"),
        (5399, "89 min", "89分钟"),
        (5400, "1 h", "1小时"),
        (129_599, "35 h", "35小时"),
        (129_600, "1 d", "1天"),
    ],
)
def test_durations_are_said_in_a_sensible_unit(seconds: int, en: str, zh: str) -> None:
    """Whole units, never more than is certain."""
    assert (checked.duration(seconds).en, checked.duration(seconds).zh) == (en, zh)


@pytest.mark.parametrize(
    ("use", "plain"),
    [
        (Use("limit.total", "CNY", 5001, 5000), ("CNY 50.00", "CNY 50.01")),
        (Use("limit.count", "CNY", 5, 7), ("7", "5")),
        (Use("limit.age", "CNY", 60, 7200), ("2 h", "60 s")),
    ],
)
def test_a_condition_shows_figures_without_a_language(use: Use, plain: tuple[str, str]) -> None:
    """Values of a watcher are not translated."""
    assert checked.plain(use) == plain
