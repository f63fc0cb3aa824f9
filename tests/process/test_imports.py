"""What a quiet daemon must not have loaded: every module here costs memory on every terminal."""

from __future__ import annotations

import re

import pytest

from tests.process.daemon import ROOT, Daemon, imported, payment

pytestmark = pytest.mark.process

#: Module or package -> who would bring it back.
FORBIDDEN = {
    "agent.actions.ports.rooms": "types only",
    "agent.actions.list_source": "lists that are fetched, where a profile says from where",
    "agent.actions.pulling": "lists that are fetched, where a profile says from where",
    "agent.core.pulling": "lists that are fetched, where a profile says from where",
    "agent.hooks.listing": "lists that are fetched, where a profile says from where",
    "agent.actions.drill": "an action, loaded when it is asked for",
    "agent.core.inspection.report": "a report, loaded with the first",
    "agent.core.software.update": "an update, where there is something to install",
    "agent.core.software.wanted": "a manifest, where there is one",
    "agent.core.why.causes": "the catalogue, loaded when somebody looks",
    "agent.core.why.checked": "limits, where some are configured",
    "agent.core.why.explain": "loaded when somebody asks why",
    "agent.core.why.reasons": "a reader of Chinese",
    "agent.fleet": "readers of the contract, for operators",
    "agent.sim": "simulators",
    "agent.store.backup": "a backup, loaded when one is made",
    "agent.store.orders": "signed commands, where a key of the fleet is configured",
    "agent.telemetry.orders": "signed commands, where a key of the fleet is configured",
    "agent.core.fleet.commands": "signed commands, where a key of the fleet is configured",
    "agent.core.fleet.desired": "what the fleet wants, where a key of it is configured",
    "agent.link.proxy": "a way through a proxy, where one is configured",
    "agent.main.desired": "what the fleet wants, where a key of it is configured",
    "agent.main.overlay": "what the fleet wants, where a key of it is configured",
    "agent.main.restart": "a restart by itself, where the fleet may want one",
    "agent.telemetry.adapters.thin_edge": "an adapter, where it is configured",
    "agent.telemetry.adapters.thingsboard": "an adapter, where it is configured",
    "agent.telemetry.desired": "what the fleet wants, where a key of it is configured",
    "agent.telemetry.renewal": "a certificate, where the fleet may renew it",
    "agent.wire.command": "signed commands, where a key of the fleet is configured",
    "agent.wire.desired": "what the fleet wants, where a key of it is configured",
    "agent.store.salvaged": "damage, loaded when something is taken back",
    "agent.watch.drivers.scanning": "a scanner, where one is configured",
    "agent.watch.configuration": "settings, where a profile or a credential is named",
    "agent.watch.payment_app.presence": "an app, where something finds it",
    "agent.watch.software.gathering": "an update, where there is something to install",
    "agent.watch.software.ledger": "an update that was begun before",
    "agent.watch.software.plain": "a manifest, where there is one",
    "agent.watch.software.updates": "an update, where there is something to install",
    "agent.wire.manifest": "a manifest, where there is one",
    "agent.wire.signed": "a manifest or a profile, where one is signed",
    "agent.watch.drivers.nl80211": "Wi-Fi, where there is any",
    "agent.watch.quality.facts": "a radio, where one is seen",
    "jeepney": "a modem that ModemManager has",
    "agent.watch.scanner.watcher": "a scanner, where one is configured",
    "agent.cli.app": "the command line",
    "agent.cli.arguments": "the command line",
    "agent.offloaded": "children only",
    "agent.provision": "children only",
    "amqtt": "the demo's broker",
    "argparse": "the command line",
    "_strptime": "ssl.cert_time_to_seconds, dates of certificates",
    "calendar": "http.cookies, email.utils, ssl.cert_time_to_seconds",
    "concurrent.futures.process": "an executor of processes",
    "csv": "importlib.metadata, lists of settlements",
    "cryptography": "child processes only",
    "ctypes": "the kernel's word on its clock",
    "difflib": "a configuration with a mistake",
    "email": "urllib.request, email.utils",
    "encodings.idna": "a host's name looked up as text, not bytes",
    "fractions": "statistics",
    "html": "http.server",
    "http.client": "urllib.request",
    "importlib.metadata": "a version read from the distribution",
    "importlib.resources": "a file read from the package",
    "logging.handlers": "a log on a network",
    "lzma": "shutil, tempfile",
    "multiprocessing": "an executor of processes",
    "pickle": "multiprocessing, logging.handlers",
    "pydoc": "a debugger",
    "rich": "the command line's tables",
    "shlex": "the remedy for files in wrong hands",
    "shutil": "argparse, tempfile",
    "statistics": "figures, made in a process of their own",
    "tarfile": "bundles, made in a process of their own",
    "tempfile": "urllib.request",
    "trustme": "the demo's certificates",
    "urllib.request": "paho",
    "urllib3": "never",
    "xml": "xmlrpc, logging",
    "zipfile": "importlib.metadata",
}
#: Modules of ours, and all, with some room for what the interpreter's version adds by itself.
OURS_MAX, ALL_MAX = 400, 650


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
        loaded = set(imported(daemon.log()))
    assert "agent.main" in loaded
    found = {
        name: because
        for name, because in FORBIDDEN.items()
        if any(module == name or module.startswith(f"{name}.") for module in loaded)
    }
    assert not found
    ours = sum(name.partition(".")[0] == "agent" for name in loaded)
    assert 100 < ours <= OURS_MAX
    assert ours < len(loaded) <= ALL_MAX


def test_no_class_is_made_the_expensive_way() -> None:
    """What the daemon loads takes `dataclass` from `agent.record`: 9 kB less a class."""
    others = ("sim", "cli", "conformance", "actions_service", "printers")
    wrong = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "agent").rglob("*.py"))
        if path.relative_to(ROOT / "agent").parts[0] not in others
        and path.name != "record.py"
        and re.search(r"^from dataclasses import .*\bdataclass\b", path.read_text(), re.MULTILINE)
    ]
    assert not wrong
