"""A scanner's serial line: opened for itself alone, asked one dialect, let go of.

Decides whether an answer came, and if not which of the ways of not coming it was. Everything else
that arrives is a code: it is counted and wiped, never kept, shown or compared. Opening and closing
can hang in a driver and go through `Blocking`; the exchange itself runs on the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import termios
from collections.abc import Callable
from dataclasses import field
from typing import Protocol

from agent.config.devices import Scanner
from agent.link.opening import number_of
from agent.record import dataclass
from agent.watch.drivers.scanning import About, Counts, Dialect, Judgement, Question, Verdict

#: A long reply on a slow line may take this many answer timeouts, as long as it keeps coming.
TRICKLE = 4
RECEIVED_MAX_BYTES = 16_384
QUIET_S = 0.05
SETTLE_MAX_S = 0.5

MISMATCH = "device.interface_mismatch"
SILENT = "scanner.not_answering"
GONE = "scanner.disconnected"


class Port(Protocol):
    """An open serial port: its descriptor does not block and reports hang-ups as end of file."""

    def fileno(self) -> int: ...

    def close(self) -> None: ...


OpenPort = Callable[[Scanner, int], Port]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The scanner lives, and this is what it said of itself."""

    about: About
    refused: bool  #: it did not know the question
    counts: Counts


@dataclass(eq=False)
class NoAnswerError(Exception):
    """No answer. `finding` is one word, `reason` the sentence a person reads."""

    finding: str
    reason: str
    code: str = SILENT
    counts: Counts = field(default_factory=Counts)
    received_bytes: int = 0  #: of what is no code; a code is not even measured


def open_serial(config: Scanner, baud: int) -> Port:
    """Open the port exclusively. Blocking; raises OSError (also pyserial's) or termios.error."""
    import serial

    parity = {
        "none": serial.PARITY_NONE,
        "even": serial.PARITY_EVEN,
        "odd": serial.PARITY_ODD,
    }
    port = serial.Serial(
        config.device,
        baudrate=baud,
        parity=parity[config.parity],
        timeout=0,
        write_timeout=0,
        exclusive=True,
    )
    try:
        # pyserial sets VMIN=0, with which an empty line and a hung-up one read the same.
        attributes = termios.tcgetattr(port.fileno())
        attributes[6][termios.VMIN] = 1
        attributes[6][termios.VTIME] = 0
        termios.tcsetattr(port.fileno(), termios.TCSANOW, attributes)
        os.set_blocking(port.fileno(), False)
    except BaseException:
        port.close()
        raise
    return port


def shut(port: Port) -> None:
    """Close it; unsent bytes would make that wait for up to 30 s."""
    with contextlib.suppress(termios.error):
        termios.tcflush(port.fileno(), termios.TCIOFLUSH)
    port.close()


async def converse(fd: int, dialect: Dialect, config: Scanner) -> Answer:
    """Put all questions of one dialect. Raises NoAnswerError, and OSError once the port is gone."""
    about, refused = About(), False
    reads = no_reads = 0
    failure: NoAnswerError | None = None
    for question in dialect.questions:
        if failure is not None and not question.always:
            continue
        try:
            said = await _ask(fd, question, config)
        except NoAnswerError as nothing:
            reads, no_reads = reads + nothing.counts.reads, no_reads + nothing.counts.no_reads
            failure = failure or nothing
            continue
        about = about.with_more(said.about)
        refused = refused or said.verdict is Verdict.REFUSED
        reads, no_reads = reads + said.counts.reads, no_reads + said.counts.no_reads
    counts = Counts(reads=reads, no_reads=no_reads)
    if failure is not None:
        failure.counts = counts
        raise failure
    return Answer(about=about, refused=refused, counts=counts)


async def _ask(fd: int, question: Question, config: Scanner) -> Judgement:
    received = bytearray()
    try:
        early = question.judge(drained(fd))
        if early.verdict is not Verdict.WAITING:
            # The reply to a question nobody waited for any more, or to somebody else's.
            await settle(fd)
        for sent in filter(None, (question.sent, question.again)):
            _send(fd, sent, config)
            said = await _reply(fd, question, received, config.answer_timeout_s)
            match said:
                case Judgement(verdict=Verdict.ANSWERED | Verdict.REFUSED):
                    return _with(said, early)
                case Judgement(verdict=Verdict.OTHER):
                    await settle(fd)
                    raise _out_of_step(config, question, said.counts)
            if received:
                break
        raise _no_answer(config, question, bytes(received))
    finally:
        received[:] = bytes(len(received))


async def _reply(
    fd: int, question: Question, received: bytearray, timeout_s: float
) -> Judgement | None:
    """The reply, taken in as long as it keeps coming; None: there was none."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(TRICKLE * timeout_s):
            while len(received) < RECEIVED_MAX_BYTES:
                async with asyncio.timeout(timeout_s):
                    received += await receive(fd)
                said = question.judge(bytes(received))
                if said.verdict is not Verdict.WAITING:
                    return said
    return None


def _with(said: Judgement, early: Judgement) -> Judgement:
    if early.verdict is not Verdict.WAITING:
        return said
    counts = Counts(
        reads=said.counts.reads + early.counts.reads,
        no_reads=said.counts.no_reads + early.counts.no_reads,
    )
    return Judgement(verdict=said.verdict, about=said.about, counts=counts)


def _out_of_step(config: Scanner, question: Question, counts: Counts) -> NoAnswerError:
    return NoAnswerError(
        "out_of_step",
        f"{config.device} answers another question than {question.name}: another program may be "
        "asking the same scanner, or the line hands answers over late",
        counts=counts,
    )


def _no_answer(config: Scanner, question: Question, received: bytes) -> NoAnswerError:
    size, path = len(received), config.device
    counts = question.judge(received).counts
    if received.startswith(question.sent):
        return NoAnswerError(
            "echo",
            f"{path} sends back what it is asked: a modem, a console or a loopback plug is on "
            "that line, not a scanner",
            MISMATCH,
            received_bytes=size,
        )
    if counts.strange_bytes:
        return NoAnswerError(
            "garbage",
            f"bytes arrive on {path} but make no sense as a scanner's: the speed ({config.baud} "
            f"baud) or parity ({config.parity}) is probably wrong",
            MISMATCH,
            received_bytes=size,
        )
    return NoAnswerError(
        "silent",
        f"no answer on {path} within {config.answer_timeout_s:g} s: wake the scanner, check its "
        f"cable, that its speed is {config.baud} baud, and [scanner] dialect",
        counts=counts,
    )


def _send(fd: int, sent: bytes, config: Scanner) -> None:
    try:
        complete = os.write(fd, sent) == len(sent)
    except BlockingIOError:
        complete = False
    if not complete:
        raise NoAnswerError(
            "blocked", f"{config.device} does not accept a question: check the scanner's cable"
        )


def drained(fd: int) -> bytes:
    """Everything that has arrived already. Raises OSError once the port is gone."""
    taken = bytearray()
    with contextlib.suppress(BlockingIOError):
        while len(taken) < RECEIVED_MAX_BYTES:
            taken += some(fd)
    return bytes(taken)


def some(fd: int) -> bytes:
    """What there is. Raises BlockingIOError for nothing, OSError once the port is gone."""
    taken = os.read(fd, 256)
    if not taken:
        raise OSError(errno.EIO, "hung up")
    return taken


async def receive(fd: int) -> bytes:
    """The next bytes to arrive."""
    loop = asyncio.get_running_loop()
    while True:
        with contextlib.suppress(BlockingIOError):
            return some(fd)
        readable = loop.create_future()
        loop.add_reader(fd, _wake, readable)
        try:
            await readable
        finally:
            loop.remove_reader(fd)


def _wake(readable: asyncio.Future[None]) -> None:
    if not readable.done():
        readable.set_result(None)


async def settle(fd: int) -> None:
    """Throw away what arrives until the line is quiet, or for SETTLE_MAX_S."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SETTLE_MAX_S):
            while True:
                async with asyncio.timeout(QUIET_S):
                    await receive(fd)


def open_problem(path: str, error: Exception) -> NoAnswerError:
    """Why the port could not be opened."""
    match number_of(error):
        case errno.ENOENT | errno.ENODEV | errno.ENXIO | errno.ENOTDIR | errno.ELOOP:
            return NoAnswerError(
                "missing",
                f"{path} does not exist: plug the scanner in again, and check that [scanner] "
                "device names the right port",
                GONE,
            )
        case errno.EPERM:  # of the device's own mode it would be EACCES
            return NoAnswerError(
                "permission",
                f"the sandbox the agent runs in does not let it open {path}: allow the device "
                "there (systemd: DeviceAllow= by `systemctl edit posagent`), and restart the agent",
            )
        case errno.EACCES:
            return NoAnswerError(
                "permission",
                f"no right to open {path}: add the agent's user to the group that owns the port, "
                "often dialout",
            )
        case errno.EBUSY | errno.EAGAIN:
            return NoAnswerError(
                "busy",
                f"{path} is in use by another program, often the payment app: let that program "
                'report the scanner\'s state, or set [scanner] open = "never"',
            )
        case errno.ENOTTY | errno.EISDIR | errno.EINVAL:
            return NoAnswerError(
                "not_serial",
                f"{path} is not a serial line with these settings: check [scanner] device, baud "
                'and parity; a keyboard scanner has dialect = "hid"',
                MISMATCH,
            )
        case errno.EIO:
            return NoAnswerError(
                "no_hardware",
                f"{path} exists but nothing is behind it (input/output error): check that "
                "[scanner] device names the right port",
            )
    return NoAnswerError("open_failed", f"{path} cannot be opened: {error}")
