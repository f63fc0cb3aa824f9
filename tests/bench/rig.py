"""The terminal under measure: the real daemon with its simulators, everything on loopback.

Broker, printer and certificates are those of `agent.sim`, run by a loop in a thread of the bench;
hosts and peers are processes of their own. Byte code is kept in a private cache, as a package
would ship it: an agent without `.pyc` is larger and slower and not what anybody installs.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Coroutine, Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from agent.sim.broker import Broker, ServerTls, mosquitto
from agent.sim.certificates import Certificates, make_certificates
from agent.sim.printer import SimulatedPrinter
from tests.process.daemon import ROOT, Daemon, wait_until

PATIENCE_S = 60.0


class Sims:
    """Certificates, a TLS broker where mosquitto is installed, and a printer on a pty."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="pb-", dir="/tmp"))
        self.certificates: Certificates = make_certificates(self.home / "tls")
        self.printer_path = self.home / "printer"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sims", daemon=True)
        self._printer = SimulatedPrinter(self.printer_path)
        self.broker: Broker | None = None
        if mosquitto() is not None:
            files = self.certificates
            tls = ServerTls(cert_file=str(files.host_cert_file), key_file=str(files.host_key_file))
            self.broker = Broker(tls=tls, kind="mosquitto")

    def _do(self, work: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._printer.__aenter__())
        if self.broker is not None:
            self._do(self.broker.__aenter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.broker is not None:
            self._do(self.broker.__aexit__(kind, error, trace))
        self._do(self._printer.__aexit__())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def switch(self, **changes: object) -> None:
        """Something happens to the printer, now."""
        self._loop.call_soon_threadsafe(partial(self._printer.switch, **changes))

    def configuration(self) -> str:
        """Printer and telemetry, as TOML."""
        lines = ["[printer]", f'device = "{self.printer_path}"']
        if self.broker is not None:
            lines += [
                "[telemetry]",
                f'endpoints = ["{self.broker.url}"]',
                f'ca_file = "{self.certificates.ca_file}"',
                "boot_delay_s = 0",
            ]
        return "\n".join(lines)

    @property
    def heard_daemon(self) -> bool:
        """Whether the broker has seen a client connect."""
        lines = [] if self.broker is None else list(self.broker.lines)
        return any("New client connected" in line for line in lines)


class Terminal(Daemon):
    """The daemon as installed: default log level, byte code cached."""

    def __init__(self, sims: Sims, environment: dict[str, str] | None = None) -> None:
        cache = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(sims.home / "pyc")}
        self.options: tuple[str, ...] = ()
        super().__init__({**cache, **(environment or {})})

    def compile(self) -> None:
        """Byte code of every module, as packages ship it: also of what is loaded when asked for."""
        command = [sys.executable, "-m", "compileall", "-q", str(ROOT / "agent")]
        subprocess.run(command, env={**os.environ, **self.environment}, check=True)

    def configure(
        self, text: str = "", *, url: str = "", uplink: str = "", agent: str = ""
    ) -> None:
        lines = [
            "[agent]",
            f'state_dir = "{self.state_dir}"',
            f'run_dir = "{self.run_dir}"',
            'device_id = "bench-terminal"',
            agent,
            text,
        ]
        if url:
            lines += ["[[uplink]]", 'name = "host"', f'url = "{url}"', uplink]
        self.config_file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, *self.options, "-m", "agent", *arguments]

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def client(self) -> UnixClient:
        return UnixClient(self.socket)


class UnixClient:
    """One kept connection to the local API, as cheap as a client in Python can be."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(PATIENCE_S)
        self._socket.connect(str(path))

    def close(self) -> None:
        self._socket.close()

    def get(self, path: str) -> tuple[int, float]:
        return self.exchange(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode())

    def submit(self, body: bytes) -> tuple[int, float]:
        return self.exchange(
            b"POST /v1/transactions HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )

    def exchange(self, request: bytes) -> tuple[int, float]:
        """Status, and microseconds from the first byte sent to the last received."""
        began = time.perf_counter_ns()
        self._socket.sendall(request)
        data = self._socket.recv(65_536)
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more()
        at = data.lower().find(b"content-length:")
        length = int(data[at + 15 : data.find(b"\r", at)])
        while len(data) < end + 4 + length:
            data += self._more()
        took_us = (time.perf_counter_ns() - began) / 1000
        return int(data[9:12]), took_us

    def _more(self) -> bytes:
        more = self._socket.recv(65_536)
        if not more:
            raise ConnectionError("the agent closed the connection")
        return more


class Child:
    """A helper process that speaks in lines."""

    def __init__(
        self, module: str, *arguments: str, environment: dict[str, str] | None = None
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        )

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args} ended with {self.process.wait()}")
        return line.strip()

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()


@contextlib.contextmanager
def fast_host(sims: Sims) -> Iterator[tuple[Child, int]]:
    """The minimal host and its port."""
    files = sims.certificates
    host = Child("tests.bench.fast_host", str(files.host_cert_file), str(files.host_key_file))
    try:
        yield host, int(json.loads(host.hear())["port"])
    finally:
        host.close()


def uplink(sims: Sims, port: int) -> tuple[str, str]:
    """URL and further keys of an https uplink to the minimal host."""
    return (
        f"https://localhost:{port}/pay",
        f'ca_file = "{sims.certificates.ca_file}"\nin_flight = 8',
    )


def wait_listening(terminal: Terminal) -> None:
    wait_until(terminal.socket.exists, "the API's socket", timeout_s=PATIENCE_S)
