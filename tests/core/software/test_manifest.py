"""Which manifests come into force, and why others do not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core.moment import BUILD_FLOOR_MS, Moment
from agent.core.software.manifest import (
    Standing,
    Terminal,
    refusal,
    sentence,
    validity,
)
from agent.core.software.wanted import Manifest, Wanted

NOW = Moment(wall_ms=BUILD_FLOOR_MS + 10**9, boot_ms=5, boot_id="b", trusted=True)
HERE = Terminal(device_id="d1", model="A80", tenant="acme", groups=("north",), channel="stable")
GOOD = Manifest(
    sequence=7,
    wanted=(Wanted(component="app", required="2"), Wanted(component="x", channel="test")),
    digest="aa",
)
IN_FORCE = replace(GOOD, sequence=6, digest="bb")


def refused(
    offered: Manifest, now: Moment = NOW, known: frozenset[str] = frozenset({"app"})
) -> str:
    found = refusal(offered, HERE, known=known, in_force=IN_FORCE, now=now)
    return "" if found is None else f"{found.standing} {found.sentence('en')}"


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"tenant": "acme", "devices": ("d0", "d1"), "models": ("A80",), "groups": ("x", "north")},
        {"valid_from_ms": NOW.wall_ms, "expires_ms": NOW.wall_ms + 1},
        {"sequence": 6, "digest": "bb"},
        {"wanted": (Wanted(component="other", installed_by="dpkg"),)},
        {"wanted": (Wanted(component="other", optional=True),)},
    ],
)
def test_one_for_this_terminal_comes_into_force(changed: dict[str, object]) -> None:
    """Newer, or the very one that is in force; addressed here; every component readable."""
    assert refused(replace(GOOD, **changed)) == ""  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"tenant": "other"}, "other_terminal the manifest is for other terminals: tenant other"),
        ({"devices": ("d2",)}, "other_terminal"),
        ({"models": ("A90",)}, "other_terminal"),
        ({"groups": ("south",)}, "other_terminal"),
        ({"sequence": 5}, "older the manifest is older than the one in force: 5 <= 6"),
        ({"sequence": 6}, "older"),
        ({"wanted": (Wanted(component="ghost"),)}, "unknown_component"),
        ({"valid_from_ms": NOW.wall_ms + 1}, "not_yet_valid"),
        ({"expires_ms": NOW.wall_ms}, "expired"),
    ],
)
def test_every_reason_has_its_own_state(changed: dict[str, object], why: str) -> None:
    """So that whoever issued it knows what to put right."""
    assert refused(replace(GOOD, **changed)).startswith(why)  # type: ignore[arg-type]


def test_without_a_clock_nothing_with_a_date_comes_into_force() -> None:
    """A terminal in 1970 would believe what expired long ago."""
    dateless = replace(NOW, trusted=False)
    assert refused(replace(GOOD, expires_ms=1), dateless).startswith("clock_unknown")
    assert refused(GOOD, dateless) == ""
    assert validity(GOOD, dateless) is None


def test_the_first_manifest_needs_no_number() -> None:
    """Nothing in force: any number is newer."""
    assert (
        refusal(replace(GOOD, sequence=0), HERE, known=frozenset({"app"}), in_force=None, now=NOW)
        is None
    )


@pytest.mark.parametrize("standing", sorted(Standing))
def test_every_state_is_said_in_both_languages(standing: Standing) -> None:
    """And no two alike."""
    for lang in ("zh", "en"):
        assert sentence(standing, lang)
        others = {sentence(one, lang) for one in Standing if one is not standing}
        assert sentence(standing, lang) not in others
    assert sentence(standing, "zh", "x").endswith("：x")
