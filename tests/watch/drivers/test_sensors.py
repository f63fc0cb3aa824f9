"""One-bit and two-bit paper sensors, and the queued queries: all 256 bytes of each."""

from __future__ import annotations

import pytest

from agent.watch.drivers import escpos
from agent.watch.drivers.escpos import Fault, Sensor

PAPER = {Fault.PAPER_LOW, Fault.PAPER_OUT, Fault.PAPER_UNSURE}


def expected(near: tuple[bool, bool], end: tuple[bool, bool], sensor: str) -> set[Fault]:
    """By hand: what two pairs of bits mean for each wiring."""
    faults: set[Fault] = set()
    if sensor == "two_bit":
        faults |= {Fault.PAPER_LOW} if near == (True, True) else set()
        faults |= {Fault.PAPER_OUT} if end == (True, True) else set()
        if near in {(True, False), (False, True)} or end in {(True, False), (False, True)}:
            faults.add(Fault.PAPER_UNSURE)
        return faults
    if any(near):
        faults.add(Fault.PAPER_LOW)
    if end[0] or (end[1] and sensor == "auto"):
        faults.add(Fault.PAPER_OUT)
    return faults


@pytest.mark.parametrize("sensor", list(Sensor))
def test_every_byte_of_the_roll_sensor(sensor: Sensor) -> None:
    """DLE EOT 4, GS r 1, ESC v and the third ASB byte, each bit for bit."""
    for byte in range(256):
        bit = [bool(byte >> n & 1) for n in range(8)]
        if byte & 0x93 == 0x12:
            said = escpos.decode(4, byte, sensor).faults
            assert said == expected((bit[2], bit[3]), (bit[5], bit[6]), sensor)
        plain = escpos.plain_paper(byte, sensor)
        framed = escpos.decode_asb(bytes((0x10, 0, byte, 0)), sensor)
        if byte & 0x90:
            assert plain.unknown
            assert framed.unknown
            assert not plain.faults | framed.faults
            continue
        want = expected((bit[0], bit[1]), (bit[2], bit[3]), sensor)
        assert plain.faults == framed.faults == want
        assert plain.ok is (not want)


def test_a_single_bit_of_a_pair_makes_no_sense() -> None:
    """Where both bits always come together, one alone is unknown paper, not an empty roll."""
    for byte in (0x16, 0x1A, 0x32, 0x52):
        assert escpos.state_of(escpos.decode(4, byte, Sensor.TWO_BIT).faults).paper is None
    assert escpos.state_of(escpos.decode(4, 0x1E, Sensor.TWO_BIT).faults).paper == "low"
    assert escpos.state_of(escpos.decode(4, 0x7E, Sensor.TWO_BIT).faults).paper == "out"


def test_a_presenter_is_not_an_empty_roll() -> None:
    """PPU-231II has its presenter where others have the second end bit."""
    assert escpos.state_of(escpos.decode(4, 0x52, Sensor.ONE_BIT).faults).paper == "ok"
    assert escpos.state_of(escpos.decode(4, 0x32, Sensor.ONE_BIT).faults).paper == "out"
    assert escpos.state_of(escpos.decode(4, 0x1A, Sensor.ONE_BIT).faults).paper == "low"


def test_every_byte_of_the_drawer() -> None:
    """GS r 2 and ESC u: bit 0 is the connector's level, and a byte of another form is unknown."""
    for byte in range(256):
        told = escpos.plain_drawer(byte)
        assert bool(told.unknown) is bool(byte & 0x90)
        if not told.unknown:
            assert told.drawer_pin_high is bool(byte & 1)
        assert not told.faults


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_wiring_changes_nothing_but_paper(n: int) -> None:
    """Whatever the sensors are, the other answers read the same."""
    for byte in range(256):
        said = {escpos.decode(n, byte, sensor).faults for sensor in Sensor}
        assert len(said) == 1
        assert not said.pop() & PAPER
