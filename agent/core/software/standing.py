"""How each component stands against what is wanted, and what changed since it was last read.

Nobody is told to update what cannot be read: *unknown* is neither behind nor fine. Called by
`agent.watch.software.watcher`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from agent.core.software.versions import Scheme, compare
from agent.record import dataclass

if TYPE_CHECKING:
    from agent.core.software.wanted import Wanted

if TYPE_CHECKING:
    from agent.core.software.wanted import Wanted

#: A component's version, where it was never seen or is not there any more.
NOTHING = ""


class Standing(StrEnum):
    """How an installed version compares with what is wanted."""

    BEHIND = "behind"
    EQUAL = "equal"
    AHEAD = "ahead"
    UNKNOWN = "unknown"
    PENDING = "pending"  #: behind, and its update waits or is under way
    FAILED = "failed"  #: behind, and its update failed
    ROLLED_BACK = "rolled_back"  #: behind, and its update was taken back


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What was read of a component."""

    version: str  #: "": not there, or nobody tells
    scheme: Scheme = Scheme.DPKG
    told: bool = True  #: False: the place where it is told could not be read
    changed_ms: int | None = None  #: UTC, when what tells it was last written
    why: str = ""  #: why it could not be told


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One component's verdict."""

    component: str
    required: str
    installed: str
    standing: Standing

    def __str__(self) -> str:
        return f"{self.installed or '?'} -> {self.required} ({self.standing})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A component as it was when it was last read."""

    component: str
    version: str
    since_ms: int
    seen_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionChanged:
    """A component is another than before."""

    component: str
    at_ms: int  #: UTC, when it changed, as far as that can be told
    noticed_ms: int
    before: str
    after: str

    @property
    def what(self) -> str:
        """For people, the same in every language."""
        return f"{self.component} {self.before or '-'} → {self.after or '-'}"


def compared(wanted: Wanted, found: Installed) -> Compared:
    """How one component stands."""
    return Compared(
        component=wanted.component,
        required=wanted.asked,
        installed=found.version,
        standing=_standing(wanted, found),
    )


def _standing(wanted: Wanted, found: Installed) -> Standing:
    if wanted.absent:
        if not found.told:
            return Standing.UNKNOWN
        return Standing.BEHIND if found.version else Standing.EQUAL
    if not found.version:
        return Standing.UNKNOWN
    scheme = wanted.scheme or found.scheme
    if wanted.required:
        order = compare(scheme, found.version, wanted.required)
        if order is None:
            # A hash that is another one is not what is required, whichever is the newer.
            return Standing.BEHIND if scheme is Scheme.OPAQUE else Standing.UNKNOWN
        return {-1: Standing.BEHIND, 0: Standing.EQUAL, 1: Standing.AHEAD}[order]
    least = compare(scheme, found.version, wanted.least) if wanted.least else 0
    most = compare(scheme, found.version, wanted.most) if wanted.most else 0
    if least is None or most is None:
        return Standing.UNKNOWN
    if least < 0:
        return Standing.BEHIND
    return Standing.AHEAD if most > 0 else Standing.EQUAL


def changes(
    before: Mapping[str, Known], found: Mapping[str, Installed], now_ms: int
) -> tuple[dict[str, Known], list[VersionChanged]]:
    """What is known now, and what changed. What cannot be read now is as it was: not a change.

    When it changed is between the last read and now; what tells the version says better where it
    was written meanwhile. A clock that ran backwards makes it now.
    """
    known, changed = dict(before), []
    for component, one in sorted(found.items()):
        was = before.get(component)
        if not one.told or (was is None and not one.version):
            continue
        if was is None:
            known[component] = Known(
                component=component, version=one.version, since_ms=now_ms, seen_ms=now_ms
            )
            continue
        if was.version == one.version:
            known[component] = Known(
                component=component, version=was.version, since_ms=was.since_ms, seen_ms=now_ms
            )
            continue
        at_ms = one.changed_ms if one.changed_ms is not None else now_ms
        if not was.seen_ms <= at_ms <= now_ms:
            at_ms = now_ms
        changed.append(
            VersionChanged(
                component=component, at_ms=at_ms, noticed_ms=now_ms, before=was.version,
                after=one.version,
            )
        )  # fmt: skip
        known[component] = Known(
            component=component, version=one.version, since_ms=at_ms, seen_ms=now_ms
        )
    return known, changed


def counts(found: Iterable[Compared]) -> dict[str, int]:
    """How many stand how; what is pending, failed or rolled back is also behind."""
    told = list(found)
    numbers = {word.value: sum(one.standing is word for one in told) for word in Standing}
    numbers["behind"] = len(behind(told))
    return numbers


def behind(found: Iterable[Compared]) -> list[Compared]:
    """Those that should be newer, whatever became of their update."""
    return [
        one
        for one in found
        if one.standing
        in (Standing.BEHIND, Standing.PENDING, Standing.FAILED, Standing.ROLLED_BACK)
    ]
