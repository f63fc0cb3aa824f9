"""What bytes look like at the wrong speed, and the speed they betray."""

from __future__ import annotations

import pytest

from agent.sim.printers.lines import mangled
from agent.watch.drivers.speed import SPEEDS, STATUS_BYTES, as_received, likely_speed

PAIRS = [(sent, read) for sent in SPEEDS for read in SPEEDS if sent != read]


@pytest.mark.parametrize("baud", SPEEDS)
@pytest.mark.parametrize("parity", ["none", "even", "odd"])
def test_at_the_right_speed_bytes_arrive_as_they_were_sent(baud: int, parity: str) -> None:
    """The model of the line is true where nothing is wrong: every byte, back to back."""
    everything = bytes(range(256))
    assert as_received(everything, baud, baud, parity) == everything  # type: ignore[arg-type]


def test_half_the_speed_is_worked_out_by_hand() -> None:
    """0x12 at 9600, read at 19200: each bit twice, so 0,01001000,1 becomes two bytes."""
    # Levels at 19200: 00 00 11 00 00 11 00 00 00 11 -> start 0, data 0 0 0 1 1 0 0 0, stop 0;
    # the line falls again at the last four zeros: start 0, data 0 0 0 0 0 1 1 1, stop 1.
    assert as_received(b"\x12", 9600, 19200)[0] == 0b00011000


@pytest.mark.parametrize(("sent", "read"), PAIRS)
def test_a_wrong_speed_is_never_guessed(sent: int, read: int) -> None:
    """Whatever status byte was sent: the speed named is the right one, or none."""
    for byte in STATUS_BYTES:
        assert likely_speed(as_received(bytes((byte,)), sent, read), read) in {0, sent}


@pytest.mark.parametrize(
    ("sent", "read"), [(9600, 19200), (4800, 9600), (9600, 38400), (57600, 115200), (2400, 9600)]
)
def test_a_slower_printer_is_found(sent: int, read: int) -> None:
    """Read too fast, every status byte names its speed."""
    for byte in STATUS_BYTES:
        assert likely_speed(as_received(bytes((byte,)), sent, read), read) == sent


def test_noise_names_no_speed() -> None:
    """Bytes no status byte could have become name nothing."""
    for received in (b"", b"\xf8\x80\xfe", b"\x12", bytes(range(256))):
        assert likely_speed(received, 19200) == 0


def test_a_receiver_that_drops_broken_bytes_may_hide_the_speed() -> None:
    """Where the driver hands over NUL for a byte without stop bit, no wrong speed is named."""
    for sent, read in PAIRS:
        for byte in STATUS_BYTES:
            assert likely_speed(mangled(bytes((byte,)), sent, read), read) in {0, sent}
