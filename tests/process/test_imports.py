"""What a quiet daemon must not have loaded: every module here costs memory on every terminal."""

from __future__ import annotations

import re

import pytest

from tests.process.daemon import Daemon, payment

pytestmark = pytest.mark.process

_IMPORTED = re.compile(r"^import time:.*\|\s*([\w.]+)$", re.MULTILINE)
#: Module or package -> who would bring it back.
FORBIDDEN = {
    "agent.actions.drill": "an action, loaded when it is asked for",
    "agent.core.why.causes": "the catalogue, loaded when somebody looks",
    "agent.core.why.explain": "loaded when somebody asks why",
    "agent.sim": "simulators",
    "agent.watch.drivers.scanning": "a scanner, where one is configured",
    "agent.watch.configuration": "settings, where a profile or a credential is named",
    "agent.watch.payment_app.presence": "an app, where something finds it",
    "agent.watch.drivers.nl80211": "Wi-Fi, where there is any",
    "agent.watch.quality.facts": "a radio, where one is seen",
    "jeepney": "a modem that ModemManager has",
    "agent.watch.scanner.watcher": "a scanner, where one is configured",
    "amqtt": "the demo's broker",
    "cryptography": "child processes only",
    "email": "urllib.request, email.utils",
    "http.client": "urllib.request",
    "importlib.metadata": "a version read from the distribution",
    "importlib.resources": "a file read from the package",
    "lzma": "shutil, tempfile",
    "rich": "the command line's tables",
    "shutil": "argparse, tempfile",
    "tempfile": "urllib.request",
    "trustme": "the demo's certificates",
    "urllib.request": "paho",
    "urllib3": "never",
}


def test_a_quiet_daemon_is_small() -> None:
    """Started, a payment taken over, telemetry trying to connect: nothing forbidden is loaded."""
    with Daemon() as daemon:
        daemon.configure('[telemetry]\nendpoints = ["mqtt://127.0.0.1:9"]\nboot_delay_s = 0')
        daemon.quick = False
        command = daemon.command
        daemon.command = lambda *words: [  # type: ignore[method-assign]
            command()[0], "-X", "importtime", *command(*words)[1:],
        ]  # fmt: skip
        daemon.start()
        assert daemon.submit(payment()).status == 201
        daemon.wait_log("agent.telemetry.transport")
        loaded = set(_IMPORTED.findall(daemon.log()))
    assert "agent.main" in loaded
    found = {
        name: because
        for name, because in FORBIDDEN.items()
        if any(module == name or module.startswith(f"{name}.") for module in loaded)
    }
    assert not found
