"""What a provocation is measured with: a daemon that shows alarms at once, and its verdict.

A scene does something to a terminal and then says `bench.proved(...)`: the verdict of the real
daemon is asked until it names the code, as a root or as the consequence of one, and what it told
(rank, owner, next step in both languages) is kept. Nothing here knows how a cause comes about.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from agent.core.health.standard import STANDARD
from agent.core.why.causes import CATALOGUE
from agent.sim.host import HostThread
from tests.process.daemon import Daemon

#: How long a verdict may take to name what was done; a scene whose cause needs more says so.
PATIENCE_S = 20.0
AGAIN_S = 3.0
#: How long the end of a fault is waited for: some are remembered for an hour, by design.
MENDED_S = 8.0
#: Conditions show and clear without their usual patience: what is proved is that they come.
AT_ONCE = "".join(
    f'[health."{code}"]\nvisible_after_s = 0\nclear_after_s = 0\n'
    for code in sorted(one.code for one in STANDARD)
)
#: Nothing but what a scene does reaches the connectivity checks.
QUIET = "[connectivity]\nperiod_s = 3600\n[clock]\nsources = []\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One code, as the verdict of the real daemon named it."""

    code: str
    how: str  #: what was done
    asked: str  #: "terminal" or "payment"
    place: str  #: `root 1 of 3` or `follows from X`
    owner: str
    step_zh: str
    step_en: str
    seconds: float


@dataclass(slots=True)
class Bench:
    """Collects proofs and failures of the scenes."""

    proofs: dict[str, Proof] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def proved(
        self,
        daemon: Daemon,
        code: str,
        how: str,
        *,
        key: str = "",
        patience_s: float = PATIENCE_S,
        undo: Callable[[], object] | None = None,
        again: Callable[[], object] | None = None,
    ) -> None:
        """Ask for the verdict until it names `code`; a failure is noted and the scene goes on.

        `again` is what goes on meanwhile, every few seconds; `undo` mends it, and the next fault
        waits until the verdict names it no more.
        """
        assert code in CATALOGUE, code
        began = time.monotonic()
        target = f"/v1/transactions/{key}/explain" if key else "/v1/explain"
        verdict: Mapping[str, Any] = {}
        due = began + AGAIN_S
        while time.monotonic() - began < patience_s:
            verdict = daemon.get(target).json
            if (found := _found(verdict, code)) is not None:
                self._keep(code, how, "payment" if key else "terminal", found, began)
                break
            if again is not None and time.monotonic() > due:
                again()
                due += AGAIN_S
            time.sleep(0.05)  # a poll of a condition, not a pause for luck
        else:
            said = ", ".join(one["code"] for one in verdict.get("findings", ())) or "nothing"
            self.failures.append(
                f"{code}: {how}: within {patience_s:.0f} s the verdict named {said}"
            )
        if undo is not None:
            undo()
            ends = time.monotonic() + MENDED_S
            while time.monotonic() < ends and _found(daemon.get(target).json, code) is not None:
                time.sleep(0.05)

    def told(self, code: str, how: str, verdict: Mapping[str, Any], *, asked: str) -> None:
        """The same for a verdict that was got another way: by the command line, with nobody up."""
        found = _found(verdict, code)
        if found is None:
            said = ", ".join(one["code"] for one in verdict.get("findings", ())) or "nothing"
            self.failures.append(f"{code}: {how}: the verdict named {said}")
        else:
            self._keep(code, how, asked, found, time.monotonic())

    def _keep(
        self, code: str, how: str, asked: str, found: tuple[str, Mapping[str, Any]], began: float
    ) -> None:
        place, finding = found
        own = finding["code"] == code
        cause = CATALOGUE[code]
        self.proofs.setdefault(
            code,
            Proof(
                code=code,
                how=how,
                asked=asked,
                place=place,
                # A consequence is acted on by its root's owner; its own texts are the catalogue's.
                owner=finding["owner"] if own else str(cause.owner),
                step_zh=_plain(finding["step"]["zh"] if own else cause.step.render("zh")),
                step_en=_plain(finding["step"]["en"] if own else cause.step.render("en")),
                seconds=time.monotonic() - began,
            ),
        )

    def written(self, path: Path) -> None:
        """For the process that started this one."""
        proofs = [asdict(one) for one in self.proofs.values()]
        path.write_text(json.dumps({"proofs": proofs, "failures": self.failures}), "utf-8")

    def read(self, path: Path) -> None:
        document = json.loads(path.read_text("utf-8"))
        for one in document["proofs"]:
            self.proofs.setdefault(one["code"], Proof(**one))
        self.failures += document["failures"]


def _found(verdict: Mapping[str, Any], code: str) -> tuple[str, Mapping[str, Any]] | None:
    findings = verdict.get("findings", [])
    total = len(findings) + int(verdict.get("omitted", 0))
    for rank, finding in enumerate(findings, start=1):
        if finding["code"] == code:
            return f"root {rank} of {total}", finding
        if code in finding["consequences"]:
            return f"follows from {finding['code']} (root {rank} of {total})", finding
    return None


def _plain(words: str) -> str:
    """Without what differs from run to run: places of this run and times."""
    return _TIME.sub("…", _PLACE.sub("…", words))


_PLACE = re.compile(r"/tmp/p[a-z]-[A-Za-z0-9_]+|(?<=127\.0\.0\.1:)\d+")
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?|\d{4}-\d\d-\d\dT[0-9:.+Z]+")


@contextlib.contextmanager
def terminal(text: str = "", *, quiet: bool = True, **more: str) -> Iterator[Daemon]:
    """A daemon with a home of its own whose alarms show at once, running.

    Its host is well, unless the scene brings one: what a verdict names is what the scene did.
    """
    with contextlib.ExitStack() as stack:
        if "url" not in more and "[[uplink]]" not in text:
            more["url"] = stack.enter_context(HostThread()).host.url
        daemon = stack.enter_context(Daemon())
        daemon.configure((QUIET if quiet else "") + text + AT_ONCE, **more)
        daemon.start()
        yield daemon
