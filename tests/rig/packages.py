"""`make rig-packages`: the real Debian package in a virtual machine; a table and a report.

Builds the packages (an older version, a newer one, one without its guard), boots a Debian that has
never seen the agent, collects what the guest reports and judges it. The host that gets the payments
runs here, outside the machine, with its ledger: the counts that matter are made from its file.
Two boots: one where the package is installed by dpkg under systemd, and one with 256 MB and a
read-only root, whose image has got the package in a chroot, as a device vendor puts it there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.sim.certificates import make_certificates
from agent.sim.host import HostOptions, HostThread
from tests.rig.image import CACHE_VARIABLE, ROOT, ImageError, built
from tests.rig.imaged import put_into_image
from tests.rig.machine import MEMORY_MB, Machine, MachineError
from tests.rig.packages_boot import Boot, kept, read_boots
from tests.rig.packages_report import Course, table, written

#: This machine's loopback, seen from the guest.
OUTSIDE = "10.0.2.2"
BOOTS = (("whole", MEMORY_MB, "rw"), ("small", 256, "ro"))
PAYLOAD_MB = 96
#: The longest pause between two results: 1,000 payments on an emulated processor that is shared.
SILENCE_S = 1500.0
WHOLE_S = 5400.0
CONSOLE_BYTES = 3000
VERSIONS = (("older", "1", ()), ("newer", "2", ()), ("unguarded", "3", ("--unguarded",)))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.rig packages", description=__doc__)
    parser.add_argument("--report", type=Path, help="write the figures there")
    parser.add_argument("--only", default="", help="scenes whose name contains this (or, this)")
    parser.add_argument("--boot", default="", choices=[name for name, _, _ in BOOTS])
    parser.add_argument("--debs", type=Path, help="a folder made by an earlier run with --keep")
    parser.add_argument("--keep", action="store_true", help="keep what was made, say where")
    parser.add_argument(
        "--boots", type=Path, metavar="DIR", help="keep each boot there, report all kept there"
    )
    parser.add_argument("--add-up", action="store_true", help="run nothing, report what is kept")
    given = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, _stopped)
    scratch = Path(tempfile.mkdtemp(prefix="posagent-rig-"))
    folder = given.boots or scratch / "boots"
    try:
        if not given.add_up:
            _course(folder, scratch, given.debs, given.only, given.boot)
        course = Course(read_boots(folder))
    except (ImageError, MachineError, OSError, subprocess.SubprocessError) as error:
        print(f"the rig could not be run: {error}", file=sys.stderr)
        print(f"(the image is kept in the directory {CACHE_VARIABLE} names)", file=sys.stderr)
        return 2
    finally:
        if given.keep:
            _say(f"kept: {scratch}")
        else:
            shutil.rmtree(scratch, ignore_errors=True)
    print(table(course), flush=True)
    if given.report and (given.only or given.boot) and not given.boots:
        _say("only some scenes: no report is written")
    elif given.report:
        given.report.parent.mkdir(parents=True, exist_ok=True)
        given.report.write_text(written(course), encoding="utf-8")
    return 1 if course.problems() else 0


def _stopped(*_: object) -> None:
    """What was seen until then is reported, as what it is: not all."""
    raise MachineError("the rig was stopped by a signal")


def _course(folder: Path, scratch: Path, debs: Path | None, only: str, boot: str) -> None:
    image = built(_say)
    packages = debs or made_packages(scratch / "debs", image.python, _say)
    certificates = make_certificates(
        scratch / "certificates", names=(OUTSIDE, "127.0.0.1"), terminal="rig"
    )
    ledger = scratch / "ledger.jsonl"
    options = HostOptions(
        ledger_file=ledger,
        cert_file=certificates.host_cert_file,
        key_file=certificates.host_key_file,
        in_flight_s=5,
    )
    with HostThread(options) as thread:
        payload = _made_payload(
            scratch, packages, certificates.ca_file, only,
            url=thread.host.url, control=thread.host.control_url,
        )  # fmt: skip
        for name, memory_mb, root in BOOTS:
            if boot and boot != name:
                continue
            place = scratch / name
            place.mkdir()
            system, state = place / "system.ext4", place / "state.ext4"
            _run("cp", "--sparse=always", "--reflink=auto", str(image.disk), str(system))
            if name == "small":
                _say("the package into an image, in a chroot; / read-only, /var apart")
                put_into_image(
                    system, state, packages / "newer", certificates.ca_file,
                    _seen_there(thread.host.url),
                )  # fmt: skip
            _say(f"{name} boot: {memory_mb} MB, / {root} (software emulation)")
            heard = Boot(name, f"{memory_mb} MB, / {root}", _now(), only, packages=_told(packages))
            machine = Machine(
                image, payload, place,
                memory_mb=memory_mb, network=True, root=root,
                kept_disks=(system, state) if state.exists() else (system,),
            )  # fmt: skip
            _booted(machine, heard, ledger)
            kept(heard, folder)
            if heard.ended_early:
                break


def _booted(started: Machine, heard: Boot, ledger: Path) -> None:
    began, before = time.monotonic(), len(read_keys(ledger))
    with started as machine:
        try:
            for result in machine.said(SILENCE_S, WHOLE_S):
                heard.results.append(result)
                _show(result)
        except MachineError as error:
            heard.ended_early = str(error)
        if not heard.ended():
            heard.ended_early = heard.ended_early or "the guest did not come to its end"
            console = machine.console.read_bytes()[-CONSOLE_BYTES:]
            print(console.decode("utf-8", "replace"), flush=True)
    heard.keys = read_keys(ledger)[before:]
    heard.seconds = time.monotonic() - began


def _told(packages: Path) -> list[str]:
    return [
        f"{file.parent.name}: {file.name}, {file.stat().st_size / 1e6:.1f} MB, sha256 "
        f"{hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"
        for file in sorted(packages.rglob("*.deb"))
    ]


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def read_keys(ledger: Path) -> list[str]:
    """Keys of the host's ledger in the order of posting, from its file."""
    lines = ledger.read_text("utf-8").splitlines() if ledger.exists() else []
    return [json.loads(line)["key"] for line in lines if line.strip()]


def made_packages(folder: Path, python: str, say: Any) -> Path:
    """The packages of this checkout: two versions of one code, and one without its guard."""
    folder.mkdir(parents=True)
    bundles = folder.parent / "bundles"
    say("building the packages")
    wheel = _made_wheel(folder.parent)
    for name, extras in (("base", ()), ("full", ("--extra", "provision", "--extra", "slips"))):
        _run(
            sys.executable, str(ROOT / "packaging/bundle/build.py"), "--arch", "amd64",
            "--python", python, "--libc", "gnu", "--own-wheel", str(wheel),
            "--out", str(bundles / name), *extras,
        )  # fmt: skip
    ready = ["--bundle", str(bundles / "base"), "--extras-bundle", str(bundles / "full")]
    for name, revision, more in VERSIONS:
        _run(
            sys.executable, str(ROOT / "packaging/debian/build.py"), "--arch", "amd64",
            "--python", python, "--revision", revision, *ready, *more,
            "--out", str(folder / name),
        )  # fmt: skip
    return folder


def _made_payload(
    scratch: Path, packages: Path, ca_file: Path, only: str, *, url: str, control: str
) -> Path:
    """The second disk: the packages, the checkout's wheel for the simulators, the guest's half."""
    tree = scratch / "payload"
    shutil.copytree(packages, tree / "debs")
    for part in ("", "packages"):
        here, there = ROOT / "tests/rig/guest" / part, tree / "tests/rig/guest" / part
        there.mkdir(parents=True)
        for file in here.iterdir():
            if file.suffix == ".py":
                shutil.copy(file, there / file.name)
    shutil.copy(ROOT / "tests/rig/guest/packages/start", tree / "start")
    shutil.copy(ca_file, tree / "ca.pem")
    words = {"url": _seen_there(url), "control": _seen_there(control), "only": only}
    for name, word in words.items():
        (tree / name).write_text(word, "utf-8")
    with zipfile.ZipFile(_made_wheel(scratch)) as packed:
        packed.extractall(tree / "site")
    _run(
        sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash",
        "-s", str(tree), "-p", "/rig", str(tree / "site"), str(tree / "tests"),
    )  # fmt: skip
    disk = scratch / "payload.ext4"
    with disk.open("wb") as file:
        file.truncate(PAYLOAD_MB << 20)
    options = ("-t", "ext4", "-O", "^has_journal", "-m", "0", "-E", "root_owner=0:0")
    _run("mke2fs", "-q", *options, "-d", str(tree), str(disk))
    return disk


def _made_wheel(scratch: Path) -> Path:
    """This checkout's wheel, made once: the same bytes go into every package."""
    wheels = scratch / "wheel"
    if not wheels.exists():
        _run(
            sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps",
            "--wheel-dir", str(wheels), str(ROOT),
        )  # fmt: skip
    (wheel,) = wheels.glob("*.whl")
    return wheel


def _seen_there(url: str) -> str:
    return url.replace("127.0.0.1", OUTSIDE)


def _run(*command: str) -> None:
    search = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    done = subprocess.run(
        ["nice", "-n", "10", *command],
        capture_output=True, text=True, check=False, env={**os.environ, "PATH": search},
    )  # fmt: skip
    if done.returncode:
        said = (done.stdout + done.stderr).strip()[-1500:]
        raise ImageError(f"{' '.join(command[:2])} ended with {done.returncode}: {said}")


def _say(text: str) -> None:
    print(time.strftime("%H:%M:%S", time.gmtime()), text, flush=True)


def _show(result: dict[str, Any]) -> None:
    """Progress, a line each; the table comes at the end."""
    match result["kind"]:
        case "scene":
            word = "ok " if result["well"] else "BAD"
            control = "control: " if result["control"] else ""
            _say(f"{word} {result['part']} {control}{result['name']} ({result['took_s']:.0f} s): "
                 f"{result['found']}")  # fmt: skip
        case "boot":
            _say(f"the checks begin {result['uptime_s']:.0f} s after power-on")
        case "note" | "log" | "broken":
            _say(f"{result['kind']}: {result.get('text', '')}{result.get('log', '')}")
        case _:
            pass
