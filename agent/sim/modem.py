"""A simulated cellular modem: its AT port on a pseudo terminal, its SIM and network switchable.

For demonstrations, tests and anyone who writes a driver without a modem on the desk. It answers
what a watcher asks of a modem, and also what none should ask (IMEI, IMSI, ICCID: invented numbers),
so that a test can show that nobody did. Switched while it runs by calling `switch(...)`, or from
another process through a control socket (`serve`; `help` lists the words).

Knows nothing of the agent and takes no tables from it. Needs a running asyncio loop and no thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import tty
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from agent.sim.language import Language

#: Nobody's: test numbers with the form of real ones.
IMEI, IMSI, ICCID = "860000000000017", "460000000000011", "89860000000000000013"
GARBAGE = b"\xf8\x80\xfe\x00\x1f\xa5\xff"
#: Without a reader the port is looked at this often.
LOOK_S = 0.01
LINE_MAX_BYTES = 400

MAKERS: Mapping[str, tuple[str, str, str]] = {
    "quectel": ("Quectel", "EC25", "EC25EFAR06A06M4G"),
    "ublox": ("u-blox", "SARA-R410M-02B", "02.03"),
    "telit": ("Telit", "LE910C1-EU", "25.30.224"),
    "plain": ("SimCom", "SIM7600E-H", "SIM7600M22_V2.0"),
}
_ACCESS: Mapping[str, int] = {"gsm": 0, "umts": 2, "hspa": 6, "lte": 7}
_STATES: Mapping[str, int] = {"idle": 0, "home": 1, "searching": 2, "denied": 3, "roaming": 5}
_PIN: Mapping[str, str] = {"ready": "READY", "pin": "SIM PIN", "puk": "SIM PUK"}
_NO_SIM: Mapping[str, tuple[int, str]] = {
    "absent": (10, "SIM not inserted"),
    "failed": (13, "SIM failure"),
    "busy": (14, "SIM busy"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """How the modem is."""

    sim: str = "ready"  #: ready, pin, puk, absent, failed, busy
    network: str = "home"  #: home, roaming, searching, denied, idle
    technology: str = "lte"
    rsrp_dbm: int = -85
    rsrq_db: int = -10
    rssi_dbm: int = -61
    operator: str = "46000"
    silent: bool = False
    garbage: bool = False
    #: Lines of its own accord between the lines of its answers.
    chatter: bool = False
    #: Says ERROR to questions newer than GSM.
    old: bool = False
    slow_s: float = 0.0


class Brain:
    """What a modem answers; it knows no line."""

    def __init__(self, maker: str) -> None:
        self.maker = maker
        self.conditions = Conditions()
        self.echo = True
        self._worded = 0  # +CMEE

    def wake(self) -> None:
        """Power came: what was set is forgotten."""
        self.echo, self._worded = True, 0

    def answer(self, command: str) -> list[str]:
        """The lines to one command, the final result code last."""
        told = self._settings(command)
        if told is None:
            told = self._told(command)
        lines = told if told is not None else ["ERROR"]
        if told is not None and lines[-1:] != [self._refusal()]:
            lines = [*lines, "OK"]
        if not self.conditions.chatter:
            return lines
        # What modems say without being asked, among it what nobody may keep.
        return [f"^SIMST: {IMSI},1", "+CREG: 2", *lines[:-1], f"+ICCID: {ICCID}", lines[-1]]

    def _settings(self, command: str) -> list[str] | None:
        match command:
            case "AT":
                return []
            case "ATE0" | "ATE1":
                self.echo = command == "ATE1"
                return []
            case "AT+CMEE=0" | "AT+CMEE=1" | "AT+CMEE=2":
                self._worded = int(command[-1])
                return []
        return None

    def _told(self, command: str) -> list[str] | None:
        now = self.conditions
        make, model, firmware = MAKERS[self.maker]
        fixed = {
            "AT+CGMI": [make],
            "AT+CGMM": [model],
            "AT+CGMR": [firmware],
            "AT+CGSN": [IMEI],
            "ATI": [make, model, f"IMEI: {IMEI}"],
        }
        if command in fixed:
            return fixed[command]
        match command:
            case "AT+CPIN?":
                return self._pin()
            case "AT+CIMI" | "AT+CCID" | "AT+QCCID":
                number = IMSI if command == "AT+CIMI" else ICCID
                return [number] if now.sim == "ready" else [self._refusal()]
            case "AT+CSQ":
                return [f"+CSQ: {self._csq()}"]
            case "AT+CESQ" if not now.old:
                return [f"+CESQ: {self._cesq()}"]
            case "AT+CREG?" | "AT+CGREG?":
                return [f"{command[2:-1]}: 0,{self._state()}"]
            case "AT+CEREG?" if not now.old:
                return [f"+CEREG: 2,{self._cell()}"]
            case "AT+COPS?":
                return [self._cops()]
            case 'AT+QENG="SERVINGCELL"' if self.maker == "quectel":
                return [self._serving_cell()]
            case "AT+QCSQ" if self.maker == "quectel":
                return [f'+QCSQ: "LTE",{now.rssi_dbm},{now.rsrp_dbm},150,{now.rsrq_db}']
        return None

    def _pin(self) -> list[str]:
        if self.conditions.sim in _PIN:
            return [f"+CPIN: {_PIN[self.conditions.sim]}"]
        return [self._refusal()]

    def _refusal(self) -> str:
        """Why the SIM says no, as wordy as +CMEE asked for; "" while it says yes."""
        if self.conditions.sim not in _NO_SIM:
            return ""
        number, words = _NO_SIM[self.conditions.sim]
        return {0: "ERROR", 1: f"+CME ERROR: {number}", 2: f"+CME ERROR: {words}"}[self._worded]

    @property
    def _served(self) -> bool:
        return self.conditions.sim == "ready" and self.conditions.network in ("home", "roaming")

    def _state(self) -> int:
        return _STATES[self.conditions.network] if self.conditions.sim == "ready" else 0

    def _cell(self) -> str:
        served = f',"1A2B","01C3D4E5",{_ACCESS[self.conditions.technology]}' if self._served else ""
        return f"{self._state()}{served}"

    def _cops(self) -> str:
        now = self.conditions
        served = f',2,"{now.operator}",{_ACCESS[now.technology]}' if self._served else ""
        return f"+COPS: 0{served}"

    def _csq(self) -> str:
        now = self.conditions
        if now.network == "searching" or now.sim != "ready":
            return "99,99"
        heard = now.rssi_dbm
        if now.technology == "lte" and self.maker == "ublox":
            heard = now.rsrp_dbm + 28  # this maker fits RSRP into the scale
        second = 99
        if now.technology == "lte" and self.maker in ("ublox", "telit"):
            second = max(0, min(7, (-now.rsrq_db) // 3))
        return f"{max(0, min(31, (heard + 113) // 2))},{second}"

    def _cesq(self) -> str:
        now = self.conditions
        if not self._served or now.technology != "lte":
            index = max(0, min(63, now.rssi_dbm + 110)) if self._served else 99
            return f"{index},99,255,255,255,255"
        rsrq = max(0, min(34, round((now.rsrq_db + 19.5) * 2)))
        return f"99,99,255,255,{rsrq},{max(0, min(97, now.rsrp_dbm + 140))}"

    def _serving_cell(self) -> str:
        now = self.conditions
        if not self._served:
            return '+QENG: "servingcell","SEARCH"'
        return (
            f'+QENG: "servingcell","NOCONN","LTE","FDD",{now.operator[:3]},{now.operator[3:]},'
            f"5F1EA15,155,1650,3,5,5,DE10,{now.rsrp_dbm},{now.rsrq_db},{now.rssi_dbm},12,34"
        )


class SimulatedModem:
    """A modem at `path`, a symbolic link to a pseudo terminal."""

    def __init__(self, path: Path, maker: str = "quectel") -> None:
        self.path = path
        self.brain = Brain(maker)
        self.asked: list[str] = []  #: every command it was given
        self._line = bytearray()
        self._master: int | None = None
        self._timers: set[asyncio.TimerHandle] = set()

    async def __aenter__(self) -> Self:
        self.plug()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.unplug()

    @property
    def conditions(self) -> Conditions:
        return self.brain.conditions

    @property
    def plugged(self) -> bool:
        return self._master is not None

    def switch(self, **changes: object) -> None:
        """Change conditions by name: `switch(sim="absent", rsrp_dbm=-120)`."""
        unknown = changes.keys() - asdict(self.conditions).keys()
        if unknown:
            raise ValueError(f"no such condition: {', '.join(sorted(unknown))}")
        self.brain.conditions = replace(self.conditions, **changes)  # type: ignore[arg-type]  # names checked

    def reset(self) -> None:
        """Everything fine again, the modem in."""
        self.brain.conditions = Conditions()
        self.plug()

    def plug(self) -> None:
        """The port appears. Needs the running loop."""
        if self._master is not None:
            return
        master, slave = os.openpty()
        name = os.ttyname(slave)
        tty.setraw(slave)  # nobody has it open yet whose echo would be heard as questions
        os.set_blocking(master, False)
        os.close(slave)
        self._master = master
        self.brain.wake()
        self._wait_for_reader(master)
        fresh = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(name)
        fresh.replace(self.path)

    def unplug(self) -> None:
        """It falls off its bus: the port vanishes, whoever has it open sees a hang-up."""
        if self._master is None:
            return
        master, self._master = self._master, None
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        asyncio.get_running_loop().remove_reader(master)
        if self.path.is_symlink():
            self.path.unlink()
        os.close(master)

    # -- the line ------------------------------------------------------------------------------

    def _wait_for_reader(self, master: int) -> None:
        """Nobody has the port open: reading would say "hung up" over and over."""
        if self._master != master:
            return
        if self._read_by_somebody(master):
            asyncio.get_running_loop().add_reader(master, self._on_bytes, master)
        else:
            self._later(LOOK_S, lambda: self._wait_for_reader(master))

    def _read_by_somebody(self, master: int) -> bool:
        poll = select.poll()
        poll.register(master, select.POLLIN)
        return not any(events & select.POLLHUP for _, events in poll.poll(0))

    def _on_bytes(self, master: int) -> None:
        try:
            received = os.read(master, 4096)
        except BlockingIOError:
            return
        except OSError:  # the last reader closed the port
            self._line.clear()
            asyncio.get_running_loop().remove_reader(master)
            self._wait_for_reader(master)
            return
        if self.conditions.silent:
            return
        self._line += received
        while b"\r" in self._line:
            line, _, rest = bytes(self._line).partition(b"\r")
            self._line[:] = rest
            self._obey(line.decode("ascii", "replace").strip())
        del self._line[:-LINE_MAX_BYTES]

    def _obey(self, command: str) -> None:
        self.asked.append(command)
        del self.asked[:-1000]
        echo = f"{command}\r" if self.brain.echo else ""
        said = echo + "".join(f"\r\n{line}\r\n" for line in self.brain.answer(command.upper()))
        sent = GARBAGE if self.conditions.garbage else said.encode("ascii")
        if self.conditions.slow_s:
            self._later(self.conditions.slow_s, lambda: self._write(sent))
        else:
            self._write(sent)

    def _write(self, sent: bytes) -> None:
        master = self._master
        if master is None or not self._read_by_somebody(master):
            return  # nobody reads: lost, as on a real one
        with contextlib.suppress(BlockingIOError):
            os.write(master, sent)

    def _later(self, after_s: float, call: Callable[[], None]) -> None:
        def due() -> None:
            self._timers.discard(timer)
            call()

        timer = asyncio.get_running_loop().call_later(after_s, due)
        self._timers.add(timer)


def _status(modem: SimulatedModem) -> dict[str, object]:
    about = {"maker": modem.brain.maker, "path": str(modem.path), "plugged": modem.plugged}
    return about | {"asked": len(modem.asked)} | asdict(modem.conditions)


LANGUAGE = Language[SimulatedModem](
    switches={
        "sim": {
            word: {"sim": word} for word in ("ready", "absent", "pin", "puk", "failed", "busy")
        },
        "network": {word: {"network": word} for word in _STATES},
        "technology": {word: {"technology": word} for word in _ACCESS},
        "power": {"on": {"silent": False}, "off": {"silent": True}},
        "garbage": {"off": {"garbage": False}, "on": {"garbage": True}},
        "chatter": {"off": {"chatter": False}, "on": {"chatter": True}},
        "old": {"off": {"old": False}, "on": {"old": True}},
    },
    actions={
        ("cable", "in"): SimulatedModem.plug,
        ("cable", "out"): SimulatedModem.unplug,
        ("reset", ""): SimulatedModem.reset,
    },
    numbers={
        "rsrp": ("rsrp_dbm", -140, -44, int),
        "rsrq": ("rsrq_db", -20, -3, int),
        "rssi": ("rssi_dbm", -113, -51, int),
        "slow": ("slow_s", 0, 3_600, float),
    },
    status=_status,
)
obey = LANGUAGE.obey
