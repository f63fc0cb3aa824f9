"""How long a connection may be silent before it is asked whether it still stands.

Decides the interval per network: on cellular, and wherever bytes are paid for, it begins at five
minutes and grows while silence proves harmless, because every ping costs 204 bytes and a radio
wake-up; it shrinks when a silence
ended the connection (an operator's address translation forgot it). Elsewhere two minutes. What was
learnt is kept per network. Knows no sockets; `telemetry.conversation` tells it what was sent and
answered, in boot-time milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.record import dataclass

STEPS_S = (300, 600, 900, 1_200)
LAND_S = 120
#: Silences in a row that must prove harmless before a longer one is tried.
PROOFS = 2
#: A silence counts if it was almost as long as the step: the timers behind it are not exact.
NEARLY = 0.9
#: Networks remembered; a terminal that travels must not fill its store.
MEMORY = 16


@dataclass(frozen=True, slots=True)
class Network:
    """What carries the connection. `name`: what its lesson is remembered under."""

    name: str = ""
    cellular: bool = False
    metered: bool = False  #: configured as paid by volume

    @property
    def paid(self) -> bool:
        """Whether somebody is charged for bytes."""
        return self.cellular or self.metered


class Keepalive:
    """The machine. One for each run of the part; what it learnt goes on with `lessons`."""

    def __init__(self, fixed_s: int = 0) -> None:
        """`fixed_s`: as configured, never another; 0: learn."""
        self._fixed_s = fixed_s
        self._steps: dict[str, int] = {}
        self._network = Network()
        self._limit_s = 0  # what the server granted, 0: nothing said
        self._proofs = 0
        self._last_ms: int | None = None  # when anything was last exchanged
        self._silence_ms = 0  # how long it had been silent when the open question was sent

    # What is true now

    @property
    def promise_s(self) -> int:
        """What CONNECT says: the longest silence we may ever keep on this connection."""
        if self._fixed_s:
            return self._fixed_s
        return STEPS_S[-1] if self._network.paid else LAND_S

    @property
    def interval_s(self) -> int:
        """After how much silence to ask."""
        wanted_s = self._fixed_s
        if not wanted_s:
            wanted_s = STEPS_S[self._step] if self._network.paid else LAND_S
        return min(wanted_s, self._limit_s) if self._limit_s else wanted_s

    def lessons(self) -> dict[str, int]:
        """What to keep over a restart."""
        return dict(self._steps)

    # Events

    def recall(self, lessons: Mapping[str, object]) -> None:
        """What was kept; anything may stand there."""
        for name, step in lessons.items():
            if isinstance(step, int) and 0 <= step < len(STEPS_S):
                self._learn(name, int(step))

    def dialled(self, network: Network) -> None:
        """A connection is about to be opened over this network."""
        self._network = network
        self._limit_s = 0
        self._proofs = 0
        self._last_ms = None
        self._silence_ms = 0

    def connected(self, now_ms: int, server_s: int) -> None:
        """A CONNACK said yes; `server_s`: the keepalive the server insists on, 0: ours."""
        self._limit_s = server_s
        self._last_ms = now_ms

    def sent(self, now_ms: int) -> None:
        """Something left that will be answered."""
        if self._last_ms is not None and not self._silence_ms:
            self._silence_ms = now_ms - self._last_ms
        self._last_ms = now_ms

    def answered(self, now_ms: int) -> bool:
        """An answer came. Whether a longer silence is worth trying from now on."""
        silence_ms, self._silence_ms = self._silence_ms, 0
        self._last_ms = now_ms
        if not self._learning or silence_ms < self.interval_s * NEARLY * 1000:
            return False
        self._proofs += 1
        longest = self._step == len(STEPS_S) - 1 or self.interval_s == self._limit_s
        if self._proofs < PROOFS or longest:
            return False
        self._proofs = 0
        self._learn(self._network.name, self._step + 1)
        return True

    def lost(self) -> bool:
        """The connection ended. Whether silence is to blame: a shorter one would have held.

        Whoever ended it: some translators forget without a word, others answer with a reset.
        """
        silence_ms, self._silence_ms = self._silence_ms, 0
        self._last_ms = None
        self._proofs = 0
        step = self._step
        if not self._learning or not step or silence_ms < STEPS_S[step - 1] * NEARLY * 1000:
            return False
        self._learn(self._network.name, step - 1)
        return True

    # How

    @property
    def _learning(self) -> bool:
        return self._network.paid and not self._fixed_s

    @property
    def _step(self) -> int:
        return self._steps.get(self._network.name, 0)

    def _learn(self, name: str, step: int) -> None:
        self._steps.pop(name, None)
        self._steps[name] = step
        while len(self._steps) > MEMORY:
            del self._steps[next(iter(self._steps))]
