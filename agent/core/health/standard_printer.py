"""The conditions of the printer, as data. See `standard` for how the delays were chosen.

A value a printer's dialect cannot tell is absent, and then its condition cannot be told either.
Where a device says more than one word about paper (`paper`), less may be known of others: flags
(`paper_out`, `paper_low`) count where the word is missing.
"""

from __future__ import annotations

from agent.core.health.conditions import (
    Condition,
    Judge,
    Severity,
    Sign,
    Values,
    either,
    holds,
    says,
    unless,
)

_SILENT = "printer.not_answering"


def _printer(
    code: str, severity: Severity, judge: Judge, visible_s: float, clear_s: float, *after: str
) -> Condition:
    return Condition(
        code=code,
        severity=severity,
        signs=(
            Sign(
                component="printer",
                judge=judge,
                args=("offline_reason", "error", "model", "serial"),
            ),
        ),
        depends_on=(_SILENT, *after),
        visible_after_s=visible_s,
        clear_after_s=clear_s,
    )


def _paper(state: str, name: str) -> Judge:
    """The word for paper, else the flag; neither under an open cover, where sensors see none."""
    by_word, by_flag = says("paper", state), holds(name)

    def judge(values: Values) -> bool | None:
        told = by_word(values)
        return by_flag(values) if told is None else told

    return unless(holds("cover_open"), judge)


_OFFLINE = either(holds("offline"), holds("waiting_recovery"))


def _offline(values: Values) -> bool | None:
    # USB port status knows no recovery: off-line alone settles it there.
    return holds("offline")(values) if "waiting_recovery" not in values else _OFFLINE(values)


PRINTER = (
    Condition(
        code=_SILENT,
        severity=Severity.MAJOR,
        silence_of="printer",
        visible_after_s=20,
        clear_after_s=5,
    ),
    _printer("printer.paper_out", Severity.MAJOR, _paper("out", "paper_out"), 5, 5),
    _printer("printer.paper_low", Severity.WARNING, _paper("low", "paper_low"), 10, 30),
    _printer("printer.paper_jam", Severity.MAJOR, holds("paper_jam"), 5, 5),
    _printer("printer.cover_open", Severity.MINOR, holds("cover_open"), 20, 2),
    _printer("printer.cutter_fault", Severity.MAJOR, holds("cutter_fault"), 5, 5),
    _printer("printer.overheated", Severity.WARNING, holds("overheated"), 15, 30),
    _printer("printer.ink_out", Severity.MAJOR, holds("ink_out"), 10, 5),
    # A motor's start pulls a weak supply down for a moment.
    _printer("printer.low_voltage", Severity.MAJOR, holds("low_voltage"), 15, 10),
    _printer("printer.hardware_fault", Severity.MAJOR, holds("hardware_fault"), 5, 10),
    _printer(
        "printer.offline",
        Severity.MINOR,
        _offline,
        20,
        5,
        "printer.paper_out",
        "printer.paper_jam",
        "printer.cover_open",
        "printer.cutter_fault",
        "printer.overheated",
        "printer.ink_out",
        "printer.low_voltage",
        "printer.hardware_fault",
    ),
)
