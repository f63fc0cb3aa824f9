"""The brokers of the recipes, started from the files of packaging/fleet and killed as asked.

Each listens on free ports of its own, keeps everything in a scratch directory, and touches no
service of the system.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Protocol

from agent.sim.broker import free_port, mosquitto
from tests.fleet_rig.certificates import FLEET

#: RabbitMQ's own script; the one in /usr/sbin would become another user first.
RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
TENANT = "acme"
START_S = 240.0  # a node took 50 s on two busy cores; it is no promise of ours


def rabbitmq() -> str | None:
    """RabbitMQ as Debian packs it, with the Erlang it needs, or None."""
    found = RABBITMQ.exists() and shutil.which("erl") and shutil.which("openssl") and epmd()
    return str(RABBITMQ) if found else None


def epmd() -> str | None:
    """Erlang's name server; Debian keeps it beside the run-time system."""
    found = sorted(Path("/usr/lib/erlang").glob("erts-*/bin/epmd"))
    return str(found[-1]) if found else shutil.which("epmd")


class Broker(Protocol):
    """What the rigs need of one."""

    port: int

    def start(self) -> None: ...
    def kill(self) -> None: ...
    def stop(self) -> None: ...


class Mosquitto:
    """packaging/fleet/mosquitto with its paths put into a scratch directory."""

    def __init__(self, scratch: Path, certs: Path, extra: str = "") -> None:
        self.port = free_port()
        self._scratch = scratch
        recipe = FLEET / "mosquitto"
        text = (recipe / "mosquitto.conf").read_text("utf-8")
        text = text.replace("listener 8883", f"listener {self.port} 127.0.0.1")
        text = text.replace("/etc/mosquitto/fleet/acl", str(recipe / "acl"))
        text = text.replace("/etc/mosquitto/fleet/", f"{certs}/")
        text = text.replace("/var/lib/mosquitto/", f"{scratch}/")
        assert "/etc/" not in text
        assert "/var/" not in text
        self._file = scratch / "mosquitto.conf"
        self._file.write_text(f"user {getpass.getuser()}\n{text}\n{extra}\n", "utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = mosquitto()
        assert program is not None
        with (self._scratch / "mosquitto.log").open("ab") as out:
            self._process = subprocess.Popen(
                [program, "-c", str(self._file)], stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        listening(self.port, self._process, 20, self._scratch / "mosquitto.log")

    def reload(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        self.kill()


class RabbitMq:
    """packaging/fleet/rabbitmq as a node of its own: name, cookie, directories, ports, epmd."""

    def __init__(self, scratch: Path, certs: Path) -> None:
        self.port = free_port()
        self._scratch = scratch
        self._epmd_port, self._dist_port = free_port(), free_port()
        recipe = FLEET / "rabbitmq"
        text = (recipe / "rabbitmq.conf").read_text("utf-8")
        text = text.replace("ssl.default = 8883", f"ssl.1 = 127.0.0.1:{self.port}")
        text = text.replace(
            "/etc/rabbitmq/fleet/definitions.json", str(recipe / "definitions.json")
        )
        text = text.replace("/etc/rabbitmq/fleet/", f"{certs}/")
        assert "/etc/" not in text
        (scratch / "rabbitmq.conf").write_text(text, "utf-8")
        shutil.copy(recipe / "enabled_plugins", scratch / "enabled_plugins")
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(scratch),
            "LANG": "C.UTF-8",
            "RABBITMQ_NODENAME": f"posagent-{self.port}@localhost",
            "RABBITMQ_CONFIG_FILE": str(scratch / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(scratch / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(scratch / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(scratch / "mnesia"),
            "RABBITMQ_LOG_BASE": str(scratch / "log"),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            # Its schedulers wait asleep: on a few shared cores spinning only takes from others.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1}"
                " +sbwt none +sbwtdcpu none +sbwtdio none"
            ),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        cookie = scratch / ".erlang.cookie"
        cookie.write_text(f"POSAGENT{os.urandom(8).hex().upper()}", "ascii")
        cookie.chmod(0o400)
        self._epmd: subprocess.Popen[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = epmd()
        assert program is not None
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
        if self._epmd is None:
            # In the foreground, and ours to end; otherwise the node leaves one behind.
            self._epmd = subprocess.Popen(
                [program, "-port", str(self._epmd_port), "-address", "127.0.0.1"],
                **quiet,  # type: ignore[call-overload]
                stderr=subprocess.DEVNULL,
            )
        log = self._scratch / "console.log"
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [str(RABBITMQ)],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        try:
            listening(self.port, self._process, START_S, log)
        except BaseException:
            self.stop()
            raise

    def control(self, program: str, *words: str) -> str:
        """A script of the recipe, or rabbitmqctl, against this node."""
        ctl = RABBITMQ.with_name("rabbitmqctl")
        done = subprocess.run(
            [program or str(ctl), *words],
            env={**self._environment, "RABBITMQCTL": str(ctl)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert not done.returncode, done.stdout + done.stderr
        return done.stdout

    def add_terminals(self, *names: str) -> None:
        """As the recipe does it."""
        self.control("sh", str(FLEET / "rabbitmq" / "terminal.sh"), TENANT, *names)

    def kill(self) -> None:
        """kill -9 to the node and everything it started."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        self.kill()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()
            self._epmd = None


def listening(port: int, process: subprocess.Popen[bytes], timeout_s: float, log: Path) -> None:
    """Wait until somebody accepts connections there."""
    end_s = time.monotonic() + timeout_s
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None or time.monotonic() > end_s:
            said = log.read_text("utf-8", "replace")[-3_000:] if log.exists() else ""
            raise RuntimeError(f"the broker does not listen on {port}: {said}")
        time.sleep(0.05)
