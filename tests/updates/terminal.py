"""A terminal with two slots: its boot loader, its hooks, the root service, a host with a ledger.

The hooks, the boot loader and what runs before the agent are the examples vendors get; the versions
in the slots are whole agents that differ. Payments go in all the time; what was acknowledged is
written down outside, and compared with what the host has posted.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.core.software.update import Phase
from agent.sim.host import HostThread
from agent.sim.host_faults import Fault, Kind
from tests.actions_service.test_service import Running
from tests.process.daemon import PATIENCE_S, Daemon, payment, wait_until
from tests.updates.vendor import known_in
from tests.updates.versions import Image

EXAMPLE = Path(__file__).resolve().parents[2] / "firmware_hooks/examples/ab_slots"
#: Starts of a version in one boot before the watchdog restarts the terminal.
STARTS = 1


class Slots(Daemon):
    """The daemon from the slot that is in force."""

    quick = False

    @property
    def slots(self) -> Path:
        return self.home / "slots"

    def command(self, *arguments: str) -> list[str]:
        return [str(self.slots / "current/bin/posagent"), *arguments]

    def _environment(self) -> dict[str, str]:
        return {k: v for k, v in super()._environment().items() if k != "PYTHONPATH"}


class Terminal:
    """One terminal and what is known of its payments."""

    def __init__(self, daemon: Slots, host: HostThread, *, before_start: bool = True) -> None:
        self.daemon, self.host = daemon, host
        self.service = Running(daemon.home)
        self.acknowledged: dict[str, int] = {}
        self.boots = 0
        self._before_start = before_start
        for hook in (EXAMPLE / "actions.d").iterdir():
            shutil.copy2(hook, self.service.directory / hook.name)
        known_in(self.service.directory)
        boot = daemon.slots / "boot"
        boot.mkdir(parents=True)
        (self.service.directory / ".slots").symlink_to(daemon.slots)
        (boot / "good").write_text("a\n")
        self.config()
        self.service.start()

    def config(self, *, commit_after_s: float = 0.5) -> None:
        self.daemon.configure(
            f'[software]\nupdate_unsent = "allow"\ncommit_after_s = {commit_after_s}\n'
            f'rollback_after_s = 3600\n[system]\nroot = "{self.daemon.home}/root"\n'
            f'[hooks]\nactions_socket = "{self.service.socket}"\n',
            url=self.host.host.url,
        )

    # -- power and boot loader --------------------------------------------------------------------

    def boot(self) -> bool:
        """The power comes back: what the boot loader chooses is started. False: it does not run."""
        self.boots += 1
        subprocess.run([EXAMPLE / "bootloader", self.daemon.slots], check=True)
        self._new_boot_id()
        for _ in range(STARTS):
            if self._before_start:
                self.step_down()
            self.daemon.start(wait=False)
            try:
                self.daemon.wait_notified("READY=1")
            except AssertionError:
                continue
            return True
        return False

    def _new_boot_id(self) -> None:
        """Another boot than the one before, as the kernel would say."""
        file = self.daemon.home / "root/proc/sys/kernel/random/boot_id"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{uuid.uuid4()}\n")

    def boots_until_it_runs(self) -> None:
        """As a watchdog does it."""
        assert any(self.boot() for _ in range(8)), self.daemon.log()[-3000:]

    def step_down(self) -> None:
        subprocess.run(
            [EXAMPLE / "before_start", self.daemon.slots, "--config", self.daemon.config_file],
            check=False, stderr=subprocess.DEVNULL, timeout=PATIENCE_S,
        )  # fmt: skip

    def power_cut(self) -> None:
        """Daemon, service and hooks are gone at once."""
        self.daemon.kill()
        assert self.service.process is not None
        for hook in _below(self.service.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(hook, signal.SIGKILL)
        self.service.process.kill()
        self.service.process.wait(PATIENCE_S)

    def power_back(self) -> None:
        self.service.start()
        self.boots_until_it_runs()

    @property
    def wants_reboot(self) -> bool:
        return (self.daemon.slots / "boot/reboot").exists()

    @property
    def slot(self) -> str:
        return str((self.daemon.slots / "current").readlink())

    # -- updates ----------------------------------------------------------------------------------

    def apply(self, image: Image) -> None:
        answer = self.daemon.post(
            "/v1/updates",
            {
                "file": str(image.file), "sha256": image.sha256, "size_bytes": image.size_bytes,
                "component": "agent", "version": image.version,
            },
        )  # fmt: skip
        assert answer.status == 200, answer.body

    def ends(self, what: str) -> None:
        """A technician's word, repeated while nobody hears it."""

        def heard() -> bool:
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self.daemon.post("/v1/updates/end", {"what": what}).status == 200
            return False

        wait_until(heard, what)

    def update(self) -> dict[str, Any]:
        """The last one, as it lies on the flash."""
        try:
            rows = json.loads((self.daemon.state_dir / "updates.json").read_bytes())
        except (OSError, ValueError):
            return {"phase": "none"}
        return dict(rows[-1]) if rows else {"phase": "none"}

    def lives_until(self, *phases: str, until: Callable[[], bool] = lambda: True) -> dict[str, Any]:
        """Rebooting whenever a hook wants it, until the update is in one of these phases."""

        def reached() -> bool:
            if self.wants_reboot:
                self.daemon.kill()
                self.boots_until_it_runs()
            return self.update()["phase"] in phases and until()

        wait_until(reached, f"{phases}, not {self.update()}", timeout_s=2 * PATIENCE_S)
        return self.update()

    def reboots(self, slot: str) -> None:
        """As the hook wants it, until the other slot is in force."""
        self.lives_until(*Phase, until=lambda: self.slot == slot and not self.wants_reboot)

    def lives_in(self, phase: str) -> None:
        """The same, until this phase is on the flash or the update is over."""
        self.lives_until(phase, "committed", "failed", "rolled_back")

    # -- money ------------------------------------------------------------------------------------

    def pays(self, count: int, prefix: str) -> None:
        """Payments, each repeated with the same key until it is acknowledged."""
        for number in range(count):
            key, amount = f"{prefix}-{number:03d}", 100 + 7 * number

            def taken(key: str = key, amount: int = amount) -> bool:
                with contextlib.suppress(OSError, http.client.HTTPException):
                    answer = self.daemon.submit(payment(key, amount_minor=amount))
                    return answer.status in (200, 201)
                return False

            wait_until(taken, f"{key} acknowledged")
            self.acknowledged[key] = amount

    def host_away(self) -> None:
        self.host.apply(Fault(kind=Kind.REFUSE))

    def host_back(self) -> None:
        self.host.apply(Fault())

    def wrong(self) -> list[str]:
        """What is lost or twice once everything has been sent, by the host's own ledger."""
        with contextlib.suppress(AssertionError):
            self.daemon.post("/v1/queue/retry", {})
            self.daemon.wait_drained(20.0)
        posted = Counter(one.key for one in self.host.host.ledger.postings())
        amounts = {one.key: one.amount_minor for one in self.host.host.ledger.postings()}
        found = [f"lost: {key}" for key in self.acknowledged if key not in posted]
        found += [f"twice: {key}" for key, times in posted.items() if times > 1]
        found += [
            f"another amount: {key}"
            for key, amount in self.acknowledged.items()
            if amounts.get(key, amount) != amount
        ]
        return found

    def close(self) -> None:
        if self.service.process is not None and self.service.process.poll() is None:
            self.service.process.kill()
            self.service.process.wait(PATIENCE_S)


def _below(pid: int) -> list[int]:
    """All processes under one, the deepest last."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [one for child in children for one in (int(child), *_below(int(child)))]
