"""The real daemon under a crowd and under probes, while a payment app goes on paying."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.hostile.probes import CUT, Probe, probes, smuggled
from tests.process.daemon import ROOT, Daemon, payment

NOBODY = 65_534
SAY_S = 10.0
PAGE = '[page]\nlisten = "127.0.0.1:0"\ntoken_file = "{home}/page.token"\n'
#: Deadlines of a second: the crowd is as large, the run is shorter.
IMPATIENT = "[api]\nread = [{nobody}]\nhead_timeout_s = 1\nbody_timeout_s = 1\nidle_timeout_s = 2\n"
#: Control: who is hostile may submit, and nobody's patience ever ends.
DEFENCELESS = "[api]\nsubmit = [{nobody}]\nhead_timeout_s = 3600\nidle_timeout_s = 3600\n"


@dataclass(slots=True)
class Paying:
    """A payment app that pays on until told to stop; a refusal is tried again at once."""

    daemon: Daemon
    keys: list[str] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    waits_ms: list[float] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.stop.is_set():
            body = payment()
            began = time.monotonic()
            while not self.stop.is_set():
                try:
                    answer = self.daemon.submit(body, timeout_s=SAY_S)
                except (OSError, http.client.HTTPException) as error:
                    self.refusals[type(error).__name__] += 1
                    continue
                if answer.status in (200, 201):
                    self.keys.append(str(body["key"]))
                    self.waits_ms.append(1_000 * (time.monotonic() - began))
                    break
                self.refusals[answer.code] += 1
                self.stop.wait(0.05)
            self.stop.wait(0.02)


def page_port(daemon: Daemon) -> int:
    """The port of the page of a running daemon."""
    listeners = daemon.get("/v1/page").json["listeners"]
    return int(listeners[0]["address"].rstrip("/").rpartition(":")[2])


def pid_of(daemon: Daemon) -> int:
    """The daemon's own process: it may stand behind a leash."""
    assert daemon.process is not None
    pid = daemon.process.pid
    if b"\0run\0--config\0" in Path(f"/proc/{pid}/cmdline").read_bytes():
        return pid
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def descriptors(daemon: Daemon) -> int:
    """How many files it has open."""
    return len(list(Path(f"/proc/{pid_of(daemon)}/fd").iterdir()))


def crowd(daemon: Daemon, total: int, wave: int, *, uid: int = 0) -> dict[str, int]:
    """Send it and wait for it; how its clients ended."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.crowd", str(daemon.socket), str(page_port(daemon)),
         str(total), str(wave), str(uid)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["uid"] == (uid or os.getuid())
    ends: dict[str, int] = told["ends"]
    return ends


def say(daemon: Daemon, port: int, probe: Probe) -> set[int]:
    """Every status that came back; CUT where none did."""
    sock: socket.socket
    if port:
        sock = socket.create_connection(("127.0.0.1", port), SAY_S)
    else:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(SAY_S)
        sock.connect(str(daemon.socket))
    got = b""
    with sock:
        with contextlib.suppress(OSError):
            sock.sendall(probe.data)
            sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while data := sock.recv(65_536):
                got += data
    found = {int(part[:3]) for part in got.split(b"HTTP/1.1 ")[1:] if part[:3].isdigit()}
    return found or {CUT}


def tried(daemon: Daemon) -> tuple[int, list[str]]:
    """Every probe at both listeners; (how many, what was wrong)."""
    wrong: list[str] = []
    count = 0
    port = page_port(daemon)
    for listener, at, here in (("page", port, f"127.0.0.1:{port}"), ("socket", 0, "localhost")):
        for probe in probes(here):
            if probe.page_only and not at:
                continue
            count += 1
            try:
                statuses = say(daemon, at, probe)
            except TimeoutError:
                wrong.append(f"{listener}: {probe.name}: neither answered nor ended")
                continue
            if not statuses <= probe.allowed:
                wrong.append(f"{listener}: {probe.name}: {sorted(statuses)}")
    total = daemon.backlog()["total"]["count"]
    wrong += [
        f"smuggled-{number} was taken over"
        for number in range(100)
        if daemon.get(f"/v1/transactions/smuggled-{number}").status != 404
    ]
    if daemon.get("/v1/status").status != 200 or daemon.backlog()["total"]["count"] != total:
        wrong.append("the daemon does not answer as before")
    return count, wrong


def control(daemon: Daemon) -> bool:
    """The smuggled payment by itself, at the socket, is taken: the probes could have hurt."""
    statuses = say(daemon, 0, Probe(name="control", data=smuggled("smuggled-alone", "localhost")))
    return statuses == {201}
