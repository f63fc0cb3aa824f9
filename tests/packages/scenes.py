"""What becomes of the packages on a machine: each scene in a Debian of its own.

The daemon is started by hand as the user posagent (there is no systemd in these trees; the machine
of `tests.rig` has one). A scene raises AssertionError with what it saw.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.packages.root import Machine, machine
from tests.process.daemon import Answer, call, payment

EXAMPLE = Path(__file__).resolve().parents[2] / "firmware_hooks/examples/dpkg"
REFUSED = "posagent: {what} refused: money is unsent on this terminal."
REFUSED_ZH = "posagent: 已拒绝{what}：本终端有未上送的款项。"
ZH = {"removal": "卸载", "downgrade": "降级"}
UNTOLD = "posagent: {what} refused: it cannot be told whether money is unsent on this terminal."
AGENT = "/opt/posagent/bin/posagent"
FLAG = "/etc/posagent/force-removal"
STATE = "/var/lib/posagent"
CONFIG = "/etc/posagent/posagent.toml"
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What every scene gets."""

    base: Path
    debs: Mapping[str, Path]  #: older, first, second, unguarded, extras

    @contextlib.contextmanager
    def machine(self, room_mb: int = 160) -> Iterator[Machine]:
        with machine(self.base, room_mb) as one:
            for name, deb in self.debs.items():
                shutil.copyfile(deb, one.tree / f"{name}.deb")
            yield one


class Running:
    """The daemon inside."""

    def __init__(self, on: Machine) -> None:
        self._on = on
        # Through the holder's root: the path of a socket has 107 bytes at most.
        self._socket = on.tree / "run/posagent/api.sock"
        on.sh("install -d -o posagent -g posagent -m 755 /run/posagent")
        command = ["setpriv", "--reuid=posagent", "--regid=posagent", "--init-groups", AGENT]
        self._log = (on.tree / "tmp/log").open("wb")
        self._process = subprocess.Popen(
            on.command(*command, "run", "--config", "/etc/posagent/posagent.toml"),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        ends = time.monotonic() + PATIENCE_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > ends:
                said = (on.tree / "tmp/log").read_text("utf-8", "replace")[-2000:]
                self.stop()
                raise AssertionError(f"the daemon does not answer: {said}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            return self.ask("GET", "/v1/backlog").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def ask(self, method: str, target: str, body: Mapping[str, Any] | None = None) -> Answer:
        given = None if body is None else json.dumps(body).encode()
        return call(self._socket, method, target, given)

    def stop(self) -> int:
        self._process.terminate()  # nsenter and chroot became it: one process
        code = self._process.wait(PATIENCE_S)
        self._log.close()
        return code


@contextlib.contextmanager
def running(on: Machine) -> Iterator[Running]:
    daemon = Running(on)
    try:
        yield daemon
    finally:
        daemon.stop()


def install(on: Machine, name: str) -> None:
    done = on.run("dpkg", "--install", f"/{name}.deb")
    assert done.code == 0, f"{name}.deb: {done.said}"


def pay(on: Machine, count: int = 3) -> list[str]:
    """So many payments that nobody can send; their keys."""
    with running(on) as daemon:
        keys = [f"pk-{number}" for number in range(count)]
        for key in keys:
            answer = daemon.ask("POST", "/v1/transactions", payment(key))
            assert answer.status == 201, answer.body
    return keys


def kept(on: Machine, keys: list[str]) -> None:
    """Every payment is in the store, as the daemon reads it."""
    with running(on) as daemon:
        for key in keys:
            answer = daemon.ask("GET", f"/v1/transactions/{key}")
            assert answer.status == 200, answer.body
            assert answer.json["state"] == "queued", answer.body


def refused(on: Machine, what: str, *command: str, words: str = REFUSED) -> str:
    """`command` fails with the sentence, and the package is where it was."""
    before = status(on)
    done = on.run(*command)
    assert done.code != 0, f"{' '.join(command)} went through: {done.said}"
    assert words.format(what=what) in done.said, done.said
    assert FLAG in done.said, done.said
    assert status(on) == before, f"{before} became {status(on)}"
    return done.said


def status(on: Machine) -> str:
    """`i 0.1.0-1` and the like (not what dpkg was last asked for); empty: never heard of."""
    form = "${db:Status-Abbrev}${Version}"
    return on.sh(f"dpkg-query -W -f '{form}' posagent 2>/dev/null || true").said[1:]


def life(stage: Stage) -> str:
    """Upgraded with money unsent; not removed, purged or downgraded; removed by force."""
    with stage.machine() as on:
        install(on, "first")
        said = on.sh(
            f"stat -c '%U:%G %a' {STATE} /etc/posagent /etc/posagent/posagent.toml"
            f" {AGENT}; id -nG posagent; {AGENT} config check; posagent --version"
        )
        assert said.code == 0, said.said
        lines = said.said.splitlines()
        assert lines[:4] == [
            "posagent:posagent 700",
            "root:root 755",
            "root:root 644",
            "root:root 755",
        ]
        assert {"posagent", "dialout", "lp"} <= set(lines[4].split()), lines[4]
        keys = pay(on)
        install(on, "second")
        assert status(on).endswith("-2"), status(on)
        kept(on, keys)
        for what, command in (
            ("removal", ("dpkg", "--remove", "posagent")),
            ("removal", ("dpkg", "--purge", "posagent")),
            ("downgrade", ("dpkg", "--install", "/older.deb")),
        ):
            told = refused(on, what, *command)
            assert REFUSED_ZH.format(what=ZH[what]) in told, told
            assert "3 payments, CNY 37.50" in told, told
        with running(on):
            refused(on, "removal", "dpkg", "--remove", "posagent")
        kept(on, keys)
        on.sh(f"echo 'Li: terminal scrapped' > {FLAG}")
        done = on.run("dpkg", "--remove", "posagent")
        assert done.code == 0, done.said
        assert "Li: terminal scrapped" in done.said, done.said
        line = (on.tree / STATE.lstrip("/") / "guard.forced").read_text("utf-8")
        assert "removal: Li: terminal scrapped" in line, line
    return "3 payments over an upgrade; removal, purge and downgrade refused; forced, and recorded"


def again(stage: Stage) -> str:
    """Removed by force and installed again: the store was kept, the trail tells of it."""
    with stage.machine() as on:
        install(on, "first")
        keys = pay(on)
        on.sh(f"echo 'Li: reinstall' > {FLAG}")
        assert on.run("dpkg", "--remove", "posagent").code == 0
        on.sh(f"rm {FLAG}")
        said = refused(on, "purge", "dpkg", "--purge", "posagent", words=UNTOLD)
        assert "next: install the package again" in said, said
        install(on, "first")
        kept(on, keys)
        told = on.run(AGENT, "--lang", "en", "audit", "--verify")
        assert "removal: Li: reinstall" in told.said, told.said
        assert "The trail is whole" in told.said, told.said
    return "purge of what was removed by force refused; installed again, every payment there"


def stepped_down(stage: Stage) -> str:
    """An older version takes over what the journal was stepped down for, and nothing else does."""
    with stage.machine() as on:
        install(on, "second")
        keys = pay(on)
        told = refused(on, "downgrade", "dpkg", "--install", "/older.deb")
        assert "posagent journal step-down --to 3" in told, told
        # The same package, as if it knew journals before today's only.
        made = on.sh(
            "dpkg-deb -R /older.deb /oldest && sed -i 's/^older=3/older=2/' /oldest/DEBIAN/preinst"
            " && dpkg-deb -Znone -b /oldest /oldest.deb && rm -r /oldest"
        )
        assert made.code == 0, made.said
        down = on.run(AGENT, "journal", "step-down", "--to", "3")
        assert down.code == 0, down.said
        done = on.run("dpkg", "--install", "/oldest.deb")
        assert done.code != 0, done.said
        assert "the journal is of schema 3, this version knows 2" in done.said, done.said
        assert status(on).endswith("-2"), status(on)
        down = on.run(AGENT, "journal", "step-down", "--to", "2")
        assert down.code == 0, down.said
        install(on, "oldest")
        assert status(on).endswith("-0"), status(on)
        kept(on, keys)
        assert not (on.tree / STATE.lstrip("/") / "guard.forced").exists()
        install(on, "second")
        refused(on, "downgrade", "dpkg", "--install", "/older.deb")
    return "refused, stepped down, refused by a version that knows less, taken over with 3 payments"


def in_place(stage: Stage) -> str:
    """The example of an update in place, with the package itself: kept, and taken back with money.

    Asked as posagent-actions asks; no systemd here, so what it calls for that does nothing.
    """
    with stage.machine() as on:
        install(on, "first")
        made = on.sh(
            "mkdir /etc/posagent/actions.d/.updates && cd /etc/posagent/actions.d/.updates"
            " && cp /first.deb good.deb"
            " && openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out /vendor.key"
            " && openssl pkey -in /vendor.key -pubout -out /etc/posagent/update.pub.pem"
        )
        assert made.code == 0, made.said
        hooks = on.tree / "etc/posagent/actions.d"
        shutil.copytree(EXAMPLE / "actions.d", hooks, dirs_exist_ok=True)
        shutil.copy(EXAMPLE / "in_place", hooks.parent / "in_place")
        (hooks / ".vendor.sh").write_text("AWAY=\nSERVICE=:\n")

        def ask(verb: str, **more: object) -> dict[str, Any]:
            request = json.dumps({"hook": verb, "update": "u1", **more}, separators=(",", ":"))
            (on.tree / "request").write_text(request + "\n")
            place = "/etc/posagent/actions.d"
            done = on.sh(f"HOOKS_DIR={place} {place}/update.{verb} </request 2>/hook.log")
            answer: dict[str, Any] = json.loads(done.said)
            return answer

        keys = pay(on)
        number = on.sh("dpkg-deb -f /second.deb Version").said.strip()
        digest = hashlib.sha256((on.tree / "second.deb").read_bytes()).hexdigest()
        offered = {"version": number, "file": "/second.deb", "sha256": digest}
        assert "signature is not there" in ask("prepare", **offered)["reason"]
        on.sh("openssl dgst -sha256 -sign /vendor.key -out /second.deb.sig /second.deb")
        for verb, ends in (("prepare", "-1"), ("apply", "-2"), ("rollback", "-1")):
            told = ask(verb, **(offered if verb == "prepare" else {}))
            said = (on.tree / "hook.log").read_text("utf-8", "replace")
            assert told["outcome"] == "done", f"{verb}: {told} {said}"
            assert status(on).endswith(ends), f"{verb}: {status(on)} {said}"
            kept(on, keys)
        for verb in ("prepare", "apply", "commit"):
            assert ask(verb, **(offered if verb == "prepare" else {}))["outcome"] == "done", verb
        assert status(on).endswith("-2"), status(on)
        kept(on, keys)
        assert not (on.tree / STATE.lstrip("/") / "guard.forced").exists(), "it was forced"
        assert not (on.tree / FLAG.lstrip("/")).exists()
    return "unsigned refused; in and back and in again with 3 payments, nothing forced"


def forced_purge(stage: Stage) -> str:
    """A purge by force takes the store; the line about it outlives even that."""
    with stage.machine() as on:
        install(on, "first")
        pay(on)
        on.sh(f"echo 'Li: terminal scrapped' > {FLAG}")
        done = on.run("dpkg", "--purge", "posagent")
        assert done.code == 0, done.said
        assert not (on.tree / STATE.lstrip("/")).exists()
        line = (on.tree / "var/log/posagent/forced").read_text("utf-8")
        assert "purge forced" in line, line
        assert "Li: terminal scrapped" in line, line
        assert not (on.tree / "etc/posagent").exists(), "configuration left behind"
    return "store gone, /var/log/posagent/forced says who and why"


def empty(stage: Stage) -> str:
    """With nothing unsent it goes without a word, and a purge takes everything."""
    with stage.machine() as on:
        install(on, "first")
        with running(on):
            pass
        done = on.run("dpkg", "--purge", "posagent")
        assert done.code == 0, done.said
        left = on.sh("find /opt/posagent /etc/posagent /var/lib/posagent 2>/dev/null || true").said
        assert not left.strip(), left
        install(on, "first")  # and back again
    return "removed, purged, installed again"


def touched(stage: Stage) -> str:
    """A store that changed after the removal is not believed empty any more."""
    with stage.machine() as on:
        install(on, "first")
        with running(on):
            pass
        assert on.run("dpkg", "--remove", "posagent").code == 0
        on.sh(f"printf x >> {STATE}/journal.db")
        refused(on, "purge", "dpkg", "--purge", "posagent", words=UNTOLD)
        assert (on.tree / STATE.lstrip("/") / "journal.db").exists()
    return "purge refused"


def disk_full(stage: Stage) -> str:
    """No room for the new version: dpkg says so, the old one is whole, the money is there."""
    with stage.machine(room_mb=120) as on:
        install(on, "first")
        keys = pay(on)
        # Room for what dpkg and the journal need, not for the package.
        on.sh(
            "free=$(df --output=avail -k / | tail -1); head -c $((free - 6000))K /dev/zero >/filler"
        )
        done = on.run("dpkg", "--install", "/second.deb")
        assert done.code != 0, done.said
        assert "No space left on device" in done.said, done.said
        assert status(on).startswith("i "), status(on)
        assert status(on).endswith("-1"), status(on)
        kept(on, keys)
        on.sh("rm /filler")
        install(on, "second")
        kept(on, keys)
    return "refused by dpkg with 'No space left on device'; old version and payments whole"


def no_python(stage: Stage) -> str:
    """Without Debian's Python: dpkg names what is missing, and so does the program."""
    with stage.machine() as on:
        gone = on.sh(
            "dpkg --purge --force-all $(dpkg-query -W -f '${Package} ' '*python3*')"
            " >/dev/null 2>&1; true"
        )
        assert gone.code == 0, gone.said
        done = on.run("dpkg", "--install", "/first.deb")
        assert done.code != 0, done.said
        assert "posagent depends on python3" in done.said, done.said
        told = on.run(AGENT, "--version")
        assert told.code == 78, told.said
        assert "/usr/bin/python3.11" in told.said, told.said
        assert "what to do: install Python 3.11" in told.said, told.said
    return "'posagent depends on python3', and exit 78 with what to install"


def permissions(stage: Stage) -> str:
    """A configuration or a store others can write: one sentence and what to do, and no start."""
    with stage.machine() as on:
        install(on, "first")
        start = ["setpriv", "--reuid=posagent", "--regid=posagent", "--init-groups", AGENT]
        start += ["--lang", "en", "run", "--config", "/etc/posagent/posagent.toml"]
        on.sh("install -d -o posagent -g posagent -m 755 /run/posagent")
        seen = []
        for spoil, mend, words in (
            (f"chmod 666 {CONFIG}", f"chmod 644 {CONFIG}", "chmod"),
            (f"chmod 000 {CONFIG}", f"chmod 644 {CONFIG}", CONFIG),
            (f"chown root:root {STATE}", f"chown posagent:posagent {STATE}", STATE),
        ):  # fmt: skip
            on.sh(spoil)
            done = on.run("timeout", "20", *start)
            assert done.code not in (0, 70, 124), (spoil, done)
            assert words in done.said, (spoil, done.said)
            assert "Traceback" not in done.said, (spoil, done.said)
            seen.append(done.said.strip().splitlines()[-1].strip())
            on.sh(mend)
        with running(on):
            pass
    return "; ".join(seen)


def extras(stage: Stage) -> str:
    """The second package puts its libraries into the same environment."""
    with stage.machine() as on:
        install(on, "first")
        python = "/opt/posagent/bin/python"
        assert on.run(python, "-c", "import cryptography").code != 0
        install(on, "extras")
        done = on.run(python, "-c", "import cryptography.x509, PIL.Image")
        assert done.code == 0, done.said
        assert on.run("dpkg", "--purge", "posagent-extras", "posagent").code == 0
    return "cryptography and Pillow load, and go with it"


def unguarded(stage: Stage) -> str:
    """The control: without the guard in its scripts the same purge goes through."""
    with stage.machine() as on:
        install(on, "unguarded")
        pay(on)
        noticed = ""
        try:
            refused(on, "removal", "dpkg", "--purge", "posagent")
        except AssertionError as error:
            noticed = str(error)
        assert "went through" in noticed, noticed or "the control was refused: the rig cannot tell"
        assert not (on.tree / STATE.lstrip("/") / "journal.db").exists()
    return "the purge took three unsent payments, and the rig noticed"


SCENES: Mapping[str, Callable[[Stage], str]] = {
    "life": life,
    "again": again,
    "stepped_down": stepped_down,
    "in_place": in_place,
    "forced_purge": forced_purge,
    "empty": empty,
    "touched": touched,
    "disk_full": disk_full,
    "no_python": no_python,
    "permissions": permissions,
    "extras": extras,
    "unguarded": unguarded,
}
#: Enough for every change: packages that install, and do not let money go.
QUICK = ("life", "unguarded")
