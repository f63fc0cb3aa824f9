"""Prints slips: through the watcher's own port to the printer, or through the vendor's hook.

Nobody is kept from paying: while the payment app is busy, has just called or a payment is on its
way, nothing is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agent.actions.ports import Ports
from agent.actions.slip_evidence import SlipEvidence
from agent.errors import HardwareError
from agent.main.floor import Floor
from agent.main.watching import Watching
from agent.store.notes import Notes
from agent.uplink.view import Channels
from agent.wire.problem import RequestError

if TYPE_CHECKING:
    from agent.actions.ports.slips import Printed
    from agent.core.slips.layout import Row
    from agent.watch.printer import Prints

#: So long after a call of the payment app somebody may still be paying.
QUIET_MS = 3_000
#: What the hook may take; shorter than the daemon allows a handler.
HOOK_S = 20.0
#: What the contract of the hook takes (agent.wire.hooks.Print).
HOOK_LINES = 400
_CODES = {
    "print.owned": "slip.owned",
    "print.not_ready": "slip.not_ready",
    "print.stopped": "slip.not_printed",
}


def printing_ports(floor: Floor, rooms: Watching, channels: Channels, ports: Ports) -> Ports:
    """`ports` with the printer and what slips remember."""
    memory = Notes(floor.store)

    def paying() -> bool:
        ago_ms = rooms.activity.called_ms_ago
        if rooms.activity.busy or (ago_ms is not None and ago_ms < QUIET_MS):
            return True
        return any(channel.in_flight for channel in channels.channels())

    return replace(
        ports,
        printing=Printer(floor, rooms.prints, paying),
        memory=memory,
        evidence=(*ports.evidence, SlipEvidence(memory)),
    )


class Printer:
    """The printer of this terminal as the actions know it."""

    def __init__(self, floor: Floor, prints: list[Prints], paying: Callable[[], bool]) -> None:
        self._config = floor.config.printer
        self._lang = "en" if floor.config.agent.language == "en" else "zh"
        self._prints = prints
        self._paying = paying

    @property
    def how(self) -> str:
        return self._config.print

    @property
    def columns(self) -> int:
        return self._config.columns

    @property
    def lang(self) -> str:
        return self._lang

    @property
    def wants_images(self) -> bool:
        return self._config.print == "driver" and self._config.qr == "image"

    async def put(self, rows: tuple[Row, ...], images: Mapping[bytes, Any]) -> Printed:
        """See `agent.actions.ports.slips.Printing`."""
        if self.how == "off":
            raise RequestError("slip.off", "[printer] print is off")
        if self._paying():
            raise RequestError("slip.paying", "somebody is paying: nothing is printed now")
        if self.how == "hook":
            return await self._hooked(rows)
        return await self._driven(rows, images)

    async def _driven(self, rows: tuple[Row, ...], images: Mapping[bytes, Any]) -> Printed:
        from agent.actions.ports.slips import Printed
        from agent.core.slips.escpos import Profile, encode

        if not self._prints:
            raise RequestError("slip.not_ready", "there is no printer: [printer] device is empty")
        config = self._config
        cut = config.cut == "on" or (config.cut == "auto" and config.columns == 48)
        profile = Profile(
            columns=config.columns, cut=cut, reset=config.reset, ascii_mode=config.ascii_mode
        )
        told = encode(rows, profile, images.get if self.wants_images else None)
        try:
            put = await self._prints[0].put(told)
        except HardwareError as error:
            raise RequestError(_CODES[error.code], error.what) from None
        return Printed(by="driver", confirmed=put.confirmed)

    async def _hooked(self, rows: tuple[Row, ...]) -> Printed:
        from agent.actions.ports.slips import Printed
        from agent.core.slips.layout import spelt
        from agent.hooks.actions import act
        from agent.wire.hooks import ActionDone, ActionRefused

        lines = tuple(text for row in rows for text in spelt(row, self.columns))
        if len(lines) > HOOK_LINES:
            raise RequestError("slip.not_ready", f"{len(lines)} lines are too many for the hook")
        answer = await act("print", deadline_s=HOOK_S, lines=lines)
        if isinstance(answer, ActionDone):
            return Printed(by="hook", confirmed=False)
        code = "slip.not_ready" if isinstance(answer, ActionRefused) else "slip.not_printed"
        raise RequestError(code, answer.reason)
