"""What an inspection makes of answers, and how its report is kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.health.conditions import Catalogue, Condition, Severity, Sign, holds
from agent.core.health.reading import NotFitted, NotObservable, Reading, Unknown
from agent.core.inspection.due import due, overdue
from agent.core.inspection.report import (
    VALUE_CHARS,
    Check,
    Looked,
    Report,
    Trigger,
    Verdict,
    checks_from,
    judged,
    related,
    to_plain,
)


def _when(code: str, severity: Severity, component: str, flag: str, *roots: str) -> Condition:
    sign = Sign(component=component, judge=holds(flag), args=(flag, "where"))
    return Condition(code=code, severity=severity, signs=(sign,), depends_on=roots)


CATALOGUE = Catalogue(
    (
        _when("net.cut", Severity.MAJOR, "net", "cut"),
        _when("net.slow", Severity.WARNING, "net", "slow"),
        _when("dns.dead", Severity.MAJOR, "dns", "dead", "net.cut"),
        _when("host.gone", Severity.MAJOR, "host", "gone", "dns.dead"),
        Condition(code="net.mute", severity=Severity.MINOR, silence_of="net"),
    )
)


@pytest.mark.parametrize(
    ("values", "verdict", "codes"),
    [
        ({"cut": False, "slow": False}, Verdict.PASS, ()),
        ({"cut": False, "slow": True}, Verdict.WARN, ("net.slow",)),
        ({"cut": True, "slow": True}, Verdict.FAIL, ("net.cut", "net.slow")),
        ({}, Verdict.PASS, ()),
    ],
)
def test_values_are_judged_by_the_catalogue(
    values: dict[str, bool], verdict: Verdict, codes: tuple[str, ...]
) -> None:
    """A major condition fails the check, a lesser one warns, values that cannot tell do neither."""
    check = judged("net", Looked(Reading(values)), 12, CATALOGUE)
    assert (check.verdict, check.codes, check.duration_ms) == (verdict, codes, 12)
    assert check.code == (codes[0] if codes else "")


def test_a_check_may_name_causes_itself() -> None:
    """A cause the catalogue knows counts by its severity, any other one as a failure."""
    clean = Reading({"cut": False, "slow": True, "where": "eth0"})
    assert judged("net", Looked(clean, ("net.slow",)), 1, CATALOGUE).codes == ("net.slow",)
    named = judged("store", Looked(Reading({"bad": 3}), ("net.slow",)), 1, CATALOGUE)
    assert (named.verdict, named.args) == (Verdict.WARN, {"bad": 3})
    assert judged("store", Looked(Reading({}), ("no.such",)), 1, CATALOGUE).verdict is Verdict.FAIL


def test_silence_is_unknown_never_a_fault() -> None:
    """Unknown keeps its reason and gets the cause of that silence, if there is one."""
    mute = judged("net", Looked(Unknown("no answer", "", {"port": "/dev/x"})), 5, CATALOGUE)
    assert (mute.verdict, mute.codes, mute.reason) == (Verdict.UNKNOWN, ("net.mute",), "no answer")
    assert mute.evidence == {"port": "/dev/x"}
    known = judged("net", Looked(Unknown("cut off", "net.cut")), 5, CATALOGUE)
    assert (known.verdict, known.codes) == (Verdict.UNKNOWN, ("net.cut",))
    coded = judged("dns", Looked(Unknown("denied", "config.permission_denied")), 5, CATALOGUE)
    assert coded.codes == ("config.permission_denied",)
    assert judged("dns", Looked(Unknown("denied")), 5, CATALOGUE).codes == ()


def test_a_missing_right_is_unknown_unless_something_is_wrong() -> None:
    """What a component could not look at did not pass; what it did see still counts."""
    some = judged("net", Looked(Reading({"cut": False, "needs": "DUMP"})), 1, CATALOGUE)
    assert (some.verdict, some.reason) == (Verdict.UNKNOWN, "needs DUMP")
    bad = judged("net", Looked(Reading({"cut": True, "needs": "DUMP"})), 1, CATALOGUE)
    assert (bad.verdict, bad.reason) == (Verdict.FAIL, "")


def test_what_is_not_there_is_neither() -> None:
    """Not fitted and not observable are verdicts of their own."""
    assert judged("net", Looked(NotFitted()), 1, CATALOGUE).verdict is Verdict.NOT_FITTED
    hidden = judged("net", Looked(NotObservable("sealed")), 1, CATALOGUE)
    assert (hidden.verdict, hidden.reason) == (Verdict.NOT_OBSERVABLE, "sealed")


def test_consequences_name_their_deepest_root() -> None:
    """A check that fails because of another one says which cause it follows from."""

    def failed(code: str) -> Check:
        return Check(name=code, verdict=Verdict.FAIL, duration_ms=1, codes=(code,))

    well = Check(name="well", verdict=Verdict.PASS, duration_ms=1)
    both = related([failed("host.gone"), failed("net.cut"), well], CATALOGUE)
    assert [one.follows for one in both] == ["net.cut", "", ""]
    near = related([failed("host.gone"), failed("dns.dead")], CATALOGUE)
    assert [one.follows for one in near] == ["dns.dead", ""]


def test_evidence_is_bounded() -> None:
    """Long texts are cut, empty values left out."""
    looked = Looked(Reading({"long": "x" * 500, "none": None, "empty": "", "zero": 0}))
    evidence = judged("net", looked, 1, CATALOGUE).evidence
    assert len(str(evidence["long"])) == VALUE_CHARS
    assert set(evidence) == {"long", "zero"}


REPORT = Report(
    number=4,
    trigger=Trigger.ASKED,
    actor="uid:0",
    started_ms=1_795_000_000_000,
    ended_ms=1_795_000_003_500,
    expected=("net", "dns"),
    checks=(
        judged("dns", Looked(Reading({"dead": True, "where": "eth0"})), 7, CATALOGUE),
        judged("net", Looked(Unknown("no answer")), 9, CATALOGUE),
        Check(name="extra", verdict=Verdict.PASS, duration_ms=1),
    ),
)


def test_a_report_is_read_as_it_was_kept() -> None:
    """Through JSON and back nothing is lost; totals name every verdict."""
    expected, checks = checks_from(json.loads(json.dumps(to_plain(REPORT))))
    assert (expected, checks) == (REPORT.expected, REPORT.checks)
    assert REPORT.totals == {
        "fail": 1, "warn": 0, "unknown": 1, "pass": 1, "not_fitted": 0, "not_observable": 0,
    }  # fmt: skip
    assert [check.name for check in REPORT.shown()] == ["net", "dns", "extra"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
ROTTEN = st.fixed_dictionaries(
    {},
    optional={
        "expected": JSON,
        "checks": st.lists(
            st.fixed_dictionaries(
                {"verdict": st.sampled_from(["pass", "fail", "?"])},
                optional={"name": JSON, "codes": JSON, "args": JSON, "duration_ms": JSON},
            )
            | JSON,
            max_size=3,
        ),
    },
)


@settings(max_examples=50)
@given(JSON | ROTTEN)
def test_what_flash_made_of_a_report_never_raises(plain: object) -> None:
    """Whatever stands there, what can be read is read."""
    _, checks = checks_from(plain)
    assert all(isinstance(check, Check) for check in checks)


EARLY = datetime(2026, 12, 1, 3, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("now", "last", "expected"),
    [
        (EARLY, None, True),
        (EARLY, EARLY - 22 * HOUR, False),  # made yesterday at five
        (EARLY + 1.5 * HOUR, EARLY - 22 * HOUR, False),  # its share of the hour is still to come
        (EARLY + 1.6 * HOUR, EARLY - 22 * HOUR, True),
        (EARLY + 9 * HOUR, EARLY - 22 * HOUR, True),  # was off at its hour
        (EARLY + 9 * HOUR, EARLY + 2 * HOUR, False),
    ],
)
def test_one_a_day(now: datetime, last: datetime | None, expected: bool) -> None:
    """Due once the day's hour and this terminal's share of the jitter have passed, and made up."""
    assert due(now, last, hour=4, jitter_s=1_900) is expected


def test_overdue_after_days() -> None:
    """Too long ago is overdue, unless nobody wants to know."""
    assert overdue(EARLY, EARLY - 8 * 24 * HOUR, 7)
    assert not overdue(EARLY, EARLY - 6 * 24 * HOUR, 7)
    assert not overdue(EARLY, EARLY - 800 * 24 * HOUR, 0)
