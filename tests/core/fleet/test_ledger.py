"""How a command is kept, and what becomes of it when the agent stops under it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core.fleet.commands import Command, Reason
from agent.core.fleet.ledger import Stage, after_stop, ended, refused, running, taken

COMMAND = Command(
    cmd_id="c", tenant="t", device_id="d", op="hold", args={"key": "k-1", "reason": "r"},
    issued_ts=1, expires_ts=2, seq=3,
)  # fmt: skip
ORDER = taken(COMMAND, "ops", b"d", 10)


def test_a_row_names_what_the_command_is_about() -> None:
    """Key, sequence and target; never the other arguments."""
    assert (ORDER.key_id, ORDER.seq, ORDER.target, ORDER.stage) == ("ops", 3, "k-1", Stage.ACCEPTED)


def test_a_refusal_is_an_end() -> None:
    """What was refused once is refused for good, also when circumstances change."""
    busy = refused(ORDER, Reason.TERMINAL_BUSY)
    assert (busy.stage, busy.status, busy.code) == (Stage.DONE, "rejected", "terminal_busy")
    assert refused(ORDER, Reason.EXPIRED).status == "expired"


@pytest.mark.parametrize(
    ("op", "begun", "status"),
    [
        ("hold", False, "failed"),
        ("hold", True, "failed"),
        ("restart_agent", True, "ok"),
        ("restart_agent", False, "failed"),
    ],
)
def test_what_a_stop_cut_short_is_over(op: str, begun: bool, status: str) -> None:
    """Never begun again; a restart that was under way has happened."""
    one = taken(
        Command(cmd_id="c", tenant="t", device_id="d", op=op, args={}, issued_ts=1, expires_ts=2,
                seq=3),
        "ops", b"d", 10,
    )  # fmt: skip
    over = after_stop(running(one) if begun else one, 99)
    assert (over.stage, over.status, over.ended_ms) == (Stage.DONE, status, 99)
    assert over.code == ("" if status == "ok" else "interrupted")
    assert over.target == ""


def test_an_end_keeps_its_result() -> None:
    """Whoever asks again is told the same bytes."""
    assert ended(ORDER, "ok", at_ms=5, result=b"{}").result == b"{}"


@pytest.mark.parametrize("said", ["4111111111111111", "Zhang San", "a\x1b[2J", "x" * 129, "张三"])
def test_a_row_names_nothing_but_names(said: str) -> None:
    """Nobody has checked yet what a signer wrote: no card, nobody's name, no control signs."""
    assert taken(replace(COMMAND, args={"cause": said}), "ops", b"d", 10).target == ""
    assert taken(replace(COMMAND, args={"cause": "host.down"}), "ops", b"d", 10).target
