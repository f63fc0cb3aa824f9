"""Take what others report of devices: readings of vendor firmware, bytes a payment app got."""

from __future__ import annotations

from agent.actions.ports import Ports
from agent.errors import OperatorError
from agent.wire.hooks import ReadingsIn, ReadingsOut
from agent.wire.problem import CODES, RequestError
from agent.wire.pushed import BytesIn, BytesOut


async def run(ports: Ports, args: ReadingsIn) -> ReadingsOut:
    _need_daemon(ports)
    if ports.pushed is None:
        raise RequestError(
            "reading.component",
            "no component is given to vendor firmware here",
            field="readings.0.component",
        )
    kind, _, number = ports.actor.partition(":")
    uid = int(number) if kind == "uid" and number.isdecimal() else -1
    return ReadingsOut(taken=ports.pushed.push(args.readings, uid))


async def device_bytes(ports: Ports, args: BytesIn) -> BytesOut:
    _need_daemon(ports)
    if ports.hearing is None:
        return BytesOut(understood=0)
    received = bytes(args.bytes)
    return BytesOut(understood=ports.hearing.hear(args.component, received, args.query))


def _need_daemon(ports: Ports) -> None:
    if not ports.daemon_alive:
        raise OperatorError(
            "daemon.down",
            "no reading can be taken while the agent is not running",
            CODES["daemon.down"].hint,
        )
