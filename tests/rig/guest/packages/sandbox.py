"""Scenes a and b: the package is installed, the daemon runs in its sandbox and sees its devices.

The same questions are asked of a daemon without its sandbox, and of one that may open no device:
there they must fail.
"""

from __future__ import annotations

import re
import tarfile
import time
from pathlib import Path
from typing import Any

from tests.rig.guest import gadgets
from tests.rig.guest.packages import machine, payments
from tests.rig.guest.packages.machine import UNIT, must, ran, until
from tests.rig.guest.packages.scene import Scene, check
from tests.rig.guest.players import Keypad, Printer, Scanner
from tests.rig.guest.results import RigError

CONFIG = Path("/etc/posagent/posagent.toml")
DEBS = Path("/rig/debs")
#: Beside the configuration the package brings: the host outside, and what is attached here.
OWN = Path("/etc/posagent/conf.d/rig.toml")
EXPOSURE_MOST = 1.5
PAY_UNIT = Path("/etc/systemd/system/pay.service")
HOOK = Path("/etc/posagent/actions.d/app.restart")
ACTIONS_AUDIT = Path("/var/log/posagent/actions.audit")
#: The drop-in the package brings for whoever lets the payment app be watched.
APP_EXAMPLE = Path("/usr/share/doc/posagent/examples/payment-app.conf")
APP_DROP_IN = Path("/etc/systemd/system/posagent.service.d/payment-app.conf")
STATE = "/var/lib/posagent"
WATCHDOG_S = 240.0
DRAWN_MOST = 5
#: What a process without any capability has in each of its sets.
NOTHING = "0000000000000000"


def both(version: str) -> list[str]:
    """The packages of one version: the agent and its extras."""
    return sorted(str(file) for file in (DEBS / version).glob("*.deb"))


def package(version: str) -> str:
    """The agent's own package of one version."""
    (found,) = (DEBS / version).glob("posagent_*.deb")
    return str(found)


class Devices:
    """What is attached to the terminal: kernel gadgets and a keypad, with their players."""

    def __init__(self) -> None:
        self.printer = Printer(gadgets.PRINTER.played, printer_class=True)
        self.scanner = Scanner(gadgets.SCANNER.played, "honeywell")
        self.keypad = Keypad()

    def attached(self) -> str:
        complaints = [f"{name}: {why}" for name, why in gadgets.load_modules() if why]
        check(not complaints, "; ".join(complaints))
        for gadget in (gadgets.PRINTER, gadgets.SCANNER):
            gadget.make()
        self.printer.start()
        self.scanner.start()
        self.keypad.plug()
        return (
            f"{gadgets.PRINTER.appears} (usblp), {gadgets.SCANNER.appears.name} (cdc-acm), "
            f"{self.keypad.appears.resolve()} (uinput)"
        )


def installed() -> str:
    """The package by dpkg, as on a terminal whose image did not bring it."""
    check(not Path("/opt/posagent").exists(), "/opt/posagent is there already")
    check(ran("id", "posagent")[0] != 0, "the user posagent is there already")
    began = time.monotonic()
    must("dpkg", "-i", package("older"))
    took_s = time.monotonic() - began
    user = must("id", "posagent")
    state = must("stat", "-c", "%U %a", STATE)
    check(state == "posagent 700", f"{STATE} is {state}")
    kb = must("dpkg-query", "-W", "-f", "${Installed-Size}", "posagent")
    return (
        f"{machine.installed()} in {took_s:.0f} s, {int(kb) / 1024:.1f} MB installed; "
        f"{user}; {STATE} {state}"
    )


def configured(url: str, devices: Devices) -> str:
    """The rig's own part of the configuration, and the daemon started by it."""
    PAY_UNIT.write_text("[Service]\nExecStart=/bin/sleep infinity\n", "ascii")
    HOOK.parent.mkdir(parents=True, exist_ok=True)
    HOOK.write_text(
        "#!/bin/sh\ncat >/dev/null\nsystemctl start pay.service\n"
        'echo \'{"contract":1,"outcome":"done","note":"started"}\'\n',
        "ascii",
    )
    HOOK.chmod(0o755)
    must("systemctl", "daemon-reload")
    must("systemctl", "start", "pay.service")
    ca_file = CONFIG.parent / "rig-ca.pem"
    ca_file.write_bytes(Path("/rig/ca.pem").read_bytes())
    OWN.parent.mkdir(parents=True, exist_ok=True)
    OWN.write_text(_config(url, ca_file, devices), "utf-8")
    for file in (OWN, ca_file):
        file.chmod(0o644)
    must("/usr/bin/posagent", "config", "check", "--config", str(CONFIG))
    began = time.monotonic()
    must("systemctl", "restart", UNIT)
    ready_s = time.monotonic() - began
    check(machine.active(), "the unit is not active")
    kind, notify = machine.property_of("Type"), machine.property_of("NotifyAccess")
    check(kind == "notify", f"the unit is of type {kind}")
    payments.answering()
    enabled = ran("systemctl", "is-enabled", UNIT)[1]
    check(enabled == "enabled", f"the unit is {enabled}")
    return (
        f"active ({machine.property_of('SubState')}), Type={kind}, NotifyAccess={notify}, "
        f"READY after {ready_s:.1f} s, enabled"
    )


def _config(url: str, ca_file: Path, devices: Devices) -> str:
    return f"""\
[agent]
device_id = "rig"
[[uplink]]
name = "host"
url = "{url}"
ca_file = "{ca_file}"
backoff_base_s = 0.5
backoff_cap_s = 5.0
host_in_flight_s = 5
answer_timeout_s = 60.0
connect_timeout_s = 30.0
[printer]
device = "{gadgets.PRINTER.appears}"
period_s = 2.0
[scanner]
device = "{gadgets.SCANNER.appears}"
open = "always"
period_s = 2.0
[keypad]
device = "{devices.keypad.appears}"
period_s = 2.0
[payment_app]
name = "pay.service"
unit = "pay.service"
period_s = 5
start_grace_s = 0
restart = ["stopped"]
"""


def _rights(pid: int) -> dict[str, str]:
    """What may be wrong with a process, by the kernel's word; each is empty when it is well."""
    told = machine.proc_status(pid)
    wrong = {
        name: f"{name} {told[name]}"
        for name, wanted in (
            ("NoNewPrivs", "1"), ("Seccomp", "2"), ("CapInh", NOTHING), ("CapPrm", NOTHING),
            ("CapEff", NOTHING), ("CapBnd", NOTHING), ("CapAmb", NOTHING),
        )
        if told[name] != wanted
    }  # fmt: skip
    if told["Uid"].split()[0] == "0":
        wrong["Uid"] = "runs as root"
    return wrong


def _touched(pid: int, place: str) -> str:
    """What is said when root itself writes there, seen from the daemon's mounts; "" when it may."""
    code, said = ran("nsenter", "-t", str(pid), "-m", "touch", f"{place}/rig-was-here")
    if not code:
        ran("nsenter", "-t", str(pid), "-m", "rm", "-f", f"{place}/rig-was-here")
    return said.rpartition(": ")[2] if code else ""


def sandboxed() -> str:
    """The kernel's word of the running daemon, not the unit's text."""
    pid = machine.main_pid()
    wrong = _rights(pid)
    check(not wrong, ", ".join(wrong.values()))
    closed = {place: _touched(pid, place) for place in ("/etc", "/usr", "/opt/posagent", "/root")}
    opened = [place for place, said in closed.items() if not said]
    check(not opened, f"may be written to: {opened}")
    check(not _touched(pid, STATE), f"{STATE} may not be written to")
    hidden = ran("nsenter", "-t", str(pid), "-m", "ls", "/home")[1]
    check(not hidden or "denied" in hidden, f"/home shows {hidden}")
    uid = machine.proc_status(pid)["Uid"].split()[0]
    mounts = Path(f"/proc/{pid}/mountinfo").read_text("utf-8")
    proc = [line.split()[-1] for line in mounts.splitlines() if line.split()[4] == "/proc"]
    return (
        f"uid {uid}, NoNewPrivs 1, Seccomp 2 (filter), all five capability sets empty; "
        f"writing to {', '.join(closed)}: {', '.join(sorted(set(closed.values())))}; "
        f"{STATE} writable; /proc mounted {proc[-1] if proc else 'as the system has it'}"
    )


def unsandboxed() -> str:
    """The control: the same questions about a process as the same user without a sandbox."""
    command = ("systemd-run", "--quiet", "--uid=posagent", "--unit=rig-bare", "sleep", "600")
    must(*command)
    try:
        pid = machine.main_pid("rig-bare.service")
        wrong = _rights(pid)
        for name in ("NoNewPrivs", "Seccomp", "CapBnd"):
            check(name in wrong, f"{name} is not missed")
        opened = [place for place in ("/etc", "/usr") if not _touched(pid, place)]
        check(len(opened) == 2, f"only {opened} may be written to")
    finally:
        ran("systemctl", "stop", "rig-bare.service")
    return f"noticed: {', '.join(wrong.values())}; {', '.join(opened)} writable"


def _exposure(unit: str) -> float:
    said = must("systemd-analyze", "security", "--no-pager", unit)
    found = re.search(r"Overall exposure level for .*: ([0-9.]+)", said)
    check(found is not None, f"no exposure in: {said[-200:]}")
    assert found is not None
    return float(found[1])


def exposed() -> str:
    """The figure systemd gives the installed unit."""
    figure = _exposure(UNIT)
    check(figure <= EXPOSURE_MOST, f"exposure {figure}, more than {EXPOSURE_MOST}")
    return f"exposure {figure} (at most {EXPOSURE_MOST}); posagent-actions as told apart: " + str(
        _exposure("posagent-actions.service")
    )


def exposed_without() -> str:
    """The control: a unit without a sandbox."""
    figure = _exposure("pay.service")
    check(figure > EXPOSURE_MOST, f"a unit without a sandbox is given {figure}")
    return f"noticed: {figure} for a unit without a sandbox"


def _reads(name: str, wanted: dict[str, object]) -> bool:
    told = payments.component(name)
    values = told.get("values") or {}
    return told.get("outcome") == "reading" and all(
        values.get(key) == each for key, each in wanted.items()
    )


SEEN: dict[str, dict[str, object]] = {
    "printer": {"paper": "ok"},
    "scanner": {"connected": True, "answers": True},
    "keypad": {"present": True, "stuck": "no"},
}


def devices_seen() -> str:
    """Each watcher reads its device through the sandbox."""
    try:
        for name, wanted in SEEN.items():
            until(lambda name=name, wanted=wanted: _reads(name, wanted), f"{name} seen")  # type: ignore[misc]
    finally:
        told = {name: _short(payments.component(name)) for name in SEEN}
    return "; ".join(f"{name}: {each}" for name, each in told.items())


def devices_closed() -> str:
    """The control: a drop-in that allows no device; the watchers must say so, and what to do."""
    machine.with_drop_in("[Service]\nDeviceAllow=\n")
    try:
        payments.answering()
        for name in SEEN:
            until(
                lambda name=name: "DeviceAllow=" in str(payments.component(name).get("reason")),  # type: ignore[misc]
                f"{name} told to be closed by the sandbox",
            )
            outcome = payments.component(name).get("outcome")
            check(outcome == "unknown", f"{name} is {outcome}")
        told = {name: _short(payments.component(name)) for name in SEEN}
    except RigError as error:
        told = {name: _short(payments.component(name)) for name in SEEN}
        raise RigError(f"{error}: {told}") from error
    finally:
        machine.with_drop_in("")
        payments.answering()
    return "noticed: " + "; ".join(f"{name}: {each}" for name, each in told.items())


def _short(told: dict[str, Any]) -> str:
    if told.get("outcome") != "reading":
        return f"{told.get('outcome')}: {str(told.get('reason'))[:120]}"
    return ", ".join(f"{key} {each}" for key, each in list(told["values"].items())[:3])


def paper_out(devices: Devices) -> str:
    """The roll is empty: an alarm, and its end."""
    code = "printer.paper_out"
    check(code not in payments.alarms(), "alarmed before anything was done")
    devices.printer.switch(paper="out")
    try:
        raised_s = until(lambda: code in payments.alarms(), f"alarm {code}")
    finally:
        devices.printer.heal()
    ended_s = until(lambda: code not in payments.alarms(), f"the end of {code}")
    return f"{code} after {raised_s:.1f} s, gone {ended_s:.1f} s after new paper"


def app_hidden() -> str:
    """The control: ProtectProc hides the payment app, and its watcher says so, not "stopped"."""
    told = payments.component("payment_app")
    until(lambda: payments.component("payment_app").get("outcome") != "", "a word of the app", 60.0)
    told = payments.component("payment_app")
    check(told.get("outcome") != "reading", f"seen all the same: {_short(told)}")
    return f"noticed: {_short(told)}"


def app_restarted() -> str:
    """The payment app dies: seen, and the root service's hook starts it, in its own audit."""
    APP_DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    APP_DROP_IN.write_bytes(APP_EXAMPLE.read_bytes())
    machine.with_drop_in("")
    payments.answering()
    before = machine.main_pid("pay.service")
    check(before > 0, "the payment app does not run")
    until(lambda: _reads("payment_app", {"running": True}), "the payment app seen", 120.0)
    must("systemctl", "kill", "--signal=KILL", "pay.service")
    back_s = until(lambda: machine.main_pid("pay.service") not in {0, before}, "started again")
    until(lambda: "app.restart" in ACTIONS_AUDIT.read_text("utf-8"), "a line of the audit", 30.0)
    lines = ACTIONS_AUDIT.read_text("utf-8").splitlines()
    owner = must("stat", "-c", "%U %a", str(ACTIONS_AUDIT))
    return (
        f"killed, started again by the hook app.restart after {back_s:.1f} s; "
        f"{len(lines)} lines in {ACTIONS_AUDIT} ({owner})"
    )


def bundled() -> str:
    """The support bundle, made by a child of the daemon in its sandbox."""
    file = Path("/run/rig-bundle.tar.gz")
    must("/usr/bin/posagent", "bundle", str(file))
    with tarfile.open(file) as bundle:
        names = bundle.getnames()
        content = sum(len(part.read()) for each in bundle if (part := bundle.extractfile(each)))
    check(len(names) > 3, f"only {names}")
    return f"{file.stat().st_size / 1024:.0f} KB, {len(names)} files of {content / 1024:.0f} KB"


def slip_image() -> str:
    """A slip as an image, drawn by a child; what it needs comes with posagent-extras."""
    file = Path("/run/rig-slip.png")
    code, said = ran("/usr/bin/posagent", "--lang", "en", "slip", "show", "recent", "--png",
                     str(file))  # fmt: skip
    check(code != 0, "an image was drawn without posagent-extras")
    check("posagent-extras" in said, f"what has to be installed is not named: {said[:400]}")
    refused = " ".join(said.split())
    must("dpkg", "-i", *both("older"))
    return f'without posagent-extras: "{refused}"; with it {drawn(file)}'


def drawn(file: Path) -> str:
    """A slip as an image; asked again where the emulated processor was too slow for the limit."""
    asked, said = 0, "not done within"
    while "not done within" in said and asked < DRAWN_MOST:
        asked += 1
        code, said = ran("/usr/bin/posagent", "--lang", "en", "slip", "show", "recent", "--png",
                         str(file))  # fmt: skip
    check(code == 0, f"asked {asked} times: {said[-400:]}")
    head = file.read_bytes()[:8]
    check(head == b"\x89PNG\r\n\x1a\n", f"not an image: {head!r}")
    late = "" if asked == 1 else f", at question {asked}: before, 20 s were too short"
    return f"{file.stat().st_size} bytes of PNG{late}"


def killed() -> str:
    """kill -9 three times in a row: there is no number of starts after which systemd gives up."""
    limit = machine.property_of("StartLimitIntervalUSec")
    check(limit == "0", f"StartLimitIntervalUSec is {limit}")
    began = int(machine.property_of("NRestarts"))
    took = []
    for _ in range(3):
        pid = machine.main_pid()
        must("systemctl", "kill", "--signal=KILL", "--kill-whom=main", UNIT)
        took.append(until(lambda pid=pid: machine.main_pid() not in {0, pid}, "a new daemon"))  # type: ignore[misc]
        until(machine.active, "READY again")
    payments.answering()
    restarts = int(machine.property_of("NRestarts")) - began
    check(restarts == 3, f"{restarts} restarts are counted")
    times = ", ".join(f"{each:.0f}" for each in took)
    return f"started again after {times} s (RestartSec counted in); no start limit"


def not_restarted() -> str:
    """The control: Restart=no; killed, it must stay dead."""
    machine.with_drop_in("[Service]\nRestart=no\n")
    try:
        must("systemctl", "kill", "--signal=KILL", "--kill-whom=main", UNIT)
        until(lambda: not machine.active(), "its end")
        time.sleep(20.0)  # twice RestartSec: that nothing comes can only be waited for
        check(machine.main_pid() == 0, "it was started all the same")
    finally:
        machine.with_drop_in("")
        payments.answering()
    return "noticed: dead 20 s later"


def stopped() -> str:
    """SIGSTOP: alive and doing nothing, which only the watchdog sees."""
    watchdog = machine.property_of("WatchdogUSec")
    check(watchdog not in {"", "0", "infinity"}, f"WatchdogUSec is {watchdog}")
    pid = machine.main_pid()
    must("systemctl", "kill", "--signal=STOP", "--kill-whom=main", UNIT)
    took_s = until(lambda: machine.main_pid() not in {0, pid}, "a new daemon", WATCHDOG_S)
    until(machine.active, "READY again")
    said = machine.ran("journalctl", "-u", UNIT, "--no-pager", "-o", "cat", "-n", "60")[1]
    check("Watchdog timeout" in said, "systemd does not speak of its watchdog")
    payments.answering()
    return (
        f"WatchdogSec {watchdog}; stopped, another daemon after {took_s:.0f} s, systemd's log "
        "names the watchdog timeout"
    )


def scenes(url: str, devices: Devices) -> list[Scene]:
    """In this order: the first ones make what the others need."""
    return [
        Scene("a", "devices attached", devices.attached),
        Scene("a", "installed by dpkg", installed),
        Scene("a", "daemon up under systemd", lambda: configured(url, devices)),
        Scene("a", "sandbox in force", sandboxed),
        Scene("a", "no sandbox", unsandboxed, control=True),
        Scene("a", "exposure by systemd-analyze", exposed),
        Scene("a", "exposure of a unit without sandbox", exposed_without, control=True),
        Scene("b", "printer, scanner, keypad seen", devices_seen),
        Scene("b", "paper out", lambda: paper_out(devices)),
        Scene("b", "payment app without the drop-in", app_hidden, control=True),
        Scene("b", "payment app killed, action hook", app_restarted),
        Scene("b", "support bundle", bundled),
        Scene("b", "slip as an image", slip_image),
        Scene("b", "no DeviceAllow", devices_closed, control=True),
    ]


def deaths() -> list[Scene]:
    """The daemon dies or hangs: who notices."""
    return [
        Scene("b", "kill -9, three times", killed),
        Scene("b", "kill -9 with Restart=no", not_restarted, control=True),
        Scene("b", "SIGSTOP, watchdog", stopped),
    ]
