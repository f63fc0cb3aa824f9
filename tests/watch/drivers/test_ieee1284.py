"""IEEE-1284 ids and port status."""

from __future__ import annotations

import pytest

from agent.watch.drivers import ieee1284
from agent.watch.drivers.ieee1284 import DeviceId, parse_id

TEXT = b"MFG:EPSON;CMD:ESC/POS, ESCPAGE;MDL:TM-T88V;CLS:PRINTER;DES:EPSON TM;SN:J8K0001;"
TOLD = DeviceId(
    maker="EPSON",
    model="TM-T88V",
    commands=("ESC/POS", "ESCPAGE"),
    serial="J8K0001",
    kind="PRINTER",
    description="EPSON TM",
)


@pytest.mark.parametrize(
    "raw",
    [
        TEXT,
        len(TEXT).to_bytes(2, "big") + TEXT,
        (len(TEXT) + 2).to_bytes(2, "big") + TEXT,
        TEXT + b"\n",
        TEXT.replace(b"MFG:", b"MANUFACTURER:").replace(b"CMD:", b"COMMAND SET:"),
        b" mfg:EPSON;Cmd:ESC/POS, ESCPAGE;mdl:TM-T88V;CLASS:PRINTER;des:EPSON TM;SERN:J8K0001",
    ],
)
def test_an_id_is_read_however_it_is_spelt(raw: bytes) -> None:
    """Long and short keys, with and without the length bytes, in any case."""
    assert parse_id(raw) == TOLD


@pytest.mark.parametrize("raw", [b"", b"\0", b"\0\x02", b";;;", b"nothing", b"\xff" * 40])
def test_junk_is_an_empty_id(raw: bytes) -> None:
    """What is no id says nothing."""
    assert parse_id(raw) == DeviceId()
    assert parse_id(raw).is_printer


def test_an_id_is_bounded_and_printable() -> None:
    """No control bytes, no endless text, the first of a key said twice."""
    told = parse_id(b"MFG:A\x1b[31m\0B;MDL:" + b"x" * 500 + b";MFG:C;CLS:MODEM;")
    assert (told.maker, len(told.model), told.is_printer) == ("A[31mB", 64, False)


def test_every_port_status() -> None:
    """08 no error, 10 on-line, 20 out of paper; a status with the low bits set is none."""
    for status in range(256):
        told = ieee1284.decode_status(status)
        if status & 7:
            assert told.unknown
            assert (told.online, told.paper_out, told.error) == (None, None, None)
            continue
        assert told.unknown == ""
        assert told.error is not bool(status >> 3 & 1)
        assert told.online is bool(status >> 4 & 1)
        assert told.paper_out is bool(status >> 5 & 1)
    for status in (-1, 256, 0x1_0018):
        assert ieee1284.decode_status(status).unknown
