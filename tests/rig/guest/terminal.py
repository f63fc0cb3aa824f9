"""The daemon under systemd in the guest, and the two places where what it says is heard.

`Terminal` configures and starts it; `components` is its local API, `Broker` a subscriber of the
guest's mosquitto that knows nothing of the daemon but the topic.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.rig.guest.results import RigError

UNIT_FILE = Path("/run/systemd/system/posagent.service")
CONFIG = Path("/etc/posagent/posagent.toml")
SOCKET = "/run/posagent/api.sock"
UNIT = """\
[Unit]
Description=posagent

[Service]
Type=notify
ExecStart=/opt/posagent/bin/posagent run --config /etc/posagent/posagent.toml
User=posagent
Group=posagent
SupplementaryGroups=lp dialout input
StateDirectory=posagent
RuntimeDirectory=posagent
WatchdogSec=120
TimeoutStartSec=180
Restart=on-failure
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
"""
START_S = 180.0
ANSWER_S = 20.0


@dataclass(frozen=True, slots=True)
class Heard:
    """One MQTT message."""

    at_s: float  # monotonic
    topic: str
    body: dict[str, Any]


class Broker:
    """Listens on every topic through mosquitto's own client, from before the daemon starts."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["mosquitto_sub", "-h", "127.0.0.1", "-t", "pos/#", "-q", "1", "-F", "%t\t%p"],
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._listen, name="mqtt", daemon=True).start()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(5.0)

    def event(self, code: str, *, active: bool, since_s: float) -> Heard | None:
        """The first event of this kind heard after `since_s`."""
        for each in list(self.heard):
            wanted = each.at_s >= since_s and each.topic.endswith("/event")
            if wanted and each.body.get("code") == code and each.body.get("active") is active:
                return each
        return None

    def health(self, name: str, value: object, *, since_s: float) -> Heard | None:
        """The first reading `name` that is `value`, heard after `since_s`."""
        for each in list(self.heard):
            wanted = each.at_s >= since_s and each.topic.endswith("/health")
            if wanted and name in each.body and each.body[name] == value:
                return each
        return None

    def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            topic, _, payload = line.rstrip("\n").partition("\t")
            with contextlib.suppress(ValueError):
                body = json.loads(payload)
                self.heard.append(Heard(time.monotonic(), topic, body))


class _Connection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(ANSWER_S)
        self.sock.connect(SOCKET)


def health() -> dict[str, Any]:
    """GET /v1/health. Raises OSError or HTTPException."""
    connection = _Connection("localhost", timeout=ANSWER_S)
    try:
        connection.request("GET", "/v1/health")
        found: dict[str, Any] = json.loads(connection.getresponse().read())
        return found
    finally:
        connection.close()


def status() -> dict[str, Any]:
    """GET /v1/status. Raises OSError or HTTPException."""
    return _asked("GET", "/v1/status")


def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """POST to the local API. Raises OSError or HTTPException."""
    return _asked("POST", path, json.dumps(body).encode())


def _asked(method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
    connection = _Connection("localhost", timeout=ANSWER_S)
    try:
        connection.request(method, path, body, {"content-type": "application/json"})
        found: dict[str, Any] = json.loads(connection.getresponse().read())
        return found
    finally:
        connection.close()


def components() -> dict[str, dict[str, Any]]:
    """What each component is said to be, by name; empty while nobody answers."""
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
        return {each["component"]: each for each in health()["components"]}
    return {}


class Terminal:
    """The daemon as its package would run it."""

    def configure(self, tables: str) -> None:
        """`tables` is what it watches; the rest is the same for every run."""
        CONFIG.parent.mkdir(exist_ok=True)
        agent = '[agent]\ndevice_id = "rig"\nlog_level = "debug"\n'
        telemetry = '[telemetry]\nendpoints = ["mqtt://127.0.0.1:1883"]\nboot_delay_s = 0.0\n'
        telemetry += "health_period_s = 5.0\n"  # else 15 minutes for what is no alarm
        CONFIG.write_text(agent + telemetry + tables, "utf-8")
        check = ["/opt/posagent/bin/posagent", "config", "check", "--config", str(CONFIG)]
        done = subprocess.run(check, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RigError(f"the daemon refuses its configuration: {done.stdout}{done.stderr}")

    def start(self) -> float:
        """Start it by systemd; seconds until it said READY."""
        if not UNIT_FILE.exists():
            UNIT_FILE.parent.mkdir(parents=True, exist_ok=True)
            UNIT_FILE.write_text(UNIT, "utf-8")
            subprocess.run(["systemctl", "daemon-reload"], check=True)
        began = time.monotonic()
        done = subprocess.run(
            ["systemctl", "start", "posagent.service"],
            capture_output=True,
            text=True,
            check=False,
            timeout=START_S,
        )
        if done.returncode:
            raise RigError(f"the daemon did not start: {done.stderr} {self.log(60)}")
        return time.monotonic() - began

    def stop(self) -> None:
        subprocess.run(["systemctl", "stop", "posagent.service"], check=True, timeout=START_S)

    def restarts(self) -> int:
        """How often systemd had to start it again."""
        show = ["systemctl", "show", "--property=NRestarts", "--value", "posagent.service"]
        return int(subprocess.run(show, capture_output=True, text=True, check=True).stdout or 0)

    def memory_kb(self) -> int:
        """VmRSS of the daemon."""
        show = ["systemctl", "show", "--property=MainPID", "--value", "posagent.service"]
        pid = subprocess.run(show, capture_output=True, text=True, check=True).stdout.strip()
        for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise RigError(f"no VmRSS of process {pid}")

    def log(self, lines: int) -> str:
        """The end of its log, for a person."""
        read = ["journalctl", "-u", "posagent", "-n", str(lines), "--no-pager", "-o", "cat"]
        return subprocess.run(read, capture_output=True, text=True, check=False).stdout
