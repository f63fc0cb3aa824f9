"""The component `channels`: which way out is in use, and how every other one stands.

It reads what the channels know anyway and asks the network nothing. `in_use` and `main` name
channels; `state_NAME` is ok, untried, doubted, broken, down or refused, `reason_NAME` why. `error`,
`channel` and `since` are those of the trouble that is told: of the main channel while a backup
carries, else of the backups. Built only where [[channel]] is configured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from agent.core.health.reading import Outcome, Reading, Value


class Seen(Protocol):
    """One channel (`agent.link.channels.ChannelSeen`)."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def interface(self) -> str: ...
    @property
    def metered(self) -> bool: ...
    @property
    def state(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def since_at(self) -> datetime: ...
    @property
    def in_use(self) -> bool: ...
    @property
    def held_by(self) -> str: ...


class Known(Protocol):
    """The channels of this terminal (`agent.link.channels.ChannelsPart`)."""

    def seen(self) -> Sequence[Seen]: ...
    def watch(self, changed: Callable[[], object]) -> None: ...
    @property
    def switches(self) -> int: ...
    @property
    def probe_bytes(self) -> int: ...


USABLE = ("ok", "untried", "doubted")


class ChannelsWatcher:
    """See the module docstring."""

    component = "channels"
    period_s = 60.0
    deadline_s = 5.0

    def __init__(self, known: Known) -> None:
        self._known = known

    def heed(self, poke: Callable[[], object]) -> None:
        """A change is told at once, not at the next look."""
        self._known.watch(poke)

    async def read(self) -> Outcome:
        seen = list(self._known.seen())
        main, used = seen[0], next(one for one in seen if one.in_use)
        spares = [one for one in seen if not one.in_use]
        values: dict[str, Value] = {
            "in_use": used.name,
            "in_use_kind": used.kind,
            "main": main.name,
            "backup_in_use": used is not main,
            "metered": used.metered,
            "switches": self._known.switches,
            "probe_kb": self._known.probe_bytes // 1000,
        }
        told: Seen | None = main if used is not main else None
        if used is main and spares:
            usable = any(one.state in USABLE for one in spares)
            # What gets through nowhere is the host's doing, unless the main proves otherwise.
            proven = str(main.state) == "ok" or not any(
                str(one.state) == "broken" for one in spares
            )
            if usable or proven:
                values["backup_usable"] = usable
            told = None if usable else spares[0]
        if told is not None:
            values |= {
                "channel": told.name,
                "error": told.reason or str(told.state),
                "since": told.since_at.isoformat(timespec="seconds"),
            }
        for one in seen:
            values[f"state_{one.name}"] = str(one.state)
            if one.reason:
                values[f"reason_{one.name}"] = one.reason
        return Reading(values=values, evidence={one.name: _line(one) for one in seen})


def _line(one: Seen) -> str:
    parts = [
        str(one.state),
        f"{one.kind} {one.interface}".strip(),
        f"since {one.since_at.isoformat(timespec='seconds')}",
        f"held by {one.held_by}" if one.held_by else "cannot be bound",
    ]
    return ", ".join([*parts, *filter(None, (one.reason,))])
