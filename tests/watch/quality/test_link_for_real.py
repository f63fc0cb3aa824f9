"""A cable pulled in a network namespace of its own: the kernel counts, the watcher names it.

Nothing outlives the test: namespace and mounts end with the one process that has them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent.parent
TOOLS = ("unshare", "mount", "ip")
PROGRAM = """
import asyncio, json, subprocess
from agent.config.radio import Signal
from agent.watch.quality.link import LinkWatcher
from tests.fakes import FakeClock

class Straight:
    async def call(self, name, function, deadline_s):
        return function()

def ip(words):
    subprocess.run(["ip", *words.split()], check=True)

ip("link add far type veth peer name near")
ip("link set near up")
ip("link set far up")
ip("addr add 192.0.2.2/24 dev near")
ip("route add default via 192.0.2.1")
clock = FakeClock()
watcher = LinkWatcher(Signal(), 3000, Straight(), clock)
told = []
for pulls in (0, 3, 1):
    for _ in range(pulls):
        ip("link set far down")
        ip("link set far up")
    clock.advance(60)
    told.append(dict(asyncio.run(watcher.read()).values))
ip("link del near")
clock.advance(60)
told.append(dict(asyncio.run(watcher.read()).values))
print(json.dumps(told))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
@pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)), reason="unshare, mount and ip are not installed"
)
def test_a_pulled_cable_is_counted() -> None:
    """Each pull is a drop, the fourth makes it unstable; a vanished interface is the fifth."""
    inside = 'mount -t sysfs sysfs /sys && exec "$0" -c "$1"'
    done = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", inside, sys.executable, PROGRAM],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        timeout=60,
    )
    if "Operation not permitted" in done.stderr:
        pytest.skip("this machine allows no network namespaces")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [one["drops_last_hour"] for one in told] == [0, 3, 4, 5]
    assert [one["unstable"] for one in told] == [False, False, True, True]
    assert {one["interface"] for one in told} == {"near"}
