"""Loading paho: without what it needs for proxies only, and without harm to those who need it."""

from __future__ import annotations

import subprocess
import sys

SCENE = """
import sys
from agent.telemetry.loading import transport_class
transport_class()
assert "paho.mqtt.client" in sys.modules
heavy = {"urllib.request", "http.client", "email.parser", "tempfile"} & sys.modules.keys()
assert sys.modules["paho.mqtt.client"].socks is None
import urllib.request
assert callable(urllib.request.getproxies)
print(*sorted(heavy))
"""


def test_paho_comes_without_an_http_client_and_leaves_the_real_one_alone() -> None:
    """No HTTP client and no way through a proxy of the environment, installed or not.

    Importing the HTTP client later gives the real one.
    """
    done = subprocess.run(
        [sys.executable, "-c", SCENE], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == ""
