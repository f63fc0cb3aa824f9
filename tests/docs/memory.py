"""What each import costs in memory, one on top of the other: `python -m tests.docs.memory`.

Every line is a fresh interpreter that imports all that stands above it as well, so that shared
parts are charged to whoever needs them first. The figures of docs/decisions.md come from here.
Packages that are not installed are named and left out.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator

#: What is imported, in this order: what the interpreter brings, then the dependencies.
ORDER: tuple[tuple[str, str], ...] = (
    ("bare interpreter", "pass"),
    ("asyncio", "import asyncio"),
    ("a TLS context", "import ssl; context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)"),
    ("sqlite3", "import sqlite3"),
    ("h11", "import h11"),
    ("msgspec", "import msgspec, msgspec.json"),
    ("pyserial", "import serial"),
    ("paho-mqtt", "import paho.mqtt.client"),
    ("all of agent.main", "import agent.main"),
)
#: Alternatives that were looked at, each on top of the first three lines.
INSTEAD: tuple[tuple[str, str], ...] = (
    ("tenacity", "import tenacity"),
    ("psutil", "import psutil"),
    ("pyiso8583", "import iso8583"),
    ("PyNaCl", "import nacl.secret, nacl.signing, nacl.public"),
    ("urllib3", "import urllib3"),
    (
        "cryptography",
        "from cryptography import x509; from cryptography.hazmat.primitives import hashes",
    ),
    ("amqtt", "import amqtt.broker"),
)
BASE = 3
ROUNDS = 5

PROBE = """
import gc, pathlib
{imports}
gc.collect()
rows = pathlib.Path("/proc/self/smaps_rollup").read_text().splitlines()
print(*(row.split()[1] for row in rows if row.split()[0] in ("Rss:", "Pss:")))
"""


def cost_kb(statements: list[str]) -> tuple[int, int] | None:
    """Median RSS and PSS of an interpreter after these statements; None where one fails."""
    found: list[tuple[int, int]] = []
    for _ in range(ROUNDS):
        ran = subprocess.run(
            [sys.executable, "-c", PROBE.format(imports="\n".join(statements))],
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode:
            return None
        rss, pss = ran.stdout.split()
        found.append((int(rss), int(pss)))
    return (
        round(statistics.median(rss for rss, _ in found)),
        round(statistics.median(pss for _, pss in found)),
    )


def lines() -> Iterator[str]:
    """The two tables."""
    yield f"{'import':22}{'RSS MB':>8}{'PSS MB':>8}{'added':>8}"
    statements: list[str] = []
    before = 0
    for name, statement in ORDER:
        cost = cost_kb([*statements, statement])
        if cost is None:
            yield f"{name:22}{'not installed':>16}"
            continue
        statements.append(statement)
        yield _line(name, cost, before)
        before = cost[0]
    yield ""
    yield "instead, each alone on top of asyncio and a TLS context"
    base = [statement for _, statement in ORDER[:BASE]]
    floor = cost_kb(base)
    for name, statement in INSTEAD:
        cost = cost_kb([*base, statement])
        if cost is None or floor is None:
            yield f"{name:22}{'not installed':>16}"
        else:
            yield _line(name, cost, floor[0])


def _line(name: str, cost: tuple[int, int], before: int) -> str:
    return f"{name:22}{cost[0] / 1024:8.1f}{cost[1] / 1024:8.1f}{(cost[0] - before) / 1024:8.1f}"


if __name__ == "__main__":
    for line in lines():
        print(line, flush=True)
