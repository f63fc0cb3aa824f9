"""The payment app's part, and the host outside: payments in, what is unsent, the line up or down.

The host runs outside this machine, with its ledger. From here it is ordered to refuse connections
or to take them again (its control port), and asked how much it has; what came out in the end is
judged outside, from the ledger's file.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.rig.guest.packages.machine import PATIENCE_S, until
from tests.rig.guest.results import RigError, say

SOCKET = "/run/posagent/api.sock"
ANSWER_S = 60.0
#: As much as a terminal of a busy shop collects in days without a network.
MANY = 1000
DRAIN_S = 900.0


class Line(http.client.HTTPConnection):
    """The daemon's unix socket, kept open as a payment app keeps it."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(ANSWER_S)
        self.sock.connect(SOCKET)

    def asked(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer's body. Raises OSError, HTTPException or RigError."""
        content = None if body is None else json.dumps(body).encode()
        self.request(method, path, content, {"content-type": "application/json"})
        answer = self.getresponse()
        read = answer.read()
        if answer.status >= 400:
            raise RigError(f"{method} {path}: {answer.status} {read[:400]!r}")
        found: dict[str, Any] = json.loads(read)
        return found


def status() -> dict[str, Any]:
    """GET /v1/status; empty while nobody answers."""
    return _read("/v1/status")


def component(name: str) -> dict[str, Any]:
    """What the daemon says of one component; empty while it says nothing."""
    told = _read("/v1/health").get("components", ())
    return next((each for each in told if each["component"] == name), {})


def alarms() -> set[str]:
    return {each["code"] for each in status().get("alarms", [])}


def unsent() -> int:
    """Payments that are not with the host; -1 while nobody answers."""
    told = status().get("backlog")
    return int(told["total"]["count"]) if told else -1


def answering(within_s: float = PATIENCE_S) -> float:
    """Seconds until the daemon answers."""
    return until(lambda: unsent() >= 0, "an answer of the daemon", within_s)


def paid(count: int, prefix: str) -> float:
    """Hand over `count` payments and tell the outside which; seconds it took."""
    began = time.monotonic()
    with contextlib.closing(Line("localhost", timeout=ANSWER_S)) as line:
        for number in range(count):
            line.asked("POST", "/v1/transactions", payment(f"{prefix}-{number:04d}", number))
    say("paid", prefix=prefix, count=count)
    return time.monotonic() - began


def due(prefix: str) -> None:
    """Tell the outside that these ought to be with the host now."""
    say("due", prefix=prefix)


def payment(key: str, number: int) -> dict[str, Any]:
    return {
        "key": key,
        "terminal_id": "T0000001",
        "merchant_id": "M00000000000001",
        "kind": "sale",
        "posting": "advice",
        "occurred_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "amount_minor": 1000 + number,
        "currency": "CNY",
        "payload": {"content_type": "application/json", "text": json.dumps({"order": key})},
    }


class Host:
    """Orders to the host outside."""

    def __init__(self) -> None:
        self._control = Path("/rig/control").read_text("ascii").strip()

    def down(self) -> None:
        self._ordered({"fault": "refuse"})

    def up(self) -> None:
        self._ordered({"fault": "none"})

    def posted(self) -> list[str]:
        """Keys of its ledger, in order."""
        with urllib.request.urlopen(f"{self._control}/ledger", timeout=ANSWER_S) as answer:
            return [each["key"] for each in json.load(answer)]

    def _ordered(self, order: dict[str, Any]) -> None:
        asked = urllib.request.Request(
            self._control, json.dumps(order).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(asked, timeout=ANSWER_S) as answer:
            answer.read()


def drained(within_s: float = DRAIN_S) -> float:
    """Seconds until nothing is unsent any more."""
    return until(lambda: unsent() == 0, "nothing unsent any more", within_s)


def _read(path: str) -> dict[str, Any]:
    try:
        with contextlib.closing(Line("localhost", timeout=ANSWER_S)) as line:
            return line.asked("GET", path)
    except (OSError, http.client.HTTPException, ValueError, RigError):
        return {}
