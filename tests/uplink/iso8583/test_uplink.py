"""The uplink over real sockets: every way an acquirer answers, and every way it does not."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from agent.core.money.delivery import Answer
from agent.core.money.iso8583 import Message
from agent.core.money.journal import State
from agent.core.money.transaction import Payload
from agent.sim.acquirer import AcquirerOptions
from agent.sim.acquirer_book import sums
from agent.sim.acquirer_faults import Fault
from agent.sim.terminal import PaymentApp
from agent.uplink.iso8583.codec import Codec, Dialect
from agent.uplink.iso8583.frame import Layout, Length
from tests.uplink.iso8583.till import Till, till, until


def test_one_connection_carries_one_payment_after_the_other() -> None:
    """Posted with the host's reference; the line stays open."""

    async def story() -> None:
        async with till() as t:
            for number in range(5):
                reply = await t.post(*t.advice(f"k{number}"))
                assert reply.answer is Answer.POSTED
                assert reply.result is not None
                assert reply.result.rrn == f"{number + 1:012d}"
            assert (t.dial.opened, t.committed) == (1, 5)

    asyncio.run(story())


@pytest.mark.parametrize(
    ("fault", "answer", "posted"),
    [
        ("drop_before", Answer.NO_ANSWER, 0),
        ("drop_after", Answer.NO_ANSWER, 1),
        ("black_hole", Answer.NO_ANSWER, 0),
        ("black_hole_after", Answer.NO_ANSWER, 1),
        ("wrong_stan", Answer.FOREIGN, 1),
        ("wrong_terminal", Answer.FOREIGN, 1),
        ("wrong_merchant", Answer.FOREIGN, 1),
        ("wrong_amount", Answer.FOREIGN, 1),
        ("wrong_mti", Answer.FOREIGN, 1),
        ("wrong_tpdu", Answer.FOREIGN, 1),
        ("no_code", Answer.UNREADABLE, 1),
        ("garbage", Answer.UNREADABLE, 1),
        ("bad_length", Answer.UNREADABLE, 1),
        ("truncated", Answer.NO_ANSWER, 1),
        ("split", Answer.POSTED, 1),
        ("still_there", Answer.POSTED, 1),
        ("twice", Answer.POSTED, 1),
    ],
)
def test_every_fault_is_read_as_what_it_is(fault: str, answer: Answer, posted: int) -> None:
    """Nothing but a bound answer decides; after each fault the next payment goes through."""

    async def story() -> None:
        async with till() as t:
            await t.acquirer.apply(Fault.named(fault, times=1))
            reply = await t.post(*t.advice("k1"))
            assert reply.answer is answer, reply.note
            assert sums(t.acquirer.book.entries()).posted == posted
            assert (await t.post(*t.advice("k2"))).answer is Answer.POSTED

    asyncio.run(story())


def test_nobody_listens() -> None:
    """No connection: not sent, nothing committed, the network's own cause."""

    async def story() -> None:
        async with till() as t:
            await t.acquirer.apply(Fault.named("refuse"))
            reply = await t.post(*t.advice())
            assert (reply.answer, reply.cause) == (Answer.NOT_SENT, "network.host_unreachable")
            assert t.committed == 0
            await t.acquirer.apply(Fault())
            assert (await t.post(*t.advice())).answer is Answer.POSTED

    asyncio.run(story())


def test_sending_is_committed_before_the_first_byte() -> None:
    """Money rule 1: connected, then committed, then sent; a refused commit sends nothing."""

    async def story() -> None:
        async with till() as t:

            async def refused() -> None:
                assert t.dial.opened == 1
                raise RuntimeError("the disk is full")

            with pytest.raises(RuntimeError):
                await t.post(*t.advice(), hook=refused)
            assert t.acquirer.seen["0220"] == 0
            assert (await t.post(*t.advice())).answer is Answer.POSTED
            assert t.dial.opened == 1

    asyncio.run(story())


def test_a_host_that_hangs_up_while_we_commit_got_nothing() -> None:
    """The connection ended before the first byte: not sent, and no doubt."""

    async def story() -> None:
        async with till() as t:
            await t.post(*t.advice("k0"))

            async def cut() -> None:
                await t.acquirer.hang_up()
                await until(lambda: t.uplink.line_of("T0000001")._connection.end, "end seen")

            reply = await t.post(*t.advice("k1"), hook=cut)
            assert reply.answer is Answer.NOT_SENT
            assert (await t.post(*t.advice("k2"))).answer is Answer.POSTED

    asyncio.run(story())


def test_an_idle_connection_the_host_closed_is_not_used() -> None:
    """The end was seen while idle: a fresh connection, no doubt for anybody."""

    async def story() -> None:
        async with till() as t:
            await t.post(*t.advice("k1"))
            await t.acquirer.hang_up()
            await until(lambda: t.uplink.line_of("T0000001")._connection.end, "end seen")
            assert (await t.post(*t.advice("k2"))).answer is Answer.POSTED
            assert t.dial.opened == 2

    asyncio.run(story())


def test_a_connection_idle_for_too_long_is_not_used() -> None:
    """A concentrator forgets idle lines without a word."""

    async def story() -> None:
        async with till(idle_s=0.05) as t:
            await t.post(*t.advice("k1"))
            await asyncio.sleep(0.06)
            await t.post(*t.advice("k2"))
            assert t.dial.opened == 2

    asyncio.run(story())


def test_a_late_answer_finds_its_payment() -> None:
    """U20: the answer after the deadline, on the old connection, while another payment passes."""

    async def story() -> None:
        async with till() as t:
            await t.acquirer.apply(Fault.named("delay", delay_s=0.7, times=1))
            reply = await t.post(*t.advice("k1"))
            assert reply.answer is Answer.NO_ANSWER
            assert (await t.post(*t.advice("k2"))).answer is Answer.POSTED
            assert t.dial.opened == 2
            await until(lambda: t.late, "the late answer")
            (key, late) = t.late[0]
            assert (key, late.answer) == ("k1", Answer.POSTED)

    asyncio.run(story())


def test_a_second_copy_of_an_answer_harms_nobody() -> None:
    """The copy is known, so the next payment's line is not called out of step."""

    async def story() -> None:
        async with till() as t:
            await t.acquirer.apply(Fault.named("twice"))
            for number in range(4):
                assert (await t.post(*t.advice(f"k{number}"))).answer is Answer.POSTED
            assert (t.dial.opened, t.late) == (1, [])

    asyncio.run(story())


def test_a_stray_frame_on_an_idle_line_is_logged_without_its_content(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Garbage while nobody asks: one line in the log, the next payment unharmed."""

    async def story() -> None:
        async with till() as t:
            await t.post(*t.advice("k1"))
            writer = next(iter(t.acquirer._writers))
            stray = Codec().encode(Message("0210", {"11": "777777", "39": "00", "41": "T0000001"}))
            swapped = bytes.fromhex("6000000003") + bytes(6)
            writer.write(t.acquirer.options.layout.framed(swapped + stray))
            writer.write(t.acquirer.options.layout.framed(swapped + b"\xff" * 20))
            await until(lambda: caplog.text.count("stray_answer") == 2, "both seen")
            assert (await t.post(*t.advice("k2"))).answer is Answer.POSTED

    asyncio.run(story())
    assert "777777" not in caplog.text


@pytest.mark.parametrize(("repeat", "seen"), [("never", "0220"), ("advices", "0221")])
def test_repeats_are_marked_only_where_the_profile_allows_it(repeat: str, seen: str) -> None:
    """The second attempt of an advice; a request never."""

    async def story() -> None:
        async with till(repeat=repeat) as t:
            it, payload = t.advice("k1")
            await t.acquirer.apply(Fault.named("drop_after", times=1))
            await t.post(it, payload, 1)
            assert (await t.post(it, payload, 2)).answer is Answer.POSTED
            assert t.acquirer.seen[seen] >= 1
            assert t.acquirer.seen["0221"] == (repeat == "advices")
            await t.post(*t.sale("k2"), attempt=2)
            assert t.acquirer.seen["0200"] == 1
            assert sums(t.acquirer.book.entries()).duplicates == ()

    asyncio.run(story())


def test_the_query_the_app_prepared_is_sent_as_it_is() -> None:
    """Without one the host cannot be asked about this payment; with one its answer decides."""

    async def story() -> None:
        async with till(query_codes={"94": "posted"}) as t:
            it, payload = t.sale("k1")
            it = replace(it, state=State.WAITING, in_doubt=True)
            assert (await t.uplink.query(it)).answer is Answer.UNSUPPORTED
            await t.acquirer.apply(Fault.named("drop_after", times=1))
            assert (await t.post(it, payload)).answer is Answer.NO_ANSWER
            t.queries.payloads["k1"] = payload.body
            reply = await t.uplink.query(it)
            assert reply.answer is Answer.POSTED
            await t.acquirer.apply(Fault.named("code", code="25"))
            assert (await t.uplink.query(it)).answer is Answer.NOT_FOUND
            await t.acquirer.apply(Fault.named("refuse"))
            await until(lambda: t.uplink.line_of("T0000001")._connection.end, "end seen")
            assert (await t.uplink.query(it)).answer is Answer.NOT_SENT

    asyncio.run(story())


def test_one_in_flight_per_terminal_and_a_line_for_each() -> None:
    """Two terminals do not wait for each other; one terminal never has two under way."""

    async def story() -> None:
        async with till() as t:
            other = PaymentApp(terminal_id="T0000002")
            mine, theirs = t.advice("k1"), t.taken(other.advice("k2"))
            assert t.uplink.exclusive(mine[0]) != t.uplink.exclusive(theirs[0])
            replies = await asyncio.gather(t.post(*mine), t.post(*theirs))
            assert {reply.answer for reply in replies} == {Answer.POSTED}
            assert t.dial.opened == 2

    asyncio.run(story())


@pytest.mark.parametrize(
    ("dialect", "length"),
    [(Dialect.ASCII, Length.ASCII), (Dialect.HEX, Length.BCD), (Dialect.BCD, Length.BCD)],
)
def test_hosts_of_other_dialects(dialect: Dialect, length: Length) -> None:
    """Without TPDU and header, digits as characters, another length."""

    async def story() -> None:
        codec = Codec(dialect)
        options = AcquirerOptions(layout=Layout(length=length), codec=codec)
        keys = {"dialect": dialect.value, "length": length.value, "tpdu": "", "header": ""}
        async with till(options, **keys) as t:
            t.app.codec = codec
            assert (await t.post(*t.advice())).answer is Answer.POSTED

    asyncio.run(story())


def test_bytes_that_cannot_be_sent_so_are_held_unsent() -> None:
    """The profile changed after the hand-over: nothing leaves, a person is told."""

    async def story() -> None:
        async with till() as t:
            it, _ = t.advice()
            reply = await t.post(it, Payload(content_type="x/y", body=b"{}"))
            assert (reply.answer, reply.cause) == (Answer.BLOCKED, "host.format_error")
            assert (t.committed, t.dial.opened) == (0, 0)

    asyncio.run(story())


def test_stopping_in_the_middle_leaves_no_socket_behind() -> None:
    """Cancelled with bytes out: the line is dropped, closing waits for nothing."""

    async def story() -> None:
        async with till(answer_timeout_s=30.0) as t:
            await t.acquirer.apply(Fault.named("black_hole"))
            task = asyncio.create_task(t.post(*t.advice()))
            await until(lambda: t.acquirer.seen["0220"], "under way")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(story())


def test_two_echo_dialects() -> None:
    """own_tid: 0820 under a TID of its own. app: the app's own message. Unanswered: hung up."""

    async def echoes(t: Till) -> None:
        await t.post(*t.advice("k1"))
        await until(lambda: t.acquirer.seen["0820"] >= 2, "echoes on the idle line")
        assert t.dial.opened == 1
        await t.acquirer.apply(Fault.named("black_hole", only="other"))
        line = t.uplink.line_of("T0000001")
        await until(lambda: line._connection is None, "hung up")
        await t.acquirer.apply(Fault())
        assert (await t.post(*t.advice("k2"))).answer is Answer.POSTED

    async def story() -> None:
        own = {"echo_terminal_id": "E0000001", "echo_merchant_id": "M00000000000001"}
        async with till(echo="own_tid", echo_period_s=0.05, **own) as t:
            await echoes(t)
        given = PaymentApp().message("0820", "000099", network="301").hex()
        async with till(echo="app", echo_period_s=0.05, echo_message=given) as t:
            await echoes(t)

    asyncio.run(story())
