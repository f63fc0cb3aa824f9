"""A payment application that prints, in a process of its own: python-escpos and real receipts.

    python -m tests.hardware.till serial /dev/pts/7
    python -m tests.hardware.till locked /dev/pts/7    # lets nobody else have it; waits for a line
    python -m tests.hardware.till open /dev/pts/7      # merely has it open; waits for a line, too
    python -m tests.hardware.till tcp 127.0.0.1:9100
    python -m tests.hardware.till serial /dev/pts/7 paced

Before every receipt it asks the printer how it is, as such applications do, and writes the answer
to its output, `heard 4 12` for DLE EOT 4; whoever runs it may pass these on. Over TCP every receipt
is a connection of its own.

Paced, it leaves time for whoever else would speak to the printer: it says `waiting` and goes on
after a line, in the middle of every receipt on a port it keeps, between them over TCP.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from escpos.printer import Network, Serial
from PIL import Image, ImageDraw

PATIENCE_S = 20


def plain(till: Any) -> None:
    till.set(align="center", bold=True, double_height=True, double_width=True)
    till.textln("CAFE AM MARKT")
    till.set_with_default()
    for number in range(12):
        till.textln(f"{number + 1:>2} x espresso{(number + 1) * 2.4:>24.2f}")
    till.set(bold=True, underline=1)
    till.textln(f"TOTAL EUR{187.2:>28.2f}")
    till.barcode("4006381333931", "EAN13", 64, 2, "BELOW", "A")
    till.cut()


def chinese(till: Any) -> None:
    till.hw("INIT")
    till._raw(b"\x1c&")
    for line in ("商户名称：北京小店", "交易类型：消费", "金额：￥128.00", "请妥善保管单据"):
        till._raw(line.encode("gb18030") + b"\n")
    till._raw(b"\x1c.")
    till.ln(2)
    till.cut()


def code(till: Any) -> None:
    till.textln("Rate your visit")
    till.qr("https://example.invalid/r/20240611/0001?amount=12800&cny", native=True, size=6)
    till.qr("https://example.invalid/r/20240611/0001", native=False, size=5)
    till.cashdraw(2)
    till.cut(mode="PART")


def picture(till: Any) -> None:
    logo = Image.new("1", (384, 240), 1)
    pen = ImageDraw.Draw(logo)
    for step in range(0, 192, 6):
        pen.ellipse((step, step // 2, 383 - step, 239 - step // 2), outline=0)
    for way in ("bitImageRaster", "graphics", "bitImageColumn"):
        till.image(logo, impl=way)
    # An image that happens to contain DLE EOT 1 to 4.
    till._raw(b"\x1dv0\x00\x03\x00\x04\x00" + b"\x10\x04\x01\x10\x04\x02\x10\x04\x03\x10\x04\x04")
    till.cut()


RECEIPTS: Mapping[str, Callable[[Any], None]] = {
    "plain": plain,
    "chinese": chinese,
    "code": code,
    "picture": picture,
    "chinese again": chinese,
}


def ask(till: Any, n: int, read: Callable[[int], bytes]) -> None:
    """One status byte, told to whoever runs this."""
    till._raw(bytes((0x10, 0x04, n)))
    answer = read(1)
    if not answer:
        raise TimeoutError(f"no answer to DLE EOT {n}")
    print("heard", n, answer.hex(), flush=True)


def wait() -> None:
    print("waiting", flush=True)
    sys.stdin.readline()


def main() -> None:
    kind, address, *paced = sys.argv[1:]
    if kind in {"serial", "locked", "open"}:
        till = Serial(address, baudrate=19200, timeout=PATIENCE_S, dsrdtr=False)
        till.open()
        till.device.exclusive = kind == "locked"
        if paced:
            cut = till.cut
            till.cut = lambda *args, **named: (wait(), cut(*args, **named))
        for receipt in RECEIPTS.values():
            for n in (1, 4):
                ask(till, n, till.device.read)
            if kind != "serial" and receipt is plain:
                sys.stdin.readline()
            receipt(till)
        till.device.flush()
        till.close()
        return
    host, port = address.split(":")
    for receipt in RECEIPTS.values():
        if paced:
            wait()
        till = Network(host, int(port), timeout=PATIENCE_S)
        till.open()
        for n in (1, 4):
            ask(till, n, till.device.recv)
        receipt(till)
        till.close()


if __name__ == "__main__":
    main()
