"""The tables about what is attached to this terminal: one for each device."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, structs

from agent.config.section import Seconds, Section


class Printer(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[printer]: a receipt printer on a serial line, USB or the network. No device: not fitted."""

    device: Annotated[str, Meta(max_length=200)] = ""
    baud: Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200] = 19200
    parity: Literal["none", "even", "odd"] = "none"
    flow: Literal["none", "rtscts", "dsrdtr", "xonxoff"] = "none"
    period_s: Seconds = 10.0
    answer_timeout_s: Seconds = 1.0
    dialect: Literal["auto", "escpos", "star", "custom"] = "auto"
    paper_sensor: Literal["auto", "one_bit", "two_bit"] = "auto"
    also_ask: tuple[Literal["slip", "ink", "micr"], ...] = ()
    push: bool = False
    share: Literal["exclusive", "pass_through", "off"] = "exclusive"
    identify: bool = True
    print: Literal["driver", "hook", "off"] = "driver"
    columns: Literal[32, 48] = 32
    cut: Literal["auto", "on", "off"] = "auto"
    qr: Literal["printer", "image"] = "printer"
    reset: bool = False
    ascii_mode: bool = False


class Scanner(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[scanner]: a barcode scanner on a serial line or USB, or built in. No device: not fitted."""

    device: Annotated[str, Meta(max_length=200)] = ""
    """A node, or `usb:VVVV:PPPP`; empty with dialect `hook`."""
    dialect: Literal[
        "auto",
        "honeywell",
        "newland",
        "newland_v1",
        "newland_v2",
        "ssi",
        "datalogic",
        "hid",
        "hook",
    ] = "auto"
    open: Literal["when_free", "never", "always"] = "when_free"
    baud: Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200] = 9600
    parity: Literal["none", "even", "odd"] = "none"
    period_s: Seconds = 30.0
    answer_timeout_s: Seconds = 1.0
    told_max_age_s: Seconds = 300.0
    battery_low_percent: Annotated[int, Meta(ge=1, le=99)] = 15
    no_read_percent: Annotated[int, Meta(ge=1, le=100)] = 40
    no_read_clear_percent: Annotated[int, Meta(ge=0, le=99)] = 20
    no_read_least: Annotated[int, Meta(ge=1, le=10_000)] = 20
    no_read_window: Annotated[int, Meta(ge=10, le=100_000)] = 100

    def built_in(self) -> Scanner:
        """The same for a scanner only the firmware can see."""
        return structs.replace(self, dialect="hook")


class Discovery(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[discovery]: what is attached, and how its coming and going is noticed."""

    hotplug: Literal["auto", "uevents", "poll", "off"] = "auto"
    """How: the kernel's messages, or a look every `poll_s`; auto: the first that can be had."""
    poll_s: Seconds = 1.0
    period_s: Seconds = 3600.0
    """How often all is looked at without a message."""
    sysfs: Annotated[str, Meta(pattern=r"^/", max_length=200)] = "/sys"
    dev: Annotated[str, Meta(pattern=r"^/", max_length=200)] = "/dev"
    ignore: tuple[Annotated[str, Meta(pattern=r"^[0-9a-f]{4}:[0-9a-f]{4}$")], ...] = ()
    """USB ids that need no driver here."""


class Inventory(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[inventory]: what is told of the devices themselves."""

    serials: Literal["full", "masked", "off"] = "masked"
    """Serial numbers: as they are, their last four characters, or not at all."""
    period_s: Seconds = 60.0


class Keypad(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[keypad]: a keypad Linux knows as an input device. Neither device nor name: not fitted."""

    device: Annotated[str, Meta(max_length=200)] = ""
    """A node of /dev/input, better its link in by-id or by-path."""
    name: Annotated[str, Meta(max_length=100)] = ""
    """Instead of a device: part of the name its driver gives it."""
    read: Literal["auto", "never", "always"] = "auto"
    """auto: unless its name says that PINs are entered on it; never: only whether it is there."""
    pause_file: Annotated[str, Meta(max_length=200)] = ""
    """While this file is there not a key is read."""
    stuck_after_s: Annotated[float, Meta(ge=2, le=600)] = 10.0
    keys: tuple[
        Literal[
            "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "star", "hash", "dot", "enter",
            "clear", "cancel", "f1", "f2", "f3", "f4", "up", "down", "left", "right", "menu",
        ],
        ...,
    ] = ()  # fmt: skip
    """What the guided test asks for; empty: digits, enter, clear, cancel."""
    period_s: Seconds = 5.0
