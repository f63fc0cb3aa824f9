"""`python -m tests.updates`: an update between two really different agents, the power cut at each
step, with the host's ledger outside.

Ends with 1 when a payment was lost or posted twice, when an update did not come to its end, or when
the control – a terminal that goes back by putting an old copy of the journal in its place – was not
found out. `--report FILE` writes the figures.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from agent.sim.host import HostOptions, HostThread
from agent.store.schema import SCHEMA
from tests.process.daemon import wait_until
from tests.updates.terminal import Slots, Terminal
from tests.updates.versions import NEWER, image, laid_out

#: Where the power is cut, by how the update ends.
KEPT = ("pending", "preparing", "prepared", "applying", "waiting", "committing", "committed")
TAKEN_BACK = ("waiting", "rolling_back", "rolled_back")
OVER = ("committed", "failed", "rolled_back")
PAYMENTS = 10
#: After the phase is on the flash, at most.
DELAY_S = 0.4
CUTS_WHILE_STEPPING_DOWN = 12


@dataclass(slots=True)
class Row:
    """What one story showed."""

    story: str
    figures: str
    wrong: list[str]


class Rig:
    """All stories of one run."""

    def __init__(self, seed: int, home: Path) -> None:
        self.drawn = random.Random(seed)
        self.home = home
        self.good = image(home / "next.img", "9.9.9", newer=True)
        self.rows: list[Row] = []

    @contextlib.contextmanager
    def terminal(
        self, *, before_start: bool = True, commit_after_s: float = 0.3
    ) -> Iterator[Terminal]:
        with Slots() as daemon, HostThread(HostOptions(sync=False)) as host:
            terminal = Terminal(daemon, host, before_start=before_start)
            try:
                laid_out(daemon.slots / "a")
                terminal.config(commit_after_s=commit_after_s)
                terminal.host_away()
                terminal.boots_until_it_runs()
                terminal.pays(PAYMENTS, "before")
                yield terminal
            finally:
                terminal.close()

    def tell(self, story: str, terminal: Terminal, found: list[str], figures: str = "") -> None:
        count = len(terminal.acknowledged)
        posted = len(terminal.host.host.ledger.postings())
        said = f"{count} acknowledged, {posted} posted, {terminal.boots} boots{figures}"
        self.rows.append(Row(story, said, found))
        print(f"{'well ' if not found else 'WRONG'} {story}: {said} {found[:3] or ''}", flush=True)

    def cut_while_it_goes_in(self, phase: str) -> None:
        """Forward, the power cut once at (a little after) `phase`."""
        with self.terminal() as terminal:
            terminal.apply(self.good)
            terminal.lives_in(phase)
            time.sleep(self.drawn.uniform(0, DELAY_S))
            terminal.power_cut()
            terminal.power_back()
            last = terminal.lives_until(*OVER)
            terminal.pays(PAYMENTS, "after")
            terminal.host_back()
            found = terminal.wrong() + _ended(terminal, last["phase"], "committed", "b")
            self.tell(f"kept, power cut at {phase}", terminal, found)

    def cut_while_it_goes_back(self, phase: str) -> None:
        """Taken back after payments under the newer version, the power cut at `phase`."""
        with self.terminal(commit_after_s=3600) as terminal:
            terminal.apply(self.good)
            terminal.reboots("b")
            terminal.lives_until("waiting")
            terminal.pays(PAYMENTS, "newer")
            if phase == "waiting":
                terminal.power_cut()
                terminal.power_back()
            terminal.ends("rollback")
            if phase != "waiting":
                terminal.lives_in(phase)
                time.sleep(self.drawn.uniform(0, DELAY_S))
                terminal.power_cut()
                terminal.power_back()
            last = terminal.lives_until(*OVER)
            terminal.reboots("a")
            terminal.pays(PAYMENTS, "after")
            terminal.host_back()
            found = terminal.wrong() + _ended(terminal, last["phase"], "rolled_back", "a")
            self.tell(f"taken back, power cut at {phase}", terminal, found)

    def cut_while_stepping_down(self) -> None:
        """The newer version's program is killed at random moments of its work, then left to it."""
        with self.terminal(commit_after_s=3600) as terminal:
            daemon = terminal.daemon
            terminal.apply(self.good)
            terminal.reboots("b")
            terminal.pays(PAYMENTS, "newer")
            terminal.power_cut()
            (daemon.slots / "boot/next").unlink()
            command = [
                str(daemon.slots / "b/bin/posagent"), "journal", "step-down", "--to", str(SCHEMA),
                "--config", str(daemon.config_file),
            ]  # fmt: skip
            began, killed = time.monotonic(), 0
            subprocess.run([*command[:2], "show", *command[5:]], check=False, capture_output=True)
            usual_s = time.monotonic() - began
            for _ in range(CUTS_WHILE_STEPPING_DOWN):
                stepping = subprocess.Popen(command, stdout=subprocess.DEVNULL)
                try:
                    stepping.wait(usual_s * self.drawn.uniform(0.6, 1.6))
                except subprocess.TimeoutExpired:
                    stepping.kill()
                    killed += 1
                stepping.wait()
            terminal.service.start()
            terminal.boots_until_it_runs()
            last = terminal.lives_until(*OVER)
            terminal.pays(PAYMENTS, "after")
            terminal.host_back()
            found = terminal.wrong() + _ended(terminal, last["phase"], "rolled_back", "a")
            self.tell("killed while stepping down", terminal, found, f", {killed} kills")

    def never_comes_up(self) -> None:
        """A build that raises the journal and dies: the boot loader goes back by itself."""
        broken = image(self.home / "broken.img", "9.9.8", newer=True, fault="dies")
        with self.terminal() as terminal:
            terminal.apply(broken)
            last = terminal.lives_until(*OVER)
            terminal.pays(PAYMENTS, "after")
            terminal.host_back()
            found = terminal.wrong() + _ended(terminal, last["phase"], "rolled_back", "a")
            if "by itself" not in last["reason"]:
                found.append(f"reason: {last['reason']}")
            if not _alarmed(terminal):
                found.append("no alarm software.update_failed")
            self.tell("never comes up", terminal, found)

    def control(self) -> None:
        """Going back by the copy from before: the rig must find payments missing."""
        with self.terminal(before_start=False, commit_after_s=3600) as terminal:
            terminal.apply(self.good)
            terminal.reboots("b")
            terminal.pays(PAYMENTS, "newer")
            terminal.power_cut()
            state = terminal.daemon.state_dir
            (state / "journal.db-wal").unlink(missing_ok=True)
            (state / f"journal.db.schema-{SCHEMA}").rename(state / "journal.db")
            (terminal.daemon.slots / "boot/next").unlink()
            terminal.service.start()
            terminal.boots_until_it_runs()
            terminal.host_back()
            lost = [one for one in terminal.wrong() if one.startswith("lost: newer")]
            twice = len(terminal.host.host.ledger.postings()) > len(terminal.acknowledged)
            missed = (
                [] if len(lost) == PAYMENTS and not twice else ["the control was not found out"]
            )
            self.tell(
                "control: an old copy put back", terminal, missed, f", {len(lost)} found lost"
            )


def _ended(terminal: Terminal, phase: str, wanted: str, slot: str) -> list[str]:
    """What does not fit with how the story had to end."""
    found = [] if phase == wanted else [f"the update ended as {phase}: {terminal.update()}"]
    return found if terminal.slot == slot else [*found, f"slot {terminal.slot} is in force"]


def _alarmed(terminal: Terminal) -> bool:
    with contextlib.suppress(AssertionError):
        wait_until(lambda: "software.update_failed" in terminal.daemon.alarms(), "the alarm")
        return True
    return False


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.updates", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="stories whose name has this word")
    parser.add_argument("--rounds", type=int, default=1, help="of everything but the control")
    parser.add_argument("--report", type=Path, help="write the figures there")
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="updates-") as home:
        rig = Rig(given.seed, Path(home))
        stories: list[tuple[str, Callable[[], None]]] = [
            *((f"kept {at}", partial(rig.cut_while_it_goes_in, at)) for at in KEPT),
            *((f"back {at}", partial(rig.cut_while_it_goes_back, at)) for at in TAKEN_BACK),
            ("stepping", rig.cut_while_stepping_down),
            ("never", rig.never_comes_up),
        ]
        for name, story in [*stories * given.rounds, ("control", rig.control)]:
            if given.only in name:
                story()
    wrong = sum(bool(row.wrong) for row in rig.rows)
    if given.report:
        given.report.write_text(_report(rig.rows, given, time.monotonic() - began), "utf-8")
    print(f"{len(rig.rows)} stories, {wrong} wrong, {time.monotonic() - began:.0f} s")
    return int(bool(wrong))


def _report(rows: list[Row], given: argparse.Namespace, took_s: float) -> str:
    how = (
        f"`python -m tests.updates --seed {given.seed} --rounds {given.rounds} --report …`, "
        f"{datetime.now(UTC):%Y-%m-%d}, {took_s:.0f} s. Two whole agents in two slots; the newer "
        f"one has a journal of schema {NEWER} whose rows one of schema {SCHEMA} cannot read. The "
        "host's ledger is outside; a power cut is SIGKILL of daemon, service and hooks at once."
    )
    lines = ["# Updates, the power cut at every step", "", how, ""]
    lines += ["| story | figures | |", "|---|---|---|"]
    lines += [
        f"| {row.story} | {row.figures} | {'; '.join(row.wrong[:3]) or 'well'} |" for row in rows
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
