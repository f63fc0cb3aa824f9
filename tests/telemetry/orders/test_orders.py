"""Commands over a real store: taken before they are done, done once, and answered over a crash."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent.core.audit import Deed
from agent.core.fleet.commands import REFUSALS, Command, Key, Role
from agent.core.fleet.messages import MAX_RESULT_BYTES, ResMessage
from agent.crypt import public_of, sign
from agent.errors import StoreError
from agent.store.audit import Trail
from agent.store.orders import Orders as Ledger
from agent.telemetry import orders
from agent.telemetry.orders.keys import KeyRing, RingError, key_of
from agent.telemetry.orders.results import fitted, shown
from agent.wire import command as wire
from tests.fakes import FakeClock, Straight
from tests.store.stores import opened

SEED = b"s" * 32
EYE = Key(key_id="eye", public=public_of(b"e" * 32), roles=frozenset({Role.READ}))
OPS = Key(key_id="ops", public=public_of(SEED), roles=frozenset({Role.ADMINISTER}))


class Clock(FakeClock):
    last_seen_ms = 0

    def seen(self, wall_ms: int) -> None:
        self.last_seen_ms = max(self.last_seen_ms, wall_ms)


class Ring:
    def __init__(self) -> None:
        self.keys = {"ops": OPS, "eye": EYE}

    def known(self, key_id: str) -> Key | None:
        return self.keys.get(key_id)

    def revoked(self, key_id: str) -> bool:
        return key_id == "gone" or (key_id == "ops" and "ops" not in self.keys)


class Answer(msgspec.Struct):
    moved: int
    items: list[dict[str, Any]]


class House:
    """A terminal around the part."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.ring = Ring()
        self.told: list[ResMessage] = []
        self.asked: list[tuple[str, Any, str]] = []
        self.ignored: list[str] = []
        self.hang = False
        self.idle = True
        self.started = asyncio.Event()
        self.answer: Any = Answer(1, [{"key": "k", "state": "held", "card": {"masked": "62**12"}}])
        self.seq = 0

    async def do(self, name: str, arguments: Any, actor: str) -> Any:
        self.asked.append((name, arguments, actor))
        self.started.set()
        if self.hang:
            await asyncio.Event().wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        if isinstance(self.answer, asyncio.Event):
            await self.answer.wait()
        return self.answer

    async def tell(self, message: ResMessage) -> bool:
        self.told.append(message)
        return True

    def command(self, op: str = "forward_now", **changes: Any) -> Command:
        self.seq += 1
        now = self.clock.wall_ms
        one = Command(
            cmd_id=f"c{self.seq}", tenant="acme", device_id="t1", op=op, args={},
            issued_ts=now, expires_ts=now + 60_000, seq=self.seq,
        )  # fmt: skip
        return replace(one, **changes)

    def of(self, cmd_id: str) -> list[tuple[str, str | None]]:
        return [(one.status, one.code) for one in self.told if one.cmd_id == cmd_id]


def signed(command: Command, key_id: str = "ops", seed: bytes = SEED) -> bytes:
    payload = wire.command_bytes(command)
    return wire.enveloped(key_id, sign(seed, wire.to_sign(payload)), payload)


async def restarted(args: Mapping[str, Any], by: str) -> Mapping[str, object]:
    await asyncio.Event().wait()
    return {}


@asynccontextmanager
async def running(
    tmp_path: Path, house: House, *, work: bool = True
) -> AsyncIterator[orders.Orders]:
    """The part over the store; `work=False`: it takes commands and does not come to doing them."""
    async with opened(tmp_path, house.clock) as store:
        part = orders.build(
            orders.Ports(
                tenant="acme", device_id="t1", clock=house.clock,
                ledger=Ledger(store, Trail(store, house.clock, 365)), keys=house.ring, do=house.do,
                tell=house.tell, operations=lambda: frozenset({"queue_retry", "queue_hold"}),
                own={"restart_agent": restarted}, idle=lambda: house.idle, per_hour=3_600,
                ignored=house.ignored.append,
            )
        )  # fmt: skip
        stop = asyncio.Event()
        await part.inbox.begin()
        house.clock.advance(1)
        task = asyncio.create_task(part.run(stop)) if work else None
        yield part
        stop.set()
        if task is not None:
            await task


async def sent(part: orders.Orders, command: Command, payload: bytes | None = None) -> None:
    given = signed(command) if payload is None else payload
    await part.command(command.cmd_id, given, retained=False)


async def over(house: House, cmd_id: str) -> tuple[str, str | None]:
    """How it ended."""
    async with asyncio.timeout(10):
        while not (found := house.of(cmd_id)) or found[-1][0] in ("accepted", "running"):
            await asyncio.sleep(0.005)
    return found[-1]


def test_a_command_is_done_once_and_its_result_told_again(tmp_path: Path) -> None:
    """Also after a restart; the same id with other bytes is refused."""

    async def inside() -> None:
        house = House(Clock())
        async with running(tmp_path, house) as part:
            command = house.command()
            await sent(part, command)
            assert await over(house, "c1") == ("ok", None)
            await sent(part, command)
            assert house.of("c1") == [("accepted", None), ("running", None), ("ok", None),
                                      ("ok", None)]  # fmt: skip
        async with running(tmp_path, house) as part:
            await sent(part, command)
            assert house.of("c1")[-1] == ("ok", None)
            assert house.told[-1].result == house.told[-2].result
            await sent(part, replace(house.command(), cmd_id="c1"))
            assert house.of("c1")[-1] == ("rejected", "id_reused")
        assert len(house.asked) == 1
        assert house.asked[0][2] == "fleet:ops"
        told = json.loads(house.told[2].result or b"")
        assert told["items"] == [{"key": "k", "state": "held"}], "nothing of the card"

    asyncio.run(inside())


@pytest.mark.parametrize("begun", [False, True])
def test_what_a_crash_cut_short_is_answered_and_never_done_again(
    tmp_path: Path, begun: bool
) -> None:
    """Taken but not begun, or begun but not ended: both are over."""

    async def inside() -> None:
        house = House(Clock())
        house.hang = True
        async with running(tmp_path, house, work=begun) as part:
            command = house.command()
            await sent(part, command)
            if begun:
                await house.started.wait()
        done = len(house.asked)
        async with running(tmp_path, house) as part:
            assert await over(house, "c1") == ("failed", "interrupted")
            await sent(part, command)
            assert house.of("c1")[-1] == ("failed", "interrupted")
        assert len(house.asked) == done

    asyncio.run(inside())


def test_a_restart_is_done_when_the_agent_is_there_again(tmp_path: Path) -> None:
    """Not before: nobody could tell whether it came back."""

    async def inside() -> None:
        house = House(Clock())
        async with running(tmp_path, house) as part:
            await sent(part, house.command("restart_agent"))
            while house.of("c1")[-1][0] != "running":
                await asyncio.sleep(0.005)
        async with running(tmp_path, house):
            assert await over(house, "c1") == ("ok", None)

    asyncio.run(inside())


def test_a_refusal_stays_one(tmp_path: Path) -> None:
    """A busy terminal refuses; the same command again is refused when it is idle, too."""

    async def inside() -> None:
        house = House(Clock())
        async with running(tmp_path, house) as part:
            house.idle = False
            command = house.command("restart_agent")
            await sent(part, command)
            house.idle = True
            await sent(part, command)
            assert house.of("c1") == [("rejected", "terminal_busy")] * 2
            assert part.capabilities == ("forward_now", "hold", "restart_agent", "retry")

    asyncio.run(inside())


def test_errors_of_actions_are_ends_with_a_word(tmp_path: Path) -> None:
    """What the action refused, and what took too long."""

    async def inside() -> None:
        house = House(Clock())
        async with running(tmp_path, house) as part:
            house.answer = StoreError("store.full", "no space left")
            await sent(part, house.command())
            assert await over(house, "c1") == ("failed", "store.full")
            await sent(part, house.command("hold", args={"key": "no key of ours"}))
            assert (await over(house, "c2"))[0] == "failed"
            late = house.command()
            await sent(part, late)

    asyncio.run(inside())


def test_a_flood_of_forged_commands_costs_signatures_and_one_line(tmp_path: Path) -> None:
    """Counted, not written one by one; never answered; an honest one of another kind passes."""

    async def inside() -> None:
        house = House(Clock())
        async with running(tmp_path, house) as part:
            forged = signed(house.command(cmd_id="f"), seed=b"x" * 32)
            for _ in range(300):
                await part.command("f", forged, retained=False)
            assert house.ignored.count("forged") == 20
            assert house.ignored.count("flooded") == 280
            await part.command("r", signed(house.command(cmd_id="r")), retained=True)
            revoked = signed(house.command(cmd_id="g"), key_id="gone")
            await part.command("g", revoked, retained=False)
            assert house.ignored[-2:] == ["retained", "revoked_key"]
            assert not house.told
            house.clock.advance(60)
            await sent(part, house.command())
            assert house.told
        async with opened(tmp_path, house.clock) as store:
            lines = await Trail(store, house.clock, 365).page(0, 999, 99)
        ignored = [(one.deed.outcome, one.deed.count) for one in lines if one.deed.op == "command"]
        assert sorted(ignored) == [
            ("ignored:flooded", 1), ("ignored:flooded", 279), ("ignored:forged", 1),
            ("ignored:forged", 19), ("ignored:retained", 1), ("ignored:revoked_key", 1),
        ]  # fmt: skip

    asyncio.run(inside())


def test_a_stolen_key_of_the_lowest_role_cannot_fill_the_trail(tmp_path: Path) -> None:
    """What it may not have done is kept and told a few times, then only counted."""

    async def inside() -> None:
        house = House(Clock())
        async with running(tmp_path, house) as part:
            await sent(part, house.command())
            assert await over(house, "c1") == ("ok", None)
            for _ in range(300):
                command = house.command("restart_agent")
                await sent(part, command, signed(command, "eye", b"e" * 32))
                house.clock.advance(2)
            refused = [one for one in house.told if one.code == "not_allowed"]
            assert REFUSALS <= len(refused) <= REFUSALS + 2
            assert house.ignored.count("flooded") == 300 - len(refused)
            await sent(part, replace(house.command(), cmd_id="honest"))
            assert await over(house, "honest") == ("ok", None)
        async with opened(tmp_path, house.clock) as store:
            assert len(await Trail(store, house.clock, 365).page(0, 999, 999)) < 40

    asyncio.run(inside())


def test_what_waits_is_not_begun_for_a_key_revoked_meanwhile(tmp_path: Path) -> None:
    """Nor on a terminal at which somebody pays meanwhile: both are looked at again."""

    async def inside() -> None:
        house = House(Clock())
        house.answer = asyncio.Event()
        async with running(tmp_path, house) as part:
            await sent(part, house.command())
            await house.started.wait()
            await sent(part, house.command("restart_agent"))
            house.idle = False
            gate, house.answer = house.answer, Answer(0, [])
            gate.set()
            assert await over(house, "c2") == ("rejected", "terminal_busy")
            house.idle, house.answer = True, asyncio.Event()
            house.started.clear()
            await sent(part, house.command())
            await house.started.wait()
            await sent(part, house.command())
            del house.ring.keys["ops"]
            gate, house.answer = house.answer, Answer(0, [])
            gate.set()
            assert await over(house, "c4") == ("rejected", "revoked_key")
            assert await over(house, "c3") == ("ok", None), "it had begun"
        assert len(house.asked) == 2

    asyncio.run(inside())


def test_an_inspection_tells_no_sentence_a_vendors_program_made_up() -> None:
    """Evidence goes by the same rules as a reading: words stay, sentences and names do not."""
    check = {
        "name": "till",
        "evidence": {"till_note": "Zhang San 10 a.m.", "customer": "x", "till_state": "open",
                     "printer_error": "cover open, left side"},
    }  # fmt: skip
    plain = shown("inspection", {"state": "done", "checks": [check]})
    assert plain["checks"] == [
        {"name": "till", "evidence": {"till_state": "open",
                                      "printer_error": "cover open, left side"}}
    ]  # fmt: skip


def test_long_results_are_cut_and_say_so() -> None:
    """Twelve kilobytes, the longest lists first; a text nobody can cut is left out."""
    whole = {"a": [{"n": "x" * 90} for _ in range(500)], "b": [1, 2], "c": {"d": list(range(900))}}
    found = fitted(whole)
    assert found is not None
    assert len(found) <= MAX_RESULT_BYTES
    plain = json.loads(found)
    assert len(plain["a"]) + plain["a_left"] == 500
    assert plain["b"] == [1, 2]
    assert fitted({}) is None
    assert json.loads(fitted({"t": "x" * 20_000}) or b"") == {"too_large_bytes": 20_008}


def test_taught_keys_are_kept_and_a_revocation_is_for_ever(tmp_path: Path) -> None:
    """Over a restart, against the configuration; an unreadable file makes nobody's word count."""

    deeds: list[Deed] = []

    async def noted(deed: Deed) -> None:
        deeds.append(deed)

    def ring() -> KeyRing:
        boss = key_of("boss", b"b" * 32, ["administer"])
        old = key_of("old", b"o" * 32, ["operate"])
        return KeyRing([boss, old], tmp_path, Straight(), noted)

    async def inside() -> None:
        first = ring()
        with pytest.raises(RingError, match="last_administrator"):
            await first.replace([], ["boss"], "boss")
        await first.replace([key_of("new", b"n" * 32, ["read"])], ["old"], "boss")
        await first.replace(
            [key_of("new", b"n" * 32, ["read"])], [], "boss"
        )  # the same again writes nothing
        assert deeds == [Deed(actor="fleet:boss", op="fleet_keys", target="boss,new")]
        again = ring()
        assert again.ids == ("boss", "new")
        assert again.revoked("old")
        assert again.known("old") is None
        file = tmp_path / "fleet.keys"
        assert file.stat().st_mode & 0o777 == 0o600
        for garbage in (b"", b"{", b"[]", b'{"keys": 3}', b'{"keys":[],"revoked":[]}', b"\xff"):
            file.write_bytes(garbage)
            assert ring().ids == ()

    asyncio.run(inside())
    with pytest.raises(ValueError, match="32 bytes"):
        key_of("short", b"s", ["read"])


def test_a_store_that_hangs_teaches_no_key(tmp_path: Path) -> None:
    """What could not be written in time does not count, and whoever asked hears a StoreError."""

    class Hanging:
        async def call(self, name: str, function: Any, deadline_s: float) -> Any:
            raise TimeoutError(f"{name} hangs")

    async def inside() -> None:
        boss = key_of("boss", b"b" * 32, ["administer"])
        ring = KeyRing([boss], tmp_path, Hanging())
        with pytest.raises(StoreError, match="hangs"):
            await ring.replace([key_of("new", b"n" * 32, ["read"])], [], "boss")
        assert ring.ids == ("boss",)

    asyncio.run(inside())


@pytest.mark.parametrize("seed", range(6))
def test_random_lives_over_a_real_store_do_nothing_twice(tmp_path: Path, seed: int) -> None:
    """Repeats, old numbers, stops at any moment, either file lost: done once at most."""
    rng = random.Random(seed)
    state = tmp_path / "state"

    async def inside() -> None:
        house = House(Clock())
        sent_so_far: list[Command] = []
        for _ in range(6):
            house.hang = rng.random() < 0.3
            async with running(tmp_path, house, work=rng.random() < 0.8) as part:
                for _ in range(rng.randrange(1, 5)):
                    if not sent_so_far or rng.random() < 0.5:
                        key = f"k-{len(sent_so_far)}"
                        sent_so_far.append(house.command("hold", args={"key": key}))
                    await sent(part, rng.choice(sent_so_far))
                    house.clock.advance(rng.choice((0.1, 30)))
                    await asyncio.sleep(0)
            lost = rng.choice(("journal.db*", "counters", "", ""))
            for file in state.glob(lost or "nothing"):
                file.unlink()
        keys = [arguments.key for _, arguments, _ in house.asked]
        assert len(keys) == len(set(keys))

    asyncio.run(inside())
