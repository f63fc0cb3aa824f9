"""USB identifiers that tell what a device is: data, each row with where it is known from.

A row helps to propose a configuration; it never decides an alarm by itself unless it is `sure`.
Sources: `ids` is the USB ID repository (usb.ids of 2025-07-26), `linux` a driver's own table in
Linux 6.1 (drivers/usb/serial, drivers/usb/class), `odoo` its list of supported receipt printers,
`field` what several owners published of their devices (lsusb beside the name on the case). A chip
maker's identifier (`likely`) is used by printers and by other things alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from agent.record import dataclass

Kind = Literal["printer", "scanner", "keypad", "adapter", "pinpad"]


@dataclass(frozen=True, slots=True)
class Known:
    """What an identifier stands for."""

    kind: Kind
    make: str
    model: str = ""
    dialect: str = ""
    sure: bool = True
    source: str = "ids"


#: By vendor alone: what such a device is if its class fits. Never `sure`: makers make many things.
VENDORS: Mapping[str, Known] = {
    "04b8": Known("printer", "Epson", "", "escpos", False),
    "0519": Known("printer", "Star Micronics", "", "star", False),
    "0dd4": Known("printer", "Custom", "", "custom", False),
    "1504": Known("printer", "Bixolon", "", "escpos", False),
    "154f": Known("printer", "SNBC", "", "escpos", False),
    "1d90": Known("printer", "Citizen", "", "escpos", False),
    "2730": Known("printer", "Citizen", "", "escpos", False),
    "0aa7": Known("printer", "Wincor Nixdorf", "", "escpos", False),
    "0c2e": Known("scanner", "Honeywell", "", "honeywell", False),
    "0536": Known("scanner", "Honeywell", "", "honeywell", False),
    "1eab": Known("scanner", "Newland", "", "newland", False),
    "05e0": Known("scanner", "Zebra", "", "ssi", False),
    "05f9": Known("scanner", "Datalogic", "", "datalogic", False),
    "065a": Known("scanner", "Opticon", "", "", False),
    "11ca": Known("pinpad", "Verifone", "", "", False),
    "0b00": Known("pinpad", "Ingenico", "", "", False),
}

DEVICES: Mapping[str, Known] = {
    # -- receipt printers
    "04b8:0202": Known("printer", "Epson", "TM series", "escpos"),
    "04b8:0e03": Known("printer", "Epson", "TM-T20", "escpos"),
    "04b8:0e15": Known("printer", "Epson", "TM-T20II", "escpos", source="odoo"),
    "0519:0003": Known("printer", "Star Micronics", "TSP100", "star"),
    "0dd4:0237": Known("printer", "Custom", "K80", "custom"),
    "1504:001f": Known("printer", "Bixolon", "SRP-350II", "escpos"),
    "1d90:20f0": Known("printer", "Citizen", "CT-E351", "escpos"),
    "2730:2002": Known("printer", "Citizen", "CT-S2000", "escpos"),
    "0aa7:0304": Known("printer", "Wincor Nixdorf", "TH230", "escpos"),
    "0416:5011": Known("printer", "", "POS-5890 and the like", "escpos", False, "field"),
    "0483:5743": Known("printer", "Xprinter", "", "escpos", False, "field"),
    "0fe6:811e": Known("printer", "", "printers with an ICS adapter", "escpos", False, "field"),
    "1a86:7584": Known("printer", "", "printers with a CH340S adapter", "escpos", False),
    "1a86:5584": Known("printer", "", "printers with a CH341 adapter", "escpos", False),
    "067b:2305": Known("printer", "", "printers with a PL2305 adapter", "escpos", False),
    # -- scanners
    "0c2e:0b61": Known("scanner", "Honeywell", "Vuquest 3310g", "honeywell"),
    "0c2e:0b6a": Known("scanner", "Honeywell", "Vuquest 3310", "honeywell"),
    "0c2e:0b81": Known("scanner", "Honeywell", "Voyager 1400g", "honeywell"),
    "0c2e:0200": Known("scanner", "Metrologic", "MS7120"),
    "0c2e:0204": Known("scanner", "Metrologic", "MS7120 (keyboard)"),
    "0c2e:0720": Known("scanner", "Metrologic", "MS7120 (serial)"),
    "0536:01ca": Known("scanner", "Honeywell", "IT4800", "honeywell"),
    "05e0:1200": Known("scanner", "Zebra", "bar code scanner (keyboard)"),
    "05e0:1701": Known("scanner", "Zebra", "bar code scanner (CDC)", "ssi"),
    "05e0:1900": Known("scanner", "Zebra", "SNAPI imager"),
    "05e0:1a00": Known("scanner", "Zebra", "CS4070"),
    "05f9:1104": Known("scanner", "Datalogic", "Magellan 2200VS", "datalogic"),
    "05f9:2202": Known("scanner", "Datalogic", "hand-held scanner"),
    "05f9:2206": Known("scanner", "Datalogic", "Gryphon (keyboard)"),
    "05f9:220c": Known("scanner", "Datalogic", "Gryphon GD4430"),
    "05f9:2601": Known("scanner", "Datalogic", "Magellan 1000i"),
    "05f9:2602": Known("scanner", "Datalogic", "Magellan 1100i"),
    "05f9:4204": Known("scanner", "Datalogic", "Gryphon (serial)", "datalogic"),
    "065a:0001": Known("scanner", "Opticon", "OPR-2001 (keyboard)"),
    "065a:0009": Known("scanner", "Opticon", "NLV-1001 (serial)"),
    # -- adapters: anything may hang on them
    "0403:6001": Known("adapter", "FTDI", "FT232R", source="linux"),
    "0403:6010": Known("adapter", "FTDI", "FT2232", source="linux"),
    "0403:6011": Known("adapter", "FTDI", "FT4232H", source="linux"),
    "0403:6014": Known("adapter", "FTDI", "FT232H", source="linux"),
    "0403:6015": Known("adapter", "FTDI", "FT-X", source="linux"),
    "067b:2303": Known("adapter", "Prolific", "PL2303", source="linux"),
    "067b:23a3": Known("adapter", "Prolific", "PL2303GC", source="linux"),
    "10c4:ea60": Known("adapter", "Silicon Labs", "CP210x", source="linux"),
    "10c4:ea70": Known("adapter", "Silicon Labs", "CP2105", source="linux"),
    "10c4:ea71": Known("adapter", "Silicon Labs", "CP2108", source="linux"),
    "1a86:5523": Known("adapter", "QinHeng", "CH341", source="linux"),
    "1a86:7522": Known("adapter", "QinHeng", "CH340K", source="linux"),
    "1a86:7523": Known("adapter", "QinHeng", "CH340", source="linux"),
    # -- PIN pads: named, never asked
    "11ca:0207": Known("pinpad", "Verifone", "VX 810"),
    "11ca:0220": Known("pinpad", "Verifone", "VX 805"),
    "0acd:0810": Known("pinpad", "ID Tech", "SecurePIN"),
}

#: Newland numbers its engines so that the end of the product id tells the interface (usb.ids).
NEWLAND_ENDS: Mapping[str, str] = {"03": "HID keyboard", "06": "CDC", "10": "HID POS"}


def known(usb_id: str) -> Known | None:
    """What the identifier tells, the product before the vendor."""
    vendor, _, product = usb_id.partition(":")
    if usb_id in DEVICES:
        return DEVICES[usb_id]
    if vendor == "1eab" and product[2:] in NEWLAND_ENDS:
        mode = NEWLAND_ENDS[product[2:]]
        return Known("scanner", "Newland", f"bar code scanner ({mode})", "newland")
    return VENDORS.get(vendor)
