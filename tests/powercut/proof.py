"""`posagent selftest --power-cut` in the machine: on an honest disk and on lying ones.

Plays the technician: starts the counter, sees its numbers over a serial port outside of the
machine, cuts the power, boots, and gives `check` the last number seen. The verdict is the command's
own; which one is due is known here, because the disk is ours.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.powercut.course import DISK_S, UP_S, Place, powered, served
from tests.powercut.disk import Left, VolatileDisk
from tests.powercut.machine import Machine, PowerGoneError
from tests.powercut.nbd import At, DiskServer, Trigger
from tests.powercut.payload import STATE, WITNESS
from tests.rig.machine import MachineError

HONEST_ROUNDS, LYING_ROUNDS = 10, 2
#: In these rounds of the honest disk the daemon runs beside the counter.
WITH_DAEMON = (3, 6, 9)
#: What the lying cache holds back: less than a second of counting.
LYING_WRITES = 40
COUNTING_S = 120.0
BASE = ("selftest", "--power-cut")
WHERE = ("--directory", STATE)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the self-test said of one disk."""

    disk: str
    wanted: str
    verdict: str
    rounds: tuple[dict[str, Any], ...]  #: as `check --json` tells them
    left: str = ""  #: files of the counter still there after `finish`

    def problems(self) -> list[str]:
        """What must not be."""
        found = []
        if self.verdict != self.wanted:
            found.append(f"selftest: {self.disk}: said {self.verdict!r}, not {self.wanted!r}")
        if self.left:
            found.append(f"selftest: {self.disk}: finish left {self.left}")
        return found

    def row(self) -> str:
        """A line of the report's table."""
        lost = ", ".join(str(each["lost"]) for each in self.rounds)
        kinds = ", ".join(each["outcome"] for each in self.rounds)
        last = self.rounds[-1]["seen"] if self.rounds else 0
        return (
            f"| {self.disk} | {len(self.rounds)} | **{self.verdict}** | {kinds} | {lost} | {last} |"
        )


def proofs(where: Place, seed: int, say: Say) -> list[Proof]:
    """The same steps on three disks."""
    courses = (
        ("honours FLUSH", "honest", 0, HONEST_ROUNDS, None),
        ("lies, and what it holds goes", "lying", LYING_WRITES, LYING_ROUNDS, Left.NOTHING),
        ("lies, and some sectors survive", "lying", LYING_WRITES, LYING_ROUNDS, Left.SECTORS),
    )
    found = []
    for name, wanted, cache, rounds, style in courses:
        say(f"selftest on a disk that {name}")
        disk = VolatileDisk(bytearray(where.empty), lying_writes=cache)
        draw = random.Random(f"{seed} {name}")
        with served(where, disk) as server:
            found.append(_proved(where, server, draw, (name, wanted, rounds, style), say))
        say(f"  {found[-1].verdict}")
    return found


def _proved(
    where: Place,
    server: DiskServer,
    draw: random.Random,
    course: tuple[str, str, int, Left | None],
    say: Say,
) -> Proof:
    name, wanted, rounds, style = course
    seen, told, left = 0, {"verdict": "none", "rounds": []}, ""
    try:
        for number in range(1, rounds + 2):
            with where.machine() as machine:
                powered(machine, draw)
                machine.until("disk", DISK_S, _nothing)
                if number > 1:
                    told = _asked(machine, "check", "--seen", str(seen), "--started-here")
                    last = told["rounds"][-1]
                    say(f"  {number - 1} seen {seen}: {last['outcome']}, {last['lost']} lost")
                if number > rounds:
                    told = _asked(machine, "finish")
                    left = _left(machine)
                else:
                    if not server.disk.lying_writes and number in WITH_DAEMON:
                        machine.tell({"do": "start", "tries": 2})
                        machine.until("up", UP_S, _nothing)
                    seen = _counted(machine, server, draw)
                server.stop()
            server.disk.cut(draw, style)
            server.start()
    except MachineError as error:
        say(f"  the machine: {error}")
        told = {**told, "verdict": f"ended early: {error}"}
    return Proof(
        disk=name, wanted=wanted, verdict=told["verdict"], rounds=tuple(told["rounds"]), left=left
    )


def _nothing(_: dict[str, Any]) -> None:
    return


def _asked(machine: Machine, *argv: str) -> dict[str, Any]:
    machine.tell({"do": "command", "argv": [*BASE, *argv, *WHERE, "--json"]})
    said = machine.until("code", UP_S, _nothing)
    try:
        told: dict[str, Any] = json.loads(said["out"])
    except ValueError:
        raise MachineError(f"{argv[0]} ended with {said['code']}: {said['err'][-300:]}") from None
    return told


def _left(machine: Machine) -> str:
    machine.tell({"do": "list", "directory": STATE})
    names = machine.until("names", UP_S, _nothing)["names"]
    return ", ".join(name for name in names if name == "power-cut-selftest")


def _counted(machine: Machine, server: DiskServer, draw: random.Random) -> int:
    """The counter runs until the power goes; the last number that was outside by then."""
    before = machine.witness.stat().st_size
    machine.tell({"do": "background", "argv": [*BASE, "start", *WHERE, "--tell", WITNESS]})
    machine.until("started", UP_S, _nothing)
    ends = time.monotonic() + COUNTING_S
    while not _numbers(machine, before):
        if time.monotonic() > ends:
            raise MachineError("no number came out of the machine")
        time.sleep(0.05)
    kind = draw.choice(list(At))
    server.arm(Trigger(kind, draw.randint(100, 300)))
    try:
        machine.until("never", COUNTING_S, _nothing, server.gone)
    except PowerGoneError:
        machine.cut()
    return max(_numbers(machine, before))


def _numbers(machine: Machine, since: int) -> list[int]:
    """Whole lines only: a number cut in the middle was not seen."""
    with machine.witness.open("rb") as file:
        file.seek(since)
        *lines, _ = file.read().split(b"\n")
    return [int(line) for line in lines if line.strip().isdigit()]
