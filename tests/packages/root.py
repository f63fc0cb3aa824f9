"""A small Debian to install packages into: made once, kept outside the checkout, never written to.

Every scene works in a tree of its own: an overlay whose upper half is a tmpfs of a given size, in a
mount namespace that one long-lived process holds. When that process ends, all of it is gone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.rig.image import _apt_options, _mirror

CACHE_VARIABLE = "POSAGENT_PACKAGES_CACHE"
CACHE = Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "posagent-packages")
PACKAGES = ("python3", "adduser", "acl", "ca-certificates")
#: Room of a scene beside the Debian itself.
ROOM_MB = 160
WITHIN_S = 120.0

#: Holds the namespace: mounts the tree, says so, waits for its end.
_HOLD = """\
set -e
mount -t tmpfs -o size="$3"m,mode=755 tmpfs "$2"
mkdir "$2/upper" "$2/work" "$2/tree"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/tree"
mount -t proc proc "$2/tree/proc"
mount --bind /dev "$2/tree/dev"
mount -t tmpfs -o mode=755 tmpfs "$2/tree/run"
echo ready
exec cat
"""

_APART = ("unshare", "--mount", "--propagation", "private", "sh", "-c")


class RootError(Exception):
    """There is no Debian to install into; the text says why."""


def made(say: object = print) -> Path:
    """The tree nobody writes to: from the cache, or made now (a minute)."""
    if os.geteuid() != 0:
        raise RootError("installing packages needs root")
    suite, sources = _mirror()
    recipe = hashlib.sha256(repr((suite, PACKAGES)).encode()).hexdigest()[:16]
    place = CACHE / f"debian-{recipe}"
    if (place / "etc/debian_version").exists():
        return place
    CACHE.mkdir(parents=True, exist_ok=True)
    if callable(say):
        say(f"making a Debian in {CACHE} (a minute, once)")
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="making-") as scratch:
        tree = Path(scratch) / "tree"
        command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase"]
        command += [f"--include={','.join(PACKAGES)}", *_apt_options(Path(scratch))]
        done = subprocess.run(
            [*command, suite, str(tree), "-"],
            input=sources,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RootError(f"mmdebstrap: {done.stderr.strip()[-600:]}")
        shutil.rmtree(place, ignore_errors=True)
        tree.rename(place)
    return place


@dataclass(frozen=True, slots=True)
class Done:
    """What a command said, both streams in one."""

    code: int
    said: str


class Machine:
    """One tree while it is held."""

    def __init__(self, holder: int, home: Path) -> None:
        self._holder = holder
        self._home = home

    @property
    def tree(self) -> Path:
        """Seen from outside the namespace."""
        return Path(f"/proc/{self._holder}/root{self._home}/tree")

    def command(self, *words: str) -> list[str]:
        """The command line that runs `words` inside."""
        environment = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"]
        environment += ["HOME=/root", "DEBIAN_FRONTEND=noninteractive"]
        inside = ["nsenter", f"--target={self._holder}", "--mount", "--"]
        return [*inside, "chroot", f"{self._home}/tree", *environment, *words]

    def run(self, *words: str) -> Done:
        """Run it to its end."""
        done = subprocess.run(
            self.command(*words),
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=WITHIN_S,
        )
        return Done(done.returncode, done.stdout)

    def sh(self, script: str) -> Done:
        """The same for a line of shell."""
        return self.run("sh", "-ec", script)


@contextlib.contextmanager
def machine(base: Path, room_mb: int = ROOM_MB) -> Iterator[Machine]:
    """A tree of its own over `base`."""
    with tempfile.TemporaryDirectory(prefix="pk-", dir="/tmp") as home:
        holder = subprocess.Popen(
            [*_APART, _HOLD, "hold", str(base), home, str(room_mb)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            assert holder.stdout is not None
            if holder.stdout.readline() != "ready\n":
                raise RootError("the tree could not be mounted (root, overlayfs)")
            yield Machine(holder.pid, Path(home))
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(holder.pid, signal.SIGKILL)
            holder.wait()
            for pipe in (holder.stdin, holder.stdout):
                if pipe is not None:
                    pipe.close()
