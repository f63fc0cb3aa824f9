"""In the machine: starts the daemon on the data disk and hands it payments, as a payment app does.

Reads one JSON object a line from the harness and answers one a line, over a serial port: what a
line says is outside the machine when the power goes. A payment's key is told before it is handed
over (`try`) and after the daemon has answered that it is recorded (`ack`).
"""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

PYTHON = "/opt/posagent/bin/python"
CONFIG = "/rig/posagent.toml"
SOCKET = "/run/posagent/api.sock"
DRIVER = Path("/sys/bus/virtio/drivers/virtio_blk")
LOG = Path("/tmp/daemon.log")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
RESEED = 0x5207  # RNDRESEEDCRNG
USER = ["setpriv", "--reuid", "posagent", "--regid", "posagent", "--clear-groups"]

_writing = threading.Lock()


def say(**told: Any) -> None:
    line = json.dumps(told) + "\n"
    with _writing:
        os.write(1, line.encode())


class Unix(http.client.HTTPConnection):
    def __init__(self) -> None:
        super().__init__("localhost", timeout=60.0)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(SOCKET)


class Api:
    """One connection that is kept."""

    def __init__(self) -> None:
        self._line = Unix()

    def call(self, method: str, target: str, body: Any = None) -> tuple[int, Any]:
        raw = None if body is None else json.dumps(body).encode()
        try:
            self._line.request(method, target, raw, {"content-type": "application/json"})
            answer = self._line.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        except (OSError, http.client.HTTPException):
            self._line.close()
            self._line = Unix()
            raise


def ran(*command: str) -> tuple[int, str]:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return done.returncode, (done.stdout + done.stderr).strip()[-1500:]


def warmed() -> None:
    """What a boot would read and this one has read before the snapshot."""
    ran(PYTHON, "-m", "agent", "config", "check", "--config", CONFIG)
    ran(PYTHON, "-m", "agent", "run", "--help")
    ran(PYTHON, "-c", "import agent.main, agent.main.house, agent.main.proof, ssl, nacl.bindings")
    for tool in ("e2fsck", "blockdev", "mount", "setpriv"):
        ran(tool, "--version")


def data_disk() -> str:
    """The virtio device of vdc: virtio3, say."""
    return Path("/sys/block/vdc/device").resolve().name


def bind(device: str, what: str) -> None:
    (DRIVER / what).write_text(device)


def fresh(order: dict[str, Any]) -> None:
    """After the snapshot: the time of day, and randomness no earlier start has had."""
    time.clock_settime(time.CLOCK_REALTIME, order["now"])
    with Path("/dev/urandom").open("wb") as file:
        file.write(bytes.fromhex(order["seed"]))
        fcntl.ioctl(file, RESEED)
    # The kernel draws this once, and it may have done so before the snapshot.
    drawn = Path("/tmp/boot_id")
    drawn.write_text(f"{uuid.UUID(bytes=os.urandom(16), version=4)}\n")
    ran("mount", "--bind", str(drawn), str(BOOT_ID))


def mounted() -> bool:
    """As a boot does it: the check first, then the journal of the file system is replayed."""
    code, text = ran("e2fsck", "-p", "/dev/vdc")
    say(fsck=code, text=text)
    if code > 1:
        code, text = ran("e2fsck", "-y", "/dev/vdc")
        say(fsck_forced=code, text=text)
    code, text = ran("mount", "-t", "ext4", "/dev/vdc", "/var/lib")
    if code:
        say(fatal=f"mount: {text}")
        return False
    ran("install", "-d", "-m", "0700", "-o", "posagent", "-g", "posagent", "/var/lib/posagent")
    return True


def begun(*argv: str, log: Path) -> subprocess.Popen[bytes]:
    """A command of ours as the daemon's user, its words in a file."""
    with log.open("ab") as said:
        return subprocess.Popen(
            [*USER, PYTHON, "-m", "agent", *argv],
            stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd="/tmp",
        )  # fmt: skip


def listening(process: subprocess.Popen[bytes], patience_s: float) -> bool:
    """A daemon that stops is started again, as an init system would."""
    api, ends = Api(), time.monotonic() + patience_s
    while time.monotonic() < ends:
        if process.poll() is not None:
            return False
        try:
            api.call("GET", "/v1/backlog")
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)
        else:
            return True
    return False


def hand_over(bodies: list[dict[str, Any]], stop: threading.Event) -> None:
    api = Api()
    for body in bodies:
        if stop.is_set():
            return
        say(**{"try": body["key"]})
        while True:
            try:
                status, answer = api.call("POST", "/v1/transactions", body)
            except (OSError, http.client.HTTPException):
                time.sleep(0.2)
                continue
            if status in (200, 201):
                say(ack=body["key"], status=status)
                break
            if status not in (503, 507):
                say(refused=body["key"], status=status, text=json.dumps(answer)[:300])
                break
            time.sleep(0.2)


def loaded(order: dict[str, Any]) -> None:
    stop, bodies, lanes = threading.Event(), order["bodies"], order["lanes"]
    threads = [
        threading.Thread(target=hand_over, args=(bodies[lane::lanes], stop), daemon=True)
        for lane in range(lanes)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say(handed_over=len(bodies))


def looked_up(keys: list[str]) -> None:
    """What the journal says of these payments."""
    api, states, missing = Api(), {}, []
    for key in keys:
        status, answer = api.call("GET", f"/v1/transactions/{key}")
        if status == 200:
            record = answer.get("transaction", answer.get("record", answer))
            states[key] = [record["state"], record.get("amount_minor"), record.get("in_doubt")]
        else:
            missing.append(key)
    say(states=states, missing=missing)


def drained(patience_s: float) -> None:
    api, ends, said = Api(), time.monotonic() + patience_s, -1
    while time.monotonic() < ends:
        backlog = api.call("GET", "/v1/backlog")[1]
        left = backlog["total"]["count"] - backlog["held"]["count"]
        if left <= 0:
            break
        if left != said:
            say(left=left)
            said = left
        time.sleep(0.5)
    say(drained=left <= 0, left=left, held=backlog["held"]["count"])


def command(order: dict[str, Any]) -> None:
    """A command of the CLI as a technician gives it."""
    done = subprocess.run(
        [*USER, PYTHON, "-m", "agent", *order["argv"]],
        capture_output=True,
        text=True,
        check=False,
        cwd="/tmp",
        timeout=order.get("within_s", 120),
    )
    say(code=done.returncode, out=done.stdout[-6000:], err=done.stderr[-1500:])


def in_background(order: dict[str, Any]) -> None:
    begun(*order["argv"], log=Path("/tmp/back.log"))
    say(started=True)


def started(order: dict[str, Any]) -> None:
    tries, began = 0, time.monotonic()
    while tries < order["tries"]:
        tries += 1
        process = begun("run", "--config", CONFIG, log=LOG)
        if listening(process, 180.0):
            break
        if process.poll() is None:
            process.kill()
        say(daemon_stopped=process.wait(), log=LOG.read_text("utf-8", "replace")[-1500:])
    else:
        say(up=False)
        return
    status = Api().call("GET", "/v1/status")[1]
    say(
        up=True,
        tries=tries,
        store=status.get("store"),
        seconds=round(time.monotonic() - began, 1),
        boot_id=BOOT_ID.read_text().strip(),
    )


def carry_out(order: dict[str, Any]) -> None:
    match order["do"]:
        case "start":
            started(order)
        case "load":
            threading.Thread(target=loaded, args=(order,), daemon=True).start()
        case "look":
            looked_up(order["keys"])
        case "drain":
            drained(order["within_s"])
        case "command":
            command(order)
        case "background":
            in_background(order)
        case "log":
            say(log=LOG.read_text("utf-8", "replace")[-order["bytes"] :])
        case "list":
            say(names=sorted(file.name for file in Path(order["directory"]).iterdir()))


def main() -> None:
    Path("/dev/ttyS2").chmod(0o666)
    warmed()
    device = data_disk()
    bind(device, "unbind")
    say(warm=True)
    for line in sys.stdin:
        try:
            order = json.loads(line)
            if order["do"] == "disk":
                fresh(order)
                bind(device, "bind")
                say(disk=mounted())
            else:
                carry_out(order)
        except Exception as error:  # noqa: BLE001 - the harness is told, and decides
            say(fatal=f"{type(error).__name__}: {error}")


main()
