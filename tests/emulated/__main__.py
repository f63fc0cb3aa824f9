"""`python -m tests.emulated`: the packages for arm, installed and run in a Debian under qemu-user.

For each architecture: the wheels nobody publishes, the bundle and the .deb are built, installed in
a fresh root, tests/core run there against what was installed, and the daemon carries one payment to
a host outside. Prints sizes, memory and times, and writes them as a report. Needs root.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.emulated import root as roots
from tests.emulated import smoke
from tests.emulated.root import CACHE, EmulationError, inside, run

ROOT = Path(__file__).resolve().parents[2]
APART = "POSAGENT_EMULATED_APART"
ARCHES = ("arm64", "armhf")
#: What a terminal's root gets of the checkout for the tests: not the agent.
TESTS = ("tests", "docs", "firmware_hooks", "packaging", "pyproject.toml")
#: tests/core files that ask for what terminals do not get, or for the checkout's own sources.
LEFT_OUT = {
    "tests/core/slips/test_slips.py": "asks for the simulated printer",
    "tests/core/why/test_reasons.py": "reads the checkout's sources",
}
LIMIT_MB, PSS_MB, RSS_MB = 30.0, 30.0, 38.0


@dataclass
class Seen:
    """What one architecture showed."""

    arch: str
    installed_mb: float = 0.0
    deb_mb: float = 0.0
    python: str = ""
    refused: str = ""
    core: str = ""
    core_passed: int = 0
    core_failed: list[str] = field(default_factory=list)
    core_s: float = 0.0
    control: str = ""
    smoke: smoke.Smoke | None = None
    wrong: list[str] = field(default_factory=list)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.emulated", description=(__doc__ or "")[:80])
    parser.add_argument("--arch", action="append", choices=ARCHES)
    parser.add_argument("--core", default="tests/core", help="what of the tests; '' for none")
    parser.add_argument("--within", default=0, type=int, metavar="SECONDS", help="a share of them")
    parser.add_argument("--examples", default=0, type=int, help="most examples of one property")
    parser.add_argument("--built", type=Path, metavar="DIR", help="keep and reuse what was built")
    parser.add_argument("--report", type=Path)
    args = parser.parse_args(argv)
    if os.geteuid() != 0:
        print("NOT RUN: another architecture's root needs root here", file=sys.stderr)
        return 2
    if not os.environ.get(APART):
        return _apart()
    try:
        found = _all(args)
    except EmulationError as error:
        print(f"NOT RUN: {error}", file=sys.stderr)
        return 2
    report = _report(found, args.core, args.examples)
    print(report)
    if args.report:
        args.report.write_text(report, "utf-8")
    return 1 if any(seen.wrong for seen in found) else 0


def _apart() -> int:
    """Again in a mount namespace: what is mounted is gone with it, however this ends."""
    for arch in ARCHES:
        roots.registered(arch)
    command = ["unshare", "--mount", "--propagation", "private", sys.executable, "-m"]
    command += ["tests.emulated", *sys.argv[1:]]
    return subprocess.run(command, env={**os.environ, APART: "1"}, cwd=ROOT, check=False).returncode


def _all(args: argparse.Namespace) -> list[Seen]:
    """Built one after the other, then tried side by side: each is one emulated process."""
    arches = args.arch or ARCHES
    with tempfile.TemporaryDirectory(prefix="pa-emu-", dir="/tmp") as name:
        place = args.built or Path(name)
        there = [(seen, *_built(seen.arch, place, seen)) for seen in map(Seen, arches)]
        lowers = [roots.base(arch) for arch in arches]
        tools = roots.test_tools()
        with ThreadPoolExecutor(len(there)) as pool:
            running = [
                pool.submit(_tried, seen, (deb, foreign), (lower, tools), args)
                for (seen, deb, foreign), lower in zip(there, lowers, strict=True)
            ]
            return [run.result() for run in running]


def _tried(
    seen: Seen, built: tuple[Path, Path], roots_: tuple[Path, Path], args: argparse.Namespace
) -> Seen:
    arch, (deb, foreign), (lower, tools) = seen.arch, built, roots_
    with tempfile.TemporaryDirectory(prefix="pa-emu-", dir="/tmp") as name:
        place = Path(name)
        try:
            root = roots.layered(lower, place)
            _say(arch, f"installing {deb.name}")
            _installed(root, deb, seen)
            _refused(root, foreign, seen)
            _say(arch, "one payment through the daemon")
            _smoked(root, seen)
            if args.core:
                _say(arch, f"{args.core} against what was installed")
                _cored(root, tools, args, seen)
        finally:
            for part in ("root/dev", "root/proc", "root"):
                subprocess.run(
                    ["umount", "-l", str(place / part)], check=False, capture_output=True
                )
    return seen


def _say(arch: str, words: str) -> None:
    print(f"[{datetime.now(UTC):%H:%M:%S}] {arch}: {words}", flush=True)


def _built(arch: str, place: Path, seen: Seen) -> tuple[Path, Path]:
    """The .deb, and a bundle for another machine."""
    foreign = place / "foreign"
    debs = place / arch
    bundle = [sys.executable, "packaging/bundle/build.py", "--python", "3.11"]
    if not (foreign / "MANIFEST.json").exists():
        run([*bundle, "--arch", "amd64", "--out", str(foreign)], cwd=ROOT)
    if not list(debs.glob("posagent_*.deb")):
        _say(arch, "building")
        wheels = CACHE / f"wheels-{arch}"
        wheels.mkdir(parents=True, exist_ok=True)
        if arch == "armhf":
            command = [sys.executable, "packaging/wheels/build.py", "--arch", arch]
            run([*command, "--out", str(wheels)], cwd=ROOT)
        made = place / f"bundle-{arch}"
        run([*bundle, "--arch", arch, "--wheels", str(wheels), "--out", str(made)], cwd=ROOT)
        command = [sys.executable, "packaging/debian/build.py", "--arch", arch, "--no-extras"]
        run([*command, "--bundle", str(made), "--out", str(debs)], cwd=ROOT)
    deb = next(iter(sorted(debs.glob("posagent_*.deb"))))
    seen.deb_mb = deb.stat().st_size / 1e6
    return deb, foreign


def _installed(root: Path, deb: Path, seen: Seen) -> None:
    shutil.copy(deb, root / "tmp" / deb.name)
    done = subprocess.run(
        inside(root, "dpkg", "--install", f"/tmp/{deb.name}"),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise EmulationError(f"dpkg ended with {done.returncode}: {done.stdout}{done.stderr}")
    listed = run(inside(root, "dpkg", "--listfiles", "posagent")).splitlines()
    sizes = [
        path.stat().st_size
        for path in (root / name.lstrip("/") for name in listed)
        if path.is_file() and not path.is_symlink()
    ]
    seen.installed_mb = sum(sizes) / 1e6
    seen.python = run(inside(root, "/opt/posagent/bin/python", "-VV")).strip()


def _refused(root: Path, foreign: Path, seen: Seen) -> None:
    """The control of the start: the same launcher with parts for another machine must refuse."""
    shutil.copytree(foreign, root / "tmp" / "foreign", symlinks=True)
    done = subprocess.run(
        inside(root, "/tmp/foreign/bin/posagent", "--version"),
        capture_output=True,
        text=True,
        check=False,
    )
    seen.refused = done.stderr.split("\n")[0]
    if done.returncode != 78 or "x86_64-linux-gnu" not in seen.refused:
        seen.wrong.append(f"the bundle for amd64 was not refused ({done.returncode})")
    shutil.rmtree(root / "tmp" / "foreign")


def _smoked(root: Path, seen: Seen) -> None:
    try:
        seen.smoke = smoke.through(root)
    except (EmulationError, AssertionError) as error:
        log = root / "tmp" / "daemon.log"
        words = log.read_text("utf-8", "replace")[-3000:] if log.exists() else ""
        seen.wrong.append(f"smoke test: {error}")
        print(words, flush=True)
        return
    if seen.smoke.stop_code != 0:
        seen.wrong.append(f"the daemon ended with {seen.smoke.stop_code}")


def _cored(root: Path, tools: Path, args: argparse.Namespace, seen: Seen) -> None:
    checkout = root / "checkout"
    checkout.mkdir()
    shutil.copytree(tools, root / "test-tools")
    for name in TESTS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, checkout / name)
    shutil.copy(ROOT / "tests" / "emulated" / "core_tests.py", root / "core_tests.py")
    began = time.monotonic()
    ignored = [f"--ignore=/checkout/{name}" for name in sorted(LEFT_OUT)]
    parts = (f"/checkout/{part}" for part in args.core.split())
    words = _pytest(root, args.within, args.examples, *ignored, *parts)
    seen.core_s = time.monotonic() - began
    seen.core = _last(words)
    passed = re.search(r"(\d+) passed", seen.core)
    seen.core_passed = int(passed[1]) if passed else 0
    seen.core_failed = re.findall(r"(?m)^(?:FAILED|ERROR) (\S+)", words)
    if seen.core_failed or not seen.core_passed:
        seen.wrong.append(f"core tests: {seen.core}")
        print(words[-6000:], flush=True)
    # The control: with the installed package spoilt, the same command must fail.
    victim = next(
        iter(sorted((root / "opt/posagent/lib").glob("python*/site-packages/agent/core")))
    )
    audit = victim / "audit.py"
    text = audit.read_text("utf-8")
    spoilt = text.replace("hashlib.blake2b(text.encode()", "hashlib.blake2b(b''")
    if spoilt == text:
        raise EmulationError("the control spoils nothing: agent/core/audit.py reads otherwise now")
    audit.write_text(spoilt, "utf-8")
    shutil.rmtree(victim / "__pycache__")
    seen.control = _last(_pytest(root, 0, 0, "/checkout/tests/core/test_audit.py"))
    if "failed" not in seen.control and "error" not in seen.control:
        seen.wrong.append(f"control: a spoilt package passed its tests ({seen.control})")


def _last(words: str) -> str:
    """pytest's last line, and how many of how many were run."""
    told = [line for line in words.strip().splitlines() if " in " in line or "share:" in line]
    return "; ".join(line.strip("= ") for line in told[-2:]) or "nothing"


def _pytest(root: Path, within_s: int, examples: int, *arguments: str) -> str:
    python = "/opt/posagent/bin/python"
    script = ("-I", "/core_tests.py", "/checkout", "/test-tools", str(within_s), str(examples))
    command = inside(root, python, *script)
    done = subprocess.run(
        ["nice", *command, "--no-header", "--tb=short", "-W", "ignore", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def _verdict(value: float, limit: float) -> str:
    return f"{value:.1f} MB ({'met' if value <= limit else 'MISSED'}: {limit:.0f} MB)"


def _report(found: Sequence[Seen], core: str, examples: int) -> str:
    lines = [
        "# Packages for arm, run under qemu-user",
        "",
        "Written by `python -m tests.emulated --report docs/reports/packages.md`",
        f"(`make packages-arm`), {datetime.now(UTC):%Y-%m-%d %H:%M} UTC:",
        f"Debian {roots.SUITE} roots, the host and its ledger outside. Times are emulated on a",
        "shared machine and say nothing about a terminal; sizes and memory do: memory counts the",
        f"pages of the program alone, without the emulator's, {smoke.SETTLED_S:.0f} s after one",
        "payment, no broker configured. One program by itself shares no pages: PSS equals RSS.",
        "",
    ]
    if core and examples:
        lines += [f"Properties were tried with {examples} examples each at most.", ""]
    for seen in found:
        lines += [f"## {seen.arch}", "", f"- interpreter: {seen.python}"]
        lines += [
            (
                f"- package {seen.deb_mb:.1f} MB; installed beside "
                f"Python: {_verdict(seen.installed_mb, LIMIT_MB)}"
            ),
            f"- control: a bundle for amd64 there says: “{seen.refused}”",
        ]
        if seen.smoke:
            one = seen.smoke
            lines += [
                (
                    f"- idle, with one uplink: PSS {_verdict(one.memory.pss, PSS_MB)}, "
                    f"RSS {_verdict(one.memory.rss, RSS_MB)}; with the emulator's own pages "
                    f"{one.whole.pss:.0f} and {one.whole.rss:.0f} MB"
                ),
                (
                    f"- of that the interpreter and the libraries: {one.libraries.rss:.1f} MB "
                    "in a process that imports the same, without posagent's own"
                ),
                (
                    f"- emulated times: `--version` {one.version_s:.1f} s, API answers after "
                    f"{one.ready_s:.1f} s, payment in the host's ledger {one.payment_s:.1f} s "
                    "after hand-over"
                ),
                (
                    f"- one payment: accepted, posted once, clean stop with code {one.stop_code}; "
                    f"`posagent why`: “{one.why.splitlines()[0] if one.why else ''}”"
                ),
            ]
        if core:
            lines += [
                f"- `{core}` against the installed package: {seen.core} ({seen.core_s:.0f} s)",
                *(f"  - failed: {name}" for name in seen.core_failed),
                f"- control: with `agent/core/audit.py` spoilt: {seen.control}",
            ]
        else:
            lines += ["- tests of core: not run this time"]
        lines += [*(f"- **WRONG: {word}**" for word in seen.wrong), ""]
    lines += ["Left out of the tests of core:", ""]
    lines += [f"- `{name}`: {why}" for name, why in sorted(LEFT_OUT.items())]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
