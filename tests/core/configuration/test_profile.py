"""Which profile comes into force on this terminal."""

from __future__ import annotations

import pytest

from agent.core.configuration.profile import Profile, Standing, standing
from tests.fakes import FakeClock

CLOCK = FakeClock()
NOW = CLOCK.now()


def profile(sequence: int = 2, **more: object) -> Profile:
    return Profile(profile="P", sequence=sequence, issued=(), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("offered", "stands"),
    [
        (profile(), Standing.IN_FORCE),
        (profile(devices=("me", "you")), Standing.IN_FORCE),
        (profile(devices=("you",)), Standing.OTHER_TERMINAL),
        (profile(sequence=1), Standing.OLDER),
        (profile(valid_from_ms=NOW.wall_ms + 1), Standing.NOT_YET_VALID),
        (profile(expires_ms=NOW.wall_ms), Standing.EXPIRED),
        (profile(valid_from_ms=NOW.wall_ms, expires_ms=NOW.wall_ms + 1), Standing.IN_FORCE),
    ],
)
def test_each_reason_has_its_word(offered: Profile, stands: Standing) -> None:
    """Addressed, numbered, dated."""
    assert standing(offered, "me", profile(), NOW)[0] is stands


def test_a_clock_nobody_believes_ends_nothing() -> None:
    """Nor does a terminal that does not know its own name refuse what is addressed."""
    lost = FakeClock()
    lost.trusted = False
    dated = profile(expires_ms=1, valid_from_ms=NOW.wall_ms * 2)
    assert standing(dated, "me", None, lost.now())[0] is Standing.IN_FORCE
    assert standing(profile(devices=("you",)), "", None, NOW)[0] is Standing.IN_FORCE
