"""The contract read: messages in, the state of every terminal out. Pure of network and screen.

Decides whose a message is and what is not one of the contract: that is counted by reason with the
last topic as an example, and never raised. The caller brings the time. Knows no broker.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from agent.core.fleet.messages import CONTRACT, Kind
from agent.fleet.layers import Packing
from agent.fleet.terminal import ForeignError, Terminal
from agent.record import dataclass
from agent.wire.mqtt import MAX_BYTES, kind_in
from agent.wire.signed import DocumentError, parsed

MAX_TERMINALS = 1_000_000
#: A message may be larger than what terminals send: contracts grow.
MAX_READ_BYTES = 2 * MAX_BYTES
#: Of a terminal that has not told its own.
HEARTBEAT_S = 900.0
#: Silent for so many of its heartbeats, a terminal that said `online` is not believed.
STALE_PERIODS = 2
#: What to subscribe to; commands and desired states go the other way.
TAILS = ("state", "info", "backlog", "event", "health", "hist", "res/+")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_REASONS = 64


@dataclass(slots=True)
class Figures:
    """What came in so far."""

    messages: int = 0
    repeats: int = 0
    retained: int = 0


def filters(tenant: str = "+", share: str = "") -> list[str]:
    """The topic filters of a reader; with `share`, of one member of a group of readers."""
    first = f"$share/{share}/" if share else ""
    return [f"{first}pos/{CONTRACT}/{tenant}/+/{tail}" for tail in TAILS]


class Reader:
    """Everything that is known of a fleet."""

    def __init__(self, *, heartbeat_s: float = HEARTBEAT_S, started_ms: int = 0) -> None:
        self.figures = Figures()
        self.foreign: Counter[str] = Counter()  #: by reason
        self.example = ""  #: topic and reason of the last one
        self.packing = Packing()
        self._stale_ms = round(heartbeat_s * 1000) * STALE_PERIODS
        self.listening_ms = started_ms  #: since when silence means something
        self._terminals: dict[str, Terminal] = {}
        self._kept: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self._terminals)

    def __iter__(self) -> Iterator[Terminal]:
        return iter(list(self._terminals.values()))

    def get(self, tenant: str, device: str) -> Terminal | None:
        """One terminal."""
        return self._terminals.get(f"{tenant}/{device}")

    def stale_after_ms(self, one: Terminal) -> int:
        """How long it may be silent: as it says itself, else as told here."""
        return one.heartbeat_s * 1000 * STALE_PERIODS or self._stale_ms

    def hear(self, topic: str, payload: bytes, at_ms: int, *, retained: bool = False) -> bool:
        """Take in a message; whether it was news of a terminal."""
        self.figures.messages += 1
        self.figures.retained += retained
        try:
            tenant, device, kind = _whose(topic)
            if not payload and retained:
                return False
            if len(payload) > MAX_READ_BYTES:
                raise ForeignError("too_large")
            told = parsed(payload)
            if not isinstance(told, dict):
                raise ForeignError("no_object")
            news = self._fold(tenant, device, kind, told, at_ms, retained=retained)
        except ForeignError as error:
            self._not_ours(topic, str(error))
            return False
        except DocumentError:
            self._not_ours(topic, "no_json")
            return False
        self.figures.repeats += not news
        return news

    def keep(self, names: frozenset[str]) -> None:
        """Hold these readings ready in every terminal: they are filtered or sorted by."""
        if names != self._kept:
            self._kept = names
            for one in self:
                one.keep(names, self.packing)

    def _fold(
        self, tenant: str, device: str, kind: Kind, told: dict[str, object], at_ms: int,
        *, retained: bool,
    ) -> bool:  # fmt: skip
        name = f"{tenant}/{device}"
        one = self._terminals.get(name)
        if one is None:
            if len(self._terminals) >= MAX_TERMINALS:
                raise ForeignError("too_many_terminals")
            one = Terminal(tenant, device)
        news = one.hear(kind, told, at_ms, retained=retained, packing=self.packing)
        if name not in self._terminals:
            self._terminals[name] = one
        if self._kept and kind in (Kind.HEALTH, Kind.INFO, Kind.HIST):
            one.keep(self._kept, self.packing)
        return news

    def _not_ours(self, topic: str, reason: str) -> None:
        known = reason in self.foreign or len(self.foreign) < _MAX_REASONS
        self.foreign[reason if known else "other"] += 1
        self.example = f"{topic[:120]}: {reason}"


def _whose(topic: str) -> tuple[str, str, Kind]:
    parts = topic.split("/", 4)
    if len(parts) < 5 or parts[0] != "pos":
        raise ForeignError("topic")
    if parts[1] != str(CONTRACT):
        raise ForeignError("contract_version")
    if not _ID.fullmatch(parts[2]) or not _ID.fullmatch(parts[3]):
        raise ForeignError("name")
    kind = kind_in(parts[4])
    if kind is None:
        raise ForeignError("kind")
    return parts[2], parts[3], kind
