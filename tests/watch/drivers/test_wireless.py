"""/proc/net/wireless with all its traps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.watch.drivers import wireless

HEAD = """Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE
 face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22
"""


@pytest.mark.parametrize(
    ("line", "level", "noise"),
    [
        (" wlan0: 0000   54.  -56.  -256        0      0      0     12      3        7", -56, None),
        (" wlan0: 0000   54   -56   -92         0      0      0     12      3        7", -56, -92),
        # A driver without IW_QUAL_DBM: a number of its own.
        (
            " wlan0: 0000   54.  200.  -256        0      0      0     12      3        7",
            None,
            None,
        ),
        (
            " wlan0: 0000   54.  72.   -256        0      0      0     12      3        7",
            None,
            None,
        ),
        # Not associated.
        (
            " wlan0: 0000    0     0     0         0      0      0     12      3        7",
            None,
            None,
        ),
        (
            " wlan0: 0000    0  -256  -256         0      0      0     12      3        7",
            None,
            None,
        ),
    ],
)
def test_levels(line: str, level: float | None, noise: float | None) -> None:
    """dBm is believed between -110 and -10 only; the dot of "updated" changes nothing."""
    (found,) = wireless.parse(HEAD + line + "\n")
    assert (found.interface, found.level_dbm, found.noise_dbm) == ("wlan0", level, noise)
    assert (found.retries, found.beacon_losses) == (12, 7)


def test_none_and_short_lines() -> None:
    """No interface, and lines that make no sense, are no interface."""
    assert wireless.parse(HEAD) == []
    assert wireless.parse("") == []
    assert wireless.parse(HEAD + "wlan0: 0000\n: 1 2 3 4\n") == []
    (found,) = wireless.parse(HEAD + "wlan0: 0000 54. -nan. inf\n")
    assert (found.level_dbm, found.noise_dbm, found.retries) == (None, None, None)


@given(st.text(max_size=300))
def test_no_text_breaks_it(text: str) -> None:
    """Whatever stands there: no exception, and no level that cannot be."""
    for one in wireless.parse(text):
        assert one.level_dbm is None or -110 <= one.level_dbm <= -10
