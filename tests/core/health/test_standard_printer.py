"""What the printer's conditions make of dialects that tell less than others."""

from __future__ import annotations

import pytest

from agent.core.health.reading import Value
from agent.core.health.standard import STANDARD


def judged(values: dict[str, Value]) -> dict[str, bool | None]:
    return {one.code: sign.judge(values) for one, sign in STANDARD.judged_by("printer")}


@pytest.mark.parametrize(
    ("values", "out", "low"),
    [
        ({"paper_out": True}, True, None),
        ({"paper_out": False}, False, None),
        ({"paper_low": True}, None, True),
        ({"paper": "ok", "paper_out": True}, False, False),
        ({"paper": None, "paper_out": True}, True, None),
        ({"paper_out": True, "cover_open": True}, None, None),
        ({"paper": None, "cover_open": False}, None, None),
    ],
)
def test_a_flag_counts_where_the_word_is_missing(
    values: dict[str, Value], out: bool | None, low: bool | None
) -> None:
    """The word for paper says more than a flag; under an open cover neither is believed."""
    told = judged(values)
    assert (told["printer.paper_out"], told["printer.paper_low"]) == (out, low)


@pytest.mark.parametrize(
    ("values", "offline"),
    [
        ({"offline": True}, True),
        ({"offline": False}, False),
        ({"offline": False, "waiting_recovery": False}, False),
        ({"offline": False, "waiting_recovery": True}, True),
        ({"waiting_recovery": False}, None),
        ({}, None),
    ],
)
def test_off_line_is_told_without_knowing_of_recovery(
    values: dict[str, Value], offline: bool | None
) -> None:
    """A USB port says on-line or not and nothing of recovery: that settles it."""
    assert judged(values)["printer.offline"] is offline


def test_presence_alone_settles_nothing() -> None:
    """There and in use by the app: no condition holds and none is declared fine."""
    assert set(judged({"present": True, "in_use": True}).values()) == {None}


def test_off_line_follows_from_its_causes() -> None:
    """A printer that is off-line for a reason is one alarm: the reason."""
    after = set(STANDARD["printer.offline"].depends_on)
    told = {one.code for one, _ in STANDARD.judged_by("printer")}
    assert after >= told - {"printer.paper_low", "printer.offline"}
