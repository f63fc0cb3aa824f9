"""The audit of files at start: looked at once the daemon is ready, told in the log and as an alarm.

While something is found it is looked at again every hour, until somebody has put it right. The
audit itself is `agent.exposure`'s, loaded with the first look and run beside the loop.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from agent.core.health.reading import Value

if TYPE_CHECKING:
    from agent.exposure import Exposed
    from agent.main.floor import Floor

log = logging.getLogger(__name__)

PERIOD_S = 3_600.0
DEADLINE_S = 60.0


class Exposure:
    """What the last look found."""

    def __init__(self) -> None:
        self._found: tuple[Exposed, ...] | None = None

    def values(self) -> Mapping[str, Value]:
        """For the reading of the component `agent`; nothing before the first look."""
        if self._found is None:
            return {}
        if not self._found:
            return {"exposed": 0}
        first = self._found[0]
        return {
            "exposed": len(self._found),
            "exposed_path": str(first.path),
            "exposed_reason": first.reason[0],
            "exposed_command": first.command,
        }

    async def look(self, floor: Floor) -> None:
        """The first time, and while something is wrong."""
        if self._found == ():
            return
        from agent.exposure import audit, places

        files = () if floor.source is None else (floor.source,)
        where = places(floor.config, files, daemon=True)
        try:
            found = await floor.threads.call("exposure", lambda: audit(where), DEADLINE_S)
        except TimeoutError:
            log.warning("event=exposure_not_seen reason=timeout")
            return
        if found != self._found:
            for one in found:
                log.warning("event=exposed what=%s said=%r", one.what, one.sentence())
            if self._found and not found:
                log.info("event=exposed_no_more count=%d", len(self._found))
        self._found = found
