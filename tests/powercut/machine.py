"""The machine whose power is cut: one niced qemu in software emulation, its disk ours.

Booted once per run up to the moment before the data disk is taken; that moment is kept, and every
further start goes on from it (with the time and the randomness of its own). What the guest says
comes over a serial port as one JSON object a line and is outside the machine when the power goes.
"""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.rig.image import Image
from tests.rig.machine import MachineError

MACHINE = ("-machine", "pc,usb=off", "-accel", "tcg,thread=single", "-cpu", "max")
KERNEL_LINE = (
    "root=/dev/vda ro console=ttyS0 quiet panic=1 mitigations=off audit=0 init=/bin/sh -- "
    '-c "mount -t ext4 -o ro /dev/vdb /rig; exec sh /rig/start"'
)
MEMORY_MB = 256
NICE = 10
LOOK_S = 0.05
#: A machine whose disk is gone must not go on as if it had an answer.
STOPPING = "werror=stop,rerror=stop"

Heard = dict[str, Any]


class PowerGoneError(Exception):
    """The power went while something was awaited."""


class SlowError(MachineError):
    """Nothing was heard in time: the machine hangs, or the one it runs on is too busy."""


class Machine:
    """On after entering; leaving it is a power cut, however it happens."""

    def __init__(
        self, image: Image, payload: Path, scratch: Path, disk: Path, *, snapshot: Path | None
    ) -> None:
        self.console = scratch / "console.log"
        self.witness = scratch / "witness"  #: what came over the third serial port
        self._told = scratch / "told.sock"
        self._qmp = scratch / "qmp.sock"
        for file in (self._told, self._qmp):
            file.unlink(missing_ok=True)
        self._command = [
            "setpriv", "--pdeathsig", "KILL", "nice", "-n", str(NICE),
            "qemu-system-x86_64", *MACHINE,
            "-smp", "1", "-m", str(MEMORY_MB), "-display", "none", "-monitor", "none",
            "-nodefaults", "-no-reboot", "-rtc", "base=utc",
            "-kernel", str(image.kernel), "-initrd", str(image.initrd), "-append", KERNEL_LINE,
            "-drive", f"file={image.disk},format=raw,if=virtio,readonly=on",
            "-drive", f"file={payload},format=raw,if=virtio,readonly=on",
            "-drive", f"file=nbd:unix:{disk},format=raw,if=virtio,cache=none,{STOPPING}",
            "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net",
            "-object", "rng-random,id=rng,filename=/dev/urandom",
            "-device", "virtio-rng-pci,rng=rng",
            "-chardev", f"file,id=console,path={self.console},append=on",
            "-chardev", f"socket,id=told,path={self._told},server=on,wait=off",
            "-chardev", f"file,id=witness,path={self.witness},append=on",
            "-serial", "chardev:console", "-serial", "chardev:told", "-serial", "chardev:witness",
            "-qmp", f"unix:{self._qmp},server=on,wait=off",
            *(() if snapshot is None else ("-incoming", f"exec:cat {snapshot}")),
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._goes_on = snapshot is not None
        self._rest = b""
        self._waiting: deque[Heard] = deque()

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            process_group=0,
        )  # fmt: skip
        try:
            self._line = self._connected(self._told)
            if self._goes_on:
                self.resumed()
        except BaseException:
            self.cut()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cut()
        process = self._process
        if process is not None and process.stderr is not None:
            process.stderr.close()
        if self._line is not None:
            self._line.close()

    def cut(self) -> None:
        """The power goes."""
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait(10.0)

    def tell(self, order: Heard) -> None:
        assert self._line is not None
        with contextlib.suppress(OSError):
            self._line.setblocking(True)
            self._line.sendall(json.dumps(order).encode() + b"\n")

    def heard(self) -> Iterator[Heard]:
        """What has arrived so far; after a cut, what was still under way outside of the machine."""
        assert self._line is not None
        self._line.setblocking(False)
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while more := self._line.recv(65536):
                self._rest += more
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            with contextlib.suppress(ValueError):
                told = json.loads(line)
                if isinstance(told, dict):
                    yield told

    def until(
        self,
        name: str,
        patience_s: float,
        also: Callable[[Heard], None],
        gone: threading.Event | None = None,
    ) -> Heard:
        """Wait for one that has this field; everything heard meanwhile goes to `also`, too."""
        ends = time.monotonic() + patience_s
        while True:
            self._waiting.extend(self.heard())
            while self._waiting:
                told = self._waiting.popleft()
                also(told)
                if "fatal" in told:
                    raise MachineError(f"the guest gave up: {told['fatal']}")
                if name in told:
                    return told
            if gone is not None and gone.is_set():
                raise PowerGoneError
            if time.monotonic() > ends:
                raise SlowError(f"the guest did not say {name!r} within {patience_s:.0f} s")
            if self._process is not None and self._process.poll() is not None:
                raise MachineError(f"qemu ended before the guest said {name!r}: {self.complaint()}")
            time.sleep(LOOK_S)

    def kept(self, snapshot: Path) -> None:
        """Keep this moment in a file; the machine stands still afterwards."""
        with self._monitor() as asked:
            asked("migrate-set-parameters", **{"max-bandwidth": 1 << 33})
            asked("migrate", uri=f"exec:cat >{snapshot}")
            while (state := asked("query-migrate").get("status")) != "completed":
                if state in ("failed", "cancelled"):
                    raise MachineError(f"the moment could not be kept: {state}")
                time.sleep(LOOK_S)

    def resumed(self) -> None:
        """Wait until the kept moment goes on: what came over the port before that would be lost."""
        ends = time.monotonic() + 60.0
        with self._monitor() as asked:
            while asked("query-status")["status"] != "running":
                if time.monotonic() > ends:
                    raise MachineError("the kept moment does not go on")
                time.sleep(LOOK_S)

    @contextlib.contextmanager
    def _monitor(self) -> Iterator[Callable[..., Any]]:
        with self._connected(self._qmp) as line, line.makefile("rwb") as file:

            def asked(command: str, **arguments: Any) -> Any:
                file.write(json.dumps({"execute": command, "arguments": arguments}).encode())
                file.flush()
                while True:
                    raw = file.readline()
                    answer = json.loads(raw or b'{"error": "qemu is gone"}')
                    if "error" in answer:
                        raise MachineError(f"qemu: {answer['error']}")
                    if "return" in answer:
                        return answer["return"]

            file.readline()
            asked("qmp_capabilities")
            yield asked

    def complaint(self) -> str:
        process = self._process
        if process is None or process.poll() is None or process.stderr is None:
            return ""
        return process.stderr.read().decode("utf-8", "replace").strip()[-500:]

    def _connected(self, path: Path) -> socket.socket:
        ends = time.monotonic() + 60.0
        while True:
            line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                line.connect(str(path))
            except OSError:
                line.close()
                if self._process is not None and self._process.poll() is not None:
                    raise MachineError(f"qemu ended: {self.complaint()}") from None
                if time.monotonic() > ends:
                    raise MachineError("qemu does not open its sockets") from None
                time.sleep(LOOK_S)
            else:
                return line
