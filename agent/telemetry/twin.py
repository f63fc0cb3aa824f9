"""Whether somebody else speaks with our id, where the broker does not say so.

A broker may end the older of two connections with one id without a word (mosquitto 2.0, and all in
3.1.1). So after an end without a word the next connection asks for the state kept under our own
name: one that is newer than ours and is not ours was said by a twin. A broker that does not let us
read it tells nothing. Called by `conversation`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from agent.core.fleet.messages import StateMessage
from agent.core.fleet.session import Origin
from agent.telemetry.adapters import Scheme
from agent.telemetry.attempt import Closed, Delivered

MAX_BYTES = 1_024
#: Ended without a word so often while the question was open: the broker hangs up at who asks for
#: what he may not read (RabbitMQ), and would for ever.
UNANSWERED_AT_MOST = 2


class Twin:
    """What we said last, and what is kept."""

    def __init__(self, scheme: Scheme) -> None:
        self._scheme = scheme
        self._doubt = False
        self._unanswered = 0
        self._asked = ""  # the topic asked for on this connection
        self._ours: set[int] = set()  # numbers of our connections since the doubt began
        self._said_ms = 0
        self._since_ms = 0  # what we had said last when we asked

    def said(self, connects: int, wall_ms: int) -> None:
        """We announced ourselves."""
        if not self._doubt:
            self._ours.clear()
        self._ours.add(connects)
        self._said_ms = wall_ms

    def ended(self, closed: Closed, *, established: bool) -> None:
        """A connection ended."""
        wordless = closed.origin is Origin.SERVER and not closed.code
        self._unanswered += wordless and bool(self._asked)
        self._asked = ""
        asked_enough = self._unanswered >= UNANSWERED_AT_MOST
        self._doubt = not asked_enough and (self._doubt or (established and wordless))

    def question(self) -> Sequence[str]:
        """What else to subscribe to on this connection; before `said`."""
        lost = self._scheme.will(StateMessage(state="lost", connects=0)) if self._doubt else None
        if lost is None or not lost.retained or not self._ours:
            return ()
        self._asked, self._since_ms = lost.topic, self._said_ms
        return (self._asked,)

    def refused(self) -> None:
        """The broker does not let us read it."""
        self._asked, self._doubt = "", False

    def seen(self, delivered: Delivered) -> bool | None:
        """Whether this is the word of a twin. None: not what was asked for."""
        if not self._asked or delivered.topic != self._asked:
            return None
        self._asked, self._doubt, self._unanswered = "", False, 0
        if not delivered.retained:
            return False  # our own, said just now: nothing was kept before it
        try:
            state = json.loads(delivered.payload[:MAX_BYTES])
        except (ValueError, RecursionError):
            return False
        if not isinstance(state, dict):
            return False
        connects, ts = state.get("connects"), state.get("ts")
        if not isinstance(connects, int) or not isinstance(ts, int):
            return False  # a Will, or nothing of ours
        return connects not in self._ours and ts > self._since_ms
