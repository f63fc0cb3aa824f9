"""What the kernel and strangers say about the time, and what they must not be able to do."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.watch.clock.dates import http_date_ms, number_ms
from agent.watch.clock.kernel import (
    STA_NANO,
    STA_UNSYNC,
    TIME_ERROR,
    Kernel,
    keeper,
    kernel,
    understood,
)

MS = 1_795_000_000_123


def answer(*, status: int = 0, max_error_us: int = 1_500, fraction: int = 123_000) -> bytes:
    """A struct timex as this machine lays it out."""
    fields = (0, 0, 0, max_error_us, 0, status, 0, 0, 0, MS // 1000, fraction)
    return struct.pack("@Illllilllll", *fields).ljust(512, b"\0")


def test_a_disciplined_kernel_is_believed_to_its_own_error() -> None:
    """Its time comes with the answer, in microseconds or nanoseconds."""
    said = understood(0, answer())
    assert said == Kernel(synchronised=True, max_error_ms=2, utc_ms=MS)
    assert understood(0, answer(status=STA_NANO, fraction=123_000_000)).utc_ms == MS


@pytest.mark.parametrize(
    ("result", "changes"),
    [
        (0, {"status": STA_UNSYNC}),
        (TIME_ERROR, {}),
        (0, {"max_error_us": 16_000_000}),
        (0, {"max_error_us": -1_000_000}),
    ],
)
def test_a_kernel_left_alone_is_no_witness(result: int, changes: dict[str, int]) -> None:
    """Never set, forgotten, or an error nobody has."""
    assert understood(result, answer(**changes)).synchronised is False


def test_a_kernel_that_may_not_be_asked_says_why() -> None:
    """A sandbox without the call, a C library that lacks it: unknown, never a fault."""

    def refused() -> tuple[int, bytes]:
        raise PermissionError(1, "EPERM")

    def absent() -> tuple[int, bytes]:
        raise AttributeError("adjtimex")

    for ask in (refused, absent):
        said = kernel(ask)
        assert said.synchronised is None
        assert "adjtimex" in said.reason


def test_this_kernel_answers_with_the_time_it_is() -> None:
    """The layout is this machine's own."""
    said = kernel()
    if said.synchronised is None:
        pytest.skip(said.reason)
    assert said.utc_ms is not None
    assert abs(said.utc_ms - time.time() * 1000) < 60_000


@given(st.integers(), st.binary(max_size=600))
def test_no_answer_raises(result: int, raw: bytes) -> None:
    """Whatever a kernel writes."""
    understood(result, raw)


def test_who_keeps_the_clock_is_seen_by_its_traces(tmp_path: Path) -> None:
    """Files of the usual daemons; nobody is nobody."""
    assert keeper(tmp_path) == ""
    drift = tmp_path / "var/lib/chrony/drift"
    drift.parent.mkdir(parents=True)
    drift.write_text("1 2\n")
    assert keeper(tmp_path) == "chrony"


@pytest.mark.parametrize(
    "date",
    [
        "Wed, 18 Nov 2026 11:06:40 GMT",
        " Wed, 18 Nov 2026 11:06:40 GMT ",
        "Wed, 18 Nov 2026 11:06:40 +0000",
        "Wednesday, 18-Nov-26 11:06:40 GMT",
        "Wed Nov 18 11:06:40 2026",
    ],
)
def test_the_three_forms_of_a_date(date: str) -> None:
    """A reader must take all three (RFC 9110)."""
    assert http_date_ms(date) == MS // 1000 * 1000


@pytest.mark.parametrize(
    "date",
    [
        "", "now", "Wed, 31 Feb 2026 11:06:40 GMT", "Wed, 18 Nov 2026 25:06:40 GMT",
        "Wed, 18 Xyz 2026 11:06:40 GMT", "Wed, 18 Nov 2026 11:06:40 CET", "Wed, 18 Nov ２０２６",
    ],
)  # fmt: skip
def test_what_is_no_date_is_none(date: str) -> None:
    """Also a date in a zone nobody may use."""
    assert http_date_ms(date) is None


def test_a_leap_second_is_the_one_before() -> None:
    """:60 exists; nobody can name it in milliseconds."""
    assert http_date_ms("Wed, 18 Nov 2026 11:06:60 GMT") == http_date_ms(
        "Wed, 18 Nov 2026 11:06:59 GMT"
    )


@given(st.text(max_size=80))
def test_no_text_raises(text: str) -> None:
    """Neither as a date nor as a number."""
    http_date_ms(text)
    number_ms(text)


@pytest.mark.parametrize(
    ("said", "ms"),
    [
        ("1795000000", 1_795_000_000_000),
        ("1795000000.5", 1_795_000_000_500),
        ("1795000000123", MS),
        ("12", None),
        ("-1795000000", None),
        ("nan", None),
    ],
)
def test_a_brokers_number_is_seconds_or_milliseconds(said: str, ms: int | None) -> None:
    """Told apart by size: no broker lives in the year 5138."""
    assert number_ms(said) == ms
