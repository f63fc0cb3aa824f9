"""The package's scripts under a shell: what a reason in the flag's file opens, and for how long."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "packaging/debian/scripts"
DAY_S = 86_400


class Machine:
    """The directories of one, and a program that answers as it is told and notes what it is."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.flag = home / "etc/posagent/force-removal"
        self.state = home / "var/lib/posagent"
        self.agent = home / "opt/posagent/bin/posagent"
        for folder in (self.flag.parent, self.state, self.agent.parent, home / "run"):
            folder.mkdir(parents=True)
        self.answers(10)

    def answers(self, code: int) -> None:
        """A guard with this exit code; forced, it ends with 0 where money is unsent."""
        self.agent.write_text(
            f'#!/bin/sh\necho "$*" >>{self.home}/asked\n'
            f'case "$*" in *--force*) [ {code} -gt 11 ] || exit 0 ;; esac\nexit {code}\n'
        )
        self.agent.chmod(0o755)

    def flagged(self, age_s: float = 0) -> None:
        self.flag.write_text("Li: terminal scrapped\n")
        os.utime(self.flag, (time.time() - age_s,) * 2)

    def runs(self, *steps: str) -> subprocess.CompletedProcess[str]:
        """Steps of maintainer scripts, all children of one dpkg, as far as the first that fails."""
        asked = (SCRIPTS / "guard.sh").read_text("utf-8")
        for step in steps:
            name = step.split()[0]
            text = (SCRIPTS / name).read_text("utf-8").replace("#guard#\n", asked)
            for place in ("/opt/posagent", "/var/", "/etc/posagent", "/run/"):
                text = text.replace(place, f"{self.home}{place}")
            # No accounts and no services here.
            text = (
                text.replace("@VERSION@", "2").replace("@JOURNAL@", "3").replace("posagent:", ":")
            )
            text = text.replace("    people\n", "").replace("        begin\n", "")
            text = text.replace("-o posagent -g posagent ", "")
            (self.home / name).write_text(text, "utf-8")
        told = " && ".join(f"sh {self.home}/{step}" for step in steps)
        return subprocess.run(
            ["sh", "-c", told + "; exit $?"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    @property
    def forced(self) -> int:
        """How often it was written down."""
        return (self.home / "asked").read_text().count("--force")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_one_removal_writes_its_reason_down_once(machine: Machine) -> None:
    """Asked before and after the daemon is stopped; the next run of dpkg is another one."""
    machine.flagged()
    assert machine.runs("prerm remove").returncode == 0
    assert machine.forced == 1
    assert machine.runs("prerm remove").returncode == 0
    assert machine.forced == 2


def test_a_dead_program_writes_it_down_once_too(machine: Machine) -> None:
    """The line that outlives package and store."""
    (machine.state / "journal.db-wal").touch()
    machine.answers(70)
    assert machine.runs("prerm remove").returncode == 1
    machine.flagged()
    assert machine.runs("prerm remove").returncode == 0
    lines = (machine.home / "var/log/posagent/forced").read_text().splitlines()
    assert [line.partition("reason=")[2].strip() for line in lines] == ["Li: terminal scrapped"]


def test_a_forgotten_reason_forces_nothing(machine: Machine) -> None:
    """After a day it counts no more, and who reads the refusal hears why."""
    machine.flagged(DAY_S + 120)
    done = machine.runs("prerm remove")
    assert done.returncode == 1
    assert machine.forced == 0
    assert "more than a day old" in done.stderr
    assert "超过一天" in done.stderr


def test_a_reason_ends_with_the_next_installation(machine: Machine) -> None:
    """What forced a removal or a downgrade does not force one of the version installed then."""
    machine.flagged()
    assert (
        machine.runs("prerm upgrade 1", "preinst upgrade 3", "postinst configure 3").returncode == 0
    )
    assert machine.forced == 1
    assert not machine.flag.exists()


def test_a_log_alone_is_not_purged(machine: Machine) -> None:
    """Money may lie in it: like a journal it takes a reason."""
    (machine.state / "journal.db-wal").write_bytes(b"x")
    assert machine.runs("postrm purge").returncode == 1
    assert (machine.state / "journal.db-wal").exists()
