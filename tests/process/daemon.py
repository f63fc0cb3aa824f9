"""The real daemon as a subprocess with a private home, and its API over the unix socket.

Readiness is the daemon's own word (sd_notify), never a pause; every wait has a condition and a
deadline; whatever a test started is gone when the test is, also when the run was killed.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from agent.sim.leash import leash

ROOT = Path(__file__).resolve().parent.parent.parent
#: Generous: a loaded build machine, never a promise of the daemon.
PATIENCE_S = 60.0
#: For a program that is only kept from hanging for ever.
LONG_S = 120.0


def wait_until(
    condition: Callable[[], Any], what: str, *, timeout_s: float = PATIENCE_S
) -> Any:  # what `condition` found
    """The first true value of `condition`; fails with `what` after the deadline."""
    ends = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < ends, f"not within {timeout_s} s: {what}"
        time.sleep(0.02)  # a poll of a condition, not a pause for luck
    return found


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document

    @property
    def code(self) -> str:
        """The problem's stable code, or "" where the answer is none."""
        if self.headers.get("content-type") != "application/problem+json":
            return ""
        return str(self.json["code"])


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(str(self._path))
        except BaseException:
            self.sock.close()
            raise


def call(
    path: Path,
    method: str,
    target: str,
    body: bytes | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = PATIENCE_S,
) -> Answer:
    """One request on a connection of its own. Raises OSError or HTTPException."""
    connection = _UnixConnection(path, timeout_s)
    try:
        given = {"content-type": "application/json"} if body is not None else {}
        connection.request(method, target, body, {**given, **(headers or {})})
        response = connection.getresponse()
        named = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, named, response.read())
    finally:
        connection.close()


def imported(log: str) -> list[str]:
    """What a daemon under `-X importtime` has loaded, in order."""
    names = re.findall(r"(?m)^import time:.*\|\s*([\w.]+)$", log)
    return list(dict.fromkeys(names))


def payment(key: str | None = None, **changes: Any) -> dict[str, Any]:
    """An advice as a payment app hands it over; `changes` replace fields, None removes one."""
    body: dict[str, Any] = {
        "key": key or f"k-{uuid.uuid4().hex[:20]}",
        "terminal_id": "T0000001",
        "merchant_id": "M00000000000001",
        "kind": "sale",
        "posting": "advice",
        "occurred_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "amount_minor": 1250,
        "currency": "CNY",
        "payload": {"content_type": "application/json", "text": '{"order":"A-1"}'},
    }
    body.update(changes)
    return {name: value for name, value in body.items() if value is not None}


class Daemon:
    """`posagent run` with a home of its own. Use as a context manager; `start` inside it."""

    quick = True  #: a finer grid of timers (`tests.process.quick`); False: the program itself

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        # A unix socket's path has 107 bytes at most: pytest's own directories are too deep.
        self.home = Path(tempfile.mkdtemp(prefix="pa-", dir="/tmp"))
        self.home.chmod(0o755)  # other users may come as far as the socket
        self.state_dir = self.home / "state"
        self.run_dir = self.home / "run"
        self.run_dir.mkdir()
        self.config_file = self.home / "posagent.toml"
        self.log_file = self.home / "log"
        self.environment = dict(environment or {})
        self.process: subprocess.Popen[bytes] | None = None
        self.notified: list[str] = []
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(self.home / "notify"))
        self.configure()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        self._notify.close()
        if kind is not None:
            print(f"--- log of the daemon in {self.home}\n{self.log()[-8_000:]}")
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def socket(self) -> Path:
        return self.run_dir / "api.sock"

    def configure(
        self, text: str = "", *, url: str = "", uplink: str = "", agent: str = ""
    ) -> None:
        """Write the configuration: `text` is appended, `url` makes an impatient uplink."""
        lines = [
            "[agent]",
            f'state_dir = "{self.state_dir}"',
            f'run_dir = "{self.run_dir}"',
            'device_id = "test-terminal"',
            'log_level = "debug"',
            agent,
        ]
        if url:
            lines += [
                "[[uplink]]",
                'name = "host"',
                f'url = "{url}"',
                "backoff_base_s = 0.1",
                "backoff_cap_s = 0.5",
                "host_in_flight_s = 1",
                uplink,
            ]
        self.config_file.write_text("\n".join([*lines, text]) + "\n", encoding="utf-8")

    def command(self, *arguments: str) -> list[str]:
        program = "tests.process.quick" if self.quick and arguments[:1] == ("run",) else "agent"
        return [sys.executable, "-m", program, *arguments]

    def start(self, *, wait: bool = True, environment: Mapping[str, str] | None = None) -> Self:
        """Start it and, by default, wait until it says READY."""
        assert self.process is None or self.process.poll() is not None, "already running"
        self._hear(0.0)
        self.notified.clear()
        given = self._environment() | dict(environment or {})
        # For the daemon alone: what is preloaded is not meant for the programs in front of it.
        preload = given.pop("LD_PRELOAD", "")
        front = [*leash(), "env", f"LD_PRELOAD={preload}"] if preload else leash()
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*front, *self.command("run", "--config", str(self.config_file))],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=given,
                cwd=ROOT,
                start_new_session=True,
            )
        if wait:
            self.wait_notified("READY=1")
        return self

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name != "JOURNAL_STREAM"}
        return {
            **kept,
            "NOTIFY_SOCKET": str(self.home / "notify"),
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            **self.environment,
        }

    def wait_notified(self, word: str, timeout_s: float = PATIENCE_S) -> None:
        """Until a message of the service protocol has this line; fails if the process ends."""
        ends = time.monotonic() + timeout_s
        while not any(word in message.split("\n") for message in self.notified):
            self._hear(0.1)
            if self.process is not None and (code := self.process.poll()) is not None:
                self._hear(0.0)
                if any(word in message.split("\n") for message in self.notified):
                    return
                raise AssertionError(f"exited with {code} before {word}:\n{self.log()[-4_000:]}")
            assert time.monotonic() < ends, f"no {word} within {timeout_s} s"

    def _hear(self, timeout_s: float) -> None:
        self._notify.settimeout(timeout_s or 0.000_001)
        with contextlib.suppress(TimeoutError, BlockingIOError):
            while True:
                self.notified.append(self._notify.recv(4096).decode())

    def kill(self) -> None:
        """As a power cut, as far as a process can show one: SIGKILL."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.process.wait(PATIENCE_S)

    def terminate(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """The exit code."""
        assert self.process is not None
        return self.process.wait(timeout_s)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.terminate()
        return self.wait()

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def log(self) -> str:
        return self.log_file.read_text("utf-8", "replace") if self.log_file.exists() else ""

    def wait_log(self, text: str, timeout_s: float = PATIENCE_S) -> None:
        wait_until(lambda: text in self.log(), f"{text!r} in the log", timeout_s=timeout_s)

    def get(self, target: str, timeout_s: float = PATIENCE_S) -> Answer:
        return call(self.socket, "GET", target, timeout_s=timeout_s)

    def post(self, target: str, body: object, timeout_s: float = PATIENCE_S) -> Answer:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return call(self.socket, "POST", target, raw, timeout_s=timeout_s)

    def submit(self, body: object, timeout_s: float = PATIENCE_S) -> Answer:
        return self.post("/v1/transactions", body, timeout_s)

    def backlog(self) -> dict[str, Any]:
        return self.get("/v1/backlog").json

    def unsent(self) -> int:
        return int(self.backlog()["total"]["count"])

    def record(self, key: str) -> dict[str, Any]:
        return self.get(f"/v1/transactions/{key}?history=true").json

    def alarms(self) -> dict[str, dict[str, Any]]:
        return {alarm["code"]: alarm for alarm in self.get("/v1/health").json["alarms"]}

    def components(self) -> dict[str, dict[str, Any]]:
        found = self.get("/v1/health").json["components"]
        return {component["component"]: component for component in found}

    def wait_drained(self, timeout_s: float = PATIENCE_S) -> None:
        wait_until(lambda: self.unsent() == 0, "backlog at 0", timeout_s=timeout_s)
