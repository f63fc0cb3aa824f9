"""The last look at a message before it is kept for sending: what may not leave is taken out.

Called by `telemetry.keeping` with the bytes of every message, whoever made it. A field that may
not leave is left out; where it is not one the contract can do without, the message is not kept at
all. Counts, and says so in the log: which kind and why, never what.
"""

from __future__ import annotations

import logging
from typing import Any

from agent.core.fleet import outgoing
from agent.core.fleet.messages import Kind
from agent.core.fleet.outgoing import Found
from agent.wire import mqtt

log = logging.getLogger(__name__)


#: Where vendors' programs name what they tell.
_FOREIGN = (Kind.HEALTH, Kind.EVENT, Kind.RES)


class Gate:
    """Counts what it withheld."""

    def __init__(self) -> None:
        self.withheld = 0  #: fields and messages since the start

    def passed(self, tail: str, body: bytes) -> bytes | None:
        """The body as it may be sent: mostly itself; None: not at all."""
        kind = mqtt.kind_in(tail)
        if kind is None:
            self._say(tail.partition("/")[0], Found.NAME)
            return None
        fields = mqtt.decode(body)
        before = self.withheld
        self._strip(kind, fields)
        for name in outgoing.with_card(_looked_at(kind, fields), foreign=kind in _FOREIGN):
            self._say(kind, Found.CARD)
            if mqtt.required(kind, name):
                return None
            _without(fields, name)
        return body if self.withheld == before else mqtt.written(fields)

    def _strip(self, kind: Kind, fields: dict[str, Any]) -> None:
        """Take out what the allow-list of the kind does not have."""
        for name in [name for name in fields if not mqtt.allowed(kind, name)]:
            self._say(kind, Found.NAME)
            del fields[name]
        if kind is Kind.RES and outgoing.named(fields.get("result")):
            self._say(kind, Found.NAME)
            _without(fields, "result")
        if kind in (Kind.HEALTH, Kind.EVENT):
            self._strip_readings(kind, fields)
        for entry in fields.get("entries", ()) if kind is Kind.HIST else ():
            self._strip_readings(Kind.HEALTH, entry["values"])
            for name in outgoing.with_card(entry["values"], foreign=True):
                self._say(kind, Found.CARD)
                del entry["values"][name]

    def _strip_readings(self, kind: Kind, fields: dict[str, Any]) -> None:
        for name, value in list(fields.items()):
            if not mqtt.fixed(kind, name) and (found := outgoing.reading(name, value)):
                self._say(kind, found)
                del fields[name]

    def _say(self, kind: str, found: Found) -> None:
        self.withheld += 1
        level = logging.WARNING if self.withheld == 1 else logging.DEBUG
        log.log(level, "event=withheld kind=%s reason=%s count=%d", kind, found, self.withheld)


def _looked_at(kind: Kind, fields: dict[str, Any]) -> dict[str, Any]:
    """Of history the entries have been looked at one by one."""
    return {} if kind is Kind.HIST else fields


def _without(fields: dict[str, Any], name: str) -> None:
    removed = fields.pop(name, None)
    if name == "result" and removed is not None:
        fields["result_bytes"] = len(mqtt.written(removed))
