"""A [[reconcile]] becomes the profile a list is read by; holidays come from a file, strictly."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from agent.actions.list_profile import chosen, profile_of
from agent.config.reconcile import Reconcile
from agent.errors import OperatorError
from agent.wire.problem import RequestError

FRIDAY, SATURDAY = date(2026, 11, 20).toordinal(), date(2026, 11, 21).toordinal()


def of(tmp_path: Path, name: str, content: bytes) -> Reconcile:
    file = tmp_path / name
    file.write_bytes(content)
    return Reconcile(name="bank", holiday_file=str(file))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.toml", b'holidays = [2026-11-20]\nworkdays = ["2026-11-21"]\n'),
        ("a.csv", b"\xef\xbb\xbf# 2026\n\n2026-11-20,holiday\n2026-11-21, Workday\n"),
        ("a.txt", b"2026-11-20\n2026-11-21,workday\n"),
    ],
)
def test_holidays_and_make_up_days_from_toml_or_csv(
    tmp_path: Path, name: str, content: bytes
) -> None:
    """Dates or texts; a CSV with a mark, comments and empty lines."""
    profile = profile_of(of(tmp_path, name, content), None)
    assert (profile.holidays, profile.workdays) == ((FRIDAY,), (SATURDAY,))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"2026-11-31\n", "line 1: not a date"),
        ("a.csv", b"2026-11-20\n2026-11-21,half\n", "line 2: neither holiday nor workday"),
        ("a.csv", "假日".encode("gb18030"), "codec"),
        ("a.csv", b"2026-11-20\n" * 4_001, "too many days"),
        ("a.csv", b"#" * 300_000, "too large"),
        ("a.toml", b"holidays = 5", "lists of dates"),
        ("a.toml", b"holidays = [2026-11-20T10:00:00]", "lists of dates"),
        ("a.toml", b"holiday = []", "unknown key holiday"),
        ("a.toml", b"holidays = [", ""),
        ("a.toml", b'holidays = ["tomorrow"]', ""),
    ],
)
def test_a_bad_holiday_file_is_named_and_nothing_is_guessed(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    """A calendar with holes would call payments late that are not."""
    with pytest.raises(OperatorError) as caught:
        profile_of(of(tmp_path, name, content), None)
    assert caught.value.code == "reconcile.holidays"
    assert name in caught.value.what
    assert said in caught.value.what


def test_a_missing_holiday_file_is_named() -> None:
    """With what the system says."""
    with pytest.raises(OperatorError, match=r"No such file"):
        profile_of(Reconcile(name="bank", holiday_file="/nowhere/h.toml"), None)


def test_which_table_is_meant() -> None:
    """By its name; without one the only one, or the built-in; never a guess among several."""
    bank, other = Reconcile(name="bank"), Reconcile(name="other")
    assert chosen([], "") is None
    assert chosen([bank], "") is bank
    assert chosen([bank, other], "other") is other
    for tables, name in (([bank, other], ""), ([bank], "third")):
        with pytest.raises(RequestError) as caught:
            chosen(tables, name)
        assert caught.value.code == "reconcile.profile"


def test_a_table_as_the_program_is_told_it() -> None:
    """Clocks as minutes, zones both ways, the day the list settles; the built-in one, too."""
    table = Reconcile(
        name="bank", cut_off="23:30", realtime_from="09:00", realtime_to="24:00",
        utc_offset="-03:30", columns={"key": "单号"}, kinds={"收款": "sale"},
    )  # fmt: skip
    profile = profile_of(table, "2026-11-20")
    assert (profile.cut_off_minute, profile.realtime_from, profile.realtime_to) == (1410, 540, 1440)
    assert (profile.utc_offset_minutes, profile.settled_on) == (-210, FRIDAY)
    assert (profile.columns, profile.kinds) == ({"key": "单号"}, {"收款": "sale"})
    assert profile_of(None, "2026-11-20").settled_on == FRIDAY
    with pytest.raises(RequestError, match="settled_on"):
        profile_of(None, "2026-02-30")
