"""Moving payments and listing them, over a real journal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.actions import backlog, status, void, why
from agent.actions.queue import hold, listed, moving, release, retry, show
from agent.actions.table import ACTIONS, Desk, action
from agent.core.money.journal import Change, Event, State
from agent.errors import OperatorError, StoreError
from agent.wire.api import (
    OPERATIONS,
    HoldArgs,
    ListArgs,
    Nothing,
    OneKey,
    ReleaseArgs,
    RetryArgs,
    ShowArgs,
)
from tests.actions.desk import FAILED, Desktop, code_of, on_desk


def test_every_operation_has_its_action() -> None:
    """The table of the API and the table of actions name the same things."""
    done_by_the_api = {"submit", "events", "openapi"}
    assert set(ACTIONS) == {operation.name for operation in OPERATIONS} - done_by_the_api
    assert all(callable(action(name)) for name in ACTIONS)


def test_a_payment_shows_where_it_stands(tmp_path: Path) -> None:
    """State, cause and time of the next attempt; history only when asked for."""

    async def test(desk: Desktop) -> None:
        await desk.take("a")
        await desk.move("a", *FAILED)
        shown = await show.run(desk.ports, ShowArgs(key="a", history=True))
        assert (shown.state, shown.cause, shown.tried) == ("waiting", "network.no_link", 1)
        assert shown.next_attempt_at is not None
        assert shown.history is not None
        assert [step.event for step in shown.history] == ["submitted", "attempt", "not_sent"]
        assert (await show.run(desk.ports, ShowArgs(key="a"))).history is None
        assert await code_of(show.run(desk.ports, ShowArgs(key="b"))) == "transaction.unknown"

    on_desk(tmp_path, test)


def test_lists_filter_and_go_on(tmp_path: Path) -> None:
    """State, cause and uplink narrow a list; `next_after` leads through all of it once."""

    async def test(desk: Desktop) -> None:
        for number in range(7):
            await desk.take(f"k{number}", uplink="main" if number % 2 else "spare")
        await desk.move("k3", *FAILED)
        await desk.move("k0", Change(event=Event.VOID))
        seen: list[str] = []
        after: int | None = 0
        while after is not None:
            page = await listed.run(desk.ports, ListArgs(limit=2, after=after))
            seen += [item.key for item in page.items]
            after = page.next_after
        assert seen == ["k1", "k2", "k3", "k4", "k5", "k6"]

        async def keys(args: ListArgs) -> list[str]:
            return [item.key for item in (await listed.run(desk.ports, args)).items]

        assert await keys(ListArgs(state="all", limit=1)) == ["k0"]
        assert await keys(ListArgs(state="voided,waiting")) == ["k0", "k3"]
        assert await keys(ListArgs(cause="network.no_link")) == ["k3"]
        assert await keys(ListArgs(uplink="spare")) == ["k2", "k4", "k6"]

    on_desk(tmp_path, test)


def test_a_filter_that_matches_nothing_does_not_walk_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After so many records the page ends and says where to go on."""
    monkeypatch.setattr(listed, "SCAN", 2)
    monkeypatch.setattr(listed, "PAGE", 2)

    async def test(desk: Desktop) -> None:
        for number in range(5):
            await desk.take(f"k{number}")
        page = await listed.run(desk.ports, ListArgs(cause="no.such"))
        assert (page.items, page.next_after) == ([], 2)

    on_desk(tmp_path, test)


def test_retrying_makes_due_and_wakes_the_channel(tmp_path: Path) -> None:
    """One payment, or all that wait; what is known about it stays as it was."""

    async def test(desk: Desktop) -> None:
        for key in ("a", "b", "c"):
            await desk.take(key)
        await desk.move("a", *FAILED)
        await desk.move("b", *FAILED)
        moved = await retry.run(desk.ports, RetryArgs(key="a"))
        assert (moved.moved, moved.items[0].next_attempt_at) == (1, None)
        assert moved.items[0].cause == "network.no_link"
        moved = await retry.run(desk.ports, RetryArgs())
        assert [item.key for item in moved.items] == ["b"]
        assert desk.lines.kicked == ["main", None]
        await retry.run(desk.ports, RetryArgs(uplink="main"))
        assert desk.lines.kicked[-1] == "main"

    on_desk(tmp_path, test)


def test_what_cannot_be_retried_says_why(tmp_path: Path) -> None:
    """Final, held and sending payments are not tried, and unknown uplinks are named."""

    async def test(desk: Desktop) -> None:
        for key in ("final", "held", "sending"):
            await desk.take(key)
        await desk.move("final", Change(event=Event.VOID))
        await desk.move("held", Change(event=Event.HOLD))
        await desk.move("sending", Change(event=Event.ATTEMPT))
        for key in ("final", "held", "sending"):
            asked = retry.run(desk.ports, RetryArgs(key=key))
            assert await code_of(asked) == f"record.{key}"
        unknown = retry.run(desk.ports, RetryArgs(uplink="x"))
        assert await code_of(unknown) == "uplink.unknown"

    on_desk(tmp_path, test)


def test_holding_and_releasing(tmp_path: Path) -> None:
    """A held payment keeps its doubt, its reason is kept, and releasing wakes its channel."""

    async def test(desk: Desktop) -> None:
        await desk.take("a", attempts=1)
        held = await hold.run(desk.ports, HoldArgs(key="a", reason="asked by the bank"))
        assert (held.items[0].state, held.items[0].note) == ("held", "asked by the bank")
        assert (await hold.run(desk.ports, HoldArgs(key="a"))).moved == 0
        freed = await release.run(desk.ports, ReleaseArgs(key="a"))
        assert (freed.items[0].state, freed.items[0].in_doubt) == ("waiting", True)
        assert not freed.items[0].cause  # what it waited for was the person
        assert desk.lines.kicked == ["main"]
        asked = release.run(desk.ports, ReleaseArgs(key="a"))
        assert await code_of(asked) == "record.not_held"

    on_desk(tmp_path, test)


def test_what_cannot_be_held_says_why(tmp_path: Path) -> None:
    """A payment being sent is left to its answer, a final one alone."""

    async def test(desk: Desktop) -> None:
        for key in ("final", "sending"):
            await desk.take(key)
        await desk.move("final", Change(event=Event.VOID))
        await desk.move("sending", Change(event=Event.ATTEMPT))
        for key in ("final", "sending"):
            assert await code_of(hold.run(desk.ports, HoldArgs(key=key))) == f"record.{key}"

    on_desk(tmp_path, test)


def test_releasing_by_cause_takes_all_of_them(tmp_path: Path) -> None:
    """What was held for one cause goes on together; other held payments stay."""

    async def test(desk: Desktop) -> None:
        for key in ("a", "b", "c"):
            await desk.take(key)
            cause = "host.format_error" if key != "c" else "queue.held"
            await desk.move(key, Change(event=Event.HOLD, cause=cause))
        freed = await release.run(desk.ports, ReleaseArgs(cause="host.format_error"))
        assert (freed.moved, freed.skipped, freed.more) == (2, 0, False)
        assert {one.cause for one in freed.items} == {"host.format_error"}
        assert await desk.state("c") is State.HELD
        asked = release.run(desk.ports, ReleaseArgs())
        assert await code_of(asked) == "request.missing_field"
        both = release.run(desk.ports, ReleaseArgs(key="c", cause="queue.held"))
        assert await code_of(both) == "request.missing_field"

    on_desk(tmp_path, test)


def test_one_call_moves_only_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bulk release says that there is more, and repeating it finishes."""
    monkeypatch.setattr(moving, "MOST", 3)
    monkeypatch.setattr(moving, "BATCH", 2)

    async def test(desk: Desktop) -> None:
        for number in range(4):
            await desk.take(f"k{number}")
            await desk.move(f"k{number}", Change(event=Event.HOLD, cause="queue.held"))
        args = ReleaseArgs(cause="queue.held")
        first = await release.run(desk.ports, args)
        assert (first.moved, first.more) == (3, True)
        second = await release.run(desk.ports, args)
        assert (second.moved, second.more) == (1, False)

    on_desk(tmp_path, test)


def test_records_that_moved_meanwhile_are_skipped(tmp_path: Path) -> None:
    """The uploader may be faster: that is counted, not an error."""

    async def test(desk: Desktop) -> None:
        await desk.take("a")
        await desk.move("a", Change(event=Event.HOLD, cause="queue.held"))

        class Late:
            async def advance(self, seq: int, version: int, change: Change) -> object:
                return await desk.store.advance(seq, version - 1, change)

        ports = replace(desk.ports, mover=Late())  # type: ignore[arg-type]
        freed = await release.run(ports, ReleaseArgs(cause="queue.held"))
        assert (freed.moved, freed.skipped) == (0, 1)

        class Broken:
            async def advance(self, seq: int, version: int, change: Change) -> object:
                raise StoreError("store.unavailable", "no")

        ports = replace(desk.ports, mover=Broken())  # type: ignore[arg-type]
        asked = release.run(ports, ReleaseArgs(cause="queue.held"))
        assert await code_of(asked) == "store.unavailable"

    on_desk(tmp_path, test)


def test_withdrawing(tmp_path: Path) -> None:
    """Only what was certainly never sent can be withdrawn (L10)."""

    async def test(desk: Desktop) -> None:
        for key in ("queued", "sending", "held", "final"):
            await desk.take(key)
        await desk.take("in_doubt", attempts=1)
        await desk.move("sending", Change(event=Event.ATTEMPT))
        await desk.move("held", Change(event=Event.HOLD))
        await desk.move("final", Change(event=Event.LAPSE))
        for _ in range(2):
            assert (await void.run(desk.ports, OneKey(key="queued"))).state == "voided"
        for key in ("sending", "held", "final", "in_doubt"):
            assert await code_of(void.run(desk.ports, OneKey(key=key))) == f"record.{key}"

    on_desk(tmp_path, test)


def test_nothing_can_be_changed_without_a_daemon(tmp_path: Path) -> None:
    """Offline the same actions read, and refuse to change."""

    async def test(desk: Desktop) -> None:
        await desk.take("a")
        ports = replace(desk.ports, mover=None, channels=None)
        for asked in (
            hold.run(ports, HoldArgs(key="a")),
            release.run(ports, ReleaseArgs(key="a")),
            retry.run(ports, RetryArgs(key="a")),
            void.run(ports, OneKey(key="a")),
        ):
            with pytest.raises(OperatorError) as caught:
                await asked
            assert caught.value.code == "daemon.down"
        assert (await listed.run(ports, ListArgs())).items[0].key == "a"
        assert (await backlog.run(ports, Nothing())).total.count == 1
        assert not (await status.run(ports, Nothing())).daemon_alive
        assert (await why.terminal(ports, Nothing())).daemon_alive is False

    on_desk(tmp_path, test)


def test_the_desk_passes_on_who_asked(tmp_path: Path) -> None:
    """Changes carry the actor the local API saw."""
    actors: list[str] = []

    async def test(desk: Desktop) -> None:
        await desk.take("a")

        class Watched:
            async def advance(self, seq: int, version: int, change: Change) -> object:
                actors.append(change.actor)
                return await desk.store.advance(seq, version, change)

        ports = replace(desk.ports, mover=Watched())  # type: ignore[arg-type]
        await Desk(ports).do("queue_hold", HoldArgs(key="a"), "uid:1000")

    on_desk(tmp_path, test)
    assert actors == ["uid:1000"]
