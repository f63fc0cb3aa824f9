"""The report on receipt paper."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.columns import clean, cut, pad, width, wrap
from agent.core.inspection.report import Check, Report, Trigger, Verdict
from agent.core.inspection.slip import NARROW, WIDE, lines
from agent.core.inspection.words import CHECKS, title

CST = timedelta(hours=8)


def _check(name: str, verdict: Verdict, **more: object) -> Check:
    return replace(Check(name=name, verdict=verdict, duration_ms=10), **more)  # type: ignore[arg-type]


CHECKS_MADE = (
    _check("printer", Verdict.FAIL, codes=("printer.paper_out",)),
    _check("reach:main", Verdict.FAIL, codes=("network.host_unreachable",), follows="clock.wrong"),
    _check("odd", Verdict.FAIL, codes=("no.such.cause",), follows=""),
    _check("other", Verdict.WARN, codes=("network.slow",), follows="no.such.root"),
    _check("scanner", Verdict.UNKNOWN, reason="no answer within 5 s"),
    _check("keypad", Verdict.UNKNOWN, codes=("keypad.disconnected",), reason="gone"),
    _check("system", Verdict.PASS),
    _check("payment_app", Verdict.NOT_OBSERVABLE, reason="nobody tells"),
)
REPORT = Report(
    number=12,
    trigger=Trigger.SCHEDULE,
    actor="agent",
    started_ms=1_795_000_000_000,
    ended_ms=1_795_000_004_200,
    expected=tuple(check.name for check in CHECKS_MADE),
    checks=CHECKS_MADE,
)


@pytest.mark.parametrize("columns", [NARROW, WIDE])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_line_fits_and_verdicts_stand_at_the_edge(lang: str, columns: int) -> None:
    """Chinese characters count two columns: no line is wider than the paper."""
    written = lines(REPORT, "T-0001", lang, columns, CST)  # type: ignore[arg-type]
    assert max(width(line) for line in written) == columns
    well = {"en": "pass", "zh": "正常"}[lang]
    named = {"en": "terminal", "zh": "终端系统"}[lang]
    (line,) = [one for one in written if one.startswith(named) and one.endswith(well)]
    assert width(line) == columns
    assert any(line.startswith("2026-11-") for line in written)


def test_causes_steps_and_roots_are_on_it() -> None:
    """A failed check shows reason and next step with who; a consequence names its root."""
    text = " ".join(" ".join(lines(REPORT, "T-0001", "zh", WIDE, CST)).split())
    assert "收银员" in text
    assert "由其他问题引起：终端时间不正确" in text
    assert "no.such.cause" in text
    assert "no.such.root" in text
    assert "5秒内没有应答" in text
    assert "no answer within 5 s" in " ".join(lines(REPORT, "T-0001", "en", WIDE, CST))


def test_nothing_wrong_says_so_and_one_under_way_too() -> None:
    """The last line of a clean report asks for nothing; one under way does not pretend to be."""
    well = replace(REPORT, checks=(_check("system", Verdict.PASS),))
    assert lines(well, "T", "en", NARROW, CST)[-1] == "Nothing to do."
    begun = replace(REPORT, checks=(), ended_ms=None)
    assert lines(begun, "T", "en", NARROW, CST)[-1] == "under way"


@given(st.text(max_size=60), st.text(max_size=200), st.sampled_from([24, NARROW, WIDE]))
def test_no_name_or_reason_breaks_the_paper(who: str, reason: str, columns: int) -> None:
    """What devices say of themselves may be anything and never leaves the paper."""
    odd = _check(who, Verdict.UNKNOWN, reason=reason)
    for line in lines(replace(REPORT, checks=(odd,)), who, "zh", columns, CST):
        assert width(line) <= columns
        assert line.isprintable()


def test_a_name_longer_than_the_paper_goes_on_in_the_next_line() -> None:
    """Where nothing allows a break, it is broken at the edge and nothing of it is lost."""
    odd = _check("system", Verdict.UNKNOWN, reason="x" * 40 + "打印机")
    written = lines(replace(REPORT, checks=(odd,)), "T" * 40, "en", NARROW, CST)
    assert "T" * NARROW in written
    assert "T" * (40 - NARROW) in written
    assert "".join(line.strip() for line in written).count("x" * 40 + "打印机") == 1
    assert max(width(line) for line in written) == NARROW


def test_every_check_has_a_name_in_both_languages() -> None:
    """A check with a subject shows it; one nobody named shows itself."""
    assert title("reach:main").en == "reaching host main"
    assert title("vendor_thing").zh == "vendor_thing"
    assert all(text.zh and text.en for text in CHECKS.values())


def test_columns() -> None:
    """Padding, cutting and wrapping count columns, not characters."""
    assert width("打印机 ok") == 9
    assert width("e\u0301") == 1
    assert pad("打", 4) == "打  "
    assert cut("打印机故障", 7) == "打印机…"
    assert cut("打印机", 6) == "打印机"
    assert clean("a\x1bb") == "a b"
    assert wrap("打印机，缺纸", 7) == ["打印", "机，缺", "纸"]
    assert wrap("(a b", 2) == ["(a", "b"]
    assert wrap("", 5) == [""]
