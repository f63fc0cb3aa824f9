"""One fault after another against one running daemon: inject, listen, heal, compare.

What counts as *reported*: the visible alarms that follow from nothing else, in the daemon's own
order; where there is none, the first finding of `why`. What stood there before the injection does
not count. The first symptom is the first failed attempt the daemon shows, the injection itself
where the kernel tells of it, or the request of a person. Judging is a comparison with the fault's
expectation, made here and nowhere else.
"""

from __future__ import annotations

import contextlib
import http.client
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.network.faults import ASIDE, Fault, blames_others
from tests.network.lab import Lab
from tests.process.daemon import payment

#: Asked of the daemon: the cause is named so soon after the first symptom.
NAMED_S = 10.0
#: How long a symptom may take to show: the lab's own time limits (4 s each) and the 5 s grid.
SYMPTOM_S = 14.0
#: The name must still stand after this.
STANDS_S = 1.5
#: Where nothing may be reported, this long is listened.
QUIET_S = 8.0
CLEARS_S = 25.0
LOOK_S = 0.2
#: Longer than the uplink keeps a connection, so that every trial begins with none.
REST_S = 1.2


@dataclass(slots=True, kw_only=True)
class Trial:
    """What came of one fault."""

    fault: Fault
    reported: tuple[str, ...] = ()
    said: str = ""  #: first finding of `why` about the last payment handed over
    passing: Counter[str] = field(default_factory=Counter)  #: shown for a moment, by looks
    symptom_s: float | None = None
    named_s: float | None = None  #: after the injection
    cleared_s: float | None = None
    keys: tuple[str, ...] = ()
    trouble: str = ""  #: the lab's own, or a daemon that does not answer

    @property
    def after_s(self) -> float | None:
        """Seconds from the first symptom to the name."""
        if self.named_s is None:
            return None
        return max(0.0, self.named_s - (self.symptom_s or 0.0))

    @property
    def name(self) -> str:
        """What it was taken for, as a cell of the table."""
        return " + ".join(self.reported) or "(nothing)"

    @property
    def right(self) -> bool:
        """Named as it should be, and nothing wrong beside it."""
        wanted, also = self.fault.expected, self.fault.also | ASIDE
        wrong = set(self.reported) - {wanted} - also
        if self.trouble or wrong or self.disagrees:
            return False
        return not wanted or wanted in self.reported

    @property
    def disagrees(self) -> bool:
        """`why` says something else first. That a payment is in doubt may always be said."""
        return self.said not in (
            "", self.fault.expected, *self.fault.also, *ASIDE, "host.no_reply",
        )  # fmt: skip

    @property
    def in_time(self) -> bool:
        return not self.fault.expected or (self.after_s is not None and self.after_s <= NAMED_S)

    @property
    def blamed(self) -> bool:
        """A fault of the terminal for which host or bank was named."""
        return self.fault.local and any(
            blames_others(code) for code in (*self.reported, self.said) if code
        )


class Trials:
    """Runs them in turn; the daemon and its store live through all of them."""

    def __init__(self, lab: Lab, say: Callable[[str], None]) -> None:
        self._lab = lab
        self._say = say
        self._count = 0
        self._refused: set[str] = set()  # keys the daemon did not take: handed over again later
        self._before: frozenset[str] = frozenset()

    def run(self, fault: Fault) -> Trial:
        """One fault from injection to the clearing of its alarm."""
        trial = Trial(fault=fault)
        self._settled(CLEARS_S)
        time.sleep(REST_S)
        self._before = frozenset(self._roots() or ())
        try:
            self._inject(trial)
            self._listen(trial)
        except Exception as error:  # noqa: BLE001 - one broken trial must not end the others
            trial.trouble = f"{type(error).__name__}: {error}"
        self._heal(trial)
        return trial

    def posted_once(self) -> tuple[list[str], list[str]]:
        """Keys posted twice, and keys that are not there."""
        posted = Counter(self._lab.host.keys())
        wanted = {f"n-{number}" for number in range(1, self._count + 1)}
        return sorted(key for key in posted if posted[key] > 1), sorted(wanted - set(posted))

    @property
    def payments(self) -> int:
        return self._count

    # -- one trial ---------------------------------------------------------------------------------

    def _inject(self, trial: Trial) -> None:
        fault, daemon = trial.fault, self._lab.terminal
        if fault.restart:
            daemon.stop()
        fault.do(self._lab)
        if fault.restart:
            daemon.start()

    def _listen(self, trial: Trial) -> None:
        fault = trial.fault
        began = time.monotonic()
        trial.keys = (self._pay(),)
        if fault.carrier or fault.ask:
            trial.symptom_s = 0.0
        if fault.ask:
            self._ask()
        again = began + 3.0
        while True:
            now_s = time.monotonic() - began
            if time.monotonic() > again:
                trial.keys += (self._pay(),)
                again += 3.0
            roots, failing = self._look()
            if trial.symptom_s is None and failing:
                trial.symptom_s = now_s
            seen = tuple(code for code in roots if code not in self._before)
            if trial.named_s is None and fault.expected and fault.expected in seen:
                trial.named_s = now_s
            if trial.named_s is None:
                trial.passing.update(set(seen) - {fault.expected} - fault.also)
            if self._heard_enough(trial, now_s):
                break
            time.sleep(LOOK_S)
        trial.reported = tuple(code for code in self._roots() or () if code not in self._before)
        trial.said = self._why(trial.keys[-1])
        if not trial.reported and trial.said and fault.pays:
            # Nothing is alarmed about: then `why` is where a person reads the cause.
            trial.reported = (trial.said,)
            if trial.said == fault.expected:
                trial.named_s = trial.symptom_s

    def _heard_enough(self, trial: Trial, now_s: float) -> bool:
        fault = trial.fault
        if not fault.expected:
            return now_s > QUIET_S
        if trial.named_s is not None:
            return now_s > trial.named_s + STANDS_S
        if fault.expected == "host.no_reply" and trial.symptom_s is not None:
            return now_s > trial.symptom_s + fault.patience_s + STANDS_S
        since = trial.symptom_s if trial.symptom_s is not None else SYMPTOM_S
        return now_s > since + NAMED_S + fault.patience_s

    def _heal(self, trial: Trial) -> None:
        fault = trial.fault
        if fault.undo is not None:
            fault.undo(self._lab)
        if fault.restart:
            self._lab.terminal.kill()
        self._lab.heal()
        if fault.restart or not self._lab.terminal.running:
            self._lab.terminal.start()
        began = time.monotonic()
        if self._settled(0.0 if fault.lingers else CLEARS_S):
            trial.cleared_s = time.monotonic() - began

    def _settled(self, limit_s: float) -> bool:
        """Until all is paid and nothing new is alarmed about."""
        began = time.monotonic()
        again = began + 3.0
        while time.monotonic() < began + limit_s:
            if time.monotonic() > again:
                self._pay()  # business goes on, and proves that it does
                again += 3.0
            self._pay_refused()
            roots = self._roots()
            quiet = roots is not None and not set(roots) - self._before - ASIDE
            with contextlib.suppress(OSError, http.client.HTTPException, KeyError):
                if quiet and not self._refused and self._lab.terminal.unsent() == 0:
                    return True
            time.sleep(LOOK_S)
        return False

    def _ask(self) -> None:
        """As a person would: look at everything now. The answer is what the alarms say."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            self._lab.terminal.post("/v1/inspections", {}, 5.0)

    # -- asking the daemon -------------------------------------------------------------------------

    def _pay(self) -> str:
        self._count += 1
        key = f"n-{self._count}"
        self._refused.add(key)
        self._pay_refused()
        return key

    def _pay_refused(self) -> None:
        for key in sorted(self._refused):
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self._lab.terminal.submit(payment(key), 5.0).status in (200, 201):
                    self._refused.discard(key)

    def _look(self) -> tuple[tuple[str, ...], bool]:
        """The roots alarmed about, and whether a payment has failed to leave."""
        try:
            told = self._lab.terminal.get("/v1/status", 5.0).json
        except (OSError, http.client.HTTPException):
            return (), True
        failing = any(one["state"] in ("backing_off", "paused") for one in told["channels"])
        return _roots(told), failing or bool(self._refused)

    def _roots(self) -> tuple[str, ...] | None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return _roots(self._lab.terminal.get("/v1/status", 5.0).json)
        return None

    def _why(self, key: str) -> str:
        with contextlib.suppress(OSError, http.client.HTTPException, KeyError):
            findings = self._lab.terminal.get(f"/v1/transactions/{key}/explain", 5.0).json[
                "findings"
            ]
            told = (str(one["code"]) for one in findings)
            return next((code for code in told if code not in self._before), "")
        return ""


def _roots(told: dict[str, Any]) -> tuple[str, ...]:
    return tuple(one["code"] for one in told["alarms"] if not one["suppressed_by"])


def share(trials: Sequence[Trial]) -> float:
    """How much of the table is on its diagonal."""
    return sum(one.right for one in trials) / len(trials) if trials else 0.0
