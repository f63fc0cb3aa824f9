"""Network namespaces under names of our own, and sockets opened inside them.

Everything is made by `ip` and disappears with `close`, whatever happened between; nothing outside
these namespaces is touched. A socket belongs to the namespace it was made in, so a thread that
steps inside can serve from there. Knows nothing of terminals, hosts or faults.
"""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_SYSCTL = """
net/ipv4/ip_forward={forward}
net/ipv4/conf/all/rp_filter=0
net/ipv4/conf/default/rp_filter=0
net/ipv4/conf/all/accept_redirects=0
net/ipv4/conf/default/accept_redirects=0
net/ipv4/conf/all/send_redirects=0
net/ipv4/conf/default/send_redirects=0
net/ipv6/conf/all/disable_ipv6=1
net/ipv6/conf/default/disable_ipv6=1
"""


class LabError(Exception):
    """The lab itself could not be set up or switched; the text says what was tried."""


def ip() -> str | None:
    """iproute2; Debian hides it in /usr/sbin."""
    return shutil.which("ip") or shutil.which("ip", path="/usr/sbin:/sbin")


@functools.cache
def missing() -> str:
    """Why no lab can be built on this machine; empty: it can."""
    program = ip()
    if program is None:
        return "no iproute2"
    if os.geteuid() != 0:
        return "not root"
    if shutil.which("setpriv") is None:
        return "no setpriv (util-linux)"
    name = f"pl{os.getpid()}-try"
    try:
        for words in (
            ["netns", "add", name],
            ["-n", name, "link", "add", "va0", "type", "veth", "peer", "name", "vb0"],
            ["-n", name, "link", "add", "br0", "type", "bridge"],
        ):
            done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
            if done.returncode:
                return f"no network namespaces ({done.stderr.strip()})"
    finally:
        subprocess.run([program, "netns", "del", name], capture_output=True, check=False)
    return "" if Path("/dev/net/tun").exists() else "no /dev/net/tun"


class Namespace:
    """One network stack. `ip(...)` configures it, `inside(...)` runs a function in it."""

    def __init__(self, name: str, *, forward: bool = False) -> None:
        self.name = name
        self._ip = ip() or "ip"
        self._run([self._ip, "netns", "add", name])
        text = _SYSCTL.format(forward=int(forward))
        lines = [line.split("=") for line in text.split()]
        self.inside(lambda: [_sysctl(path, value) for path, value in lines])
        self.ip("link set lo up")

    def ip(self, *commands: str, may_fail: bool = False) -> None:
        """Run `ip` commands in order; the first that fails raises unless it may."""
        told = "\n".join(commands) + "\n"
        arguments = [self._ip, *(["-force"] if may_fail else []), "-n", self.name, "-batch", "-"]
        done = subprocess.run(arguments, input=told, capture_output=True, text=True, check=False)
        if done.returncode and not may_fail:
            raise LabError(f"{self.name}: {'; '.join(commands)}: {done.stderr.strip()}")

    def command(self, *words: str) -> list[str]:
        """How a program is started inside."""
        return [self._ip, "netns", "exec", self.name, *words]

    def inside(self, work: Callable[[], T]) -> T:
        """What `work` returns, done by a thread of this namespace. Its sockets stay there."""
        found: list[T] = []
        failed: list[BaseException] = []

        def run() -> None:
            try:
                enter(self.name)
                found.append(work())
            except BaseException as error:  # noqa: BLE001 - raised again by who asked
                failed.append(error)

        thread = threading.Thread(target=run, name=f"inside-{self.name}")
        thread.start()
        thread.join()
        if failed:
            raise failed[0]
        return found[0]

    def close(self) -> None:
        """The namespace and all that is in it."""
        subprocess.run([self._ip, "netns", "del", self.name], capture_output=True, check=False)

    @staticmethod
    def _run(words: list[str]) -> None:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"{' '.join(words)}: {done.stderr.strip()}")


class Namespaces:
    """All namespaces of one lab; gone together."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._made: list[Namespace] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each in reversed(self._made):
            each.close()

    def add(self, name: str, *, forward: bool = False) -> Namespace:
        made = Namespace(f"{self._prefix}-{name}", forward=forward)
        self._made.append(made)
        return made


def cable(one: Namespace, port: str, other: Namespace, socket: str) -> None:
    """A veth pair between two namespaces, both ends down."""
    one.ip(f"link add {port} type veth peer name {socket} netns {other.name}")


def enter(name: str) -> None:
    """Move the calling thread, and it alone, into a namespace. There is no way back."""
    libc = ctypes.CDLL(None, use_errno=True)
    file = os.open(f"/var/run/netns/{name}", os.O_RDONLY)
    try:
        if libc.setns(file, _CLONE_NEWNET) != 0:
            raise LabError(f"setns {name}: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(file)


def leftovers(prefix: str) -> Iterable[str]:
    """Namespaces that begin so, as the kernel lists them."""
    place = Path("/var/run/netns")
    return sorted(path.name for path in place.glob(f"{prefix}*")) if place.is_dir() else []


def _sysctl(path: str, value: str) -> None:
    file = Path("/proc/sys") / path
    if file.exists():
        file.write_text(value)
