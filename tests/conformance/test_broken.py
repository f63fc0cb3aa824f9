"""Receivers with one flaw each: the requirement that speaks of it fails."""

from __future__ import annotations

import asyncio

import pytest

from agent.conformance import REQUIREMENTS, Level, Report, Verdict
from tests.conformance.receivers import (
    FLAWS,
    Forgetful,
    examine_flaw,
    examined,
    numbers,
    said,
)


def test_without_a_flaw_it_keeps_the_contract() -> None:
    """The receiver the flaws are put into is a good one."""
    report, receiver = examine_flaw("")
    assert report.holds, said(report)
    assert len(receiver.effects) == len(set(receiver.effects)) == len(report.posted)


@pytest.mark.parametrize("flaw", sorted(FLAWS))
def test_each_flaw_is_found(flaw: str) -> None:
    """The requirement it breaks fails (or is advised, where the contract only advises)."""
    report, _ = examine_flaw(flaw)
    number = FLAWS[flaw]
    should = REQUIREMENTS[number].level is Level.SHOULD
    assert number in numbers(report, Verdict.ADVICE if should else Verdict.FAILS), said(report)


def test_a_host_without_status_answers_breaks_only_those() -> None:
    """What cannot be asked is one requirement; the others are examined all the same."""
    report, _ = examine_flaw("no_status")
    assert numbers(report, Verdict.FAILS) == [19], said(report)
    held = set(numbers(report, Verdict.HOLDS))
    assert {10, 11, 14, 15, 17, 18, 22, 23} <= held, said(report)


def test_a_key_that_dies_with_its_connection_is_found() -> None:
    """Answers are lost with connections: a key has to outlive its own."""

    async def scene() -> Report:
        forgetful = Forgetful()
        await forgetful.start()
        try:
            return await examined(forgetful.port)
        finally:
            await forgetful.close()

    report = asyncio.run(scene())
    failed = numbers(report, Verdict.FAILS)
    assert 11 in failed, said(report)
    assert 10 not in failed, said(report)


def test_failed_lines_say_what_was_seen_and_what_it_costs() -> None:
    """In both languages, for people who were not there."""
    report, _ = examine_flaw("keeps_no_keys")
    for language, seen, costs in (
        ("en", "posted again", "second charge"),
        ("zh", "重复入账", "重复扣款"),
    ):
        line = report.as_plain(language)["requirements"][9]  # type: ignore[arg-type]
        assert line["number"] == 10
        assert line["verdict"] == "fails"
        assert any(seen in one for one in line["seen"])
        assert costs in line["costs"]
