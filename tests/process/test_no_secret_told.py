"""Secrets set out as canaries: in no argument, no environment and no log line, of the daemon or of
any process it starts."""

from __future__ import annotations

import ast
import base64
import contextlib
import threading
from pathlib import Path
from typing import Self

import pytest

from agent.offload import HOME
from tests.hostile.rig import pid_of
from tests.process.daemon import ROOT, Daemon, payment, wait_until
from tests.process.test_page import command

pytestmark = pytest.mark.process

PASSWORD = "canary-Vg7xQ2mqtt-password"
CONFIGURED = """
[telemetry]
endpoints = ["mqtt://127.0.0.1:9"]
boot_delay_s = 0
username = "till"
password_file = "{home}/mqtt.password"
[page]
listen = "127.0.0.1:0"
token_file = "{home}/page.token"
service_address = "127.0.0.1"
service_port = 0
[hooks]
directory = "{home}/hooks.d"
deadline_s = 5
[[hook]]
component = "cradle"
period_s = 5
"""
HOOK = """#!/bin/sh
{before}sleep 0.3
echo '{{"contract":1,"outcome":"reading","component":"cradle","state":{{}}}}'
"""


class Sight:
    """Every process below one, again and again: its arguments and its environment."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.told: dict[tuple[int, bytes], bytes] = {}  #: (pid, arguments) -> environment

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.005):
            waiting = [self._pid]
            while waiting:
                pid = waiting.pop()
                with contextlib.suppress(OSError):
                    home = Path(f"/proc/{pid}")
                    arguments = (home / "cmdline").read_bytes()
                    self.told[pid, arguments] = (home / "environ").read_bytes()
                    for task in (home / "task").iterdir():
                        waiting += map(int, (task / "children").read_text().split())

    def seen(self, word: bytes) -> bool:
        """Whether a process with `word` among its arguments was looked at."""
        return any(word in arguments for _, arguments in list(self.told))

    def bytes(self) -> bytes:
        """All there was to be seen."""
        return b"\n".join(arguments + b"\n" + seen for (_, arguments), seen in self.told.items())


def forms(secret: bytes) -> tuple[bytes, ...]:
    """The ways a secret could be written down."""
    return secret, secret.hex().encode(), base64.b64encode(secret).rstrip(b"=")


def prepared(daemon: Daemon, before: str = "") -> None:
    """Files and configuration, and a hook that begins with `before`."""
    file = daemon.home / "mqtt.password"
    file.write_text(PASSWORD)
    file.chmod(0o600)
    hooks = daemon.home / "hooks.d"
    hooks.mkdir(0o755)
    hook = hooks / "probe.cradle"
    hook.write_text(HOOK.format(before=before))
    hook.chmod(0o755)
    daemon.configure(CONFIGURED.format(home=daemon.home))


def test_no_secret_is_told() -> None:
    """A hook, an offloaded bundle and a key made for the page: none of them is handed a secret,
    and the log of a daemon that talks as much as it can holds none."""
    with Daemon() as daemon:
        prepared(daemon)
        daemon.start()
        with Sight(pid_of(daemon)) as sight:
            assert daemon.submit(payment("k-1")).status == 201
            told = command(daemon, "page", "open", "--minutes", "3")
            assert daemon.post("/v1/bundles", {}).status in (200, 201, 202)
            for word in (b"probe.cradle", b"agent.provision", b"agent.offloaded"):
                wait_until(lambda word=word: sight.seen(word), f"{word!r} is seen")
        state = daemon.state_dir
        secrets = {
            "password": PASSWORD.encode(),
            "token": (daemon.home / "page.token").read_bytes().strip(),
            "row key": (state / "row.key").read_bytes(),
            "key ring": (state / "payload.keys").read_bytes().strip(),
            "code": str(told["code"]).encode(),
        }
        everything = {"processes": sight.bytes(), "log": daemon.log_file.read_bytes()}
    for name, secret in secrets.items():
        assert len(secret) >= 8
        for form in forms(secret):
            for where, text in everything.items():
                assert form not in text, f"{name} in {where}"
    assert b"BEGIN" not in everything["processes"]
    own = {word for word in everything["processes"].split(b"\0") if word.startswith(b"POSAGENT")}
    assert not own


def test_the_search_would_find_it() -> None:
    """Control: a hook that hands the password on, one way and the other, is found out twice."""
    file = "$(cat {home}/mqtt.password)"
    given = f'TOLD="{file}" sh -c "sleep 0.2"\nsh -c "sleep 0.2" "{file}"\n'
    secret = PASSWORD.encode()
    with Daemon() as daemon:
        prepared(daemon, given.format(home=daemon.home))
        daemon.start()
        with Sight(pid_of(daemon)) as sight:
            wait_until(lambda: sight.seen(secret), "it is seen among arguments")
            wait_until(lambda: b"TOLD=" + secret in sight.bytes(), "and in an environment")


def test_our_programs_are_not_looked_for_where_the_daemon_was_started() -> None:
    """`python -m` looks first in the current directory, which may be anybody's: each of our
    programs is started in the agent's own."""
    found = 0
    for path in sorted((ROOT / "agent").rglob("*.py")):
        if path.relative_to(ROOT / "agent").parts[0] in ("sim", "cli"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and 'sys.executable, "-m"' in " ".join(
                ast.unparse(node).replace("'", '"').split()
            ):
                if "sys.executable" not in ast.unparse(ast.Tuple([*node.args], ast.Load())):
                    continue
                found += 1
                given = {word.arg: ast.unparse(word.value) for word in node.keywords}
                assert given.get("cwd") == "HOME", f"{path}:{node.lineno}"
    assert found >= 3
    assert (HOME / "agent/offloaded/__main__.py").is_file()
