"""Scenes c, d and e: a newer version, refusals and a way back while 1,000 payments are unsent.

The host is outside this machine and down meanwhile. What it has in the end is counted outside.
"""

from __future__ import annotations

import time
from pathlib import Path

from tests.rig.guest.packages import machine, payments
from tests.rig.guest.packages.machine import must, ran
from tests.rig.guest.packages.payments import MANY, Host
from tests.rig.guest.packages.sandbox import STATE, both, package
from tests.rig.guest.packages.scene import Scene, check

FLAG = Path("/etc/posagent/force-removal")
REASON = "rig: the newer version is taken back on purpose"
FORCED = Path("/var/log/posagent/forced")
JOURNAL = Path(STATE) / "journal.db"


class Money:
    """What is unsent, and what has been done about the package meanwhile."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def taken(self) -> str:
        """The host is down; the terminal takes payments all the same."""
        payments.drained()
        before = len(self.host.posted())
        self.host.down()
        took_s = payments.paid(MANY, "offline")
        left = payments.unsent()
        check(left == MANY, f"{left} are unsent")
        check(len(self.host.posted()) == before, "the host got something")
        return (
            f"{MANY} payments accepted in {took_s:.1f} s ({MANY / took_s:.0f} a second), "
            f"{left} unsent; the host outside refuses connections"
        )

    def upgraded(self) -> str:
        """dpkg -i of the newer version: the money stays, the daemon is back."""
        before = machine.installed()
        took_s, said = _dpkg("-i", *both("newer"))
        ready_s = payments.answering()
        left = payments.unsent()
        check(machine.installed() != before, f"still {before}: {said[-200:]}")
        check(left == MANY, f"{left} are unsent afterwards")
        check(machine.active(), "the daemon is not active")
        return (
            f"{before} to {machine.installed()} in {took_s:.0f} s, answers {ready_s:.0f} s later, "
            f"{left} unsent"
        )

    def refused(self, *command: str) -> str:
        """dpkg says no, with the reason, and everything is as it was."""
        version, pid = machine.installed(), machine.main_pid()
        code, said = ran("dpkg", *command)
        check(code != 0, f"dpkg went through: {said[-300:]}")
        check("refused" in said and "已拒绝" in said, f"no such message: {said[-500:]}")
        check(f"{MANY:,}" in said or str(MANY) in said, f"the count is not named: {said[-500:]}")
        payments.answering()
        left = payments.unsent()
        check(machine.installed() == version or machine.active(), f"now {machine.installed()}")
        check(left == MANY, f"{left} are unsent afterwards")
        stayed = "never stopped" if machine.main_pid() == pid else "running again"
        return f"dpkg ended with {code}; daemon {stayed}, {left} unsent; said: " + _gist(said)

    def rolled_back(self) -> str:
        """The older version by force, with a reason: records are kept, the reason is audited."""
        before = machine.installed()
        FLAG.write_text(REASON + "\n", "utf-8")
        try:
            took_s, _ = _dpkg("-i", *both("older"))
        finally:
            FLAG.unlink(missing_ok=True)
        payments.answering()
        left = payments.unsent()
        check(machine.installed() != before, f"still {before}")
        check(left == MANY, f"{left} are unsent afterwards")
        where = _audited(REASON)
        check(bool(where), "the reason is in no record")
        return (
            f"{before} back to {machine.installed()} in {took_s:.0f} s, {left} unsent; the reason "
            f"is in {where}"
        )

    def delivered(self) -> str:
        """The host is back: everything goes out; the count that matters is made outside."""
        self.host.up()
        try:
            took_s = payments.drained()
        finally:
            payments.due("offline")
        posted = [key for key in self.host.posted() if key.startswith("offline-")]
        once = len(posted) == len(set(posted)) == MANY
        check(once, f"{len(posted)} postings of {len(set(posted))} keys")
        return f"{len(posted)} postings, each key once, {took_s:.0f} s after the host came back"

    def removed(self) -> str:
        """Nothing unsent: dpkg -r goes through, the store stays, and the next install finds it."""
        size = JOURNAL.stat().st_size
        took_s, _ = _dpkg("-r", "posagent-extras", "posagent")
        check(not machine.installed(), f"{machine.installed()} is installed")
        check(not Path("/opt/posagent/bin/python").exists(), "/opt/posagent is still there")
        check(not machine.main_pid(), "the daemon runs")
        check(JOURNAL.stat().st_size >= size, "the journal has changed")
        again_s, _ = _dpkg("-i", package("newer"))
        payments.answering()
        told = must("/usr/bin/posagent", "why", "offline-0007", "--json")
        check('"host_answered"' in told, f"what is known of a payment: {told[:300]}")
        return (
            f"removed in {took_s:.0f} s, journal of {size / 1024:.0f} KB kept; installed again in "
            f"{again_s:.0f} s, offline-0007 still posted"
        )

    def unguarded(self) -> str:
        """The control: a package without its guard; remove and purge must go through."""
        self.host.down()
        _dpkg("-i", package("unguarded"))
        payments.answering()
        payments.paid(3, "unguarded")
        code, said = ran("dpkg", "--purge", "posagent")
        gone = not JOURNAL.exists()
        check(code == 0 and gone, f"refused all the same ({code}): {said[-300:]}")
        return "noticed: purged with 3 unsent, the journal is gone"

    def purged(self) -> str:
        """The guard, then the reason: refused first, then done and written down."""
        _dpkg("-i", package("newer"))
        payments.answering()
        payments.paid(5, "purged")
        code, said = ran("dpkg", "--purge", "posagent")
        check(code != 0 and payments.unsent() == 5, f"dpkg ended with {code}: {said[-300:]}")
        FLAG.write_text(REASON + "\n", "utf-8")
        _dpkg("--purge", "posagent")
        check(not JOURNAL.exists(), "the journal is still there")
        where = _audited(REASON)
        check(bool(where), "the reason is in no record")
        return f"refused with {code}, then forced: gone; the reason stays in {where}"


def _dpkg(*words: object) -> tuple[float, str]:
    began = time.monotonic()
    said = must("dpkg", *(str(each) for each in words))
    return time.monotonic() - began, said


def _gist(said: str) -> str:
    """The lines that are the package's own, in English."""
    lines = [line.strip() for line in said.splitlines() if line.startswith("posagent:")]
    plain = [line for line in lines if line.isascii()]
    return " / ".join(plain[:3])[:400]


def _audited(reason: str) -> str:
    """Where the reason of a forced step is written down, or ""."""
    found = []
    if FORCED.exists() and reason in FORCED.read_text("utf-8"):
        found.append(str(FORCED))
    if machine.installed() and reason in ran("/usr/bin/posagent", "audit")[1].replace("\n", " "):
        found.append("posagent audit")
    return " and ".join(found)


def scenes(money: Money) -> list[Scene]:
    return [
        Scene("c", "1,000 payments, host down", money.taken),
        Scene("c", "newer version over 1,000 unsent", money.upgraded),
        Scene("d", "remove refused", lambda: money.refused("-r", "posagent-extras", "posagent")),
        Scene("d", "purge refused",
              lambda: money.refused("--purge", "posagent-extras", "posagent")),
        Scene("d", "downgrade refused", lambda: money.refused("-i", *both("older"))),
        Scene("e", "back to the older version, forced with a reason", money.rolled_back),
        Scene("c", "the host is back", money.delivered),
        Scene("d", "nothing unsent: remove, install again", money.removed),
    ]  # fmt: skip


def purges(money: Money) -> list[Scene]:
    """What loses money on purpose: after everything else."""
    return [
        Scene("d", "package without its guard", money.unguarded, control=True),
        Scene("d", "purge: refused, then forced with a reason", money.purged),
    ]
