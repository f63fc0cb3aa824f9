"""What one process of `make confusion` does: a lab, a daemon, a share of the faults in turn.

Apart from `__main__`, because processes are started afresh and take what they run from here. A
trial travels back without its fault, whose deeds cannot.
"""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass, fields, replace
from typing import Any

from tests.network import two_channels
from tests.network.faults import FAULTS, Fault
from tests.network.lab import running
from tests.network.trial import Trial, Trials

#: What the control takes for something else on purpose.
CONTROL = "host refuses"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one lab found, in a form that travels between processes."""

    trials: list[dict[str, Any]]
    control: dict[str, Any] | None
    payments: int
    twice: list[str]
    missing: list[str]


def ended_orderly() -> None:
    """In each process: being ended means clearing away first."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def share_of(names: list[str], *, control: bool) -> Share:
    """One lab, one daemon, these faults in turn."""
    found: list[Trial] = []
    wrong = None
    with running() as lab:
        trials = Trials(lab, _progress)
        for fault in [one for one in FAULTS if one.name in names]:
            found.append(trials.run(fault))
            _say(found[-1])
        if control:
            wrong = trials.run(replace(_control(), expected="network.dns_failed"))
        twice, gone = trials.posted_once()
        return Share(
            trials=[_plain(one) for one in found],
            control=None if wrong is None else _plain(wrong),
            payments=trials.payments,
            twice=twice,
            missing=gone,
        )


def channels(*, long: bool) -> two_channels.Findings:
    return two_channels.run(_progress, long=long)


def _control() -> Fault:
    return next(one for one in FAULTS if one.name == CONTROL)


def _plain(trial: Trial) -> dict[str, Any]:
    told = {one.name: getattr(trial, one.name) for one in fields(trial)}
    return {**told, "fault": trial.fault.name, "expected": trial.fault.expected}


def rebuilt(told: dict[str, Any]) -> Trial:
    """With the fault itself again: what it does cannot travel between processes."""
    fault = next(one for one in FAULTS if one.name == told["fault"])
    rest = {name: value for name, value in told.items() if name not in ("fault", "expected")}
    return Trial(fault=replace(fault, expected=told["expected"]), **rest)


def _progress(text: str) -> None:
    print(text, flush=True)


def _say(trial: Trial) -> None:
    word = "ok  " if trial.right and trial.in_time else "late" if trial.right else "OFF "
    after = "never" if trial.named_s is None else f"{trial.named_s:.1f} s"
    passing = f", passing {dict(trial.passing)}" if trial.passing else ""
    cleared = "never" if trial.cleared_s is None else f"{trial.cleared_s:.1f} s"
    _progress(
        f"{word} {trial.fault.chapter}: {trial.fault.name}: {trial.trouble or trial.name} "
        f"(named {after}, why {trial.said or '-'}, gone {cleared}{passing})"
    )
