"""The real daemon in the lab: a few faults of `make confusion`, and that the lab clears away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.network.faults import FAULTS, blames_others
from tests.network.lab import Lab, running
from tests.network.netns import leftovers, missing
from tests.network.report import Run
from tests.network.trial import Trial, Trials

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(bool(missing()), reason=f"no network lab ({missing()}): NOT tried"),
]
BY_NAME = {one.name: one for one in FAULTS}


@pytest.fixture(scope="module")
def trials() -> Iterator[Trials]:
    with running() as lab:
        yield Trials(lab, print)


@pytest.mark.parametrize(
    "name",
    [
        "cable pulled at the switch",
        "host refuses",
        "route prohibited on the terminal",
    ],
)
def test_a_fault_is_called_by_its_name(trials: Trials, name: str) -> None:
    """The cause shown is the one injected, it goes when the fault goes, and payments arrive."""
    found = trials.run(BY_NAME[name])
    assert not found.trouble
    assert found.right, f"taken for {found.name}"
    assert not found.blamed
    assert found.cleared_s is not None
    assert trials.posted_once() == ([], [])


def test_a_wrong_expectation_is_off_the_diagonal() -> None:
    """The table's own control: what was reported is compared with what was injected."""
    fault = BY_NAME["cable pulled at the switch"]
    found = Trial(fault=fault, reported=("network.host_unreachable",), cleared_s=1.0)
    assert not found.right
    assert found.blamed
    problems = Run(trials=[found], partial=True).problems()
    assert any("on the diagonal" in each for each in problems)
    assert any("the terminal's own fault" in each for each in problems)


def test_what_stands_beside_the_cause_is_a_misnaming() -> None:
    """A right name beside a wrong one is not right."""
    fault = BY_NAME["cable pulled at the switch"]
    found = Trial(fault=fault, reported=(fault.expected, "network.dns_failed"))
    assert not found.right


def test_the_table_is_as_large_as_asked_and_knows_whom_it_blames() -> None:
    """At least forty faults with names of their own; silence of the host blames nobody."""
    assert len(BY_NAME) == len(FAULTS) >= 40
    assert {one.chapter for one in FAULTS} >= {
        "link", "address", "gateway", "dns", "internet", "host", "tls", "clock", "local",
    }  # fmt: skip
    assert blames_others("host.down")
    assert blames_others("network.host_unreachable")
    assert not blames_others("host.no_reply")


def test_nothing_is_left_behind() -> None:
    """Namespaces and whatever is in them go with the lab."""
    with Lab() as lab:
        prefix = lab.term.name.removesuffix("term")
        assert list(leftovers(prefix))
    assert not list(leftovers(prefix))
