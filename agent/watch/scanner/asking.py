"""Asks a scanner over its serial line, and counts what goes by where the line is the agent's own.

Decides in which language and at which speed it is asked, and how long the port is held: for one
question only, or, where the configuration says that nobody else uses it, until further notice; then
codes are counted as they go by and gone with the call that saw them. Whether the port may be opened
at all is decided by `agent.watch.scanner.watcher`, who calls this.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import termios
from collections.abc import Callable

from agent.blocking import Blocking
from agent.config.devices import Scanner
from agent.link.opening import Opening
from agent.record import dataclass
from agent.watch.drivers.scanning import Counter, Counts, Dialect
from agent.watch.scanner import dialects, line
from agent.watch.scanner.line import Answer, NoAnswerError, Port
from agent.watch.scanner.presence import Presence

log = logging.getLogger(__name__)

OPEN_DEADLINE_S = 5.0
CLOSE_DEADLINE_S = 2.0
#: The most questions of one read: a round of all dialects, and two at each speed.
QUESTIONS_MAX = 30
#: A wrong speed is looked for after this many silent reads, once.
SILENT_BEFORE_SPEEDS = 2
SPEEDS = (9_600, 115_200, 38_400, 57_600, 19_200)
#: An unknown scanner that answered nobody is asked in every language again only so often.
TRY_ALL_EVERY = 10
#: A silent port of our own is set up afresh after so many reads.
SILENT_BEFORE_REOPEN = 6
#: What comes so soon after a question without an answer may be the answer, and is not counted.
LATE_MS = 5_000


def deadline_s(config: Scanner) -> float:
    """What the slowest asking may take."""
    opened = (1 + len(SPEEDS)) * (OPEN_DEADLINE_S + CLOSE_DEADLINE_S)
    return opened + QUESTIONS_MAX * line.TRICKLE * config.answer_timeout_s


@dataclass(slots=True)
class _Contact:
    """What was learnt of the scanner on the line, until it is unplugged."""

    dialect: Dialect | None = None
    silent: int = 0  #: reads without an answer, in a row
    speeds_tried: bool = False
    deaf_until_ms: int = 0


@dataclass(slots=True)
class _Held:
    """The open port, and who counts what comes in."""

    port: Port
    counter: Counter | None = None


class Asker:
    """One scanner's line."""

    def __init__(
        self,
        config: Scanner,
        blocking: Blocking,
        open_port: line.OpenPort,
        now_ms: Callable[[], int],
        count: Callable[[Counts], None],
    ) -> None:
        self._config = config
        self._blocking = blocking
        self._open_port = open_port
        self._now_ms = now_ms
        self._count = count
        self._contact = _Contact()
        self._held: _Held | None = None
        self._closing: asyncio.Task[None] | None = None  #: of a port that hung up

    def forget(self) -> None:
        """It was unplugged: the next one may be another."""
        self._contact = _Contact()

    async def close(self) -> None:
        """Let go of the port, if it is open."""
        if self._closing is not None:
            await self._closing
        held, self._held = self._held, None
        if held is not None:
            _deafen(held.port)
            await self._shut(held.port)

    async def ask(self, found: Presence) -> tuple[Dialect, Answer]:
        """The scanner's word. Raises NoAnswerError."""
        if self._closing is not None:
            await self._closing
        if self._held is None:
            self._held = _Held(await self._open(self._config.baud))
        else:
            self._stop_counting(self._held)
        kept = False
        try:
            dialect, answer = await self._converse(self._held.port.fileno(), found)
            kept = self._config.open == "always"
        except NoAnswerError as nothing:
            self._count(nothing.counts)
            await self._look_for_speed(nothing, found)
            silent = nothing.finding == "silent" and self._contact.silent % SILENT_BEFORE_REOPEN
            kept = self._config.open == "always" and bool(silent)
            raise
        except OSError as error:
            raise _unplugged(self._config, error) from error
        finally:
            if kept and self._held is not None:
                self._start_counting(self._held)
            else:
                await self.close()
        self._count(answer.counts)
        return dialect, answer

    def _lost(self, held: _Held) -> None:
        """It hung up. While it is open, a scanner that comes back gets another name."""
        if self._held is not held:
            return
        self._held = None
        self._closing = asyncio.create_task(self._shut(held.port), name="scanner.lost")
        self._closing.add_done_callback(self._let_go)

    def _let_go(self, closing: asyncio.Task[None]) -> None:
        self._closing = None
        if not closing.cancelled() and (error := closing.exception()) is not None:
            log.warning("event=scanner_close_failed error=%r", str(error))

    async def _converse(self, fd: int, found: Presence) -> tuple[Dialect, Answer]:
        """The first dialect that gets an answer."""
        contact = self._contact
        names = dialects.candidates(self._config.dialect, found, contact.dialect)
        if contact.silent % TRY_ALL_EVERY:
            names = names[:1]
        worst: NoAnswerError | None = None
        reads = no_reads = 0
        for name in names:
            dialect = dialects.load(name)
            try:
                answer = await line.converse(fd, dialect, self._config)
            except NoAnswerError as nothing:
                reads, no_reads = reads + nothing.counts.reads, no_reads + nothing.counts.no_reads
                if worst is None or worst.finding == "silent":
                    worst = nothing
                continue
            # After a silence this may have been the late reply, and the right one comes yet.
            contact.deaf_until_ms = self._now_ms() + LATE_MS if contact.silent else 0
            contact.dialect, contact.silent, contact.speeds_tried = dialect, 0, False
            return dialect, answer
        contact.silent += 1
        contact.deaf_until_ms = self._now_ms() + LATE_MS
        assert worst is not None, "there is always one dialect to try"
        worst.counts = Counts(reads=reads, no_reads=no_reads)
        raise worst

    async def _look_for_speed(self, nothing: NoAnswerError, found: Presence) -> None:
        """Raises for a scanner that answers at another speed. Once, in a known language only."""
        contact = self._contact
        names = dialects.candidates(self._config.dialect, found, contact.dialect)
        due = nothing.finding == "garbage" or (
            nothing.finding == "silent" and contact.silent >= SILENT_BEFORE_SPEEDS
        )
        if not due or contact.speeds_tried or len(names) > len(dialects.BY_HARM) // 2:
            return
        contact.speeds_tried = True
        await self.close()
        for baud in SPEEDS:
            if baud != self._config.baud and await self._answers_at(baud, names):
                contact.speeds_tried = False  # it says so until it is put right
                raise NoAnswerError(
                    "wrong_speed",
                    f"the scanner on {self._config.device} answers at {baud} baud, not at "
                    f"{self._config.baud}: set [scanner] baud = {baud}",
                    line.MISMATCH,
                ) from nothing

    async def _answers_at(self, baud: int, names: tuple[str, ...]) -> bool:
        port = await self._open(baud)
        try:
            for name in names:
                with contextlib.suppress(NoAnswerError, OSError):
                    await line.converse(port.fileno(), dialects.load(name), self._config)
                    return True
        finally:
            await self._shut(port)
        return False

    async def _open(self, baud: int) -> Port:
        path = self._config.device
        opening = Opening(lambda: self._open_port(self._config, baud), line.shut)
        try:
            return await self._blocking.call("scanner.open", opening.run, OPEN_DEADLINE_S)
        except TimeoutError:
            opening.abandon()
            raise NoAnswerError(
                "open_hangs",
                f"opening {path} hangs in its driver: unplug and replug the scanner's cable, or "
                "restart the terminal",
            ) from None
        except (OSError, termios.error, ValueError) as error:
            raise line.open_problem(path, error) from error
        except BaseException:
            opening.abandon()
            raise

    async def _shut(self, port: Port) -> None:
        try:
            await self._blocking.call("scanner.close", lambda: line.shut(port), CLOSE_DEADLINE_S)
        except (OSError, TimeoutError) as error:
            log.warning(
                "event=scanner_close_failed device=%s error=%r", self._config.device, str(error)
            )

    def _start_counting(self, held: _Held) -> None:
        if held.counter is None and self._contact.dialect is not None:
            held.counter = self._contact.dialect.counter()
        asyncio.get_running_loop().add_reader(held.port.fileno(), self._overhear, held)

    def _stop_counting(self, held: _Held) -> None:
        _deafen(held.port)
        if held.counter is not None:
            self._count(held.counter.quiet())

    def _overhear(self, held: _Held) -> None:
        """Codes go by: counted here, and gone with this call."""
        try:
            received = line.drained(held.port.fileno())
        except OSError:
            _deafen(held.port)
            self._lost(held)
            return
        if held.counter is not None and self._now_ms() >= self._contact.deaf_until_ms:
            self._count(held.counter.feed(received))


def _unplugged(config: Scanner, error: OSError) -> NoAnswerError:
    return NoAnswerError(
        "unplugged",
        f"{config.device} went away while the scanner was being asked "
        f"({error.strerror or error}): check the cable",
        line.GONE,
    )


def _deafen(port: Port) -> None:
    asyncio.get_running_loop().remove_reader(port.fileno())
