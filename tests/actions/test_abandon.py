"""Giving up held payments, over a real journal (U23)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.actions import why
from agent.actions.queue import abandon, retry, show
from agent.core.money.abandoning import Asking
from agent.core.money.journal import Change, Event, State
from agent.core.money.transaction import (
    Delivery,
    Kind,
    Payload,
    Posting,
    Submission,
    Transaction,
)
from agent.errors import OperatorError
from agent.wire.api import AbandonArgs, ConfirmationIn, OneKey, RetryArgs, ShowArgs
from tests.actions.desk import AT, Desktop, code_of, on_desk

WORD = ConfirmationIn(outcome="settled_elsewhere", reference="ticket 4711", said_by="A. Wang")
HELD = Change(event=Event.HOLD, cause="queue.held", note="the host may have forgotten the key")


def word(key: str) -> AbandonArgs:
    return AbandonArgs(key=key, confirmation=WORD)


def test_a_held_payment_is_given_up_and_its_row_stays(tmp_path: Path) -> None:
    """Final, out of the backlog, and its history says who confirmed what to whom."""

    async def test(desk: Desktop) -> None:
        await desk.take("a")
        await desk.move("a", HELD)
        for _ in range(2):  # the first answer may be lost
            gone = await abandon.run(desk.ports, word("a"))
            assert (gone.state, gone.cause, gone.in_doubt) == ("voided", "queue.held", False)
        shown = await show.run(desk.ports, ShowArgs(key="a", history=True))
        assert shown.history is not None
        last = shown.history[-1]
        assert (last.event, last.count) == ("abandon", 1)
        for said in ("settled_elsewhere", "ticket 4711", "A. Wang", "uid:7"):
            assert said in last.note
        assert (await desk.store.backlog()).total.count == 0
        verdict = await why.one(desk.ports, OneKey(key="a"))
        assert verdict.advice.retry == "do_not_retry"

    on_desk(tmp_path, test)


def test_what_is_not_held_is_not_given_up(tmp_path: Path) -> None:
    """Queued, sending, waiting and final payments go their own way."""

    async def test(desk: Desktop) -> None:
        for key in ("queued", "sending", "final"):
            await desk.take(key)
        await desk.take("waiting", attempts=1)
        await desk.move("sending", Change(event=Event.ATTEMPT))
        await desk.move("final", Change(event=Event.VOID))
        for key in ("queued", "sending", "waiting"):
            asked = abandon.run(desk.ports, word(key))
            assert await code_of(asked) == "record.not_held"
        assert await code_of(abandon.run(desk.ports, word("final"))) == "record.final"
        assert await code_of(abandon.run(desk.ports, word("no"))) == "transaction.unknown"

    on_desk(tmp_path, test)


def test_in_doubt_the_host_is_asked_first(tmp_path: Path) -> None:
    """Refused with the way to ask; after its "not found" the word is taken, the doubt stays."""

    async def test(desk: Desktop) -> None:
        await desk.take("a", attempts=1)
        await desk.move("a", HELD)
        assert await code_of(abandon.run(desk.ports, word("a"))) == "record.not_asked"
        asked = await retry.run(desk.ports, RetryArgs(key="a"))
        assert (asked.items[0].state, asked.items[0].cause) == ("held", "queue.held")
        assert desk.lines.kicked == ["main"]
        await desk.move("a", Change(event=Event.ASKED, cause="host.no_reply"))
        assert await code_of(abandon.run(desk.ports, word("a"))) == "record.not_asked"
        await desk.move("a", Change(event=Event.ASKED, cause="host.no_reply", not_found=1))
        gone = await abandon.run(desk.ports, word("a"))
        assert (gone.state, gone.in_doubt) == ("voided", True)

    on_desk(tmp_path, test)


@pytest.mark.parametrize(
    ("told", "must"), [(Asking.NO, False), (Asking.YES, True), (Asking.STALE, True)]
)
def test_a_host_that_cannot_be_asked_leaves_only_the_word(
    tmp_path: Path, told: Asking, must: bool
) -> None:
    """Without status query the person's word is all there is."""

    async def test(desk: Desktop) -> None:
        desk.lines.told = told
        await desk.take("a", attempts=1)
        await desk.move("a", HELD)
        asked = abandon.run(desk.ports, word("a"))
        if must:
            assert await code_of(asked) == "record.not_asked"
        else:
            assert (await asked).state == "voided"

    on_desk(tmp_path, test)


def test_a_given_up_reversal_leaves_its_original_held(tmp_path: Path) -> None:
    """Thawed, the original would be sent although somebody wanted it taken back (rule 5)."""

    async def test(desk: Desktop) -> None:
        await desk.take("sale")
        reversal = Transaction(
            key="back", terminal_id="T", merchant_id="M", kind=Kind.REVERSAL,
            posting=Posting.ADVICE, occurred_at=AT, uplink="main", amount_minor=100,
            currency="CNY", refers_to="sale",
        )  # fmt: skip
        payload = Payload(content_type="a/b", body=b"x")
        await desk.store.append(Submission(transaction=reversal, payload=payload))
        await desk.move("back", HELD)
        await abandon.run(desk.ports, word("back"))
        original = await desk.store.record("sale")
        assert original is not None
        assert (original.state, original.cause) == (State.HELD, "queue.held")
        assert "given up" in original.note

    on_desk(tmp_path, test)


def test_what_the_app_sends_is_settled_another_way(tmp_path: Path) -> None:
    """`queue resolve` takes the word about it, and needs no host that can be asked."""

    async def test(desk: Desktop) -> None:
        by_app = Transaction(
            key="app", terminal_id="T", merchant_id="M", kind=Kind.SALE, posting=Posting.ADVICE,
            occurred_at=AT, uplink="main", amount_minor=100, currency="CNY", delivery=Delivery.APP,
        )  # fmt: skip
        payload = Payload(content_type="a/b", body=b"")
        await desk.store.append(Submission(transaction=by_app, payload=payload))
        await desk.move("app", Change(event=Event.DAMAGE, cause="queue.held"))
        assert await code_of(abandon.run(desk.ports, word("app"))) == "record.by_app"
        assert await desk.state("app") is State.HELD

    on_desk(tmp_path, test)


def test_nobody_gives_anything_up_without_a_daemon(tmp_path: Path) -> None:
    """Offline nothing changes."""

    async def test(desk: Desktop) -> None:
        await desk.take("a")
        await desk.move("a", HELD)
        with pytest.raises(OperatorError) as caught:
            await abandon.run(replace(desk.ports, mover=None, channels=None), word("a"))
        assert caught.value.code == "daemon.down"
        # A daemon without uplinks has nobody to ask.
        gone = await abandon.run(replace(desk.ports, channels=None), word("a"))
        assert gone.state == "voided"

    on_desk(tmp_path, test)
