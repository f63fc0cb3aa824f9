"""What is attached to the terminal, what happens to it, and what the daemon must say of that.

Each device has its table of the configuration and its checks. Without that table nobody watches it,
which is the control: a check that holds all the same proves nothing.
"""

from __future__ import annotations

import select
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.rig.guest import gadgets
from tests.rig.guest.checks import Check, Component, Event, Told
from tests.rig.guest.players import Keypad, Player, Printer, Scanner, type_scan
from tests.rig.guest.results import RigError
from tests.rig.guest.terminal import components

PERIOD_S = 2.0
#: How long a thief may need to get hold of a port.
THEFT_S = 30.0
#: Opens again and again until it has the port, then keeps it. `reads` takes every byte that comes;
#: `holds` locks it, as pyserial and most payment apps do.
_THIEF = """\
import fcntl, os, sys, termios, time
path, how = sys.argv[1:]
print("tries", flush=True)
while True:
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        time.sleep(0.02)
        continue
    try:
        if how == "holds":
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.isatty(fd):
                fcntl.ioctl(fd, termios.TIOCEXCL)
        break
    except OSError:
        os.close(fd)
        time.sleep(0.02)
print("has it", flush=True)
# Whoever waits in read() holds the line's lock meanwhile, so that no answer gets past it.
os.set_blocking(fd, True)
while True:
    try:
        if how == "reads" and os.read(fd, 4096):
            continue
    except OSError:
        pass
    time.sleep(0.002 if how == "reads" else 60)
"""


@dataclass(slots=True)
class Thief:
    """Another process that opens a port, as a payment app that was started later would."""

    path: str
    how: Literal["reads", "holds"]
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def steal(self) -> None:
        """Returns when the port is open in that process."""
        self.wait()
        self.has_it()

    def wait(self) -> None:
        """Returns when it has begun to try."""
        self._process = subprocess.Popen(
            [sys.executable, "-c", _THIEF, self.path, self.how], stdout=subprocess.PIPE, bufsize=0
        )
        self._hear()

    def has_it(self) -> None:
        """Returns when it has the port; raises RigError when somebody else keeps it."""
        self._hear()

    def _hear(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], THEFT_S)
        if not ready:
            self.let_go()
            raise RigError(f"{self.path} could not be stolen within {THEFT_S:.0f} s")
        self._process.stdout.readline()

    def let_go(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(5.0)
        if self._process.stdout is not None:
            self._process.stdout.close()


def _nothing() -> None:
    """The device is played by nobody, or by another scene."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One device as the daemon watches it."""

    name: str
    table: str  # of the configuration
    component: str
    #: The component as told while all is well; the checks start from there.
    well: Callable[[Component], bool]
    checks: tuple[Check, ...]
    #: One of `checks`, done again without `table` and with `unwatched` instead.
    control: str
    unwatched: str = ""
    start: Callable[[], None] = _nothing
    stop: Callable[[], None] = _nothing


def _unplug(gadget: gadgets.Gadget, player: Player) -> Callable[[], None]:
    def act() -> None:
        player.expect_end()
        gadget.unplug()
        player.stop()

    return act


def _plug(gadget: gadgets.Gadget, player: Player) -> Callable[[], None]:
    def act() -> None:
        gadget.plug()
        player.start()

    return act


def _reads(**values: object) -> Callable[[Component], bool]:
    """The component is a reading with these values."""

    def judge(component: Component) -> bool:
        read = component["outcome"] == "reading"
        return read and all(component["values"].get(name) == each for name, each in values.items())

    return judge


def _stuck(component: Component) -> bool:
    return bool(
        component["outcome"] == "reading"
        and component["values"].get("stuck") in {"suspected", "confirmed"}
    )


def _in_use(component: Component) -> bool:
    """It cannot be said how it is, because another program has its port."""
    return _unknown(component) and "in use by" in component["reason"]


def _taken_at_plug_in(gadget: gadgets.Gadget, player: Player, thief: Thief) -> None:
    _unplug(gadget, player)()
    thief.wait()
    _plug(gadget, player)()
    thief.has_it()


def _write(file: Path, word: str) -> None:
    file.write_text(word)


def _unserved(component: Component) -> bool:
    """There is a device that no driver serves."""
    values = component.get("values", {})
    return bool(component["outcome"] == "reading" and values.get("not_recognised", 0) >= 1)


def _unknown(component: Component) -> bool:
    """It cannot be said how it is, and why is said."""
    return bool(component["outcome"] == "unknown" and component["reason"])


def serial_printer() -> Scene:
    """An ESC/POS printer on a serial line, the line being a USB serial device's."""
    gadget = gadgets.SERIAL_PRINTER
    player = Printer(gadget.played, printer_class=False)
    device = str(gadget.appears)
    thief, first = Thief(device, "reads"), Thief(device, "holds")
    return Scene(
        name="printer, serial (cdc-acm)",
        table=f'[printer]\ndevice = "{device}"\nbaud = 9600\nperiod_s = {PERIOD_S}\n',
        component="printer",
        well=_reads(paper="ok"),
        checks=(
            Check(
                name="paper out, serial",
                injected="the roll is empty: DLE EOT answers say so",
                component="printer",
                shown=_reads(paper="out"),
                told=Event("printer.paper_out", "printer"),
                inject=lambda: player.switch(paper="out"),
                heal=player.heal,
            ),
            Check(
                name="unplugged, serial",
                injected="the gadget is unbound from its bus",
                component="printer",
                shown=_unknown,
                told=Event("printer.not_answering", "printer"),
                inject=_unplug(gadget, player),
                heal=_plug(gadget, player),
            ),
            Check(
                name="port stolen, serial",
                injected="another process opens the port and reads all answers",
                component="printer",
                shown=_unknown,
                told=Event("printer.not_answering", "printer"),
                inject=thief.steal,
                heal=thief.let_go,
            ),
            Check(
                name="port taken, serial",
                injected="the cable is pulled; as it comes back another process locks the port",
                component="printer",
                shown=_in_use,
                told=Event("printer.not_answering", "printer"),
                inject=lambda: _taken_at_plug_in(gadget, player, first),
                heal=first.let_go,
            ),
        ),
        control="paper out, serial",
        start=player.start,
        stop=player.stop,
    )


def usb_printer() -> Scene:
    """An ESC/POS printer of the USB printer class, behind usblp."""
    gadget = gadgets.PRINTER
    player = Printer(gadget.played, printer_class=True)
    device = str(gadget.appears)
    thief = Thief(device, "holds")
    return Scene(
        name="printer, USB (usblp)",
        table=f'[printer]\ndevice = "{device}"\nperiod_s = {PERIOD_S}\n',
        component="printer",
        well=_reads(paper="ok"),
        checks=(
            Check(
                name="paper out, USB",
                injected="the roll is empty: DLE EOT answers and port status say so",
                component="printer",
                shown=_reads(paper="out"),
                told=Event("printer.paper_out", "printer"),
                inject=lambda: player.switch(paper="out"),
                heal=player.heal,
            ),
            Check(
                name="unplugged, USB",
                injected="the gadget is unbound from its bus",
                component="printer",
                shown=_unknown,
                told=Event("printer.not_answering", "printer"),
                inject=_unplug(gadget, player),
                heal=_plug(gadget, player),
            ),
            Check(
                name="port stolen, USB",
                injected="another process opens the port and keeps it",
                component="printer",
                shown=_reads(in_use=True),
                # Somebody prints: that is no alarm.
                told=Told("printer_in_use", True, (False, None)),
                inject=thief.steal,
                heal=thief.let_go,
            ),
        ),
        control="paper out, USB",
        start=player.start,
        stop=player.stop,
    )


def keypad() -> Scene:
    """A keypad the kernel shows as an input device."""
    sim = Keypad()
    return Scene(
        name="keypad (uinput)",
        table=f'[keypad]\ndevice = "{sim.appears}"\nperiod_s = {PERIOD_S}\n',
        component="keypad",
        well=_reads(present=True, stuck="no"),
        checks=(
            Check(
                name="stuck key",
                injected="a key goes down and stays down",
                component="keypad",
                shown=_stuck,
                told=Event("keypad.stuck_key", "keypad"),
                inject=lambda: sim.stick("5"),
                heal=sim.free,
            ),
            Check(
                name="unplugged, keypad",
                injected="the input device is destroyed",
                component="keypad",
                shown=_reads(present=False),
                told=Event("keypad.disconnected", "keypad"),
                inject=sim.unplug,
                heal=sim.plug,
            ),
        ),
        control="stuck key",
        start=sim.plug,
        stop=sim.unplug,
    )


def devices() -> Scene:
    """What is attached at all: a printer that no driver serves."""
    printer = f"{gadgets.PRINTER.vendor:04x}:{gadgets.PRINTER.product:04x}"
    driver = Path("/sys/bus/usb/drivers/usblp")
    interface = ""

    def take() -> None:
        nonlocal interface
        interface = Path("/sys/class/usbmisc/lp0/device").resolve().name
        (driver / "unbind").write_text(interface)

    return Scene(
        name="devices (discovery)",
        table="",
        component="devices",
        well=_reads(not_recognised=0),
        checks=(
            Check(
                name="no driver, USB",
                injected="usblp lets go of the printer, as where the driver is missing",
                component="devices",
                shown=_unserved,
                told=Event("device.not_recognised", "devices"),
                inject=take,
                heal=lambda: _write(driver / "bind", interface),
            ),
        ),
        control="no driver, USB",
        unwatched=f'[discovery]\nignore = ["{printer}"]\n',
    )


def serial_scanner() -> Scene:
    """A scanner on a USB serial line that answers its maker's query."""
    gadget = gadgets.SCANNER
    player = Scanner(gadget.played, "honeywell")
    device = str(gadget.appears)
    thief = Thief(device, "reads")
    return Scene(
        name="scanner, serial (cdc-acm)",
        # Nobody else uses this port: the agent may keep it and count good reads.
        table=f'[scanner]\ndevice = "{device}"\nopen = "always"\nperiod_s = {PERIOD_S}\n',
        component="scanner",
        well=_reads(connected=True, answers=True),
        checks=(
            Check(
                name="unplugged, scanner",
                injected="the gadget is unbound from its bus",
                component="scanner",
                shown=_unknown,
                told=Event("scanner.disconnected", "scanner"),
                inject=_unplug(gadget, player),
                heal=_plug(gadget, player),
            ),
            Check(
                name="port stolen, scanner",
                injected="another process opens the port and reads all answers",
                component="scanner",
                shown=_unknown,
                told=Event("scanner.not_answering", "scanner"),
                inject=thief.steal,
                heal=thief.let_go,
            ),
        ),
        control="unplugged, scanner",
        start=player.start,
        stop=player.stop,
    )


def hid_scanner() -> Scene:
    """A scanner in keyboard mode: seen by what the kernel shows of it, never opened."""
    gadget = gadgets.HID_SCANNER
    return Scene(
        name="scanner, keyboard (usbhid)",
        table=f'[scanner]\ndevice = "{gadget.appears}"\ndialect = "hid"\nperiod_s = {PERIOD_S}\n',
        component="scanner",
        well=_reads(connected=True),
        checks=(
            Check(
                name="unplugged, keyboard scanner",
                injected="the gadget is unbound from its bus",
                component="scanner",
                shown=_unknown,
                told=Event("scanner.disconnected", "scanner"),
                inject=gadget.unplug,
                heal=gadget.plug,
            ),
        ),
        control="unplugged, keyboard scanner",
        start=lambda: type_scan(gadget.played, "6901234567892"),
    )


def all_scenes() -> list[tuple[Scene, ...]]:
    """What is watched at the same time, in the order it is tried."""
    only = Path("only").read_text("utf-8")
    together = [
        (usb_printer(), serial_scanner(), keypad(), devices()),
        (serial_printer(), hid_scanner()),
    ]
    chosen = [tuple(each for each in scenes if only in each.name) for scenes in together]
    return [scenes for scenes in chosen if scenes]


def settled(scene: Scene) -> bool:
    """Whether its component is told to be well."""
    now = components().get(scene.component, {})
    return bool(now) and scene.well(now)
