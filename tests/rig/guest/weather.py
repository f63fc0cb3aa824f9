"""Payments over a line that loses, delays and reorders, by the kernel's own netem.

The simulated host runs in the guest; what lies between it and the daemon is the loopback device
with a queueing discipline on it. Decides when a weather is survived: every payment is with the host
once, and nothing was shown that names something else than a bad line. The control swallows
everything: there nothing may arrive until it is lifted.
"""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.rig.guest.results import RigError, say
from tests.rig.guest.terminal import Terminal, post, status

NAME = "weather, netem"
DEVICE = "lo"
PAYMENTS = 8
LIMIT_S = 150.0
CONTROL_S = 15.0
LOOK_S = 0.5
LEDGER = Path("/run/rig-ledger.jsonl")
#: What netem is told, by what a person calls it.
WEATHERS = {
    "loss 1 %": "loss 1%",
    "loss 5 %": "loss 5%",
    "loss 10 %": "loss 10%",
    "loss 20 %": "loss 20%",
    "loss 30 %": "loss 30%",
    "delay 300 ms ± 100 ms": "delay 300ms 100ms",
    "reordering, a quarter": "delay 80ms reorder 25% 50%",
    "loss 10 %, delay 200 ms, duplicates": "loss 10% delay 200ms 50ms duplicate 5%",
}
#: Names a bad line may rightly be given.
TRUE_OF_IT = frozenset(
    {"network.slow", "network.unstable", "network.host_unreachable", "host.no_reply"}
)
#: Of an emulated machine that is late with a watcher's answer; it blames nobody.
TRUE_OF_US = frozenset({"software.agent_degraded"})
UPLINK = """\
[[uplink]]
name = "host"
url = "{url}"
backoff_base_s = 0.2
backoff_cap_s = 2.0
answer_timeout_s = 10.0
keep_alive_s = 1.0
host_in_flight_s = 1
"""


@dataclass(slots=True)
class _Host:
    """The reference host of the wheel, as a process."""

    process: subprocess.Popen[str] = field(init=False)
    url: str = ""
    control: str = ""

    def start(self) -> None:
        command = ["/opt/posagent/bin/posagent", "sim", "host", "--ledger", str(LEDGER)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            word, _, rest = line.strip().partition(" ")
            self.url = rest if word == "host" else self.url
            self.control = rest if word == "control" else self.control
            if self.url and self.control:
                return
        raise RigError("the simulated host did not start")

    def posted(self) -> list[str]:
        """Keys of its ledger. Asked while the line is good."""
        with urllib.request.urlopen(f"{self.control}/ledger", timeout=20) as answer:
            return [one["key"] for one in json.load(answer)]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10.0)


def tried(terminal: Terminal) -> None:
    """All weathers and the control, one daemon; each is reported."""
    _run("modprobe", "sch_netem")
    host = _Host()
    host.start()
    try:
        terminal.configure(UPLINK.format(url=host.url))
        terminal.start()
        for number, (name, words) in enumerate(WEATHERS.items()):
            _weather(host, name, words, number)
        _control(host)
    finally:
        _clear()
        terminal.stop()
        host.stop()


def _weather(host: _Host, name: str, words: str, number: int) -> None:
    keys = [f"w-{number}-{each}" for each in range(PAYMENTS)]
    _set(words)
    began = time.monotonic()
    for key in keys:
        post("/v1/transactions", _payment(key))
    shown, unsent = _drained(LIMIT_S)
    took_s = round(time.monotonic() - began, 1)
    _clear()
    _, unsent = (set(), 0) if not unsent else _drained(LIMIT_S)
    posted = [key for key in host.posted() if key in keys]
    twice, gone = len(posted) - len(set(posted)), len(set(keys) - set(posted))
    wrong = sorted(shown - TRUE_OF_IT - TRUE_OF_US)
    say(
        "weather", name=name, netem=words, payments=len(keys), took_s=took_s, twice=twice,
        missing=gone, shown=sorted(shown), control=False,
        well=not (twice or gone or wrong or took_s >= LIMIT_S),
    )  # fmt: skip


def _control(host: _Host) -> None:
    """Everything is lost: if a payment arrives all the same, netem was never in the way."""
    _set("loss 100%")
    post("/v1/transactions", _payment("w-control"))
    shown, unsent = _drained(CONTROL_S)
    _clear()
    _drained(LIMIT_S)
    arrived = host.posted().count("w-control")
    say(
        "weather", name="everything lost", netem="loss 100%", payments=1, took_s=CONTROL_S,
        twice=max(0, arrived - 1), missing=int(not arrived), shown=sorted(shown), control=True,
        well=unsent == 1 and arrived == 1,
    )  # fmt: skip


def _drained(limit_s: float) -> tuple[set[str], int]:
    """Until nothing is unsent or the time is up: what was shown meanwhile, and what is left."""
    shown: set[str] = set()
    ends = time.monotonic() + limit_s
    while True:
        told = status()
        shown |= {one["code"] for one in told["alarms"] if not one["suppressed_by"]}
        unsent = int(told["backlog"]["total"]["count"])
        if not unsent or time.monotonic() > ends:
            return shown, unsent
        time.sleep(LOOK_S)


def _payment(key: str) -> dict[str, Any]:
    return {
        "key": key,
        "terminal_id": "T0000001",
        "merchant_id": "M00000000000001",
        "kind": "sale",
        "posting": "advice",
        "occurred_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "amount_minor": 1250,
        "currency": "CNY",
        "payload": {"content_type": "application/json", "text": "{}"},
    }


def _set(words: str) -> None:
    _run("tc", "qdisc", "replace", "dev", DEVICE, "root", "netem", *words.split())


def _clear() -> None:
    subprocess.run(["tc", "qdisc", "del", "dev", DEVICE, "root"], capture_output=True, check=False)


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RigError(f"{' '.join(words)}: {done.stderr.strip()}")
