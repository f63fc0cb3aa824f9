"""From what the kernel lists to what it probably is: findings, and what nobody serves.

Pure: judges an `Attached`, opens nothing. A finding says what a device probably is, how sure that
is and by what (`reasons`), and which configuration would watch it; what cannot be told stays
`unsure`. A device is *not recognised* only where the kernel itself leaves its function unserved and
the function is one of ours; an unknown device without a driver counts as soon as a configured one
is missing, for then it probably is that one. Called by the watcher `devices` and by
`posagent probe --discover`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import field, replace
from typing import Literal

from agent.record import dataclass
from agent.watch.discovery import sysfs
from agent.watch.discovery.known import Known, known
from agent.watch.discovery.sysfs import Attached, Function, Input, SerialPort, UsbDevice

Certainty = Literal["sure", "likely", "unsure"]

#: linux/input-event-codes.h: the digits of a keyboard and of a number block, enter on both.
DIGITS = frozenset({*range(2, 12)})
BLOCK_DIGITS = frozenset({71, 72, 73, 75, 76, 77, 79, 80, 81, 82})
#: Q … P, A … L, Z … M.
LETTERS = frozenset({*range(16, 26), *range(30, 39), *range(44, 51)})
#: CDC subclass of a modem-like serial line; others are networks.
ACM = 0x02
#: Served by others or by programs; none of them is a printer, a scanner or a keypad.
_NOT_OURS = frozenset(
    {sysfs.AUDIO, sysfs.IMAGE, sysfs.STORAGE, sysfs.SMART_CARD, sysfs.VIDEO, 0xDC, 0xE0, 0xEF, 0xFE}
)
#: IEEE-1284 `CMD` words -> dialect.
_COMMANDS = {"ESC/POS": "escpos", "ESCPOS": "escpos", "EPSON": "escpos", "STAR": "star"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is there."""

    kind: str  #: printer, scanner, keypad, keyboard, serial, pinpad, unknown
    certainty: Certainty
    name: str
    device: str  #: path, or "" without a node
    interface: str  #: usblp, serial, usb_serial, hid_pos, hid_keyboard, evdev, usb
    driver: str
    usb_id: str = ""
    port: str = ""  #: where it is plugged
    dialect: str = ""
    reasons: tuple[str, ...] = ()
    component: str = ""  #: the one it is configured as

    @property
    def table(self) -> str:
        """The table of the configuration that would watch it; "" where none is proposed."""
        proposed = self.kind in ("printer", "scanner", "keypad") and self.device
        return self.kind if proposed and self.certainty != "unsure" else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unserved:
    """A device or a function no driver serves."""

    usb_id: str
    name: str
    port: str
    needs: str  #: the driver that should serve it; "" where nobody knows
    ours: bool  #: it is a printer, scanner, keypad or serial line


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Everything judged."""

    findings: tuple[Finding, ...] = ()
    unserved: tuple[Unserved, ...] = ()
    #: Component -> its configured device, where there is nothing at that path.
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def not_recognised(self) -> tuple[Unserved, ...]:
        return tuple(one for one in self.unserved if one.ours or self.missing)


def survey(
    attached: Attached,
    configured: Mapping[str, str] | None = None,
    *,
    missing: Mapping[str, str] | None = None,
    ignored: Collection[str] = (),
) -> Survey:
    """Judge what is attached. `configured`: component -> device as a resolved path."""
    places = {device: component for component, device in (configured or {}).items() if device}
    found = [*_usb(attached), *_serial(attached), *_inputs(attached)]
    return Survey(
        findings=tuple(_placed(one, places) for one in found),
        unserved=tuple(one for one in _unserved(attached) if one.usb_id not in ignored),
        missing=missing or {},
    )


def name_of(device: UsbDevice, told: Known | None = None) -> str:
    """`Epson TM-T20`, by the device's own words before ours."""
    make = device.make or (told.make if told else "")
    model = device.model or (told.model if told else "")
    if make and model.lower().startswith(make.lower()):
        make = ""
    return " ".join(part for part in (make, model) if part) or f"USB {device.usb_id}"


def _placed(finding: Finding, places: Mapping[str, str]) -> Finding:
    component = places.get(finding.device, "")
    if not component:
        return finding
    return replace(
        finding,
        kind=component if finding.kind in ("serial", "keyboard", "unknown") else finding.kind,
        reasons=(*finding.reasons, "configured"),
        component=component,
    )


# -- printers, scanners and PIN pads on USB -----------------------------------------------------


def _usb(attached: Attached) -> Iterator[Finding]:
    for device in attached.usb:
        told = known(device.usb_id)
        printers = [one for one in device.functions if one.usb_class == sysfs.PRINTER]
        if told is not None and told.kind == "pinpad":
            yield _of(device, told, "pinpad", certainty="likely", reasons=("usb_id", "never_asked"))
        elif printers:
            yield from (_printer(device, function, told) for function in printers)
        elif told is not None and told.kind == "scanner":
            yield _scanner(attached, device, told)
        elif raw := _bar_code(attached, device):
            yield _of(
                device, told, "scanner", certainty="sure", reasons=("hid_pos",), node=raw,
                interface="hid_pos",
            )  # fmt: skip


def _printer(device: UsbDevice, function: Function, told: Known | None) -> Finding:
    words = sysfs.ieee1284(function.ieee1284)
    reasons = ["printer_class"]
    commands = words.get("CMD", "").upper().replace(" ", "").split(",")
    dialect = next((_COMMANDS[one] for one in commands if one in _COMMANDS), "")
    if dialect:
        reasons.append("ieee1284")
    sure = told is not None and told.kind == "printer" and told.sure
    if told is not None and told.kind == "printer":
        reasons.append("usb_id" if sure else "usb_id_likely")
        dialect = dialect or told.dialect
    if not dialect:
        # An office printer has the same class: only a dialect of ours makes it a receipt printer.
        reasons.append("dialect_unknown")
    if not function.driver:
        reasons.append("no_driver")
    elif function.driver != "usblp":
        reasons.append("libusb")
    certainty: Certainty = "sure" if sure else "likely"
    return _of(
        device,
        told,
        "printer",
        certainty=certainty if dialect else "unsure",
        interface="usblp" if function.driver == "usblp" else "usb",
        reasons=tuple(reasons),
        node=function.nodes[0] if function.nodes else "",
        driver=function.driver,
        dialect=dialect,
        name=" ".join(part for part in (words.get("MFG", ""), words.get("MDL", "")) if part),
    )


def _scanner(attached: Attached, device: UsbDevice, told: Known) -> Finding:
    by_id = "usb_id" if told.sure else "usb_id_likely"
    certainty: Certainty = "sure" if told.sure else "likely"
    lines = [one for one in attached.serial if one.usb_port == device.port]
    typed = [one for one in attached.inputs if one.usb_port == device.port]
    if lines:
        return _of(
            device, told, "scanner", certainty=certainty, interface="usb_serial",
            reasons=(by_id,), node=lines[0].node, driver=lines[0].driver, dialect=told.dialect,
        )  # fmt: skip
    if raw := _bar_code(attached, device):
        return _of(
            device, told, "scanner", certainty=certainty, interface="hid_pos",
            reasons=(by_id, "hid_pos"), node=raw,
        )  # fmt: skip
    if typed:
        return _of(
            device, told, "scanner", certainty=certainty, interface="hid_keyboard",
            reasons=(by_id, "types_codes"), node=typed[0].node,
        )  # fmt: skip
    return _of(device, told, "scanner", certainty="unsure", reasons=(by_id, "no_driver"))


def _bar_code(attached: Attached, device: UsbDevice) -> str:
    raws = (one.node for one in attached.hids if one.usb_port == device.port and one.bar_code)
    return next(raws, "")


def _of(
    device: UsbDevice,
    told: Known | None,
    kind: str,
    *,
    certainty: Certainty,
    reasons: tuple[str, ...],
    interface: str = "usb",
    node: str = "",
    driver: str | None = None,
    dialect: str = "",
    name: str = "",
) -> Finding:
    return Finding(
        kind=kind,
        certainty=certainty,
        name=name or name_of(device, told),
        device=f"/dev/{node}" if node else "",
        interface=interface,
        driver=", ".join(device.drivers) if driver is None else driver,
        usb_id=device.usb_id,
        port=device.port,
        dialect=dialect,
        reasons=reasons,
    )


# -- serial lines and keys ----------------------------------------------------------------------


def _serial(attached: Attached) -> Iterator[Finding]:
    for port in attached.serial:
        device = attached.usb_at(port.usb_port)
        told = known(device.usb_id) if device is not None else None
        if told is not None and told.kind in ("scanner", "pinpad"):
            continue  # told by its own device
        yield _line(port, device, told)


def _line(port: SerialPort, device: UsbDevice | None, told: Known | None) -> Finding:
    reasons: tuple[str, ...] = ("serial_unknown",)
    kind, dialect = "serial", ""
    certainty: Certainty = "unsure"
    if port.console:
        reasons = ("console",)
    elif told is not None and told.kind == "printer":
        kind, dialect = "printer", told.dialect
        certainty = "sure" if told.sure else "likely"
        reasons = ("usb_id" if told.sure else "usb_id_likely",)
    elif told is not None and told.kind == "adapter":
        reasons = ("adapter",)
    return Finding(
        kind=kind,
        certainty=certainty,
        name=name_of(device, told) if device is not None else port.node,
        device=f"/dev/{port.node}",
        interface="usb_serial" if device is not None else "serial",
        driver=port.driver,
        usb_id=device.usb_id if device is not None else "",
        port=port.usb_port,
        dialect=dialect,
        reasons=reasons,
    )


def _inputs(attached: Attached) -> Iterator[Finding]:
    for one in attached.inputs:
        device = attached.usb_at(one.usb_port)
        told = known(device.usb_id) if device is not None else None
        if told is not None and told.kind in ("scanner", "pinpad"):
            continue
        kind = kind_of_keys(one.keys)
        if kind:
            yield _keys(one, kind)


def kind_of_keys(keys: frozenset[int]) -> str:
    """keypad, keyboard or "" by the keys a device can send."""
    digits = keys >= DIGITS or keys >= BLOCK_DIGITS
    letters = len(keys & LETTERS)
    if digits and letters <= 6:  # some number blocks send A to F
        return "keypad"
    return "keyboard" if digits and letters >= len(LETTERS) - 2 else ""


def _keys(one: Input, kind: str) -> Finding:
    return Finding(
        kind=kind,
        certainty="likely" if kind == "keypad" else "unsure",
        name=one.name,
        device=f"/dev/{one.node}",
        interface="evdev",
        driver="",
        usb_id=one.usb_id if one.usb_port else "",
        port=one.usb_port,
        reasons=("digits",) if kind == "keypad" else ("keyboard_or_scanner",),
    )


# -- what nobody serves -------------------------------------------------------------------------


def _unserved(attached: Attached) -> Iterator[Unserved]:
    for device in attached.usb:
        told = known(device.usb_id)
        if told is not None and told.kind == "pinpad":
            continue  # served by its own program
        idle = [one for one in device.functions if not one.driver]
        needs = next((need for one in idle if (need := _needs(one, told))), None)
        if needs is not None:
            yield _left(device, told, needs, ours=True)
        elif not device.drivers and not _served_by_programs(device):
            yield _left(device, told, "", ours=told is not None)


def _left(device: UsbDevice, told: Known | None, needs: str, *, ours: bool) -> Unserved:
    return Unserved(
        usb_id=device.usb_id,
        name=name_of(device, told),
        port=device.port,
        needs=needs,
        ours=ours,
    )


def _needs(function: Function, told: Known | None) -> str:
    """The driver whose business this function is; "" where it is nobody's we know."""
    match function.usb_class:
        case sysfs.PRINTER:
            return "usblp"
        case sysfs.HID:
            return "usbhid"
        # Vendor's protocol: a telephone's network (RNDIS), not a line.
        case sysfs.CDC if function.subclass == ACM and function.protocol != sysfs.VENDOR_SPECIFIC:
            return "cdc_acm"
        case sysfs.VENDOR_SPECIFIC if told is not None and told.kind == "adapter":
            drivers = {"FTDI": "ftdi_sio", "Prolific": "pl2303", "QinHeng": "ch341"}
            return drivers.get(told.make, "cp210x")
    return ""


def _served_by_programs(device: UsbDevice) -> bool:
    classes = {one.usb_class for one in device.functions} | {device.usb_class}
    return not device.functions or bool(classes & _NOT_OURS)
