"""The doubles every test may use: a clock that only moves when told to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from agent.core.moment import Moment, plausible

T = TypeVar("T")


class Straight:
    """A `Blocking` port that calls at once, on the caller's own thread."""

    async def call(self, name: str, function: Callable[[], T], deadline_s: float) -> T:
        return function()


class FakeClock:
    """A terminal's clocks under the test's thumb."""

    def __init__(
        self, wall_ms: int = 1_795_000_000_000, boot_ms: int = 100_000, boot_id: str = "boot-1"
    ) -> None:
        self.wall_ms = wall_ms
        self.boot_ms = boot_ms
        self.boot_id = boot_id
        self.trusted: bool | None = None
        self.carried = True

    def now(self) -> Moment:
        trusted = plausible(self.wall_ms, 0) if self.trusted is None else self.trusted
        return Moment(
            wall_ms=self.wall_ms,
            boot_ms=self.boot_ms,
            boot_id=self.boot_id,
            trusted=trusted,
            carried=self.carried,
        )

    def advance(self, seconds: float) -> None:
        """Time passes on both clocks."""
        self.wall_ms += round(seconds * 1000)
        self.boot_ms += round(seconds * 1000)

    def jump(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self.wall_ms += round(seconds * 1000)

    def reboot(self, down_s: float = 30.0) -> None:
        """The terminal restarts: boot time begins again under a new id."""
        self.wall_ms += round(down_s * 1000)
        self.boot_ms = 5_000
        self.boot_id = f"boot-{int(self.boot_id.split('-')[1]) + 1}"
