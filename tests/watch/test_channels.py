"""The component `channels`: what a person and the conditions are told of the ways out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from agent.core.health.reading import Reading, Value
from agent.core.health.standard import STANDARD
from agent.watch.channels import ChannelsWatcher


@dataclass(frozen=True)
class One:
    name: str
    kind: str = "ethernet"
    interface: str = "eth0"
    metered: bool = False
    state: str = "ok"
    reason: str = ""
    since_at: datetime = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    in_use: bool = False
    held_by: str = "device"


MAIN = One("main", in_use=True)
SPARE = One("spare", "cellular", "wwan0", metered=True, state="untried")


@dataclass
class Known:
    channels: list[One]
    switches: int = 0
    probe_bytes: int = 2_120
    watching: list[Callable[[], object]] = field(default_factory=list)

    def seen(self) -> list[One]:
        return self.channels

    def watch(self, changed: Callable[[], object]) -> None:
        self.watching.append(changed)


def read(*channels: One) -> dict[str, Value]:
    outcome = asyncio.run(ChannelsWatcher(Known(list(channels))).read())
    assert isinstance(outcome, Reading)
    return dict(outcome.values)


def judged(values: dict[str, Value]) -> dict[str, bool | None]:
    return {c.code: sign.judge(values) for c, sign in STANDARD.judged_by("channels")}


def test_all_is_well() -> None:
    """Main in use, a backup that may work: no condition, and both stand there."""
    values = read(MAIN, SPARE)
    assert values["in_use"] == values["main"] == "main"
    assert (values["state_main"], values["state_spare"]) == ("ok", "untried")
    assert values["probe_kb"] == 2
    assert judged(values) == {"network.backup_in_use": False, "network.backup_unavailable": False}


def test_the_backup_is_in_use() -> None:
    """With what is wrong with the main, since when, for the one who repairs it."""
    down = replace(MAIN, in_use=False, state="down", reason="eth0 has no carrier")
    values = read(down, replace(SPARE, in_use=True, state="ok"))
    assert judged(values) == {"network.backup_in_use": True, "network.backup_unavailable": None}
    sign = STANDARD["network.backup_in_use"].signs[0]
    assert sign.shown(values) == {
        "channel": "main",
        "error": "eth0 has no carrier",
        "since": "2026-11-22T09:30:00+00:00",
    }
    assert values["metered"] is True


def test_no_backup_could_be_used() -> None:
    """Known before the next outage, with the reason; not said of what fails everywhere."""
    gone = replace(SPARE, state="down", reason="there is no interface wwan0")
    for main in (MAIN, replace(MAIN, state="untried")):
        values = read(main, gone)
        assert judged(values)["network.backup_unavailable"] is True
        assert values["error"] == "there is no interface wwan0"
    dead = replace(SPARE, state="broken", reason="the host did not answer")
    assert judged(read(MAIN, dead))["network.backup_unavailable"] is True
    both = read(replace(MAIN, state="broken"), dead)
    assert judged(both)["network.backup_unavailable"] is None
    assert judged(read(MAIN))["network.backup_unavailable"] is None, "one channel has no backup"


def test_a_change_is_told_at_once() -> None:
    """Whoever wants to know is asked again when a channel changes."""
    known = Known([MAIN])
    poked: list[int] = []
    ChannelsWatcher(known).heed(lambda: poked.append(1))
    known.watching[0]()
    assert poked == [1]
