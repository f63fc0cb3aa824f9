"""A short form of `make fleet-kills`: the rig finds what it looks for, and finds nothing else."""

from __future__ import annotations

import pytest

from tests.fleet_rig.kills import Plan, play

pytestmark = pytest.mark.process


def test_killed_at_random_and_nothing_is_lost() -> None:
    """Agent, line and a strict broker are killed meanwhile: all there, in order, once."""
    plan = Plan(
        "strict", 240, seed=7, fault_every_s=0.5, faults=("agent", "broker", "cut"), at_most_s=120
    )
    verdict = play(plan)
    assert verdict.faults.total() >= 2
    assert verdict.promised == 240
    assert verdict.proved, verdict
    assert verdict.distinct + verdict.history >= 240


def test_an_outbox_in_memory_is_caught() -> None:
    """The control: without the outbox on disk a killed agent loses, and the rig says so."""
    plan = Plan(
        "strict", 60, seed=3, fault_every_s=0.3, faults=("agent",), memory=True, at_most_s=120
    )
    verdict = play(plan)
    assert verdict.faults["agent"] >= 1
    assert verdict.missing > 0


def test_readings_that_waited_arrive_as_history() -> None:
    """The outbox of the rig is the daemon's: it packs, and the rig unpacks and counts."""
    plan = Plan(
        "strict", 240, seed=11, pause_s=0.02, fault_every_s=0.5, faults=("cut",), at_most_s=120
    )
    verdict = play(plan)
    assert verdict.proved, verdict
    assert verdict.distinct < verdict.promised <= verdict.distinct + verdict.history
