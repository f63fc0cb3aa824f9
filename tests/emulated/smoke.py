"""The installed daemon as an emulated process: a payment through it, its words, its memory.

The host and its ledger are this machine's own, outside the root. Memory is what the guest's own
pages take: those qemu-user maps for the program, without qemu's.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.sim.host import HostThread
from tests.emulated.root import EmulationError, inside
from tests.process.daemon import ROOT, call, imported, payment

PATIENCE_S = 300.0
SETTLED_S = 60.0
CONFIG = """\
[agent]
device_id = "emulated"
state_dir = "/var/lib/posagent"
run_dir = "/run/posagent"
[[uplink]]
name = "host"
url = "{url}"
backoff_base_s = 0.1
backoff_cap_s = 0.5
"""
PROGRAM = "/opt/posagent/bin/posagent"
PYTHON = ("/opt/posagent/bin/python", "-I")
UNIT = ROOT / "packaging/systemd/posagent.service"
#: Imports what is named on standard input, as far as it is there, and rests like the daemon.
RESTS = """\
import asyncio, importlib, sys
for name in sys.stdin.read().split():
    try:
        importlib.import_module(name)
    except ImportError:
        continue
print("ready", flush=True)
asyncio.run(asyncio.sleep(3600))
"""
FILE = "/etc/posagent/emulated.toml"
#: qemu-user maps the program's own areas below this address, and itself above.
BELOW = 1 << 40


@dataclass(frozen=True)
class Memory:
    """In MB."""

    rss: float
    pss: float


@dataclass(frozen=True)
class Smoke:
    """What was seen."""

    version_s: float  # `posagent --version`, emulated
    ready_s: float  # until the API answers, emulated
    payment_s: float  # from hand-over to the host's ledger, emulated
    memory: Memory
    whole: Memory  # with qemu's own
    libraries: Memory  # the interpreter and what is not ours of what the daemon imports
    status: dict[str, Any]
    why: str
    stop_code: int


def through(root: Path) -> Smoke:
    """One payment through the daemon installed in `root`; raises EmulationError with the log."""
    log = root / "tmp" / "daemon.log"
    began = time.monotonic()
    said(root, PROGRAM, "--version")
    version_s = time.monotonic() - began
    run_dir = root / "run" / "posagent"
    run_dir.mkdir(parents=True, exist_ok=True)
    with HostThread() as host:
        (root / FILE.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (root / FILE.lstrip("/")).write_text(CONFIG.format(url=host.host.url), "utf-8")
        (root / FILE.lstrip("/")).chmod(0o644)
        began = time.monotonic()
        with log.open("wb") as words, started(root, words) as daemon:
            try:
                api = run_dir / "api.sock"
                until(lambda: _answers(api), "the API answers", daemon)
                ready_s = time.monotonic() - began
                key = f"emulated-{os.getpid()}"
                began = time.monotonic()
                given = call(api, "POST", "/v1/transactions", json.dumps(payment(key)).encode())
                if given.status != 201:
                    raise EmulationError(f"the payment was answered {given.status}: {given.body!r}")
                until(lambda: _posted(host, key), "the host's ledger has the payment", daemon)
                payment_s = time.monotonic() - began
                until(lambda: _state(api, key) == "posted", "the journal has the proof", daemon)
                status = json.loads(said(root, PROGRAM, "status", "--json", "--config", FILE))
                why = said(root, PROGRAM, "--lang", "en", "why", key, "--config", FILE)
                time.sleep(SETTLED_S)  # idle is what is measured
                memory, whole = measured(_emulated(daemon.pid))
            finally:
                daemon.terminate()
                stop_code = daemon.wait(PATIENCE_S)
        postings = [p for p in host.host.ledger.postings() if p.key == key]
        if len(postings) != 1:
            raise EmulationError(f"{len(postings)} postings of one payment")
    alone = libraries(root, _theirs(root))
    return Smoke(
        version_s, ready_s, payment_s, memory, whole, alone, status, why.strip(), stop_code
    )  # fmt: skip


def started(root: Path, words: Any, *program: str) -> subprocess.Popen[bytes]:
    """The daemon with the environment its unit gives it."""
    program = program or (PROGRAM,)
    command = inside(root, "env", *unit_environment(), *program, "run", "--config", FILE)
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=words, stderr=words)


def unit_environment() -> list[str]:
    """NAME=VALUE as systemd would set them."""
    set_ = re.findall(r"(?m)^Environment=(.*)$", UNIT.read_text("utf-8"))
    return [pair for line in set_ for pair in line.split()]


def _theirs(root: Path) -> list[str]:
    """The modules a started daemon has loaded that are not ours."""
    log = root / "tmp" / "imports.log"
    api = root / "run" / "posagent" / "api.sock"
    with log.open("wb") as words:
        program = (*PYTHON, "-X", "importtime", "/opt/posagent/start.py", "posagent")
        daemon = started(root, words, *program)
        try:
            until(lambda: _answers(api), "the API answers", daemon)
        finally:
            daemon.terminate()
            daemon.wait(PATIENCE_S)
    names = imported(log.read_text("utf-8", "replace"))
    return [name for name in names if name.partition(".")[0] not in ("agent", "site")]


def libraries(root: Path, names: list[str]) -> Memory:
    """What a process takes that imports these and rests; raises EmulationError."""
    command = inside(root, "env", *unit_environment(), *PYTHON, "-c", RESTS)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as resting:
        assert resting.stdin is not None
        assert resting.stdout is not None
        try:
            resting.stdin.write("\n".join(names))
            resting.stdin.close()
            if resting.stdout.readline() != "ready\n":
                raise EmulationError("the libraries cannot be imported by themselves")
            return measured(resting.pid)[0]
        finally:
            resting.kill()


def said(root: Path, *command: str) -> str:
    done = subprocess.run(
        inside(root, *command), capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    if done.returncode:
        raise EmulationError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def until(condition: Callable[[], bool], what: str, daemon: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not condition():
        if daemon.poll() is not None:
            raise EmulationError(f"the daemon ended with {daemon.returncode} before {what}")
        if time.monotonic() > ends:
            raise EmulationError(f"not within {PATIENCE_S:.0f} s: {what}")
        time.sleep(0.2)


def _answers(api: Path) -> bool:
    try:
        return call(api, "GET", "/v1/backlog").status == 200
    except OSError:
        return False


def _posted(host: HostThread, key: str) -> bool:
    return any(posting.key == key for posting in host.host.ledger.postings())


def _state(api: Path, key: str) -> str:
    return str(call(api, "GET", f"/v1/transactions/{key}").json["state"])


def _emulated(pid: int) -> int:
    """chroot and env were replaced by what they started; so is the launcher by the interpreter."""
    if "start.py" not in Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace"):
        raise EmulationError(f"process {pid} is not the daemon's interpreter")
    return pid


def measured(pid: int) -> tuple[Memory, Memory]:
    """The guest's pages of a process under qemu-user, and all of its pages."""
    areas = list(_areas(Path(f"/proc/{pid}/smaps").read_text("utf-8")))
    guest = [area for area in areas if area.low < BELOW]
    if not any("/bin/python3" in area.name for area in guest):
        raise EmulationError("the emulator mapped the program elsewhere than known: no memory told")
    return _sum(guest), _sum(areas)


@dataclass(frozen=True)
class _Area:
    low: int
    name: str
    rss_kb: int
    pss_kb: int


def _areas(text: str) -> Iterator[_Area]:
    for part in re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )", text):
        head = part.split("\n", 1)[0].split(None, 5)
        if len(head) < 5:
            continue
        kb = {m[1]: int(m[2]) for m in re.finditer(r"(?m)^(Rss|Pss):\s+(\d+) kB", part)}
        yield _Area(
            int(head[0].split("-")[0], 16), head[5] if len(head) > 5 else "", kb["Rss"], kb["Pss"]
        )


def _sum(areas: list[_Area]) -> Memory:
    return Memory(sum(a.rss_kb for a in areas) / 1000, sum(a.pss_kb for a in areas) / 1000)
