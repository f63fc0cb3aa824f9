"""A release goes on only where it is well, and halts itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import OperatorError
from agent.fleet.reader import Reader
from agent.fleet.rollout import FIELDS, Phase, Rollout, Standing, standing, statement
from agent.fleet.view import Row
from tests.fleet.contract import body

MEMBERS = [f"T-{n}" for n in range(200)]
TABLE = {"tenant": "acme", "group": "shops", "version": 7, "config": {"telemetry": {"window": 4}}}


def rollout(stop_at_percent: float = 2.0) -> Rollout:
    return Rollout(
        statement(TABLE), MEMBERS, stages=(5, 25, 100), stop_at_percent=stop_at_percent, soak_ms=100
    )


def well(names: list[str]) -> dict[str, Standing]:
    return dict.fromkeys(names, Standing.WELL)


def test_stages_grow_and_every_one_has_a_version() -> None:
    """The first five percent are among the twenty-five; nobody hears a release twice."""
    release, told = rollout(), list[str]()
    for at, (percent, version) in enumerate([(5, 7), (25, 8), (100, 9)]):
        said = release.statement.said
        assert (said.stage.percent, said.version, said.stage.halted) == (percent, version, False)
        assert said.stage.release == "shops-7"
        targets = release.targets
        assert targets
        assert not set(targets) & set(told)
        told += targets
        release.published(at * 1000, targets)
        assert release.judge(well(told), at * 1000) is Phase.WATCHING
        release.judge(well(told), at * 1000 + 100)
    assert sorted(told) == sorted(MEMBERS)
    assert release.phase is Phase.DONE


def test_silence_is_no_success() -> None:
    """A stage of which less than half said that it is well waits, however long."""
    release = rollout()
    targets = release.targets
    release.published(0, targets)
    few = well(targets[: (len(targets) - 1) // 2])
    assert release.judge(few, 10**9) is Phase.WATCHING
    assert release.judge(well(targets), 10**9) is Phase.PUBLISHING


def test_too_many_no_halt_it() -> None:
    """The halt has the next version and goes to all that were reached, and to nobody else."""
    release = rollout()
    targets = release.targets
    release.published(0, targets)
    assert release.judge(well(targets) | {targets[0]: Standing.REJECTED}, 5) is Phase.HALTED
    assert release.statement.said.stage.halted
    assert release.statement.said.version == 8
    assert release.targets == sorted(targets)
    assert release.judge(well(targets), 10**9) is Phase.HALTED


def test_it_halts_while_it_is_still_being_published() -> None:
    """Those who have it decide, not those who will."""
    release = rollout(stop_at_percent=50)
    first = release.targets[:3]
    for name in first:
        release.reached(name)
    assert release.judge(dict.fromkeys(first[:2], Standing.REJECTED), 1) is Phase.HALTED
    assert release.targets == sorted(first)


@given(st.lists(st.sampled_from(Standing), min_size=len(MEMBERS), max_size=len(MEMBERS)))
def test_it_never_goes_on_past_the_limit(stands: list[Standing]) -> None:
    """Whatever terminals say, the next stage is published only within --stop-at."""
    release = rollout()
    release.published(0, release.targets)
    phase = release.judge(dict(zip(MEMBERS, stands, strict=True)), 10**9)
    if release.counts.percent > 2.0:
        assert phase is Phase.HALTED
    else:
        assert phase in (Phase.WATCHING, Phase.PUBLISHING)


WRONG = [{}, {"tenant": "acme"}, {**TABLE, "version": 0}, {**TABLE, "stage": {"percent": 101}},
         {**TABLE, "more": 1}]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_what_no_terminal_would_take_is_not_signed(wrong: dict[str, object]) -> None:
    """The form is checked before the question."""
    with pytest.raises(OperatorError):
        statement(wrong)


@pytest.mark.parametrize(
    ("facts", "alarm_ts", "stands"),
    [
        ({}, 0, Standing.SILENT),
        ({"fleet_desired_version": 6, "fleet_desired_state": "rejected"}, 50, Standing.SILENT),
        ({"desired_version": 7}, 0, Standing.WELL),
        (
            {"desired_version": 8, "fleet_desired_version": 8, "fleet_desired_state": "trial"},
            0,
            Standing.TRYING,
        ),
        ({"fleet_desired_version": 7, "fleet_desired_state": "waiting"}, 0, Standing.TRYING),
        ({"fleet_desired_version": 7, "fleet_desired_state": "rejected"}, 0, Standing.REJECTED),
        ({"fleet_desired_version": 7, "desired_version": 3}, 50, Standing.REJECTED),
        ({}, 150, Standing.REJECTED),
    ],
)
def test_a_terminal_stands_as_it_reports(
    facts: dict[str, object], alarm_ts: int, stands: Standing
) -> None:
    """An older alarm is about an older release; what is on trial or waits is not well yet."""
    reader = Reader()
    reader.keep(FIELDS)
    start = "pos/1/acme/T-1/"
    readings = {"desired_version": 1} | facts
    in_force = readings.pop("desired_version")
    reader.hear(f"{start}info", body(1, contract=1, desired_version=in_force), 1)
    reader.hear(f"{start}health", body(2, full=False, **readings), 1)
    if alarm_ts:
        told = {"code": "fleet.desired_rejected", "component": "fleet", "severity": "major"}
        reader.hear(f"{start}event", body(3, active=True, since_ts=alarm_ts, **told), 1)
    one = reader.get("acme", "T-1")
    assert one is not None
    assert standing(Row(one, reader, 1), 7, 100) is stands


def test_a_stage_nobody_is_drawn_for_is_not_waited_for() -> None:
    """In a small group five percent may be nobody at all."""
    release = Rollout(
        statement(TABLE), ["T-1"], stages=(1, 100), stop_at_percent=2.0, soak_ms=10**9
    )
    assert release.targets == []
    release.published(0, [])
    assert release.judge({}, 1) is Phase.PUBLISHING
    assert release.targets == ["T-1"]
    release.published(2, ["T-1"])
    assert release.judge(well(["T-1"]), 3) is Phase.WATCHING


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"telemetry": {"ca_file": "/x"}}, "telemetry.ca_file"),
        ({"uplink": [{"name": "host"}]}, "uplink"),
        ({"local": {"tcp": True}}, "local"),
    ],
)
def test_what_is_beyond_a_fleets_reach_is_known_before_it_is_signed(
    config: dict[str, object], key: str
) -> None:
    """TLS files, hosts and the local API: every terminal would refuse them."""
    with pytest.raises(OperatorError, match=f"^{key} is beyond"):
        statement(TABLE | {"config": config})
