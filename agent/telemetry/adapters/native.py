"""The contract of docs/contracts/mqtt.md: `pos/1/{tenant}/{device_id}/…`, flat JSON."""

from __future__ import annotations

from collections.abc import Sequence

from agent.core.fleet import messages
from agent.core.fleet.messages import Kind, StateMessage
from agent.record import dataclass
from agent.telemetry.adapters import CommandIn, DesiredIn, Packet
from agent.wire import mqtt


@dataclass(frozen=True, slots=True)
class Native:
    """The scheme of every server that reads the contract."""

    tenant: str
    device_id: str
    listening: bool = False  #: whether somebody takes commands and wishes

    @property
    def subscriptions(self) -> Sequence[str]:
        """Own topics only: no wildcard above the own name."""
        if not self.listening:
            return ()
        return (self._topic("cmd/+"), self._topic("desired"))

    def will(self, lost: StateMessage) -> Packet:
        """The retained state, said by the broker."""
        return Packet(topic=self._topic(Kind.STATE), payload=mqtt.encode(lost), retained=True)

    def state(self, message: StateMessage) -> Sequence[Packet]:
        """The retained state, said by us."""
        payload = mqtt.encode(message)
        return (Packet(topic=self._topic(Kind.STATE), payload=payload, retained=True),)

    def packets(
        self, kind: str, body: bytes, *, seq: int, outbox_id: str, retained: bool
    ) -> Sequence[Packet]:
        """The recorded bytes with their number in front."""
        payload = mqtt.stamp(body, seq, outbox_id)
        return (Packet(topic=self._topic(kind), payload=payload, retained=retained),)

    def heard(self, topic: str, payload: bytes) -> CommandIn | DesiredIn | None:
        """By the tail of the topic."""
        if topic == self._topic("desired"):
            return DesiredIn(payload=payload)
        start = self._topic("cmd/")
        if topic.startswith(start) and (cmd_id := topic[len(start) :]) and "/" not in cmd_id:
            return CommandIn(cmd_id=cmd_id, payload=payload)
        return None

    def _topic(self, tail: str) -> str:
        return messages.topic(self.tenant, self.device_id, tail)
