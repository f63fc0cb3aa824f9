"""`make android`: the bundle in a root that looks like Android, and every part of the image that
can be judged on this machine.

Builds the bundle, lays the root, starts the daemon as init would and asks it to do its work; then
compiles the samples and the policy through the tests beside this file. Ends with 0 when every check
held and every control failed as it must, with 1 when not, with 2 where it cannot be run at all.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from agent.sim.host import HostThread
from tests.android import java
from tests.android.fakes import ROOT
from tests.android.root import PYTHON, UID, command, environment, laid
from tests.process.daemon import call, payment

CONFIG = "/data/misc/posagent/etc/posagent.toml"
PATIENCE_S = 90.0
WATCHDOG_S = 15


class FailedError(Exception):
    """A check that did not hold."""


class Rig:
    """The root, the daemon in it, and what was found."""

    def __init__(self, home: Path) -> None:
        self.home, self.root = home, home / "r"
        self.log = home / "log"
        self.rows: list[tuple[str, bool, str]] = []
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.root / "dev" / "socket" / "posagent"

    @property
    def data(self) -> Path:
        return self.root / "data" / "misc" / "posagent"

    def check(self, name: str, work: Callable[[], str]) -> None:
        try:
            said, held = work(), True
        except (FailedError, OSError, subprocess.SubprocessError, KeyError) as error:
            said, held = f"{type(error).__name__}: {error}", False
        self.rows.append((name, held, said))
        print(f"{'ok  ' if held else 'FAIL'} {name}: {said}", flush=True)

    # What happens inside.

    def start(self, **more: str) -> None:
        program = ["/system/bin/logwrapper", "/system_ext/bin/posagent", "run", "--config", CONFIG]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command(self.root, program, socket="/dev/socket/posagent"),
                env=environment(**more), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def up(self) -> None:
        def answers() -> bool:
            assert self.process is not None
            if (code := self.process.poll()) is not None:
                raise FailedError(f"ended with {code}: {self.log.read_text()[-600:]}")
            try:
                return call(self.socket, "GET", "/v1/health", timeout_s=5).status == 200
            except OSError:
                return False

        wait(answers, "the daemon answers")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command line as the service's user."""
        program = ["/system_ext/bin/posagent", *arguments]
        return subprocess.run(
            command(self.root, program), env=environment(), check=False,
            capture_output=True, text=True, timeout=PATIENCE_S,
        )  # fmt: skip

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)


def wait(condition: Callable[[], object], what: str) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > ends:
            raise FailedError(f"not within {PATIENCE_S:.0f} s: {what}")
        time.sleep(0.05)


def that(held: object, why: str) -> None:
    if not held:
        raise FailedError(why)


def course(rig: Rig, host: HostThread, *, quick: bool) -> None:
    """Everything, in the order of a terminal's first day."""
    rig.check("init's oneshot puts configuration and the app's uid in place", lambda: prepared(rig))
    own = rig.data / "etc" / "conf.d" / "rig.toml"
    own.write_text(
        f'[agent]\ndevice_id = "SN-1"\nwatchdog_s = {WATCHDOG_S}\n'
        f'[[uplink]]\nname = "host"\nurl = "{host.host.url}"\n'
        "[check]\nduplicate_window_s = 0\ntrace_window_s = 0\n"
    )
    os.chown(own, UID, UID)
    own.chmod(0o600)
    rig.start()
    rig.check("starts on the socket init made, without a name for its uid", lambda: started(rig))
    rig.check("nothing but /data can be written", lambda: read_only(rig))
    rig.check(
        "a payment is taken, sent, and known to the host once", lambda: paid(rig, host, "k-1")
    )
    for words in (("status",), ("why", "k-1"), ("why",), ("slip", "show", "recent")):
        rig.check(f"posagent {' '.join(words)}", lambda words=words: said(rig, *words))
    rig.check("posagent bundle", lambda: bundled(rig))
    rig.check("what Android has not is unknown, not a fault", lambda: unknown(rig))
    rig.check("nothing crashed", lambda: quiet(rig))
    rig.check("kill -9, and init's next start", lambda: killed(rig, host))
    if not quick:
        rig.check("hangs for the watchdog's time and is ended by the kernel", lambda: hung(rig))
    rig.check("stops when told to, and leaves init's socket", lambda: stopped(rig))
    rig.check("control: with /data read-only it must not start", lambda: read_only_data(rig))
    if not quick:
        rig.check("control: with watchdog_s = 0 it hangs on", lambda: unwatched(rig, own))
    rig.check("control: another interpreter is refused", lambda: other_interpreter(rig))


def prepared(rig: Rig) -> str:
    done = subprocess.run(
        command(rig.root, ["/system_ext/bin/posagent-prepare"]), env=environment(),
        check=False, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    that(done.returncode == 0, done.stderr)
    that("10123" in (rig.data / "etc/conf.d/payment-apps.toml").read_text(), "no uid")
    return "posagent.toml and conf.d/payment-apps.toml written by uid 7500"


def started(rig: Rig) -> str:
    rig.up()
    link = rig.data / "run" / "api.sock"
    that(link.is_symlink() and str(link.readlink()) == "/dev/socket/posagent", "no link in run_dir")
    assert rig.process is not None
    status = Path(f"/proc/{rig.process.pid}/status").read_text()
    found = {name: re.search(rf"^{name}:\s+(.*)$", status, re.MULTILINE) for name in
             ("Uid", "CapEff", "VmRSS")}  # fmt: skip
    uid, rights, size = (str(match and match[1]) for match in found.values())
    that(uid.split()[0] == str(UID) and int(rights, 16) == 0, f"uid {uid}, capabilities {rights}")
    return f"uid {UID}, no capabilities, VmRSS {size}"


def read_only(rig: Rig) -> str:
    program = "cat </dev/null >/system/x; cat </dev/null >/x; cat </dev/null >/data/misc/posagent/x"
    done = subprocess.run(
        command(rig.root, ["/system/bin/sh", "-c", f"{program}; ls / /etc /tmp /run"]),
        env=environment(), check=False, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    that((rig.data / "x").exists(), "the control file in /data was not written")
    (rig.data / "x").unlink()
    that(done.stderr.count("Read-only file system") == 2, done.stderr)
    absent = [name for name in ("/etc", "/tmp", "/run") if f"'{name}'" in done.stderr]
    that(len(absent) == 3, done.stderr)
    return f"/ and /system refuse; absent: {', '.join(absent)}; /: {' '.join(done.stdout.split())}"


def paid(rig: Rig, host: HostThread, key: str) -> str:
    answer = call(
        rig.socket, "POST", "/v1/transactions", json.dumps(payment(key, uplink="host")).encode()
    )
    that(answer.status == 201, f"{answer.status} {answer.body!r}")
    wait(lambda: keys(host).count(key) == 1, "the host has it")
    wait(lambda: state(rig, key) == "posted", "the agent knows")
    return "201, then posted"


def keys(host: HostThread) -> list[str]:
    return sorted(posting.key for posting in host.host.ledger.postings())


def state(rig: Rig, key: str) -> str:
    return str(call(rig.socket, "GET", f"/v1/transactions/{key}").json["state"])


def said(rig: Rig, *words: str) -> str:
    done = rig.run("--lang", "en", *words, "--config", CONFIG)
    that(done.returncode in (0, 1) and "Traceback" not in done.stderr, done.stderr + done.stdout)
    lines = done.stdout.strip().splitlines()
    that(lines, "nothing was printed")
    return f"exit {done.returncode}, {len(lines)} lines: {lines[0].strip()[:80]}"


def bundled(rig: Rig) -> str:
    done = rig.run("--lang", "en", "bundle", "/data/misc/posagent/b.tar.gz", "--config",
                   CONFIG)  # fmt: skip
    file = rig.data / "b.tar.gz"
    that(done.returncode == 0 and file.exists(), done.stderr + done.stdout)
    size = file.stat().st_size
    file.unlink()
    return f"{size} bytes"


def unknown(rig: Rig) -> str:
    def android() -> dict[str, object]:
        held = call(rig.socket, "GET", "/v1/health").json["components"]
        return next((one for one in held if one["component"] == "android"), {})

    wait(lambda: android().get("values"), "getprop and dumpsys were read")
    health = call(rig.socket, "GET", "/v1/health").json
    outcomes = sorted(f"{one['component']} {one['outcome']}" for one in health["components"])
    alarms = [alarm["code"] for alarm in health["alarms"]]
    missing = [code for code in alarms if code.startswith(("software.", "configuration."))]
    that(not missing, f"alarms of what is only missing: {missing}")
    values = android()["values"]
    that("10" in str(values) or "13" in str(values), str(values))
    return f"{', '.join(outcomes)}; alarms: {', '.join(alarms) or 'none'}"


def quiet(rig: Rig) -> str:
    text = rig.log.read_text("utf-8", "replace")
    bad = [line for line in text.splitlines() if "Traceback" in line or "event=part_failed" in line]
    that(not bad, "; ".join(bad[:3]))
    return f"{len(text.splitlines())} lines of log, no traceback"


def killed(rig: Rig, host: HostThread) -> str:
    assert rig.process is not None
    rig.process.kill()
    rig.process.wait(PATIENCE_S)
    rig.start()
    rig.up()
    that(state(rig, "k-1") == "posted", "k-1 is gone")
    paid(rig, host, "k-2")
    that(keys(host) == ["k-1", "k-2"], str(keys(host)))
    return "both payments there, each once at the host"


def hung(rig: Rig) -> str:
    """Stopped for longer than its time: the kernel's signal waits, and ends it as it wakes."""
    code = stalled(rig)
    that(code == -signal.SIGALRM, f"ended with {code}")
    rig.start()
    rig.up()
    that(state(rig, "k-2") == "posted", "k-2 is gone")
    return f"SIGALRM after {WATCHDOG_S} s; started again, the payments are there"


def stalled(rig: Rig) -> int | None:
    assert rig.process is not None
    log = rig.log
    wait(
        lambda: "event=ready" in log.read_text().rpartition("event=api_l")[2], "the watchdog is on"
    )
    rig.process.send_signal(signal.SIGSTOP)
    time.sleep(WATCHDOG_S + 2)
    rig.process.send_signal(signal.SIGCONT)
    try:
        return rig.process.wait(5)
    except subprocess.TimeoutExpired:
        return None


def stopped(rig: Rig) -> str:
    that((code := rig.stop()) == 0, f"exit code {code}")
    that(not (rig.data / "run" / "api.sock").is_symlink(), "the link is still there")
    that(rig.socket.exists(), "init's socket was removed")
    return "exit code 0"


def read_only_data(rig: Rig) -> str:
    before = rig.log.stat().st_size
    rig.start(DATA_READ_ONLY="y")
    assert rig.process is not None
    try:
        code = rig.process.wait(PATIENCE_S)
    finally:
        rig.process.kill()
    lines = rig.log.read_bytes()[before:].decode("utf-8", "replace").splitlines()
    reason = [line for line in lines if "read-only" in line.lower() or "readonly" in line.lower()]
    that(code != 0 and reason, f"{code}: {' // '.join(lines[-8:])}")
    return f"exit code {code}: {reason[0][:160]}"


def unwatched(rig: Rig, own: Path) -> str:
    text = own.read_text()
    own.write_text(text.replace(f"watchdog_s = {WATCHDOG_S}\n", "watchdog_s = 0\n"))
    rig.start()
    rig.up()
    code = stalled(rig)
    that(code is None, f"ended with {code}")
    that(rig.stop() == 0, "did not stop")
    own.write_text(text)
    return "still there after the same pause"


def other_interpreter(rig: Rig) -> str:
    link = rig.root / "system_ext" / "posagent" / "bin" / "python"
    kept = link.readlink()
    link.unlink()
    link.symlink_to("/system/bin/absent")
    done = rig.run("status")
    link.unlink()
    link.symlink_to(kept)
    that(done.returncode == 78 and "needed is Python" in done.stderr, done.stderr)
    return f"exit code 78: {done.stderr.splitlines()[0][:110]}"


def kotlin(rig: Rig, host: HostThread) -> str:
    """The Kotlin sample, compiled and at the daemon in the root."""
    if absent := java.missing("kotlinc", "javac"):
        raise FailedError(f"{absent} is not installed (sh packaging/ci/android.sh --kotlin)")
    classes = java.compiled(rig.home / "classes")
    made = rig.home / "kotlin"
    sources = sorted(map(str, (java.SAMPLE / "kotlin").glob("*.kt")))
    subprocess.run(
        ["kotlinc", "-cp", str(classes), "-d", str(made), *sources],
        check=True, timeout=300, capture_output=True,
    )  # fmt: skip
    path = f"{classes}:{made}:/usr/share/java/kotlin-stdlib.jar"
    rig.start()
    rig.up()
    program = ["java", "-cp", path, "com.example.posagent.kotlin.TryKt", str(rig.socket)]
    with java.Client(program) as client:
        body = json.dumps(payment("kt-1", uplink="host"))
        first, again = client.ask(f"submit {body}"), client.ask(f"submit {body}")
        that(first.startswith("Recorded(") and "again=false" in first, first)
        that("again=true" in again, again)
        wait(lambda: client.ask("status kt-1") == "posted", "kt-1 is posted")
        that(client.ask("ack kt-1") == "true", "not acknowledged")
        that(client.ask("explain kt-1"), "no explanation")
        bad = client.ask("submit " + json.dumps(payment("bad key")))
        that(bad == "Refused(status=400, code=key.bad)", bad)
    that(rig.stop() == 0, "did not stop")
    return f"submitted, repeated, posted, acknowledged; {keys(host).count('kt-1')} time at the host"


def built(home: Path) -> Path:
    """The bundle for this machine's C library, with the path the interpreter has inside."""
    to = home / "bundle"
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    link = f"/system_ext/posagent/python/bin/python{PYTHON}"
    subprocess.run(
        [sys.executable, str(ROOT / "packaging/bundle/build.py"), "--arch", machine, "--python",
         PYTHON, "--libc", "gnu", "--python-link", link, "--out", str(to)],
        check=True, timeout=600,
    )  # fmt: skip
    return to


def written(rig: Rig, to: Path, seconds: float) -> None:
    good = all(held for _, held, _ in rig.rows)
    rows = "\n".join(
        f"| {name} | {'ok' if held else '**not**'} | {text.replace('|', '/')} |"
        for name, held, text in rig.rows
    )
    to.write_text(f"""\
# Android report

Generated by `python -m tests.android` on {datetime.now(UTC):%Y-%m-%d}, {seconds:.0f} s, on
{platform.machine()}, Linux {platform.release()}, Python {platform.python_version()}.

The bundle of `packaging/bundle/build.py` (glibc) with an interpreter beside it lies in a root that
has /system, /system_ext, /data and /dev/socket, and no /etc, /tmp, /run, /var, /usr, /home, user
names, machine id, resolv.conf or service manager. It is read-only except /data and /dev/socket. The
agent is started by a stand-in for init that makes its socket, with uid {UID} and no capability,
through `packaging/android/posagent.sh` and `posagent-prepare.sh` as they are shipped. getprop and
dumpsys print the recorded dumps of `tests/fixtures/android/13`.

**{'Green' if good else 'Red'}**: {sum(held for _, held, _ in rig.rows)} of {len(rig.rows)} rows

| Check | | What was found |
|---|---|---|
{rows}

## What these figures do not prove

- **Android itself.** Kernel, C library, shell and tools are this machine's: no bionic, no toybox,
  no SELinux, no init, no logd. What was never run on Android: `docs/operations/android.md`.
- **Sizes and times**: another C library and another processor have others.
""", "utf-8")  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.android", description=__doc__)
    parser.add_argument("--report", type=Path, help="write what was found there")
    parser.add_argument("--quick", action="store_true", help="no Kotlin, no waiting for watchdogs")
    given = parser.parse_args()
    if os.geteuid() or java.missing("unshare", "chroot", "mount", "ldd"):
        print("this needs root, unshare, chroot, mount and ldd", file=sys.stderr)
        return 2
    began = time.monotonic()
    home = Path(tempfile.mkdtemp(prefix="pa-", dir="/tmp"))
    home.chmod(0o755)
    rig = Rig(home)
    try:
        laid(rig.root, built(home))
        with HostThread() as host:
            course(rig, host, quick=given.quick)
            if not given.quick:
                rig.check("the Kotlin sample, compiled and run", lambda: kotlin(rig, host))
    finally:
        if rig.process is not None and rig.process.poll() is None:
            rig.process.kill()
            rig.process.wait()
        print(rig.log.read_text("utf-8", "replace")[-1500:] if not all(
            held for _, held, _ in rig.rows) and rig.log.exists() else "")  # fmt: skip
        shutil.rmtree(home, ignore_errors=True)
    if given.report:
        written(rig, given.report, time.monotonic() - began)
    return 0 if rig.rows and all(held for _, held, _ in rig.rows) else 1


if __name__ == "__main__":
    sys.exit(main())
