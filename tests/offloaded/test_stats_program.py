"""The program that counts: lines in, one document out, circumstances joined by number."""

from __future__ import annotations

import json
from typing import Any

from agent.offloaded.stats import answer

DAY_MS = 86_400_000


def asked(*lines: tuple[str, object]) -> dict[str, Any]:
    head = ("head", {"late_after_s": 60, "factors": ["network", "amount"], "zone_s": 28_800})
    told = [json.dumps(line).encode() for line in (head, *lines)]
    (line,) = answer(told)
    document: dict[str, Any] = json.loads(line)
    return document


def row(seq: int, took_ms: int = 1_000, standing: str = "confirmed") -> list[object]:
    return [seq, 1_795_000_000_000 + seq * DAY_MS, took_ms, standing, "0-10 CNY", "till 1"]


def test_nothing_is_no_figure() -> None:
    """An empty journal: every bar there and empty, no times, no ratio."""
    told = asked()
    assert told["times"] is None
    assert {bar["count"] for bar in told["histogram"]} == {0}
    assert told["histogram"][-1]["below_s"] is None
    assert told["late"]["rate"] is None
    assert {one["verdict"] for one in told["factors"]} == {"too_few"}


def test_payments_are_joined_with_what_was_true_then() -> None:
    """Before, between and after the spans it is unknown."""
    spans = [[3, 5, "wifi", "a", "good", "ok"], [8, 8, "cellular", "b", "weak", "ok"]]
    told = asked(("around", spans), ("rows", [row(seq) for seq in range(1, 11)]))
    groups = {one["value"]: one["share"]["of"] for one in told["factors"][0]["groups"]}
    assert groups == {"wifi": 3, "cellular": 1, "unknown": 6}
    assert told["factors"][1]["groups"][0]["days"] == 10


def test_late_ones_are_counted_by_cause() -> None:
    """Own trouble first, the terminal's for those that only stood behind; the rest has none."""
    told = asked(
        ("rows", [row(1, 90_000), row(2, 90_000, "waiting"), row(3, 0, "ended")]),
        ("stood", [["host.down", 0, 1_000]]),
        ("late", [[500, 900, []]]),
        ("late", [[500, 900, [["tls.untrusted", 600, 700]]]]),
        ("late", [[5_000, 9_000, []]]),
    )
    assert told["standings"] == {"confirmed": 1, "waiting": 1, "ended": 1}
    assert (told["late"]["count"], told["late"]["of"]) == (2, 2)
    causes = {one["code"]: one["share"]["count"] for one in told["causes"]}
    assert causes == {"host.down": 1, "tls.untrusted": 1, "": 1}
    assert told["late_looked_at"] == 3
