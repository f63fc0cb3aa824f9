"""A modem on its AT port, where nobody else has it: opened, asked, closed again.

Decides whether the port may be opened at all: not while another program holds it, not where that
cannot be seen, and not where a modem daemon (ModemManager, rild, ofono) runs, which opens ports
whenever it likes and would lose its answers to us. Asks questions only; the one thing it sets is
how errors are worded (+CMEE), which the modem forgets by itself. IMEI, IMSI and ICCID are never
asked for. Opening can hang in a driver and goes through `Blocking`; the talk runs on the loop.
Loaded when [cellular] names a device.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import termios
import tty
from collections.abc import Callable, Iterable, Sequence
from dataclasses import field, replace
from functools import partial
from pathlib import Path

from agent.blocking import Blocking
from agent.clock import Clock
from agent.config.radio import Cellular
from agent.link.opening import Opening, number_of
from agent.link.owners import owner_of, processes, sees_everybody
from agent.record import dataclass
from agent.watch.drivers import at
from agent.watch.drivers.at import Answer, Signal
from agent.watch.quality.facts import Kind, NotReadable, RadioFacts, Registration, SimState

OPEN_S = 4.0
CLOSE_S = 1.0
#: Every command at its slowest is too long for a round; a modem that is this slow is heard out
#: once and counts as silent from there on.
TALK_S = 12.0
#: Programs that own every modem they find, port open or not (names as in /proc/PID/comm).
DAEMONS = ("ModemManager", "rild", "ofonod", "qcrild", "mtkrild")


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """Who else is there; tests hand in their own."""

    owner: Callable[[str], object | None] = owner_of
    daemon: Callable[[], str] = field(default_factory=lambda: daemon_of)
    sees_everybody: Callable[[], bool] = sees_everybody


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a modem calls itself; never a number of its own."""

    make: str = ""
    model: str = ""
    firmware: str = ""


class AtSource:
    """One modem on one port."""

    name = "at"

    def __init__(
        self, config: Cellular, blocking: Blocking, clock: Clock, around: Around | None = None
    ) -> None:
        self._config = config
        self._blocking = blocking
        self._clock = clock
        self._around = around or Around()
        self._unknown: set[str] = set()  #: commands this modem refused as such
        self._sim_state = SimState.UNKNOWN
        self.identity = Identity()

    async def read(self) -> Sequence[RadioFacts | NotReadable]:
        """The modem as it is now, or why it cannot be asked."""
        opening = Opening(self._open, os.close)
        try:
            fd = await self._blocking.call("signal.at", opening.run, OPEN_S)
        except TimeoutError:
            opening.abandon()
            return [self._not(f"opening {self._config.device} hangs")]
        except _HeldError as held:
            return [self._not(str(held))]
        except (OSError, termios.error) as error:
            return [self._not(_open_problem(self._config.device, error))]
        try:
            async with asyncio.timeout(TALK_S):
                return [await self._talk(_Talk(fd, self._config.answer_timeout_s))]
        except TimeoutError:
            return [self._not(f"the modem on {self._config.device} answers too slowly")]
        except _SilentError as silent:
            return [self._not(silent.reason(self._config))]
        except OSError:
            return [self._not(f"{self._config.device} went away while the modem was asked")]
        finally:
            await self._let_go(fd)

    async def close(self) -> None:
        """Nothing is kept open."""

    async def _let_go(self, fd: int) -> None:
        """Close it where it may hang; what was not sent would make it."""
        with contextlib.suppress(termios.error):
            termios.tcflush(fd, termios.TCIOFLUSH)
        with contextlib.suppress(TimeoutError):
            # A name for each: one that hangs must not keep the next from being closed.
            await self._blocking.call(f"signal.at.close {fd}", partial(os.close, fd), CLOSE_S)

    def _not(self, reason: str) -> NotReadable:
        return NotReadable(source=self.name, reason=reason, interface=self._config.interface)

    def _open(self) -> int:
        """In a thread: look who has it, then take it."""
        path, around = self._config.device, self._around
        if (daemon := around.daemon()) != "":
            raise _HeldError(f"{daemon} runs here and owns the modems: it is asked instead of them")
        if not Path(path).exists():
            raise FileNotFoundError(errno.ENOENT, "no such port", path)
        if (owner := around.owner(path)) is not None:
            raise _HeldError(f"{path} is in use by {owner}")
        if self._config.open == "when_free" and not around.sees_everybody():
            raise _HeldError(
                f"this agent cannot see whether another user's program holds {path}: give it "
                'CAP_SYS_PTRACE, or where none does set [cellular] open = "always"'
            )
        return open_port(path, self._config.baud)

    async def _talk(self, talk: _Talk) -> RadioFacts:
        if not await talk.wakes():
            raise _SilentError(garbage=talk.garbage)
        for setting in ("ATE0", "AT+CMEE=1"):
            await talk.ask(setting)
        if not self.identity.make:
            self.identity = Identity(
                make=_one(await talk.ask("AT+CGMI"), "+CGMI"),
                model=_one(await talk.ask("AT+CGMM"), "+CGMM"),
                firmware=_one(await talk.ask("AT+CGMR"), "+CGMR"),
            )
        sim = await self._ask(talk, "AT+CPIN?")
        state = at.sim_state(sim) if sim is not None else SimState.UNKNOWN
        if state is not self._sim_state:
            # Some modems answer every question about the network with ERROR while the SIM is out.
            self._sim_state = state
            self._unknown.clear()
        registration, technology = await self._registration(talk)
        operator = ""
        if registration in (Registration.HOME, Registration.ROAMING):
            told = await self._ask(talk, "AT+COPS?")
            operator, used = at.operator(_first(told, "+COPS"))
            technology = technology or used
        signal, technology = await self._signal(talk, technology)
        if not talk.heard:
            raise _SilentError(garbage=talk.garbage)
        return RadioFacts(
            kind=Kind.CELLULAR,
            source=self.name,
            interface=self._config.interface,
            updated_ms=self._clock.now().boot_ms,
            technology=technology,
            rssi_dbm=signal.rssi_dbm,
            rsrp_dbm=signal.rsrp_dbm,
            rsrq_db=signal.rsrq_db,
            sinr_db=signal.sinr_db,
            mapped=signal.mapped,
            registration=registration,
            sim_state=state,
            operator=operator,
        )

    async def _registration(self, talk: _Talk) -> tuple[Registration, str]:
        told: list[str] = []
        for name in ("CEREG", "CGREG", "CREG"):
            answer = await self._ask(talk, f"AT+{name}?")
            # The last: one that came by itself stands before the answer.
            told += [] if answer is None else answer.after(f"+{name}")[-1:]
        return at.registration(told)

    async def _signal(self, talk: _Talk, technology: str) -> tuple[Signal, str]:
        """CESQ and CSQ of any modem, and what Quectel says where these say too little."""
        found = at.cesq(_first(await self._ask(talk, "AT+CESQ"), "+CESQ"))
        if "quectel" in self.identity.make.lower() and found.rsrp_dbm is None:
            cell = at.serving_cell(_first(await self._ask(talk, 'AT+QENG="servingcell"'), "+QENG"))
            if cell is not None:
                found, technology = cell[0], technology or cell[1]
            # Cached on some of them: only where the cell itself was not told.
            if found.rsrp_dbm is None:
                found = _better(found, at.qcsq(_first(await self._ask(talk, "AT+QCSQ"), "+QCSQ")))
        if found.rsrp_dbm is None:
            found = _better(
                found, at.csq(_first(await self._ask(talk, "AT+CSQ"), "+CSQ"), technology)
            )
        return found, technology

    async def _ask(self, talk: _Talk, command: str) -> Answer | None:
        """None where this modem does not know the command, or says nothing to it."""
        if command in self._unknown:
            return None
        answer = await talk.ask(command)
        if answer is not None and not answer.ok and not answer.error:
            # A bare ERROR with +CMEE=1 is a command it has not; a reason would have been worded.
            self._unknown.add(command)
        return answer


class _Talk:
    """Questions and answers on an open port."""

    def __init__(self, fd: int, timeout_s: float) -> None:
        self._fd = fd
        self._timeout_s = timeout_s
        self._misses = 0
        self.heard = 0
        self.garbage = False

    async def wakes(self) -> bool:
        """Whether anybody answers: the first command also sets the speed of some."""
        for _ in range(2):
            answer = await self.ask("AT")
            if answer is not None:
                return True
        return False

    async def ask(self, command: str) -> Answer | None:
        """The finished answer; None where none came in time. Raises OSError once it is gone."""
        if self._misses > 2:
            return None  # it has fallen silent: the rest would only take time
        received = bytearray()
        _drain(self._fd)
        with contextlib.suppress(BlockingIOError):
            os.write(self._fd, f"{command}\r".encode("ascii"))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timeout_s):
                while len(received) < at.ANSWER_MAX_BYTES:
                    received += await _receive(self._fd)
                    answer = at.answer_in(bytes(received), command)
                    if answer is not None:
                        self._misses = 0
                        self.heard += command != "AT"
                        return answer
        self.garbage = self.garbage or bool(received)
        self._misses += 1
        return None


@dataclass(eq=False)
class _HeldError(Exception):
    """The port is somebody else's."""

    why: str

    def __str__(self) -> str:
        return self.why


@dataclass(eq=False)
class _SilentError(Exception):
    """Nobody answers, or nothing that makes sense."""

    garbage: bool

    def reason(self, config: Cellular) -> str:
        if self.garbage:
            return (
                f"bytes arrive on {config.device} but make no sense as a modem's: check [cellular] "
                f"baud (now {config.baud}) and that device names the modem's AT port"
            )
        return (
            f"no answer on {config.device} within {config.answer_timeout_s:g} s: check that "
            "[cellular] device names the modem's AT port and that the modem has power"
        )


def open_port(path: str, baud: int) -> int:
    """The port for ourselves alone, raw. Blocking; raises OSError or termios.error."""
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.ioctl(fd, termios.TIOCEXCL)
        tty.setraw(fd, termios.TCSANOW)
        attributes = termios.tcgetattr(fd)
        attributes[2] |= termios.CLOCAL | termios.CREAD
        # Dropping DTR at every close would hang up, or reset, some modems.
        attributes[2] &= ~(termios.HUPCL | termios.CRTSCTS)
        attributes[4] = attributes[5] = getattr(termios, f"B{baud}")
        termios.tcsetattr(fd, termios.TCSANOW, attributes)
    except BaseException:
        os.close(fd)
        raise
    return fd


def daemon_of(proc: Path = Path("/proc"), names: Iterable[str] = DAEMONS) -> str:
    """A running program that owns modems by its nature; "" where none is seen."""
    wanted = frozenset(names)
    for pid in processes(proc):
        try:
            name = (proc / str(pid) / "comm").read_text("utf-8", "replace").strip()
        except OSError:
            continue
        if name in wanted:
            return name
    return ""


def _better(found: Signal, more: Signal) -> Signal:
    """`found`, with what only `more` knows."""
    rssi_new = found.rssi_dbm is None and more.rssi_dbm is not None
    return replace(
        found,
        rssi_dbm=more.rssi_dbm if rssi_new else found.rssi_dbm,
        mapped=more.mapped if rssi_new else found.mapped,
        rsrp_dbm=more.rsrp_dbm if found.rsrp_dbm is None else found.rsrp_dbm,
        rsrq_db=more.rsrq_db if found.rsrq_db is None else found.rsrq_db,
    )


def _first(answer: Answer | None, prefix: str) -> str:
    told = [] if answer is None else answer.after(prefix)
    return told[-1] if told else ""


def _one(answer: Answer | None, prefix: str) -> str:
    """The single line of an identity question, with or without its prefix."""
    if answer is None or not answer.ok or not answer.lines:
        return ""
    line = answer.lines[-1].removeprefix(f"{prefix}:").strip().strip('"')
    return "".join(one for one in line if one.isprintable() and one != "\ufffd")[:48]


def _open_problem(path: str, error: Exception) -> str:
    match number_of(error):
        case errno.ENOENT | errno.ENODEV | errno.ENXIO | errno.ENOTDIR | errno.ELOOP:
            return f"{path} does not exist: check the modem, and that [cellular] device is its port"
        case errno.EACCES | errno.EPERM:
            return (
                f"no right to open {path}: add the agent's user to the group that owns the port, "
                "often dialout"
            )
        case errno.EBUSY | errno.EAGAIN:
            return f"{path} is in use by another program"
        case errno.ENOTTY | errno.EISDIR | errno.EINVAL:
            return f"{path} is not a serial line: check [cellular] device"
        case _:
            return f"{path} cannot be opened: {error}"


def _drain(fd: int) -> None:
    with contextlib.suppress(BlockingIOError):
        for _ in range(64):
            _some(fd)


def _some(fd: int) -> bytes:
    taken = os.read(fd, 512)
    if not taken:
        raise OSError(errno.EIO, "hung up")
    return taken


async def _receive(fd: int) -> bytes:
    loop = asyncio.get_running_loop()
    while True:
        with contextlib.suppress(BlockingIOError):
            return _some(fd)
        readable: asyncio.Future[None] = loop.create_future()
        loop.add_reader(fd, _wake, readable)
        try:
            await readable
        finally:
            loop.remove_reader(fd)


def _wake(readable: asyncio.Future[None]) -> None:
    if not readable.done():
        readable.set_result(None)
