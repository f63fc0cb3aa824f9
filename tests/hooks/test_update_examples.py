"""The example for packages, with real packages and a real dpkg: in place and back, cut anywhere.

The example for two slots is run with whole agents in tests/process/test_updates_slots.py.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.wire.hook_table import answer_from, hook_named, plain
from tests.updates.vendor import known_in, signed

EXAMPLE = Path(__file__).resolve().parents[2] / "firmware_hooks/examples/dpkg"
#: What each of these does is written down; one of them may be the last thing its caller does.
COUNTED = """#!/bin/sh
echo "$(basename "$0") $*" >> {home}/done
echo x >> {home}/calls
if [ "$(wc -l < {home}/calls)" = "$(cat {home}/die 2>/dev/null)" ]; then
    {before}
    kill -9 $PPID
    exit 9
fi
{work}
"""

pytestmark = [
    pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="no dpkg here"),
    pytest.mark.skipif(os.geteuid() != 0, reason="dpkg wants root"),
]


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In memory, where there is some: dpkg and the hooks sync whatever they touch."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="pa-", dir=memory) as home:
        yield Path(home)


class Device:
    """A root with one package in it, and the vendor's hooks."""

    def __init__(self, home: Path) -> None:
        self.home, self.root = home, home / "root"
        self.hooks = home / "actions.d"
        shutil.copytree(EXAMPLE, home, dirs_exist_ok=True)
        admin = self.root / "var/lib/dpkg"
        (admin / "updates").mkdir(parents=True)
        (admin / "info").mkdir()
        (admin / "status").touch()
        (home / "kept").mkdir()
        (self.hooks / ".updates").symlink_to(home / "kept")
        known = "echo '{\"this_version_knows\": 3}'"
        self.program(
            "dpkg", f'exec dpkg --force-unsafe-io --root={self.root} --log={home}/log "$@"'
        )
        self.program("service", ":")
        self.program(
            "posagent", f'[ "$2" != show ] || {known}\n[ "$2" = show ] || [ ! -e {home}/no ]'
        )
        (self.hooks / ".vendor.sh").write_text(
            f"DPKG={home}/dpkg\nQUERY='dpkg-query --admindir={admin}'\nSERVICE={home}/service\n"
            f"POSAGENT={home}/posagent\nAWAY=\nFORCE={home}/force\n"
        )
        known_in(self.hooks)
        self.old, self.new = self.package("1.0"), self.package("2.0")
        subprocess.run([home / "dpkg", "-i", self.old], check=True, capture_output=True)
        shutil.copy(self.old, home / "kept/good.deb")

    def program(self, name: str, work: str) -> None:
        file = self.home / name
        file.write_text(COUNTED.format(home=self.home, before="", work=work))
        file.chmod(0o755)

    def package(self, version: str) -> Path:
        tree = self.home / f"tree-{version}"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "opt/posagent").mkdir(parents=True)
        (tree / "opt/posagent/VERSION").write_text(version)
        (tree / "DEBIAN/control").write_text(
            f"Package: posagent\nVersion: {version}\nArchitecture: all\nMaintainer: x <x@x>\n"
            "Description: x\n"
        )
        deb = self.home / f"posagent-{version}.deb"
        subprocess.run(["dpkg-deb", "-b", tree, deb], check=True, capture_output=True)
        return signed(deb)

    def ask(self, verb: str, **more: Any) -> dict[str, Any]:
        """The hook's answer as the agent reads it; {} where the hook was killed."""
        request = {
            "contract": 1, "agent_version": "1", "deadline_ms": 9000, "hook": f"update.{verb}",
            "update": "u1", **more,
        }  # fmt: skip
        line = json.dumps(request, separators=(",", ":")) + "\n"
        done = subprocess.run(
            [self.hooks / f"update.{verb}"], input=line,
            env={"PATH": os.environ["PATH"], "HOOKS_DIR": str(self.hooks)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        hook = hook_named(f"update.{verb}")
        assert hook is not None
        if not done.stdout:
            return {}
        return plain(answer_from(hook, done.stdout.encode()))

    def prepare(self) -> dict[str, Any]:
        raw = self.new.read_bytes()
        return self.ask(
            "prepare", package="posagent", version="2.0", file=str(self.new),
            sha256=hashlib.sha256(raw).hexdigest(), size_bytes=len(raw),
        )  # fmt: skip

    def boot(self) -> None:
        """What the vendor's unit runs at every boot."""
        subprocess.run([self.home / "in_place", self.hooks], check=True, capture_output=True)

    def version(self) -> str:
        return (self.root / "opt/posagent/VERSION").read_text()

    def did(self) -> str:
        return (self.home / "done").read_text()

    def dies_at(self, number: int) -> None:
        (self.home / "calls").unlink(missing_ok=True)
        (self.home / "die").write_text(f"{number}\n")


def test_a_package_goes_in_and_is_kept_or_taken_back(tmp_path: Path) -> None:
    """The journal is stepped down before the older package goes in; a commit moves the way back."""
    device = Device(tmp_path)
    assert device.prepare()["outcome"] == "done"
    assert device.ask("apply")["outcome"] == "done"
    assert device.version() == "2.0"
    assert device.ask("rollback")["outcome"] == "done"
    assert device.version() == "1.0"
    steps = device.did().split("\n")
    assert steps.index("posagent journal step-down --to 3") < steps.index(
        f"dpkg -i {tmp_path}/actions.d/.updates/good.deb"
    )
    assert not (tmp_path / "force").exists()
    assert device.prepare()["outcome"] == "done"
    assert device.ask("apply")["outcome"] == "done"
    assert device.ask("commit")["outcome"] == "done"
    assert device.ask("commit")["outcome"] == "done"  # asked again after a power cut
    before = device.did()
    assert device.ask("rollback")["outcome"] == "done"  # what runs is the way back
    assert (device.version(), device.did()) == ("2.0", before)


def test_what_is_not_as_announced_is_refused(tmp_path: Path) -> None:
    """A wrong sum, no way back, not prepared: nothing is installed."""
    device = Device(tmp_path)
    assert device.ask("apply")["outcome"] == "refused"
    (tmp_path / "kept/good.deb").rename(tmp_path / "gone.deb")
    assert "no way back" in device.prepare()["reason"]
    device.new.write_bytes(b"x")
    assert device.ask(
        "prepare", package="posagent", version="2.0", file=str(device.new), sha256="0" * 64,
        size_bytes=1,
    )["outcome"] == "refused"  # fmt: skip
    assert device.version() == "1.0"


def test_what_the_vendor_did_not_sign_is_refused(tmp_path: Path) -> None:
    """The agent names file and sum and is not root: right sums of a foreign package say nothing."""
    device = Device(tmp_path)
    beside = device.new.with_name(f"{device.new.name}.sig")
    beside.rename(tmp_path / "right.sig")
    assert "signature is not there" in device.prepare()["reason"]
    shutil.copy(device.old.with_name(f"{device.old.name}.sig"), beside)
    assert "not signed by the vendor" in device.prepare()["reason"]
    shutil.copy(tmp_path / "right.sig", beside)
    (device.hooks / ".update.pub.pem").rename(tmp_path / "away.pem")
    assert "no key of the vendor" in device.prepare()["reason"]
    (tmp_path / "away.pem").rename(device.hooks / ".update.pub.pem")
    assert not (tmp_path / "kept/next.deb").exists()
    assert device.prepare()["outcome"] == "done"


def test_what_was_looked_at_is_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is the agent's: exchanged after the sum was taken, it does not get in."""
    device = Device(tmp_path)
    announced = device.new.read_bytes()
    programs = tmp_path / "programs"
    programs.mkdir()
    swap = programs / "sha256sum"
    swap.write_text(f'#!/bin/sh\n{shutil.which("sha256sum")} "$@"\ncp {device.old} {device.new}\n')
    swap.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    assert device.prepare()["outcome"] == "done"
    assert (tmp_path / "kept/next.deb").read_bytes() == announced


def test_a_journal_that_cannot_go_back_keeps_the_newer_version(tmp_path: Path) -> None:
    """What the older one could not say is worth more than going back."""
    device = Device(tmp_path)
    device.prepare()
    device.ask("apply")
    (tmp_path / "no").touch()
    told = device.ask("rollback")
    assert told["outcome"] == "failed"
    assert "could not be stepped down" in told["reason"]
    assert device.version() == "2.0"
    assert device.did().split("\n")[-2] == "service start posagent.service"
    assert not (tmp_path / "kept/doing").exists()
    (tmp_path / "no").unlink()
    assert device.ask("rollback")["outcome"] == "done"
    assert device.version() == "1.0"


def test_a_rollback_that_runs_elsewhere_is_told_as_it_ended(tmp_path: Path) -> None:
    """Begun is not done: until the older package is there the hook says so, then what became."""
    device = Device(tmp_path)
    device.prepare()
    device.ask("apply")
    vendor = device.hooks / ".vendor.sh"
    away = vendor.read_text()
    vendor.write_text(away + "AWAY=true\n")  # begun, and not got anywhere yet
    for _ in range(2):
        assert device.ask("rollback")["outcome"] == "refused"
    vendor.write_text(away + "AWAY=false\n")  # there is one under way already
    assert device.ask("rollback")["outcome"] == "refused"
    (tmp_path / "no").touch()
    ended = subprocess.run([tmp_path / "in_place", device.hooks], check=False, capture_output=True)
    assert ended.returncode == 1
    assert device.ask("rollback")["outcome"] == "failed"
    (tmp_path / "no").unlink()
    assert device.ask("rollback")["outcome"] == "refused"
    device.boot()
    assert device.ask("rollback")["outcome"] == "done"
    assert device.version() == "1.0"


def test_a_package_dpkg_will_not_have_leaves_what_is_there(tmp_path: Path) -> None:
    """It needs what is not there: the update has failed, and nothing waits for the next boot."""
    device = Device(tmp_path)
    control = tmp_path / "tree-2.0/DEBIAN/preinst"
    control.write_text("#!/bin/sh\nexit 1\n")
    control.chmod(0o755)
    subprocess.run(
        ["dpkg-deb", "-b", tmp_path / "tree-2.0", device.new], check=True, capture_output=True
    )
    signed(device.new)
    device.prepare()
    told = device.ask("apply")
    assert (told["outcome"], told["reason"]) == ("failed", "dpkg did not install 2.0; 1.0 stays")
    assert device.version() == "1.0"
    assert device.did().split("\n")[-2] == "service start posagent.service"
    assert not (tmp_path / "kept/doing").exists()
    assert device.ask("rollback")["outcome"] == "done"


@pytest.mark.parametrize(("verb", "ends"), [("apply", "2.0"), ("rollback", "1.0")])
def test_cut_before_every_command_it_comes_to_the_same_end(
    tmp_path: Path, verb: str, ends: str
) -> None:
    """Killed before each program in turn, the next boot ends what was begun; once each."""
    device = Device(tmp_path)
    device.prepare()
    if verb == "rollback":
        device.ask("apply")
    shutil.copytree(tmp_path / "root", tmp_path / "root-kept")
    shutil.copytree(tmp_path / "kept", tmp_path / "kept-kept")
    for number in range(1, 12):
        device.dies_at(number)
        device.ask(verb)
        cut = len((tmp_path / "calls").read_text().split()) == number
        (tmp_path / "die").unlink()
        device.boot()
        assert device.version() == ends, number
        left = {one.name for one in (tmp_path / "kept").iterdir()}
        assert not left & {"doing", "stepped"}, number
        assert not (tmp_path / "force").exists()
        if not cut:
            break
        for name in ("root", "kept"):
            shutil.rmtree(tmp_path / name)
            shutil.copytree(tmp_path / f"{name}-kept", tmp_path / name)
    assert number > 2
