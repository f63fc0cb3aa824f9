"""The technician's page at the real daemon: over loopback, over a cable, and the ways to a slip."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from agent.sim.keypad import SimulatedKeypad
from tests.process.daemon import PATIENCE_S, Answer, Daemon, payment, wait_until
from tests.process.fleet import LoopThread
from tests.process.shell import typed

pytestmark = pytest.mark.process

PAGE = """
[page]
listen = "127.0.0.1:0"
token_file = "{home}/page.token"
service_address = "127.0.0.1"
service_port = 0
max_connections = 4
"""


def command(daemon: Daemon, *arguments: str) -> Any:
    done = typed(daemon, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def ask(
    address: str,
    method: str,
    target: str,
    document: object = None,
    *,
    context: ssl.SSLContext | None = None,
    **headers: str,
) -> Answer:
    """One request as a browser on the page makes it."""
    scheme, _, rest = address.removesuffix("/").partition("://")
    host, _, port = rest.rpartition(":")
    connection = (
        http.client.HTTPSConnection(host, int(port), timeout=PATIENCE_S, context=context)
        if scheme == "https"
        else http.client.HTTPConnection(host, int(port), timeout=PATIENCE_S)
    )
    try:
        given: Mapping[str, str] = {
            **({"content-type": "application/json"} if document is not None else {}),
            **({"origin": f"{scheme}://{rest}"} if method != "GET" else {}),
            **headers,
        }
        body = None if document is None else json.dumps(document)
        connection.request(method, target, body, dict(given))
        response = connection.getresponse()
        named = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, named, response.read())
    finally:
        connection.close()


def signed_in(address: str, code: str, context: ssl.SSLContext | None = None) -> str:
    answer = ask(address, "POST", "/v1/session", {"code": code}, context=context)
    assert answer.status == 200, answer.body
    return answer.headers["set-cookie"].partition(";")[0]


def test_the_page_on_the_terminal() -> None:
    """Off by default; a code of the shell signs in once; browsers that fill its slots hold up no
    payment; a restart signs everybody out; who did what stands in the trail."""
    with Daemon() as daemon:
        daemon.configure(PAGE.format(home=daemon.home))
        daemon.start()
        told = command(daemon, "page")
        address = told["address"]
        page = ask(address, "GET", "/")
        assert page.status == 200
        assert page.headers["content-type"].startswith("text/html")
        assert ask(address, "GET", "/v1/status").code == "session.none"
        cookie = signed_in(address, told["code"])
        assert ask(address, "POST", "/v1/session", {"code": told["code"]}).code == "session.no_code"
        assert ask(address, "GET", "/v1/status", cookie=cookie).json["device_id"] == "test-terminal"
        held = ask(address, "POST", "/v1/queue/hold", {"key": "k"}, cookie=cookie)
        assert held.code in ("record.unknown", "transaction.unknown")
        token = (daemon.home / "page.token").read_text().strip()
        assert (daemon.home / "page.token").stat().st_mode & 0o777 == 0o600
        assert ask(address, "GET", "/v1/status", authorization=f"Bearer {token}").status == 200

        host, _, port = address.removesuffix("/").rpartition("//")[2].rpartition(":")
        idle = [socket.create_connection((host, int(port)), PATIENCE_S) for _ in range(4)]
        assert daemon.submit(payment()).status == 201
        for one in idle:
            one.close()

        ops = [line["op"] for line in daemon.get("/v1/audit").json["lines"]]
        assert {"page_code", "sign_in", "queue_hold"} <= set(ops)
        actors = {line["actor"] for line in daemon.get("/v1/audit").json["lines"]}
        assert "page:127.0.0.1#1" in actors
        assert told["code"] not in daemon.log()
        assert token not in daemon.log()

        assert daemon.stop() == 0
        daemon.start()
        again = command(daemon, "page", "show")["listeners"][0]["address"]
        assert ask(again, "GET", "/v1/status", cookie=cookie).status == 401


def test_the_page_on_a_cable() -> None:
    """Opened for minutes, with TLS and the certificate whose fingerprint is told; seen in status
    and health; opened twice never; closed it is gone."""
    with Daemon() as daemon:
        daemon.configure(PAGE.format(home=daemon.home))
        daemon.start()
        told = command(daemon, "page", "open", "--minutes", "3")
        assert told["address"].startswith("https://127.0.0.1:")
        assert 170 <= told["closes_in_s"] <= 180
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        host, _, port = told["address"].removesuffix("/").rpartition("//")[2].rpartition(":")
        with (
            socket.create_connection((host, int(port)), PATIENCE_S) as line,
            context.wrap_socket(line) as tls,
        ):
            shown = tls.getpeercert(binary_form=True)
        assert shown is not None
        assert hashlib.sha256(shown).hexdigest() == told["fingerprint"]
        assert not list(daemon.run_dir.glob("*.pem"))
        cookie = signed_in(told["address"], told["code"], context)
        assert cookie.startswith("__Host-")
        seen = ask(told["address"], "GET", "/v1/status", context=context, cookie=cookie).json
        assert [one["listener"] for one in seen["listeners"]] == ["loopback", "service"]
        values = daemon.components()["page"]["values"]
        assert values["open"] is True
        assert values["sessions"] == 1
        assert daemon.post("/v1/page/open", {}).code == "page.open_already"
        command(daemon, "page", "close")
        with pytest.raises(OSError):  # noqa: PT011 - refused or reset, by the timing
            ask(told["address"], "GET", "/", context=context)
        assert daemon.components()["page"]["values"]["open"] is False


@pytest.mark.parametrize("fault", ["readable", "short", "link"])
def test_a_token_everybody_can_read_starts_nothing(fault: str) -> None:
    """One sentence naming the file, and exit code 2."""
    with Daemon() as daemon:
        daemon.configure(PAGE.format(home=daemon.home))
        file = daemon.home / "page.token"
        file.write_text("x" if fault == "short" else "x" * 64)
        file.chmod(0o644 if fault == "readable" else 0o600)
        if fault == "link":
            file.rename(daemon.home / "elsewhere")
            file.symlink_to(daemon.home / "elsewhere")
        daemon.start(wait=False)
        assert daemon.wait() == 2
        assert f"token_file {file}" in daemon.log()


def test_keys_held_together_ask_for_a_slip() -> None:
    """F1 and cancel on a keypad nobody grabs; without a printer the trail says why there is no
    slip, and which keys exist is told nowhere."""
    with LoopThread() as loop, Daemon() as daemon, ExitStack() as stack:
        keypad = SimulatedKeypad(daemon.home / "keypad")
        daemon.configure(
            f'[keypad]\ndevice = "{daemon.home}/keypad"\nperiod_s = 0.2\n'
            '[page]\nkeys = ["f1", "cancel"]\nkeys_hold_s = 2\n'
        )

        async def hold() -> None:
            keypad.stick("f1")
            keypad.stick("cancel")

        async def let_go() -> None:
            keypad.free()
            keypad.unplug()

        loop.run(keypad.plug())
        stack.callback(loop.run, let_go())
        daemon.start()
        wait_until(lambda: "keypad" in daemon.components(), "the keypad was read")
        loop.run(hold())

        def asked() -> list[dict[str, Any]]:
            lines = daemon.get("/v1/audit").json["lines"]
            return [line for line in lines if line["op"] == "diagnose"]

        (line,) = wait_until(asked, "somebody asked")
        assert line["actor"] == "terminal:keys"
        assert line["outcome"] != "ok"


def test_a_marked_stick_gets_the_bundle() -> None:
    """Plugged in and mounted by the system: the bundle lies on it a moment later."""
    with Daemon() as daemon:
        root = daemon.home / "root"
        stick = root / "media/stick"
        for folder in (stick, root / "proc", root / "sys/block/sdb/sdb1", root / "usb"):
            folder.mkdir(parents=True)
        (root / "sys/block/sdb/removable").write_text("1\n")
        (root / "proc/mounts").write_text("/dev/sdb1 /media/stick vfat rw 0 0\n")
        (stick / "posagent-bundle").touch()
        devices = root / "sysfs/bus/usb/devices"
        devices.mkdir(parents=True)
        daemon.configure(
            f'[system]\nroot = "{root}"\n[page]\nstick = "bundle"\n'
            f'[discovery]\nhotplug = "poll"\npoll_s = 0.2\nsysfs = "{root}/sysfs"\n'
            '[printer]\ndevice = "/dev/nothing"\n'
        )
        daemon.start()
        (devices / "1-1").mkdir()

        def whole() -> list[Path]:
            return list(stick.glob("posagent-*.tar.gz"))

        (file,) = wait_until(whole, "the bundle on the stick")
        assert file.read_bytes()[:2] == b"\x1f\x8b"
        assert (stick / "posagent-bundle").stat().st_size == 0

        def noted() -> list[str]:
            lines = daemon.get("/v1/audit").json["lines"]
            return [line["target"] for line in lines if line["actor"] == "terminal:stick"]

        wait_until(lambda: "bundle" in noted(), "the line in the trail")
