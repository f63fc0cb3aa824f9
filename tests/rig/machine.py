"""The virtual machine: one niced qemu in software emulation, and what it says.

Knows nothing of the checks. The guest's console goes to one file, its results to another (a second
serial port, one JSON object a line); nothing goes in. The machine has no network card unless it is
asked for.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.rig.image import Image

#: Software emulation: /dev/kvm is not asked for, so that a run means the same everywhere.
MACHINE = ("-machine", "q35,usb=off", "-accel", "tcg,thread=single", "-cpu", "max")
KERNEL_LINE = (
    "root=/dev/vda rw console=ttyS0 quiet panic=1 mitigations=off audit=0 systemd.show_status=0"
)
MEMORY_MB = 768
NICE = 10
LOOK_S = 0.25
STOP_S = 5.0


class MachineError(Exception):
    """The machine ended, or said nothing for too long."""


class Machine:
    """Booted on entering, gone after leaving whatever happened in between."""

    def __init__(
        self,
        image: Image,
        payload: Path,
        scratch: Path,
        *,
        memory_mb: int = MEMORY_MB,
        kept_disks: tuple[Path, ...] = (),
        network: bool = False,
        root: str = "rw",
    ) -> None:
        """`kept_disks`: what is written to them stays; the first is the system disk instead of the
        image's. `network`: a card, and this machine's loopback as 10.0.2.2.
        """
        system = f"file={image.disk},format=raw,if=virtio,snapshot=on"
        more: list[str] = []
        if kept_disks:
            system = f"file={kept_disks[0]},format=raw,if=virtio"
        for disk in kept_disks[1:]:
            more += ["-drive", f"file={disk},format=raw,if=virtio"]
        self.console = scratch / "console.log"
        self.results = scratch / "results.jsonl"
        self._command = [
            # Killed with the harness, even if that one is killed with -9.
            "setpriv", "--pdeathsig", "KILL", "nice", "-n", str(NICE),
            "qemu-system-x86_64", *MACHINE,
            "-smp", "1", "-m", str(memory_mb), "-display", "none",
            "-nic", "user,model=virtio-net-pci" if network else "none",
            "-monitor", "none", "-no-reboot",
            "-kernel", str(image.kernel), "-initrd", str(image.initrd),
            "-append", KERNEL_LINE.replace(" rw ", f" {root} "),
            # Writes to the system disk go to a temporary file: the image stays as it was made.
            "-drive", system,
            "-drive", f"file={payload},format=raw,if=virtio,readonly=on",
            *more,
            "-object", "rng-random,id=rng,filename=/dev/urandom",
            "-device", "virtio-rng-pci,rng=rng",
            "-serial", f"file:{self.console}",
            "-serial", f"file:{self.results}",
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if shutil.which("qemu-system-x86_64") is None:
            raise MachineError("qemu-system-x86_64 is not installed (packaging/ci/rig.sh)")
        for file in (self.console, self.results):
            file.write_bytes(b"")
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            # A group of its own: Ctrl-C ends the harness, and the harness ends the machine.
            process_group=0,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        process = self._process
        assert process is not None
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                os.killpg(process.pid, number)
                try:
                    process.wait(STOP_S)
                except subprocess.TimeoutExpired:
                    continue
        if process.stderr is not None:
            process.stderr.close()

    def said(self, silence_s: float, whole_s: float) -> Iterator[dict[str, Any]]:
        """Every result as it arrives, until the guest has powered off.

        Raises MachineError when nothing came for `silence_s`, or all took longer than `whole_s`.
        """
        process = self._process
        assert process is not None
        began = heard = time.monotonic()
        rest = b""
        with self.results.open("rb") as file:
            while True:
                ended = process.poll() is not None
                rest += file.read()
                *lines, rest = rest.split(b"\n")
                for line in lines:
                    if line.strip():
                        heard = time.monotonic()
                        yield json.loads(line)
                if ended:
                    if process.returncode and process.stderr is not None:
                        complaint = process.stderr.read().decode("utf-8", "replace").strip()
                        raise MachineError(f"qemu ended with {process.returncode}: {complaint}")
                    return
                now = time.monotonic()
                if now - heard > silence_s or now - began > whole_s:
                    raise MachineError(
                        f"nothing from the guest for {now - heard:.0f} s, "
                        f"{now - began:.0f} s after its start"
                    )
                time.sleep(LOOK_S)
