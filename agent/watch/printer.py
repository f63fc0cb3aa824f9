"""The printer watcher: asks a serial ESC/POS printer how it is, and disturbs nothing.

Decides whether the printer answered and with what; leaves the meaning of the bytes to
`agent.watch.drivers.escpos` and what is worth an alarm to the health conditions. It sends DLE EOT
1 to 4 and never anything else: those are answered at once, off-line or not, and change nothing in
a receipt being printed. The watcher runner calls `read` every `period_s`.

Only opening and closing (which can hang in a driver) cost a thread; the exchange itself runs on
the event loop, so a silent printer costs nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import termios
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Protocol, TypeVar

from agent.config.devices import Printer
from agent.core.health.reading import NotFitted, Outcome, Reading, Unknown
from agent.watch.drivers import escpos

log = logging.getLogger(__name__)

component = "printer"

OPEN_DEADLINE_S = 5.0
CLOSE_DEADLINE_S = 2.0
#: After bytes that make no sense: the line is left alone until it was quiet this long...
QUIET_S = 0.05
#: ...or for at most this long.
SETTLE_MAX_S = 0.5
#: A silent port is kept open, but not for ever: another program may have changed its speed.
SILENT_READS_BEFORE_REOPEN = 6
#: Epson: at most six real-time queries, then wait for all replies.
QUERIES_MAX = 6
SEQUENCES = 2
EVIDENCE_MAX_BYTES = 32
DRAIN_MAX_BYTES = 65_536

T = TypeVar("T")


class Blocking(Protocol):
    """Runs a blocking call in a thread nobody waits for longer than the deadline."""

    async def call(self, name: str, function: Callable[[], T], deadline_s: float) -> T: ...


class Port(Protocol):
    """An open serial port: its descriptor does not block and reports hang-ups as end of file."""

    def fileno(self) -> int: ...

    def close(self) -> None: ...


OpenPort = Callable[[Printer], Port]


def open_serial(config: Printer) -> Port:
    """Open the port exclusively. Blocking; raises OSError (also pyserial's) or termios.error."""
    import serial

    parity = {
        "none": serial.PARITY_NONE,
        "even": serial.PARITY_EVEN,
        "odd": serial.PARITY_ODD,
    }
    port = serial.Serial(
        config.device,
        baudrate=config.baud,
        parity=parity[config.parity],
        timeout=0,
        write_timeout=0,
        rtscts=config.flow == "rtscts",
        dsrdtr=config.flow == "dsrdtr",
        xonxoff=config.flow == "xonxoff",
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


def build(config: Printer, blocking: Blocking, open_port: OpenPort = open_serial) -> PrinterWatcher:
    """The watcher of the printer `config` names; without a device it reads NotFitted."""
    return PrinterWatcher(config, blocking, open_port)


class PrinterWatcher:
    """Reads one printer over one serial port, kept open between reads."""

    def __init__(self, config: Printer, blocking: Blocking, open_port: OpenPort) -> None:
        self.component = component
        self.period_s = config.period_s
        # The slowest read: opened, then two full sequences in which every answer is just in time.
        self.deadline_s = (
            OPEN_DEADLINE_S
            + CLOSE_DEADLINE_S
            + SEQUENCES * (QUERIES_MAX * config.answer_timeout_s + SETTLE_MAX_S)
        )
        self._config = config
        self._blocking = blocking
        self._open_port = open_port
        self._port: Port | None = None
        self._silent_reads = 0

    async def read(self) -> Outcome:
        """How the printer is now, or why that cannot be said."""
        if not self._config.device:
            return NotFitted()
        try:
            if self._port is None:
                self._port = await self._open()
            reading = await self._converse(self._port.fileno())
        except _NoReadingError as nothing:
            self._silent_reads = self._silent_reads + 1 if nothing.finding == "silent" else 0
            if not nothing.keep_open or self._silent_reads >= SILENT_READS_BEFORE_REOPEN:
                self._silent_reads = 0
                await self.close()
            return self._unknown(nothing)
        self._silent_reads = 0
        return reading

    async def close(self) -> None:
        """Let go of the port, if it is open."""
        port, self._port = self._port, None
        if port is None:
            return
        try:
            await self._blocking.call("printer.close", lambda: _shut(port), CLOSE_DEADLINE_S)
        except (OSError, TimeoutError) as error:
            log.warning(
                "event=printer_close_failed device=%s error=%r", self._config.device, str(error)
            )

    async def _open(self) -> Port:
        path = self._config.device
        opening = _Opening(lambda: self._open_port(self._config))
        try:
            return await self._blocking.call("printer.open", opening.run, OPEN_DEADLINE_S)
        except TimeoutError:
            opening.abandon()
            raise _NoReadingError(
                "open_hangs",
                f"opening {path} hangs in its driver: unplug and replug the printer's cable, "
                "or restart the terminal",
            ) from None
        except (OSError, termios.error, ValueError) as error:
            raise _open_problem(path, error) from error
        except BaseException:
            opening.abandon()
            raise

    async def _converse(self, fd: int) -> Reading:
        """Ask the whole sequence; once more when the answers were spoilt."""
        try:
            _drain(fd)
            for last in (False, True):
                try:
                    return _reading(self._config, await self._sequence(fd))
                except _NoReadingError as nothing:
                    if last or not nothing.again:
                        raise
                    await _settle(fd)
        except OSError as error:
            raise _NoReadingError(
                "unplugged",
                f"{self._config.device} went away while the printer was being asked "
                f"({error.strerror or error}): check the cable",
                keep_open=False,
            ) from error
        raise AssertionError("the second sequence returns or raises")

    async def _sequence(self, fd: int) -> dict[int, int]:
        answers = {n: await self._ask(fd, n) for n in escpos.QUERIES}
        # Some USB stacks hand back the byte of the query before, which would make "waiting for
        # paper" look like a broken printer. n=1 asked again gives that away; a second time too
        # when something is wrong, for the reply to n=4 may happen to look like the one to n=1.
        fine = all(escpos.decode(n, byte).ok for n, byte in answers.items())
        for _ in range(1 if fine else 2):
            again = await self._ask(fd, 1)
            if (again ^ answers[1]) & ~escpos.DRAWER_BIT:
                raise self._out_of_step(bytes((answers[1], again)))
        return answers

    async def _ask(self, fd: int, n: int) -> int:
        """Send one query and wait for its one byte."""
        early = _drain(fd)
        if escpos.judge(early)[0] in {escpos.Verdict.ANSWERED, escpos.Verdict.EXTRA}:
            raise self._out_of_step(early)
        sent = escpos.query(n)
        received = bytearray()
        answered = False
        try:
            _send(fd, sent, self._config.device)
            async with asyncio.timeout(self._config.answer_timeout_s):
                while True:
                    received += await _receive(fd)
                    verdict, byte = escpos.judge(bytes(received))
                    answered = verdict is not escpos.Verdict.WAITING
                    match verdict:
                        case escpos.Verdict.ANSWERED:
                            return byte
                        case escpos.Verdict.EXTRA:
                            raise self._out_of_step(bytes(received))
                        case escpos.Verdict.NONSENSE:
                            raise self._nonsense(bytes(received))
        except TimeoutError:
            if sent in received:
                raise self._echo(bytes(received)) from None
            if received:
                raise self._nonsense(bytes(received)) from None
            raise self._silent(n) from None
        finally:
            if not answered:
                # A line held by flow control must not save questions up for later, nor make the
                # closing of the port wait for them.
                _flush(fd, termios.TCOFLUSH)

    def _silent(self, n: int) -> _NoReadingError:
        path, config = self._config.device, self._config
        if n == 1:
            reason = (
                f"no answer on {path} within {config.answer_timeout_s:g} s: check the printer's "
                f"power and cable, and that its speed is {config.baud} baud"
            )
        else:
            reason = (
                f"the printer on {path} answered query {n - 1} but not query {n} within "
                f"{config.answer_timeout_s:g} s: check its power and cable, and whether it "
                "knows DLE EOT 1 to 4"
            )
        return _NoReadingError("silent", reason)

    def _nonsense(self, received: bytes) -> _NoReadingError:
        config = self._config
        return _NoReadingError(
            "garbage",
            f"bytes arrive on {config.device} but make no sense as printer status: the speed "
            f"({config.baud} baud) or parity ({config.parity}) is probably wrong",
            code="device.interface_mismatch",
            received=received,
            again=True,
            keep_open=False,
        )

    def _echo(self, received: bytes) -> _NoReadingError:
        return _NoReadingError(
            "echo",
            f"{self._config.device} sends back what it is asked: a modem, a console or a "
            "loopback plug is on that line, not a printer",
            code="device.interface_mismatch",
            received=received,
            keep_open=False,
        )

    def _out_of_step(self, received: bytes) -> _NoReadingError:
        return _NoReadingError(
            "out_of_step",
            f"answers on {self._config.device} do not fit the questions: another program may be "
            "asking the same printer, or the line hands answers over late",
            received=received,
            again=True,
        )

    def _unknown(self, nothing: _NoReadingError) -> Unknown:
        evidence = {"device": self._config.device, "finding": nothing.finding}
        if nothing.received:
            evidence["received"] = nothing.received[:EVIDENCE_MAX_BYTES].hex(" ")
        return Unknown(reason=nothing.reason, code=nothing.code, evidence=evidence)


@dataclass(eq=False)
class _NoReadingError(Exception):
    """The exchange ended without a reading; `finding` is one word, `reason` the sentence."""

    finding: str
    reason: str
    code: str = "printer.not_answering"
    received: bytes = b""
    again: bool = False  #: worth one more sequence at once
    keep_open: bool = True


class _Opening:
    """An open that may outlive its caller's patience: what nobody waits for is closed again."""

    def __init__(self, open_port: Callable[[], Port]) -> None:
        self._open_port = open_port
        self._lock = threading.Lock()
        self._abandoned = False
        self._port: Port | None = None

    def run(self) -> Port:
        port = self._open_port()
        with self._lock:
            self._port = port
            abandoned = self._abandoned
        if abandoned:
            _shut(port)
        return port

    def abandon(self) -> None:
        with self._lock:
            self._abandoned = True
            port = self._port
        if port is not None:
            _shut(port)


def _shut(port: Port) -> None:
    _flush(port.fileno(), termios.TCIOFLUSH)  # unsent bytes would make close() wait up to 30 s
    port.close()


def _flush(fd: int, queues: int) -> None:
    with contextlib.suppress(termios.error):
        termios.tcflush(fd, queues)


def _open_problem(path: str, error: Exception) -> _NoReadingError:
    number = _errno(error)
    match number:
        case errno.ENOENT | errno.ENODEV | errno.ENXIO | errno.ENOTDIR | errno.ELOOP:
            return _NoReadingError(
                "missing",
                f"{path} does not exist: check that the printer is plugged in and switched on, "
                "and that [printer] device names the right port",
            )
        case errno.EACCES | errno.EPERM:
            return _NoReadingError(
                "permission",
                f"no right to open {path}: add the agent's user to the group that owns the "
                "port, often dialout",
            )
        case errno.EBUSY | errno.EAGAIN:
            return _NoReadingError(
                "busy",
                f"{path} is in use by another program, often the payment app: release the port "
                "there, or let that program report the printer's status",
            )
        case errno.ENOTTY | errno.EISDIR | errno.EINVAL:
            return _NoReadingError(
                "not_serial",
                f"{path} is not a serial line with these settings: check [printer] device, baud "
                "and parity",
                code="device.interface_mismatch",
            )
        case errno.EIO:
            return _NoReadingError(
                "no_hardware",
                f"{path} exists but nothing is behind it (input/output error): check that "
                "[printer] device names the right port",
            )
    return _NoReadingError("open_failed", f"{path} cannot be opened: {error}")


def _errno(error: BaseException | None) -> int | None:
    """The number behind an error; pyserial and termios each hide it differently."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error.errno
        if isinstance(error, termios.error) and error.args:
            return int(error.args[0])
        error = error.__cause__ or error.__context__
    return None


def _reading(config: Printer, answers: dict[int, int]) -> Reading:
    faults = frozenset().union(*(escpos.decode(n, byte).faults for n, byte in answers.items()))
    state = escpos.state_of(faults)
    evidence = {"device": config.device}
    evidence |= {f"n{n}": f"{byte:02x}" for n, byte in answers.items()}
    if state.hardware_fault:
        evidence["error"] = f"0x{answers[3]:02x}"  # what a vendor's service asks for
    return Reading(values={**asdict(state), "offline": not state.online}, evidence=evidence)


def _send(fd: int, sent: bytes, path: str) -> None:
    try:
        complete = os.write(fd, sent) == len(sent)
    except BlockingIOError:
        complete = False
    if not complete:
        raise _NoReadingError(
            "silent",
            f"{path} does not accept a question: flow control holds the line, check the "
            "printer's power and cable and [printer] flow",
        )


def _drain(fd: int) -> bytes:
    """Everything that has arrived already. Raises OSError once the port is gone."""
    drained = bytearray()
    with contextlib.suppress(BlockingIOError):
        while len(drained) < DRAIN_MAX_BYTES:
            drained += _some(fd)
    return bytes(drained)


def _some(fd: int) -> bytes:
    some = os.read(fd, 256)
    if not some:
        raise OSError(errno.EIO, "hung up")
    return some


async def _receive(fd: int) -> bytes:
    """The next bytes to arrive."""
    loop = asyncio.get_running_loop()
    while True:
        with contextlib.suppress(BlockingIOError):
            return _some(fd)
        readable = loop.create_future()
        loop.add_reader(fd, _wake, readable)
        try:
            await readable
        finally:
            loop.remove_reader(fd)


def _wake(readable: asyncio.Future[None]) -> None:
    if not readable.done():
        readable.set_result(None)


async def _settle(fd: int) -> None:
    """Throw away what arrives until the line is quiet, or for SETTLE_MAX_S."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SETTLE_MAX_S):
            while True:
                async with asyncio.timeout(QUIET_S):
                    await _receive(fd)
