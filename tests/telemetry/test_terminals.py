"""The fleet knows which terminals and merchants a device takes payments for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path

from agent.core.fleet.messages import Identity
from agent.store.part import StorePart
from agent.telemetry.terminals import MOST, Terminals
from tests.core.money.payments import record, submission
from tests.store.stores import opened


@dataclass(slots=True)
class Fleet:
    """Remembers who it was told we are."""

    identity: Identity
    told: list[Identity] = field(default_factory=list)

    def introduce(self, identity: Identity) -> None:
        self.identity = identity
        self.told.append(identity)


def test_a_new_terminal_is_told_once() -> None:
    """Each payment of it afterwards changes nothing; neither does the order they came in."""
    fleet = Fleet(Identity(tenant="t", device_id="d", site="S"))
    terminals = Terminals(fleet)
    for terminal, merchant in (("T2", "M1"), ("T1", "M1"), ("T2", "M1"), ("T1", "M1")):
        terminals.heed(record("k", of={"terminal_id": terminal, "merchant_id": merchant}))
    assert [(one.terminal_ids, one.merchant_ids) for one in fleet.told] == [
        (("T2",), ("M1",)), (("T1", "T2"), ("M1",)),
    ]  # fmt: skip
    assert {one.site for one in fleet.told} == {"S"}


def test_what_else_is_known_of_us_stays() -> None:
    """Terminals and devices are found by different parts; neither forgets what the other told."""
    fleet = Fleet(Identity(tenant="t", device_id="d"))
    terminals = Terminals(fleet)
    terminals.add([("T1", "M1")])
    fleet.introduce(replace(fleet.identity, devices=(("printer_model", "TM-T20"),)))
    terminals.add([("T2", "M1")])
    assert (fleet.identity.terminal_ids, len(fleet.identity.devices)) == (("T1", "T2"), 1)


def test_an_endless_number_of_them_is_not_followed() -> None:
    """Whoever mints a terminal for every payment does not grow the message without end."""
    fleet = Fleet(Identity(tenant="t", device_id="d"))
    terminals = Terminals(fleet)
    terminals.add((f"T{number}", f"M{number}") for number in range(1_000))
    assert (len(fleet.identity.terminal_ids), len(fleet.identity.merchant_ids)) == (MOST, MOST)
    terminals.heed(record("k", of={"terminal_id": "another"}))
    assert len(fleet.told) == 1


def test_those_of_an_older_journal_are_known_from_the_start(tmp_path: Path) -> None:
    """Read once, each pair once."""

    async def story() -> None:
        async with opened(tmp_path) as store:
            for number in range(3):
                await store.append(submission(f"k{number}", terminal_id=f"T{number % 2}"))
            found = await StorePart(store).terminals()
        assert sorted(terminal for terminal, _ in found) == ["T0", "T1"]
        assert await StorePart(store).terminals() == []  # closed: nothing is known, nothing fails

    asyncio.run(story())
