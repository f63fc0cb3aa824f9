"""A Debian of another architecture to run in, made once and kept outside the checkout.

Decides how it is made (mmdebstrap, under qemu-user) and how a run gets it: as the lower layer of an
overlay in a mount namespace of the run's own, so that every run starts from the same and leaves
nothing behind.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

CACHE_VARIABLE = "POSAGENT_EMULATED_CACHE"
#: Outside the checkout: 150 MB for each architecture.
CACHE = Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "posagent-emulated")
SUITE = "bookworm"
PACKAGES = ("python3", "ca-certificates")
#: What the tests need, for every architecture: only unpacked, beside the installed system.
TEST_PACKAGES = (
    "python3-attr",
    "python3-hypothesis",
    "python3-iniconfig",
    "python3-packaging",
    "python3-pluggy",
    "python3-pytest",
    "python3-sortedcontainers",
)
BINFMT = Path("/proc/sys/fs/binfmt_misc")
EMULATORS = {"armhf": "qemu-arm", "arm64": "qemu-aarch64"}
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}


class EmulationError(Exception):
    """This machine cannot do it; the text says why."""


def run(
    command: Sequence[str],
    *,
    given: str = "",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """What a command says; raises with its last words."""
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, env=env, cwd=cwd, check=False
    )
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip())[-1500:]
        raise EmulationError(f"{command[0]} ended with {done.returncode}: {words}")
    return done.stdout


def registered(arch: str) -> None:
    """The kernel starts that architecture's programs through qemu-user (flag F: also in a root)."""
    name = EMULATORS[arch]
    if not (BINFMT / "register").exists():
        run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT)])
    if not (BINFMT / name).exists():
        rule = Path(f"/usr/lib/binfmt.d/{name}.conf")
        if not rule.exists():
            raise EmulationError("qemu-user-static is not installed (sh packaging/ci/bundle.sh)")
        (BINFMT / "register").write_text(rule.read_text("utf-8"), "utf-8")
    if "F" not in (BINFMT / name).read_text("utf-8").partition("flags:")[2].split("\n")[0]:
        raise EmulationError(f"{name} is registered without the flag F: it is not found in a root")


def mirror() -> str:
    """Where this machine's apt gets Debian itself from."""
    form = "$(ORIGIN) $(LABEL) $(REPO_URI)"
    listed = run(["apt-get", "indextargets", "--format", form, "Created-By: Packages"])
    for line in listed.splitlines():
        origin, label, uri = line.split(" ", 2)
        if origin == "Debian" and label == "Debian":
            return uri
    raise EmulationError("this machine's apt knows no Debian mirror (apt-get update first?)")


def base(arch: str) -> Path:
    """The untouched root of that architecture; made now if it never was (minutes)."""
    place = CACHE / f"root-{SUITE}-{arch}"
    if (place / "made").exists():
        return place / "tree"
    CACHE.mkdir(parents=True, exist_ok=True)
    print(f"making {place} with {EMULATORS[arch]} (minutes, once)", flush=True)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase"]
    command += [f"--architectures={arch}", f"--include={','.join(PACKAGES)}"]
    sources = f"deb {mirror()} {SUITE} main\n"
    run([*command, SUITE, str(place / "tree"), "-"], given=sources)
    (place / "made").touch()
    return place / "tree"


def test_tools() -> Path:
    """Debian's pytest and hypothesis, unpacked: nothing of them is compiled."""
    place = CACHE / f"tests-{SUITE}"
    if not (place / "made").exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        run(["apt-get", "download", *TEST_PACKAGES], cwd=place)
        for package in sorted(place.glob("*.deb")):
            run(["dpkg-deb", "-x", str(package), str(place / "tree")])
        (place / "made").touch()
    return place / "tree" / "usr" / "lib" / "python3" / "dist-packages"


def layered(lower: Path, place: Path) -> Path:
    """A root over `lower` whose changes are in `place`. For a mount namespace of the run's own."""
    for name in ("upper", "work", "root"):
        (place / name).mkdir()
    options = f"lowerdir={lower},upperdir={place / 'upper'},workdir={place / 'work'}"
    root = place / "root"
    run(["mount", "-t", "overlay", "overlay", "-o", options, str(root)])
    run(["mount", "-t", "proc", "proc", str(root / "proc")])
    run(["mount", "--rbind", "/dev", str(root / "dev")])
    return root


def inside(root: Path, *command: str) -> list[str]:
    """The command line that runs `command` in the root."""
    environment = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
    return ["chroot", str(root), "env", "-i", *environment, *command]
