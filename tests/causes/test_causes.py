"""The quick share of `make causes`: its table is whole, what it provokes is named in process."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.core.health.standard import STANDARD
from agent.core.money.journal import HostResult, State
from agent.core.why.causes import CATALOGUE, Owner
from agent.core.why.response_codes import RESPONSE_CODES
from agent.core.why.verdict import Retry
from tests.causes.bench import Bench, Proof
from tests.causes.report import missing, written
from tests.causes.scenes import SCENES
from tests.core.why.cases import codes, condition, record, verdict
from tests.network.faults import FAULTS

HERE = Path(__file__).parent


def test_every_cause_that_can_be_known_has_a_scene() -> None:
    """A new code without a provocation fails here, long before the whole of it is run."""
    text = "".join(file.read_text("utf-8") for file in sorted(HERE.glob("*.py")))
    named = set(re.findall(r'"([a-z]+(?:\.[a-z_]+)+)"', text))
    provoked = {one.expected for one in FAULTS if f'"{one.name}"' in text}
    wanted = {code for code, cause in CATALOGUE.items() if not cause.advice_only}
    assert wanted - named - provoked == set()
    assert len(SCENES) == len(set(SCENES.values()))


@pytest.mark.parametrize("code", sorted(one.code for one in STANDARD))
def test_every_condition_is_named_with_owner_and_step(code: str) -> None:
    """Whatever a watcher can raise is a finding with one owner and one step in both languages."""
    (finding,) = verdict(conditions=(condition(code),)).findings
    assert finding.code == code
    assert finding.owner is CATALOGUE[code].owner
    assert finding.step.render("zh") != finding.step.render("en")


@pytest.mark.parametrize("code", sorted(RESPONSE_CODES))
def test_every_response_code_is_named_in_a_declined_payment(code: str) -> None:
    """Field 39 and the words of platforms lead to their cause, its owner, and never to a retry
    where money may have moved."""
    row = RESPONSE_CODES[code]
    told = verdict(record(State.DECLINED, result=HostResult(response_code=code)))
    assert codes(told)[0] == row.cause
    assert told.findings[0].owner is (row.owner or CATALOGUE[row.cause].owner)
    if not row.charged_nothing:
        assert told.advice.retry is not Retry.SAFE_TO_RETRY


def test_the_report_says_what_is_open() -> None:
    """A row for every cause; what was not provoked is said so, advice is never asked for."""
    bench = Bench()
    bench.proofs["printer.paper_out"] = Proof(
        code="printer.paper_out", how="a | b", asked="terminal", place="root 1 of 1",
        owner=Owner.CASHIER, step_zh="装纸", step_en="load paper", seconds=1.0,
    )  # fmt: skip
    bench.failures.append("scene x broke")
    document = written(bench, 60)
    assert len(missing(bench)) == len(CATALOGUE) - 6
    assert "| `printer.paper_out` | a \\| b | root 1 of 1, terminal | cashier |" in document
    assert document.count("**not provoked yet**") == len(missing(bench))
    assert document.count("| advice only |") == 5
    assert "- scene x broke" in document
