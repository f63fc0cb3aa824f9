"""What the agent starts with, and what becomes of a trial it ends under."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent import main, settings
from agent.core.fleet import DESIRED_FILE
from agent.core.fleet.desired import Held, State, Statement, started, taken
from agent.errors import OperatorError, StoreError
from agent.main import overlay
from agent.settings import NotAllowedError
from agent.settings.problems import ConfigError
from agent.supervise import EXIT_AGAIN
from agent.wire import desired_file


def written(folder: Path, wish: dict[str, Any], text: str = "") -> Path:
    said = Statement(tenant="t", group="g", version=4, digest="d", content="c", config=wish)
    held = taken(Held(), said, "k", connected=False, alarms=frozenset())
    (folder / DESIRED_FILE).write_bytes(desired_file.encode(held))
    place = folder / "posagent.toml"
    place.write_text(f'[agent]\nstate_dir = "{folder}"\nrun_dir = "{folder}"\n{text}')
    return place


def held(folder: Path) -> Held:
    return desired_file.decode((folder / DESIRED_FILE).read_bytes())


@pytest.mark.parametrize("way", ["error", "code"])
def test_an_agent_that_ends_with_a_failure_ends_the_trial_and_starts_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Also where nobody would start it again; without a trial it ends as ever."""
    place = written(tmp_path, {"check": {"duplicate_window_s": 77}})
    seen: list[int] = []
    anew: list[bool] = []

    async def daemon(config: Any, source: Path | None) -> int:
        seen.append(config.check.duplicate_window_s)
        if way == "error":
            raise OperatorError("x", "it cannot be")
        return 70

    monkeypatch.setattr(main, "_daemon", daemon)
    monkeypatch.setattr("agent.main.restart.anew", lambda clock: anew.append(True))
    config = settings.load(place).config
    assert main.run(config, place) == EXIT_AGAIN
    assert (held(tmp_path).state, held(tmp_path).code) == (State.REJECTED, "stopped")
    assert main.run(config, place) == (2 if way == "error" else 70)
    assert (seen, anew) == ([77, 60], [True])


def test_a_second_agent_does_not_end_the_trial_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could not even lock the store."""
    place = written(tmp_path, {"check": {"duplicate_window_s": 77}})

    async def busy(config: Any, source: Path | None) -> int:
        raise StoreError("store.busy", "process 7 has it")

    monkeypatch.setattr(main, "_daemon", busy)
    assert main.run(settings.load(place).config, place) == 2
    assert held(tmp_path).state is State.TRIAL


def test_a_configuration_to_be_read_again_is_checked_with_what_the_fleet_set(
    tmp_path: Path,
) -> None:
    """Refused with its problem, and the running one goes on."""
    place = written(tmp_path, {"store": {"retention_days": 200}})
    config = settings.load(place).config
    overlay.in_order(config, place)
    place.write_text(place.read_text() + "[store]\nretention_days = 300\n")
    with pytest.raises(NotAllowedError, match=r"store\.retention_days"):
        overlay.in_order(config, place)
    place.write_text("[telemetry]\nwindow = 0\n")
    with pytest.raises(ConfigError, match="window"):
        overlay.in_order(config, place)


def test_a_state_dir_of_the_command_line_stays_one(tmp_path: Path) -> None:
    """`--state-dir` is in no file; the fleet's settings do not undo it."""
    place = written(tmp_path, {"check": {"duplicate_window_s": 77}})
    place.write_text('[agent]\nstate_dir = "/elsewhere"\n')
    config = settings.load(place).config
    from msgspec.structs import replace

    moved = replace(config, agent=replace(config.agent, state_dir=str(tmp_path)))
    found = overlay.starting(moved, place)
    assert (found.agent.state_dir, found.check.duplicate_window_s) == (str(tmp_path), 77)
    trial = held(tmp_path).trial
    assert trial is not None
    assert trial.starts == 1
    assert started(held(tmp_path)).trial is not None
