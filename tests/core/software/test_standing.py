"""How components stand, and what counts as a change."""

from __future__ import annotations

import pytest

from agent.core.software.standing import (
    Installed,
    Known,
    Standing,
    VersionChanged,
    behind,
    changes,
    compared,
    counts,
)
from agent.core.software.versions import Scheme
from agent.core.software.wanted import Wanted


def wanted(**more: object) -> Wanted:
    return Wanted(component="app", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "found", "standing"),
    [
        ({"required": "2.0"}, Installed(version="1.9"), "behind"),
        ({"required": "2.0"}, Installed(version="2.0"), "equal"),
        ({"required": "2.0"}, Installed(version="2.1"), "ahead"),
        ({"required": "2.0"}, Installed(version="", told=True), "unknown"),
        ({"required": "2.0"}, Installed(version="", told=False), "unknown"),
        ({"required": "1.0.0", "scheme": Scheme.SEMVER}, Installed(version="7"), "unknown"),
        ({"required": "aa"}, Installed(version="bb", scheme=Scheme.OPAQUE), "behind"),
        ({"least": "2.0", "most": "3.0"}, Installed(version="1.0"), "behind"),
        ({"least": "2.0", "most": "3.0"}, Installed(version="2.5"), "equal"),
        ({"least": "2.0", "most": "3.0"}, Installed(version="3.1"), "ahead"),
        ({"least": "2.0"}, Installed(version="9"), "equal"),
        ({"most": "2.0"}, Installed(version="1"), "equal"),
        ({"least": "1.0.0", "scheme": Scheme.SEMVER}, Installed(version="x"), "unknown"),
        ({"most": "1.0.0", "scheme": Scheme.SEMVER}, Installed(version="x"), "unknown"),
        ({"absent": True}, Installed(version="1.0"), "behind"),
        ({"absent": True}, Installed(version=""), "equal"),
        ({"absent": True}, Installed(version="", told=False), "unknown"),
    ],
)
def test_a_component_stands(asked: dict[str, object], found: Installed, standing: str) -> None:
    """Against an exact version, bounds, or not being there at all; unknown is never behind."""
    assert compared(wanted(**asked), found).standing == standing


def test_what_is_asked_is_said() -> None:
    """In evidence and texts."""
    assert wanted(required="2.0").asked == "2.0"
    assert wanted(least="1", most="3").asked == ">= 1 <= 3"
    assert wanted(absent=True).asked == "absent"
    assert str(compared(wanted(required="2"), Installed(version=""))) == "? -> 2 (unknown)"


def test_what_failed_is_also_behind() -> None:
    """Counts of standings overlap only there."""
    one = compared(wanted(required="2.0"), Installed(version="1.0"))
    from dataclasses import replace

    found = [one, replace(one, standing=Standing.FAILED), replace(one, standing=Standing.AHEAD)]
    assert counts(found)["behind"] == 2
    assert (counts(found)["failed"], counts(found)["ahead"]) == (1, 1)
    assert behind(found) == found[:2]


NOW = 1_800_000_000_000


def known(version: str = "1.0", seen_ms: int = NOW - 1_000) -> dict[str, Known]:
    return {"app": Known(component="app", version=version, since_ms=5, seen_ms=seen_ms)}


def test_the_first_sight_is_not_a_change() -> None:
    """What was never seen before is only known from now on; what is not there is not known."""
    found = {"app": Installed(version="1.0"), "ghost": Installed(version="")}
    now, changed = changes({}, found, NOW)
    assert now == {"app": Known(component="app", version="1.0", since_ms=NOW, seen_ms=NOW)}
    assert changed == []


def test_a_change_has_before_after_and_time() -> None:
    """The time is that of the file where it was written since the last read."""
    found = {"app": Installed(version="2.0", changed_ms=NOW - 400)}
    now, changed = changes(known(), found, NOW)
    assert changed == [
        VersionChanged(component="app", at_ms=NOW - 400, noticed_ms=NOW, before="1.0", after="2.0")
    ]
    assert changed[0].what == "app 1.0 → 2.0"
    assert now["app"].since_ms == NOW - 400


@pytest.mark.parametrize("told_ms", [None, NOW - 5_000, NOW + 5_000])
def test_a_time_that_cannot_be_is_now(told_ms: int | None) -> None:
    """A file that keeps the time of its making, or a clock that was set back."""
    _, changed = changes(known(), {"app": Installed(version="2.0", changed_ms=told_ms)}, NOW)
    assert changed[0].at_ms == NOW


def test_what_cannot_be_read_is_as_it_was() -> None:
    """A permission that went away is not a removal; a removal is one."""
    assert changes(known(), {"app": Installed(version="", told=False)}, NOW) == (known(), [])
    now, changed = changes(known(), {"app": Installed(version="")}, NOW)
    assert (changed[0].before, changed[0].after) == ("1.0", "")
    assert changed[0].what == "app 1.0 → -"
    _, again = changes(now, {"app": Installed(version="1.0")}, NOW + 1)
    assert again[0].before == ""


def test_the_same_is_seen_again() -> None:
    """Since when stays, how lately moves on."""
    now, changed = changes(known(), {"app": Installed(version="1.0")}, NOW)
    assert (now["app"].since_ms, now["app"].seen_ms, changed) == (5, NOW, [])
