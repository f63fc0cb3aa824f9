"""Status bytes the payment app got from the printer and passes on, where the port is the app's.

Decides what a report can be relied on for: an automatic status frame tells everything, a single
answer only what it was asked for, and neither counts for ever. It never touches a port.
"""

from __future__ import annotations

from collections.abc import Callable

from agent.config.devices import Printer
from agent.core.health.reading import Reading
from agent.watch.drivers import escpos
from agent.watch.printer import readings
from agent.watch.printer.exchange import sensor_of

#: Silence for longer says nothing any more: the app may be gone, or have stopped asking.
HOLDS_S = 900.0
#: More than one report can mean; the rest of a longer one is not looked at.
REPORT_MAX_BYTES = 4_096


class PassedOn:
    """The newest word the app passed on."""

    def __init__(self, config: Printer, now_s: Callable[[], float]) -> None:
        self._config = config
        self._now_s = now_s
        self._at_s: float | None = None
        self._answers: dict[int, int] = {}
        self._reading: Reading | None = None
        self._rest = b""  # an automatic frame that came in two reports

    def hear(self, received: bytes, query: int = 0) -> tuple[int, bool]:
        """(how many status bytes or frames were understood, whether they say something new)."""
        before = self._reading
        received = received[:REPORT_MAX_BYTES]
        understood = self._answer(received, query) if query else self._stream(received)
        if understood:
            self._at_s = self._now_s()
        return understood, before is None or self._reading != before

    def reading(self) -> Reading | None:
        """What is known by now; without values once it is too old; None before the first word."""
        if self._reading is None or self._at_s is None:
            return None
        age_s = int(self._now_s() - self._at_s)
        if age_s > HOLDS_S:
            evidence = {"device": self._config.device, "passed_on_s_ago": str(age_s)}
            return Reading({"in_use": True}, evidence)
        values = {**self._reading.values, "in_use": True}
        return Reading(values, {**self._reading.evidence, "passed_on_s_ago": str(age_s)})

    def _answer(self, received: bytes, query: int) -> int:
        status = [piece for piece in escpos.split(received)[0] if _is_status(piece)]
        if query not in escpos.QUERIES or len(status) != 1:
            return 0
        self._answers[query] = status[0].raw[0]
        self._reading = readings.from_some_answers(
            self._config, self._answers, sensor_of(self._config)
        )
        return 1

    def _stream(self, received: bytes) -> int:
        received = self._rest + received
        match self._config.dialect:
            case "star":
                from agent.watch.drivers import star

                frames, _, self._rest = star.split(received)
                made = [readings.from_star(self._config, frame) for frame in frames]
            case "custom":
                from agent.watch.drivers import custom

                at = received.rfind(custom.LEAD)
                whole = received[at : at + custom.FRAME_BYTES] if at >= 0 else b""
                self._rest = whole if 0 < len(whole) < custom.FRAME_BYTES else b""
                fits = custom.signs(whole) is not None
                made = [readings.from_custom(self._config, whole)] if fits else []
            case _:
                pieces, self._rest = escpos.split(received)
                sensor = sensor_of(self._config)
                made = [
                    readings.from_automatic(self._config, frame, sensor)
                    for frame in escpos.automatic_frames(pieces)
                ]
        if made:
            self._answers.clear()  # a frame is newer and tells all of it
            self._reading = made[-1]
        return len(made)


def _is_status(piece: escpos.Piece) -> bool:
    return piece.kind is escpos.PieceKind.STATUS
