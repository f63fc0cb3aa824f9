"""What every native code of every vendor means, written down by hand from the list of sources.

Not derived from the shipped tables: the two must agree, and whoever changes one has to change the
other. NORMAL, BUSY, JOB (about a print job or a call, not about the printer) and UNKNOWN, or the
state keys that must be true.
"""

from __future__ import annotations

NORMAL, BUSY, JOB, UNKNOWN = "normal", "busy", "job", "unknown"
OUT, LOW, JAM, COVER, CUTTER = "paper_out", "paper_low", "paper_jam", "cover_open", "cutter_fault"
HOT, HARD, POWER, OFF = "overheated", "hardware_fault", "low_voltage", "offline"
CUTTER_WELL = "cutter_fault=False"

SUNMI = "woyou.aidlservice.jiuv5."
KITCHEN = "com.sunmi.extprinterservice."
VERIFONE = "com.verifone.peripherals.STATUS_"

EXPECTED: dict[tuple[str, str], dict[int | str, str]] = {
    ("sunmi", "state"): {
        1: NORMAL, 2: BUSY, 3: UNKNOWN, 4: OUT, 5: HOT, 6: COVER, 7: CUTTER, 8: CUTTER_WELL,
        9: OFF, 10: COVER, 505: UNKNOWN, 507: UNKNOWN,
    },
    ("sunmi", "printerx"): {
        0: NORMAL, -1: UNKNOWN, -2: UNKNOWN, -3: UNKNOWN, -1000: OUT, -1001: JAM, -1002: OFF,
        -1010: HOT, -1011: HOT, -1020: COVER, -1021: COVER, -1030: CUTTER, -1040: UNKNOWN,
        1000: LOW, 1010: UNKNOWN,
    },
    ("sunmi", "broadcast"): {
        SUNMI + "INIT_ACTION": BUSY, SUNMI + "NORMAL_ACTION": NORMAL, SUNMI + "ERROR_ACTION": OFF,
        SUNMI + "OUT_OF_PAPER_ACTION": OUT, SUNMI + "COVER_OPEN_ACTION": COVER,
        SUNMI + "COVER_ERROR_ACTION": COVER, SUNMI + "KNIFE_ERROR_ACTION_1": CUTTER,
        SUNMI + "KNIFE_ERROR_ACTION_2": CUTTER_WELL,
        # Both misspelt in the product.
        SUNMI + "OVER_HEATING_ACITON": HOT, SUNMI + "FIRMWARE_UPDATING_ACITON": BUSY,
        KITCHEN + "OUT_OF_PAPER_ACTION": OUT, KITCHEN + "COVER_OPEN_ACTION": COVER,
        KITCHEN + "HOT_ACTION": HOT, KITCHEN + "NORMAL_ACTION": NORMAL,
    },
    ("pax", "printer"): {
        0: NORMAL, 1: BUSY, 2: OUT, 3: JOB, 4: HARD, 8: HOT, 9: POWER, 240: JOB, 250: CUTTER,
        251: COVER, 252: JOB, 254: JOB,
    },
    ("verifone_android", "printer"): {
        0: NORMAL, 1: OFF, 2: OUT, 4: HOT, 8: JAM, 16: POWER, 32: HARD, 64: HARD, 128: POWER,
    },
    ("verifone_android", "broadcast"): {
        VERIFONE + "CONNECTED": JOB, VERIFONE + "READY": NORMAL, VERIFONE + "BUSY": BUSY,
        VERIFONE + "DISCONNECTED": UNKNOWN, VERIFONE + "DISCONNECTED_BY_UNDOCK": UNKNOWN,
        VERIFONE + "ERROR": OFF, VERIFONE + "UNKNOWN": UNKNOWN,
    },
    ("verifone_x990", "printer"): {
        0: NORMAL, 0xE0: COVER, 0xE1: POWER, 0xE2: CUTTER, 0xE3: OFF, 0xE5: UNKNOWN, 0xE6: BUSY,
        0xEE: JAM, 0xF0: OUT, 0xF1: JOB, 0xF2: HARD, 0xF3: HOT, 0xF4: LOW, 0xF5: JOB, 0xF6: OFF,
        0xF7: BUSY, 0xF8: OFF, 0xFB: HARD, 0xFC: OFF,
    },
    ("landi", "printer"): {
        0: NORMAL, 224: COVER, 225: POWER, 226: CUTTER, 227: OFF, 229: UNKNOWN, 230: BUSY,
        238: JAM, 240: OUT, 241: JOB, 242: HARD, 243: HOT, 244: LOW, 245: JOB, 246: OFF,
        247: BUSY, 248: OFF, 251: HARD, 252: OFF,
    },
    ("ingenico_usdk", "printer"): {
        0: NORMAL, 224: COVER, 225: POWER, 226: CUTTER, 227: OFF, 229: UNKNOWN, 230: BUSY,
        238: JAM, 240: OUT, 241: JOB, 242: HARD, 243: HOT, 244: LOW, 245: JOB, 246: OFF,
        247: BUSY, 248: OFF, 251: HARD, 252: OFF, 40961: UNKNOWN, 40962: JOB,
    },
    ("newland", "ndk"): {0: NORMAL, 2: OUT, 4: HOT, 8: BUSY, 112: POWER, 113: HARD},
    ("newland", "android"): {
        0: NORMAL, 2: OUT, 4: HOT, 8: BUSY, 12: UNKNOWN, 512: CUTTER, 1024: HARD, 2048: COVER,
    },
    ("urovo", "printer"): {
        0: NORMAL, -1: OUT, -2: HOT, -3: POWER, -4: BUSY, -256: OFF, -257: UNKNOWN,
    },
    ("nexgo", "printer"): {
        0: NORMAL, -1: UNKNOWN, -1001: JOB, -1002: JOB, -1003: JOB, -1004: BUSY, -1005: OUT,
        -1006: JOB, -1007: HARD, -1008: HOT, -1009: JOB, -1010: UNKNOWN, -1011: JOB,
        -1999: UNKNOWN,
    },
    ("centerm", "printer"): {
        0: NORMAL, 0x1001: JOB, 0x1002: UNKNOWN, 0x1003: BUSY, 0x1004: UNKNOWN, 0x1005: JOB,
        0x1006: HOT, 0x1007: HOT, 0x1008: OUT, 0x1009: JOB, 0x1010: JOB, 0x1011: UNKNOWN,
        0x1012: JOB, 0x1013: POWER,
    },
    ("telpo", "usb_thermal"): {0: NORMAL, 1: OUT, 2: HOT, 3: JOB, 4: UNKNOWN, 16: UNKNOWN},
    ("telpo", "tps550"): {
        0: NORMAL, -1001: OUT, -1002: HOT, -1003: JOB, -1004: UNKNOWN, -9999: UNKNOWN,
    },
    ("imin", "printer"): {
        -1: UNKNOWN, 0: NORMAL, 1: UNKNOWN, 2: UNKNOWN, 3: COVER, 4: CUTTER, 5: HOT, 6: OFF,
        7: OUT, 8: LOW, 99: UNKNOWN,
    },
    ("feitian", "printer"): {
        "mIsHavePaper=true": "paper_out=False", "mIsHavePaper=false": OUT,
        "mIsLowBattery=true": POWER, "mIsLowBattery=false": "low_voltage=False",
    },
    ("morefun", "printer"): {
        0: NORMAL, -1: OFF, -2: HARD, -3: OUT, -4: UNKNOWN, -5: JOB, -6: UNKNOWN, -7: JOB,
    },
    ("nyx", "printer"): {
        0: NORMAL, -1001: UNKNOWN, -1002: JOB, -1003: UNKNOWN, -1004: UNKNOWN, -1005: UNKNOWN,
        -1006: JOB, -1015: JOB, -1099: JOB, -1100: UNKNOWN, -1101: UNKNOWN, -1102: JOB,
        -1103: UNKNOWN, -1104: UNKNOWN, -1105: UNKNOWN, -1106: UNKNOWN, -1107: UNKNOWN,
        -1201: COVER, -1202: JOB, -1203: OUT, -1204: HOT, -1205: UNKNOWN, -1206: BUSY,
        -1208: UNKNOWN, -1209: POWER, -1215: JOB, -1290: JOB, -1291: JOB, -1292: JOB,
    },
    # By name: the numbers of KOZEN's constants are not public.
    ("kozen", "printer"): {
        "STATUS_IDLE": NORMAL, "STATUS_PRINTING": BUSY, "STATUS_OVERHEAT": HOT,
        "STATUS_NO_PAPER": OUT,
    },
    ("kozen", "wrapper"): {-1: UNKNOWN, -2: JOB, -3: HOT, -4: OUT, -5: UNKNOWN},
    ("wizarpos", "printer"): {1: NORMAL, -101: OUT},
    ("epson_epos2", "printer"): {
        0: NORMAL, 1: UNKNOWN, 2: UNKNOWN, 3: OFF, 4: COVER, 5: CUTTER, 6: HARD, 7: OUT, 8: HARD,
        10: UNKNOWN, 13: BUSY, 15: POWER, 25: JAM, 33: BUSY, 34: BUSY, 36: UNKNOWN, 51: UNKNOWN,
        255: UNKNOWN,
    },
}  # fmt: skip

#: The causes an unknown code names; every other one names none.
CAUSES: dict[tuple[str, str, int | str], str] = {
    (vendor, table, code): "printer.not_answering"
    for vendor, table, codes in (
        ("sunmi", "state", (3, 505)),
        ("sunmi", "printerx", (-1, -2)),
        ("verifone_android", "broadcast", (VERIFONE + "DISCONNECTED",)),
        ("verifone_android", "broadcast", (VERIFONE + "DISCONNECTED_BY_UNDOCK",)),
        ("verifone_x990", "printer", (0xE5,)),
        ("landi", "printer", (229,)),
        ("ingenico_usdk", "printer", (229,)),
        ("urovo", "printer", (-257,)),
        ("centerm", "printer", (0x1004,)),
        ("telpo", "tps550", (-1004,)),
        ("imin", "printer", (-1, 1)),
        ("morefun", "printer", (-6,)),
        ("kozen", "wrapper", (-1,)),
        ("nyx", "printer", (-1001, -1003, -1004, -1100, -1101, -1103, -1105, -1106)),
        ("epson_epos2", "printer", (1, 2, 10, 36, 51)),
    )
    for code in codes
} | {
    ("imin", "printer", 2): "device.not_recognised",
    ("nyx", "printer", -1104): "device.not_recognised",
}

#: What "normal" vouches for, table by table, besides `offline` and `busy`.
VOUCHED: dict[tuple[str, str], set[str]] = {
    ("sunmi", "state"): {CUTTER, HOT, COVER, OUT},
    ("sunmi", "printerx"): {OUT, LOW, JAM, HOT, COVER, CUTTER},
    ("sunmi", "broadcast"): {CUTTER, HOT, COVER, OUT},
    ("pax", "printer"): {OUT, HOT, POWER, HARD, CUTTER, COVER},
    ("verifone_android", "printer"): {OUT, HOT, JAM, POWER, HARD},
    ("verifone_android", "broadcast"): set(),
    ("verifone_x990", "printer"): {COVER, POWER, CUTTER, JAM, OUT, LOW, HARD, HOT},
    ("landi", "printer"): {COVER, POWER, CUTTER, JAM, OUT, LOW, HARD, HOT},
    ("ingenico_usdk", "printer"): {COVER, POWER, CUTTER, JAM, OUT, LOW, HARD, HOT},
    ("newland", "ndk"): {OUT, HOT, POWER, HARD},
    ("newland", "android"): {OUT, HOT, CUTTER, HARD, COVER},
    ("urovo", "printer"): {OUT, HOT, POWER},
    ("nexgo", "printer"): {OUT, HOT, HARD},
    ("centerm", "printer"): {OUT, HOT, POWER},
    ("telpo", "usb_thermal"): {OUT, HOT},
    ("telpo", "tps550"): {OUT, HOT},
    ("imin", "printer"): {COVER, CUTTER, HOT, OUT, LOW},
    ("morefun", "printer"): {OUT, HARD},
    ("kozen", "printer"): {OUT, HOT},
    ("nyx", "printer"): {COVER, OUT, HOT, POWER},
    ("wizarpos", "printer"): {OUT},
    ("epson_epos2", "printer"): {COVER, CUTTER, HARD, OUT, JAM, POWER},
}
