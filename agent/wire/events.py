"""What goes out on the local event stream besides the views themselves."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from agent.core.health.tracker import Change
from agent.wire.views import AlarmOut, alarm_out


class HealthEvent(Struct, frozen=True, kw_only=True):
    """A condition began, was shown, was cleared or ended; or somebody took note of it."""

    code: str
    what: str
    """`began` and `ended` are facts; `shown` and `cleared` are what people are told. `noted`:
    somebody took note of it or handed it over; `released`: that is over."""
    at: datetime
    alarm: AlarmOut


def health_event(change: Change) -> HealthEvent:
    """A change of the tracker as the stream shows it."""
    return HealthEvent(
        code=change.code, what=change.what, at=change.at.at, alarm=alarm_out(change.alarm)
    )
