"""Questions and answers over an open port, whichever way it leads to the printer.

Decides when an answer is complete, late, somebody else's or nonsense, and asks a spoilt sequence
once more; leaves the meaning of the bytes to the drivers. What it may send is listed here and
nowhere else: DLE EOT 1 to 4; DLE EOT 5, 7 or 8 for the parts named in the configuration; ESC ACK
SOH to a printer that is configured as a Star or proved to be one; DLE EOT 20 to a Custom printer;
GS I and GS a when `identity` and `push` say so. The exchange runs on the event loop: a silent
printer costs no thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import termios
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from agent.config.devices import Printer
from agent.watch.drivers import escpos
from agent.watch.drivers.escpos import PieceKind, Sensor, Verdict
from agent.watch.printer import problems
from agent.watch.printer.ports import Port, flush
from agent.watch.printer.problems import NoReadingError, Where

if TYPE_CHECKING:
    from agent.watch.drivers.parts import Part

#: After bytes that make no sense: the line is left alone until it was quiet this long...
QUIET_S = 0.05
#: ...or for at most this long.
SETTLE_MAX_S = 0.5
#: Epson: at most six real-time queries, then wait for all replies.
QUERIES_MAX = 6
SEQUENCES = 2
DRAIN_MAX_BYTES = 65_536
#: How long a Star printer is given to answer the first half of a question.
HALF_PAUSE_S = 0.2
#: Proving a Star: silences after the second halves. All differ, so that answers that are late by
#: some constant time cannot keep falling into the pauses.
STAR_SILENCES_S = (0.2, 0.3, 0.45)
PROOF_S = sum(STAR_SILENCES_S) + (len(STAR_SILENCES_S) - 1) * HALF_PAUSE_S
#: A USB printer with nothing to say may be read as an empty packet, again and again.
EMPTY_PAUSE_S = 0.02

T = TypeVar("T")
Judge = Callable[[bytes], tuple[Verdict, T]]


class Exchange:
    """One reading's questions over one port."""

    def __init__(self, config: Printer, port: Port, where: Where) -> None:
        self._config = config
        self._fd = port.fileno()
        self._where = where
        self._answered = ""  # the last question that was answered in this sequence
        self.frame = b""  #: the newest automatic status frame that came in between

    async def twice(self, sequence: Callable[[], Awaitable[T]]) -> T:
        """Ask the whole sequence; once more when the answers were spoilt."""
        try:
            self._note(drain(self._fd, self._where))
            try:
                return await sequence()
            except NoReadingError as nothing:
                if not nothing.again:
                    raise
            await self._settle()
            return await sequence()
        except OSError as error:
            raise problems.unplugged(self._where, error) from error

    async def escpos(self, halved: bool = False) -> dict[int, int]:
        """DLE EOT 1 to 4; `halved`: the first was asked by `half`."""
        self._answered = ""
        answers: dict[int, int] = {}
        for n in escpos.QUERIES:
            first = halved and n == 1
            answers[n] = await (
                self.rest() if first else self._status(escpos.query(n), f"query {n}")
            )
        # Some USB stacks hand back the byte of the query before, which would make "waiting for
        # paper" look like a broken printer. n=1 asked again gives that away, and where its answer
        # may be another's by chance, a sixth question does.
        again = await self._status(escpos.query(1), "query 1")
        if (again ^ answers[1]) & ~escpos.DRAWER_BIT:
            raise problems.out_of_step(self._where, bytes((answers[1], again)))
        if {again, *answers.values()} != {escpos.ALL_WELL}:
            n = escpos.telling(answers)
            expected = again if n == 1 else answers[n]
            last = await self._status(escpos.query(n), f"query {n}")
            if last != expected:
                raise problems.out_of_step(self._where, bytes((expected, last)))
        return answers

    async def half(self) -> bytes:
        """DLE EOT 1 in two halves; what answered the first, which no ESC/POS printer does.

        The middle byte is EOT, a whole question to a Star printer, and its answer may look like
        the status of a printer that is well. The second half always follows; its answer is left.
        """
        first, second = escpos.query(1)[:2], escpos.query(1)[2:]
        received = bytearray()
        self._send(first)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HALF_PAUSE_S):
                    while True:
                        received += await receive(self._fd, self._where)
        finally:
            with contextlib.suppress(OSError):  # closed meanwhile: nothing is left half asked
                send(self._fd, second)
        if first in received:
            raise problems.echo(self._where, bytes(received))
        self._note(bytes(received))
        kinds = {piece.kind for piece in escpos.split(bytes(received))[0]}
        return bytes(received) if kinds - {PieceKind.AUTO_STATUS, PieceKind.FLOW} else b""

    async def proves_star(self, early: bytes) -> bool:
        """Whether who answered a first half with `early` answers every first half, and only that.

        An old or late answer of an ESC/POS printer may come in such a pause, too; but it answers
        whole questions, and what it says is not at our command. A Star's own question is part of
        the receipt to any other printer, so it is asked only after this.
        """
        from agent.watch.drivers.dialect import is_stars_word

        if not is_stars_word(early):
            return False
        for silence_s in STAR_SILENCES_S[:-1]:
            if await self._heard_within(silence_s) or await self.half() != early:
                return False
        return not await self._heard_within(STAR_SILENCES_S[-1])

    async def rest(self) -> int:
        """The answer to the question `half` asked."""
        return await self._ask(b"", "query 1", escpos.judge)

    async def part(self, part: Part) -> int:
        """DLE EOT 5, 7 or 8."""
        from agent.watch.drivers import parts

        return await self._status(parts.QUERIES[part], f"the {part} query")

    async def star(self) -> bytes:
        """One status frame of a Star printer."""
        from agent.watch.drivers import star

        return await self._ask(star.QUERY, "the status query", star.judge)

    async def custom(self) -> bytes:
        """The FULL status of a Custom printer."""
        from agent.watch.drivers import custom

        return await self._ask(custom.QUERY, "the full status query", custom.judge)

    async def raw(self, sent: bytes, name: str, found: Callable[[bytes], T | None]) -> T | None:
        """The first answer `found` accepts; None if there is none in time."""
        drain(self._fd, self._where)
        try:
            return await self._ask(
                sent,
                name,
                lambda received: (
                    (Verdict.WAITING, None)
                    if (answer := found(received)) is None
                    else (Verdict.ANSWERED, answer)
                ),
            )
        except NoReadingError:
            return None

    async def _status(self, sent: bytes, name: str) -> int:
        early = drain(self._fd, self._where)
        self._note(early)
        if escpos.judge(early)[0] in {Verdict.ANSWERED, Verdict.EXTRA}:
            raise problems.out_of_step(self._where, early)
        return await self._ask(sent, name, escpos.judge)

    async def _ask(self, sent: bytes, name: str, judge: Judge[T]) -> T:
        """Send one question and wait for its answer."""
        received = bytearray()
        answered = False
        try:
            if sent:
                self._send(sent)
            async with asyncio.timeout(self._config.answer_timeout_s):
                while True:
                    received += await receive(self._fd, self._where)
                    verdict, answer = judge(bytes(received))
                    answered = verdict is not Verdict.WAITING
                    match verdict:
                        case Verdict.ANSWERED:
                            self._answered = name
                            self._note(bytes(received))
                            return answer
                        case Verdict.EXTRA:
                            raise problems.out_of_step(self._where, bytes(received))
                        case Verdict.NONSENSE:
                            raise problems.nonsense(self._where, self._config, bytes(received))
        except TimeoutError:
            if sent and sent in received:
                raise problems.echo(self._where, bytes(received)) from None
            if received:
                raise problems.nonsense(self._where, self._config, bytes(received)) from None
            raise problems.silent(self._where, self._config, name, self._answered) from None
        finally:
            if not answered:
                # A line held by flow control must not save questions up for later, nor make the
                # closing of the port wait for them.
                flush(self._fd, termios.TCOFLUSH)

    def _send(self, sent: bytes) -> None:
        if not send(self._fd, sent):
            raise problems.held(self._where)

    def _note(self, received: bytes) -> None:
        if received:
            for frame in escpos.automatic_frames(escpos.split(received)[0]):
                self.frame = frame

    async def _heard_within(self, seconds: float) -> bool:
        """Whether anything arrives in that time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                self._note(await receive(self._fd, self._where))
                return True
        return False

    async def _settle(self) -> None:
        """Throw away what arrives until the line is quiet, or for SETTLE_MAX_S."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_MAX_S):
                while True:
                    async with asyncio.timeout(QUIET_S):
                        await receive(self._fd, self._where)


def sensor_of(config: Printer) -> Sensor:
    """The configured wiring of the paper sensors."""
    return Sensor(config.paper_sensor)


def send(fd: int, sent: bytes) -> bool:
    """Whether the line took all of it at once."""
    try:
        return os.write(fd, sent) == len(sent)
    except BlockingIOError:
        return False


def drain(fd: int, where: Where) -> bytes:
    """Everything that has arrived already. Raises OSError once the port is gone."""
    drained = bytearray()
    with contextlib.suppress(BlockingIOError):
        while len(drained) < DRAIN_MAX_BYTES:
            some = _some(fd, where)
            if not some:
                break
            drained += some
    return bytes(drained)


async def receive(fd: int, where: Where) -> bytes:
    """The next bytes to arrive."""
    loop = asyncio.get_running_loop()
    while True:
        with contextlib.suppress(BlockingIOError):
            some = _some(fd, where)
            if some:
                return some
            await asyncio.sleep(EMPTY_PAUSE_S)
            continue
        readable = loop.create_future()
        loop.add_reader(fd, _wake, readable)
        try:
            await readable
        finally:
            loop.remove_reader(fd)


def _some(fd: int, where: Where) -> bytes:
    some = os.read(fd, 256)
    if not some and where.kind != "usb":
        raise OSError(errno.EIO, "hung up")
    return some


def _wake(readable: asyncio.Future[None]) -> None:
    if not readable.done():
        readable.set_result(None)
