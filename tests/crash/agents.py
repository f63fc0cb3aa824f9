"""The real daemon on a directory, with a reference host: what a sampled crash must end in."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.crash.disk import ROOT

PATIENCE_S = 30.0


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Agent:
    """`python -m agent run` with a home of its own."""

    def __init__(self, url: str, settings: str = "") -> None:
        self.home = Path(tempfile.mkdtemp(prefix="pc-", dir="/dev/shm"))
        self.state = self.home / "state"
        self._process: subprocess.Popen[bytes] | None = None
        (self.home / "run").mkdir()
        (self.home / "posagent.toml").write_text(
            f'[agent]\nstate_dir = "{self.state}"\nrun_dir = "{self.home}/run"\n'
            f'device_id = "crash-rig"\n[[uplink]]\nname = "host"\nurl = "{url}"\n'
            f"backoff_base_s = 0.1\nbackoff_cap_s = 0.3\nhost_in_flight_s = 1\n{settings}"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        if kind is not None:
            print((self.home / "log").read_text("utf-8", "replace")[-4_000:])
        shutil.rmtree(self.home, ignore_errors=True)

    def start(self, environment: Mapping[str, str] | None = None) -> None:
        """Does not wait: a daemon may be meant to die while it starts."""
        (self.home / "run" / "api.sock").unlink(missing_ok=True)
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "agent", "run", "--config", self.home / "posagent.toml"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT,
                env={**os.environ, "LC_ALL": "C.UTF-8", **(environment or {})},
            )  # fmt: skip

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def listening(self, timeout_s: float = PATIENCE_S) -> bool:
        """Wait until it answers; False when it died first."""
        ends = time.monotonic() + timeout_s
        while self.running:
            try:
                self.call("GET", "/v1/backlog")
            except (OSError, http.client.HTTPException):
                assert time.monotonic() < ends, "the daemon does not listen"
                time.sleep(0.02)  # a poll of a condition
            else:
                return True
        return False

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE_S)

    def call(self, method: str, target: str, body: Any = None) -> tuple[int, Any]:
        """One request; raises OSError or HTTPException where the daemon is gone."""
        connection = _Unix(self.home / "run" / "api.sock", 10.0)
        try:
            raw = None if body is None else json.dumps(body).encode()
            connection.request(method, target, raw, {"content-type": "application/json"})
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")
        finally:
            connection.close()

    def drained(self, timeout_s: float = 60.0) -> None:
        """Until nothing is unsent but what waits for a person."""
        ends = time.monotonic() + timeout_s
        while True:
            backlog = self.call("GET", "/v1/backlog")[1]
            left = backlog["total"]["count"] - backlog["held"]["count"]
            if left <= 0:
                return
            assert time.monotonic() < ends, f"{left} payments stay unsent: {backlog}"
            time.sleep(0.03)  # a poll of a condition
