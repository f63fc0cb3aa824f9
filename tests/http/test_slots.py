"""Who gets a slot when there are not enough."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.http.message import Limits
from tests.http.wires import Raw, get, one, serving, until


def test_slots_are_kept_for_submitters(tmp_path: Path) -> None:
    """Readers are turned away when only reserved slots are left; submitters still get in."""
    role = "read"

    async def scene() -> None:
        limits = Limits(max_connections=6, reserved_for_submit=2)
        async with serving(tmp_path, limits=limits, slot_class=lambda _: role) as (server, path):
            nonlocal role

            async def enter() -> tuple[Raw, int]:
                raw = await Raw.unix(path)
                raw.say(get())
                return raw, (await raw.answer())[0]

            entered = [await enter() for _ in range(5)]
            assert [status for _, status in entered] == [200, 200, 200, 200, 503]
            role = "submit"
            more = [await enter() for _ in range(3)]
            assert [status for _, status in more] == [200, 200, 503]
            assert server.connections == 6
            for raw, _ in entered + more:
                await raw.close()
            await until(lambda: server.connections == 0)
            role = "read"
            raw, status = await enter()
            assert status == 200
            await raw.close()

    asyncio.run(scene())


def test_a_submitter_in_a_reserved_slot_does_not_shrink_the_others(tmp_path: Path) -> None:
    """Submitters use up the reservation first: readers keep all unreserved slots."""
    roles = iter(["submit", "submit", "read", "read", "read"])

    async def scene() -> None:
        limits = Limits(max_connections=4, reserved_for_submit=2)
        async with serving(tmp_path, limits=limits, slot_class=lambda _: next(roles)) as (_, path):
            statuses, raws = [], []
            for _ in range(5):
                raws.append(raw := await Raw.unix(path))
                raw.say(get())
                statuses.append((await raw.answer())[0])
            assert statuses == [200, 200, 200, 200, 503]
            for raw in raws:
                await raw.close()

    asyncio.run(scene())


def test_a_flood_over_the_cap_is_cut_and_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Hundreds of connections over the cap cost no slots, one warning, and one line at the end."""
    caplog.set_level("INFO")

    async def scene() -> None:
        async with serving(tmp_path, limits=Limits(max_connections=4)) as (server, path):
            inside = [await Raw.unix(path) for _ in range(4)]
            await until(lambda: server.connections == 4)
            flood = [await Raw.unix(path) for _ in range(200)]
            answers = await asyncio.gather(*(raw.rest() for raw in flood))
            assert sum(answer.startswith(b"HTTP/1.1 503") for answer in answers) >= 16
            assert server.connections == 4
            for raw in flood + inside:
                await raw.close()
            await until(lambda: server.connections == 0)
            assert (await one(path, get()))[0] == 200

    asyncio.run(scene())
    assert caplog.text.count("event=connection_turned_away") == 1
    assert caplog.text.count("event=connections_free turned_away=200") == 1
