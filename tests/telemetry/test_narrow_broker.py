"""A broker with small limits: one message at a time, none larger than two kilobytes."""

from __future__ import annotations

import asyncio
import json

from tests.fakes import FakeClock
from tests.telemetry.rig import quick, rigged, running
from tests.telemetry.strict_broker import StrictBroker

LIMIT = 2_048


def test_history_and_full_reports_are_split_by_what_the_broker_takes() -> None:
    """Nothing that can be divided is refused: every reading arrives, and the full report too."""

    async def story() -> None:
        clock = FakeClock()
        broker = StrictBroker(receive_maximum=1, max_packet_bytes=LIMIT)
        await broker.start()
        endpoint = f"mqtt://127.0.0.1:{broker.port}"
        rig = rigged(quick([endpoint], health_period_s=60), clock=clock)
        for minute in range(60):
            rig.health.says("printer", head_c=20 + 10 * minute, model="P" * 100)
            await rig.timers.fire()
            clock.advance(60)

        def drained() -> bool:
            clock.advance(0.05)  # else nothing would ever be its turn
            return rig.outbox.drained

        async with running(rig):
            await rig.until(drained)
            hist = [body for topic, body in broker.received if topic.endswith("/hist")]
            told = [
                entry["values"]["printer_head_c"]  # type: ignore[index]
                for body in hist
                for entry in body["entries"]  # type: ignore[attr-defined]
            ]
            assert len(hist) > 1
            assert told == [20 + 10 * minute for minute in range(1, 60)]
            assert rig.outbox.stats.lost == 0
            # A full report of three kilobytes, twice: in parts, and known as told.
            rig.health.says("software", **{f"package_{n}_version": "1.2.3" for n in range(90)})
            for _ in range(2):
                clock.advance(61)
                await rig.timers.fire()
                await rig.until(drained)
            assert rig.outbox.stats.lost == 0
            full = {name for _, body in broker.received for name in body if "package_" in name}
            assert len(full) == 90
        assert broker.violations == 0
        assert broker.most_unacknowledged == 1
        largest = max(
            len(json.dumps(body, separators=(",", ":"))) + len(topic) + 10
            for topic, body in broker.received
        )
        assert largest <= LIMIT
        await broker.stop()

    asyncio.run(story())
