"""The sink of an outage drill: an uplink that leads nowhere. No socket, no address, no name to set.

It keeps in memory what arrived, in the order it did, and says "not reached" until it is opened. It
refuses whatever does not bear a drill's mark, so that not even a fault of ours could have a real
payment end here as if it had been posted. Called by `agent.offloaded.drill` alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from agent.core.drill import SINK
from agent.core.drill.report import KEY_PREFIX
from agent.core.money.channel import Channel
from agent.core.money.delivery import Answer, OnUnknown, Profile, Reply
from agent.core.money.journal import HostResult, Record
from agent.core.money.transaction import Payload
from agent.uplink.attempt import Ports
from agent.uplink.uploader import Runner

_DOWN = Reply(
    answer=Answer.NOT_SENT, cause="network.host_unreachable", note="drill: the sink is down"
)


class DrillSink:
    """An `agent.uplink.attempt.Uplink` without a host."""

    asks_by_record = False

    def __init__(self) -> None:
        self.up = False
        self.tried = 0  #: in vain
        self.arrived: list[tuple[str, bytes]] = []  #: key and bytes, in order

    def exclusive(self, record: Record) -> str:
        """One at a time: the order is part of what is shown."""
        del record
        return SINK

    async def post(
        self,
        record: Record,
        payload: Payload,
        attempt: int,
        before_first_byte: Callable[[], Awaitable[None]],
    ) -> Reply:
        """As a host would take it, with the commit before the first byte."""
        del attempt
        if record.transaction.uplink != SINK or not record.key.startswith(KEY_PREFIX):
            return Reply(answer=Answer.MISMATCH, note="drill: not a marked record")
        if not self.up:
            self.tried += 1
            return _DOWN
        await before_first_byte()
        self.arrived.append((record.key, payload.body))
        return Reply(answer=Answer.POSTED, result=HostResult(reference=f"sink-{record.seq}"))

    async def query(self, record: Record) -> Reply:
        """Whether it arrived; nothing is known while it is down."""
        if not self.up:
            return _DOWN
        if any(key == record.key for key, _ in self.arrived):
            return Reply(answer=Answer.POSTED, result=HostResult(reference=f"sink-{record.seq}"))
        return Reply(answer=Answer.NOT_FOUND)

    def retire(self) -> None:
        """There is nothing to open anew."""

    async def close(self) -> None:
        """Nor to close."""


def runner_of(sink: DrillSink, ports: Ports) -> Runner:
    """The uploader's own runner, with the sink where a host would be."""
    channel = Channel(name=SINK, base_s=0.2, cap_s=1.0, pause_s=1.0, width=1)
    profile = Profile(
        status_query=True,
        on_unknown=OnUnknown.QUERY,
        key_window_s=86_400,
        host_in_flight_s=1,
        backoff_base_s=0.2,
        backoff_cap_s=1.0,
    )
    return Runner(channel, profile, sink, ports)
