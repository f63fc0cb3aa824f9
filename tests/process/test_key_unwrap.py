"""Payload keys the firmware keeps wrapped, through the real daemon and the worked example."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.config.hooks import Hooks
from agent.crypt import KeyFile
from agent.hooks.unwrap import WRAPPED_MAX_BYTES, Unwrapper
from agent.supervise import DaemonThreads
from tests.process.daemon import ROOT, Daemon, payment, wait_until

pytestmark = pytest.mark.process

EXAMPLE = ROOT / "firmware_hooks/examples/python/hooks.d/key.unwrap"
KEY = bytes(range(7, 39))


class Terminal:
    """A daemon whose payload keys a pretended security element has wrapped."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.hooks = daemon.home / "hooks.d"
        (self.hooks / ".device").mkdir(parents=True, mode=0o755)
        self.hooks.chmod(0o755)
        hook = self.hooks / "key.unwrap"
        shutil.copy(EXAMPLE, hook)
        hook.write_text(hook.read_text("utf-8").replace("/usr/bin/env python3", sys.executable))
        hook.chmod(0o755)
        self.locked = daemon.home / "locked"
        self.wrapped = daemon.home / "payload.keys.wrapped"
        (daemon.home / "se-key").write_bytes(KEY)
        self.element(
            "import sys, pathlib\n"
            f"if pathlib.Path({str(self.locked)!r}).exists(): sys.exit(3)\n"
            f"key = pathlib.Path({str(daemon.home / 'se-key')!r}).read_bytes()\n"
            "given = sys.stdin.buffer.read()\n"
            "clear = bytes(b ^ key[i % len(key)] for i, b in enumerate(given))\n"
            "sys.stdout.buffer.write(clear)\n"
        )
        self.configure()

    def configure(self, deadline_s: float = 10) -> None:
        self.daemon.configure(
            f'[hooks]\ndirectory = "{self.hooks}"\nwrapped_keys = "{self.wrapped}"\n'
            f"deadline_s = {deadline_s}\n"
        )

    def element(self, body: str) -> None:
        tool = self.hooks / ".device/x1se"
        tool.write_text(f"#!{sys.executable}\n{body}", "utf-8")
        tool.chmod(0o755)

    def wrap(self) -> bytes:
        """As the vendor does in the factory: a ring, wrapped, and not kept in clear."""
        clear = KeyFile(self.daemon.home / "factory")
        clear.load()
        ring = clear.path.read_bytes()
        for copy in clear.copies:
            copy.unlink()
        self.wrapped.write_bytes(bytes(b ^ KEY[i % len(KEY)] for i, b in enumerate(ring)))
        self.wrapped.chmod(0o600)
        return ring


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with Daemon() as daemon:
        yield Terminal(daemon)


def keys_of(ring: bytes) -> list[str]:
    return [key for number, key in json.loads(ring).items() if number != "sum"]


def test_the_firmware_opens_the_keys_at_every_start(terminal: Terminal) -> None:
    """Payments are sealed under a key that is on the flash only wrapped, and read after a kill."""
    ring = terminal.wrap()
    opaque = terminal.wrapped.read_bytes()
    daemon = terminal.daemon.start()
    taken = payment(payload={"content_type": "text/plain", "text": "CANARY-0451"})
    assert daemon.submit(taken).status == 201
    daemon.kill()
    daemon.start()
    assert daemon.submit(taken).status == 200  # known: the same payload
    assert daemon.submit({**taken, "amount_minor": 1}).status == 422
    assert daemon.record(taken["key"])["amount_minor"] == 1250
    assert daemon.stop() == 0
    assert terminal.wrapped.read_bytes() == opaque
    assert not [file.name for file in daemon.state_dir.iterdir() if "payload.keys" in file.name]
    for file in daemon.home.rglob("*"):
        if file.is_file():
            told = file.read_bytes()
            assert b"CANARY-0451" not in told, file
            assert not [key for key in keys_of(ring) if key.encode() in told], file


def test_firmware_that_does_not_answer_takes_no_payment_and_loses_none(terminal: Terminal) -> None:
    """Locked at the start: 503 with the reason. Unlocked: taken, without a restart."""
    terminal.wrap()
    daemon = terminal.daemon.start()
    before = payment()
    assert daemon.submit(before).status == 201
    assert daemon.stop() == 0
    terminal.locked.touch()
    daemon.start()
    refused = daemon.submit(payment())
    assert (refused.status, refused.code) == (503, "store.unavailable")
    assert "x1se ended with 3" in refused.json["detail"]
    assert not terminal.wrapped.with_name(terminal.wrapped.name + ".bad1").exists()
    terminal.locked.unlink()
    wait_until(lambda: daemon.submit(payment()).status == 201, "the store, opened")
    assert daemon.record(before["key"])["amount_minor"] == 1250
    assert daemon.unsent() == 2
    assert daemon.stop() == 0


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import time; time.sleep(600)", " not "),
        ("import sys; sys.stdin.read(); print('not a ring')", "not a key ring"),
    ],
)
def test_whatever_the_element_does_is_a_refusal(terminal: Terminal, body: str, said: str) -> None:
    """Hanging or garbling: the daemon is there, says why, and stops when told to."""
    terminal.wrap()
    terminal.element(body)
    terminal.configure(deadline_s=2)
    daemon = terminal.daemon.start()
    refused = daemon.submit(payment())
    assert (refused.status, refused.code) == (503, "store.unavailable")
    assert "the key store does not open" in refused.json["detail"] or said != " not "
    assert said in refused.json["detail"]
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.log()


def test_a_hook_others_could_have_written_opens_nothing(tmp_path: Path) -> None:
    """The guard is the same as for any hook, and so are its words; no answer is shown."""
    place = tmp_path / "hooks.d"
    place.mkdir(mode=0o755)
    hook = place / "key.unwrap"
    config = Hooks(directory=str(place), deadline_s=5.0, wrapped_keys="/k")
    unwrap = Unwrapper(config, DaemonThreads())

    def says(body: str, mode: int = 0o755) -> str:
        hook.write_text(f"#!/bin/sh\n{body}\n", "utf-8")
        hook.chmod(mode)
        with pytest.raises(OSError, match=r".") as caught:
            unwrap(b"wrapped")
        return str(caught.value)

    assert "others than its owner" in says("exit 0", 0o777)
    assert "did not print JSON" in says("echo c2VjcmV0")
    assert "c2VjcmV0" not in says("echo c2VjcmV0")
    assert "exit code 3" in says("echo c2VjcmV0 >&2; exit 3")
    assert "c2VjcmV0" not in says("echo c2VjcmV0 >&2; exit 3")
    told = '{"contract":1,"outcome":"%s","%s":"%s"}'
    assert says("echo '" + told % ("unknown", "reason", "locked") + "'") == "locked"
    assert "not base64" in says("echo '" + told % ("told", "key", "!!!!") + "'")
    hook.write_text("#!/bin/sh\necho '" + told % ("told", "key", "Y2xlYXI=") + "'\n", "utf-8")
    descriptors = set(Path("/proc/self/fd").iterdir())
    assert unwrap(b"wrapped") == b"clear"
    assert set(Path("/proc/self/fd").iterdir()) == descriptors
    with pytest.raises(OSError, match="more than"):
        unwrap(bytes(WRAPPED_MAX_BYTES + 1))
