"""A point in time as a terminal can know it: two clocks, and whether to believe one of them.

The wall clock of a terminal may read 1970 or 2036; the boot-time clock only ever counts forward
but forgets everything at a reboot. Back-off and deadlines use boot time, records keep both, and
nothing is ever expired on a wall clock that is not trusted.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from agent.record import dataclass

#: No terminal that runs this software can be older than the software: 2026-11-01T00:00:00Z.
BUILD_FLOOR_MS = 1_793_491_200_000
#: Nor is it likely to be more than fifteen years younger.
BUILD_CEILING_MS = BUILD_FLOOR_MS + 15 * 365 * 86_400_000

#: How far back a wall clock may go and still be the same clock: NTP corrections, and the coarse
#: write-out of the last seen time.
SLACK_MS = 600_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_EARLIEST_MS, _LATEST_MS = -62_135_596_800_000, 253_402_300_799_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One reading of the clocks."""

    wall_ms: int  #: UTC, milliseconds since 1970
    boot_ms: int  #: CLOCK_BOOTTIME, milliseconds: monotonic, counts through suspend
    boot_id: str  #: the kernel's id of this boot
    trusted: bool  #: False while the wall clock is impossible, ran backwards or is proved wrong
    suspended_ms: int = 0  #: the part of `boot_ms` this machine slept through
    #: Whether the wall clock ran on while this machine was off: a clock chip kept it, or somebody
    #: has said the time since. Without it the clock may go on where it stopped, days ago.
    carried: bool = True

    @property
    def at(self) -> datetime:
        """The wall clock as a UTC datetime; out-of-range clocks are clamped, never raised."""
        return at_ms(self.wall_ms)


#: In place of a boot's number: somebody else's stamp, and nobody knows in which boot.
ANY_BOOT = -1


@dataclass(frozen=True, slots=True)
class Stamp:
    """A moment as a journal row keeps it: the boot is a small number instead of a uuid."""

    wall_ms: int
    boot_ms: int
    boot_no: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What witnesses agree on: where UTC stands against boot time, so that it outlives a step."""

    base_ms: int  #: UTC less boot time
    within_ms: int  #: a wall clock that differs by more is wrong
    #: False: nobody named the year, so the clock is surely wrong, but not by how much.
    dated: bool = True


def certain_ms(since: Stamp, now: Moment, boot_no: int) -> int:
    """How long ago `since` was at the very least, whatever any wall clock said or says.

    Across a reboot that is the uptime: a wall clock that is right now says nothing about how far
    behind it was when it stamped. For what must not happen too early with somebody's money.
    """
    return max(0, now.boot_ms - since.boot_ms if since.boot_no == boot_no else now.boot_ms)


def at_least_ms(since: Stamp, now: Moment, boot_no: int) -> int:
    """How long ago `since` was, as far as this terminal can tell; rather too little than too much.

    Within one boot that is exact. Across a reboot the time since this boot is certain, and the
    wall clock counts only while it is trusted; it may have been behind when it stamped.
    """
    if since.boot_no == boot_no:
        return max(0, now.boot_ms - since.boot_ms)
    by_wall = now.wall_ms - since.wall_ms if now.trusted else 0
    return max(now.boot_ms, by_wall, 0)


def at_most_ms(since: Stamp, now: Moment, boot_no: int) -> int | None:
    """How long ago `since` was, never less than it can have been; None when nobody can tell.

    Nobody can for what was stamped in the future, by a clock that has been set back since, nor
    across a reboot by a clock that may have stood still meanwhile.
    """
    if since.boot_no == boot_no:
        return max(0, now.boot_ms - since.boot_ms)
    if not now.trusted or since.wall_ms > now.wall_ms + SLACK_MS:
        return None
    another = since.boot_no != ANY_BOOT or since.wall_ms < now.wall_ms - now.boot_ms
    if another and not now.carried:
        return None
    return max(0, now.wall_ms - since.wall_ms)


def at_ms(wall_ms: int) -> datetime:
    """UTC datetime of milliseconds since 1970, clamped to what `datetime` can hold."""
    if not _EARLIEST_MS <= wall_ms <= _LATEST_MS:
        wall_ms = min(max(wall_ms, _EARLIEST_MS), _LATEST_MS)
    return _EPOCH + wall_ms * _MS


def to_ms(at: datetime) -> int:
    """Milliseconds since 1970 of an aware datetime. Raises ValueError on a naive one."""
    if at.tzinfo is None:
        raise ValueError("a naive datetime has no place in a payment record")
    since = at - _EPOCH
    # Not one division of time spans: this runs four times for every row (2 µs instead of 0.4).
    return since.days * 86_400_000 + since.seconds * 1000 + round(since.microseconds / 1000)


def plausible(wall_ms: int, last_seen_ms: int) -> bool:
    """Whether a wall clock can be right.

    It is not before the build of this software, not decades after it, and not more than ten
    minutes before a time this terminal has already seen.
    """
    return BUILD_FLOOR_MS <= wall_ms <= BUILD_CEILING_MS and wall_ms >= last_seen_ms - SLACK_MS


def believed(wall_ms: int, boot_ms: int, last_seen_ms: int, proof: Proof | None) -> bool:
    """Whether to believe a wall clock: by what witnesses said, else by whether it can be right.

    A proof also outweighs what this terminal has seen: that may have been a wrong clock's time.
    """
    if proof is None:
        return plausible(wall_ms, last_seen_ms)
    off_ms = wall_ms - boot_ms - proof.base_ms
    if wall_ms < BUILD_FLOOR_MS or abs(off_ms) > proof.within_ms:
        return False
    return proof.dated or plausible(wall_ms, last_seen_ms)
