"""The disk the virtual machine boots from: a small Debian, made once and kept in a cache.

Decides what is in the guest: Debian's full kernel (with the USB gadget drivers), systemd,
mosquitto, and a virtual environment with the daemon's dependencies. Nothing of the checkout is in
it but those names; the checkout travels on a second disk (`made_payload`), made for every run.
The mirror is the one this machine's apt uses.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CACHE_VARIABLE = "POSAGENT_RIG_CACHE"
#: Outside the checkout: 0.7 GB that nobody should commit.
CACHE = Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "posagent-rig")
#: The virtual environment in the guest.
VENV = "/opt/posagent"
#: Where the second disk is mounted in the guest.
PAYLOAD = "/rig"
DISK_MB = 1600
KEPT_IMAGES = 2
PACKAGES = (
    "systemd-sysv",
    "udev",
    "kmod",
    "iproute2",
    "linux-image-amd64",
    "initramfs-tools",
    "zstd",
    "python3",
    "python3-venv",
    "mosquitto",
    "mosquitto-clients",
    "ca-certificates",
)
#: Only what the root file system needs: unpacking a general one costs ten seconds of emulation.
INITRD_MODULES = ("virtio_pci", "virtio_blk", "ext4")
#: Units a machine of three minutes does not need.
MASKED = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty@tty1.service",
    "serial-getty@ttyS0.service",
    "systemd-timesyncd.service",
    "systemd-random-seed.service",
    "systemd-tmpfiles-clean.timer",
)
UNIT = f"""\
[Unit]
Description=The checks of the rig
RequiresMountsFor={PAYLOAD}
After=multi-user.target mosquitto.service

[Service]
Type=exec
WorkingDirectory={PAYLOAD}
Environment=PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
ExecStart=/bin/sh {PAYLOAD}/start
StandardOutput=journal+console
StandardError=journal+console
"""
FSTAB = f"""\
/dev/vda / ext4 defaults,noatime 0 0
/dev/vdb {PAYLOAD} ext4 ro 0 0
"""
SHRUNK = ("usr/share/doc", "usr/share/locale", "usr/share/man", "var/cache/apt", "var/lib/apt")

Say = Callable[[str], None]


class ImageError(Exception):
    """The image could not be made; the text says which step, and what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What the emulator boots."""

    kernel: Path
    initrd: Path
    disk: Path
    python: str  # of the guest: "3.11"


def built(say: Say) -> Image:
    """The image for this checkout's dependencies: from the cache, or made now (minutes)."""
    requirements = _requirements()
    suite, sources = _mirror()
    recipe = repr(
        (suite, PACKAGES, INITRD_MODULES, MASKED, UNIT, FSTAB, SHRUNK, requirements, DISK_MB)
    )
    place = CACHE / f"image-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with _alone():
        if not (place / "python").exists():
            say(f"making the image of the virtual machine in {CACHE} (minutes, once)")
            _make(place, suite, sources, requirements, say)
            _forget_older(place)
        os.utime(place)  # used just now
    return Image(
        kernel=place / "vmlinuz",
        initrd=place / "initrd.img",
        disk=place / "root.ext4",
        python=(place / "python").read_text("utf-8"),
    )


def made_payload(scratch: Path, only: str) -> Path:
    """The second disk: the wheel built from this checkout and the guest's half of the rig."""
    tree = scratch / "payload"
    guest = tree / "tests" / "rig" / "guest"
    guest.mkdir(parents=True)
    for file in (ROOT / "tests" / "rig" / "guest").iterdir():
        if file.is_file():
            shutil.copy(file, guest / file.name)
    shutil.copy(ROOT / "tests" / "rig" / "guest" / "start", tree / "start")
    (tree / "only").write_text(only, "utf-8")
    # The build leaves nothing beside the source.
    _run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"),
            *("--wheel-dir", str(tree / "wheels"), str(ROOT)),
        ],
        "building the wheel",
    )
    return _made_disk(tree, scratch / "payload.ext4", 64)


def _make(place: Path, suite: str, sources: str, requirements: list[str], say: Say) -> None:
    if os.geteuid() != 0:
        raise ImageError("making the image needs root (its files belong to other users)")
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="making-") as scratch:
        tree = Path(scratch) / "tree"
        command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase"]
        command += [f"--include={','.join(PACKAGES)}", *_apt_options(Path(scratch))]
        command += [
            "--essential-hook=mkdir -p $1/etc/initramfs-tools/conf.d",
            "--essential-hook=echo MODULES=list >$1/etc/initramfs-tools/conf.d/rig",
        ]
        _run([*command, suite, str(tree), "-"], "mmdebstrap", given=sources)
        python = _python_of(tree)
        say(f"Debian {suite} with Python {python} unpacked; the daemon's dependencies next")
        _install_dependencies(tree, Path(scratch), python, requirements)
        _settle(tree)
        made = Path(scratch) / "made"
        made.mkdir()
        for name in ("vmlinuz", "initrd.img"):
            found = sorted((tree / "boot").glob(f"{name}-*"))
            if len(found) != 1:
                raise ImageError(f"{len(found)} files boot/{name}-* in the guest, not one")
            shutil.copy(found[0], made / name)
        for name in SHRUNK:
            shutil.rmtree(tree / name, ignore_errors=True)
        _made_disk(tree, made / "root.ext4", DISK_MB)
        (made / "python").write_text(python, "utf-8")
        shutil.rmtree(place, ignore_errors=True)
        made.rename(place)


def _install_dependencies(tree: Path, scratch: Path, python: str, requirements: list[str]) -> None:
    wheels = scratch / "wheels"
    glibc = [f"manylinux_2_{minor}_x86_64" for minor in (17, 28, 34)]
    platforms = [f"--platform={name}" for name in ("manylinux2014_x86_64", *glibc)]
    _run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"),
            *(f"--python-version={python}", "--implementation=cp", *platforms),
            *("--dest", str(wheels), *requirements),
        ],
        "downloading the dependencies for the guest",
    )
    shutil.copytree(wheels, tree / "opt" / "wheels")
    _inside(tree, "python3", "-m", "venv", VENV)
    _inside(
        tree, f"{VENV}/bin/pip", "install", "--quiet", "--no-index", "--no-warn-script-location",
        *(f"/opt/wheels/{wheel.name}" for wheel in sorted(wheels.iterdir())),
    )  # fmt: skip
    shutil.rmtree(tree / "opt" / "wheels")


def _settle(tree: Path) -> None:
    """The guest's own configuration."""
    (tree / "etc/fstab").write_text(FSTAB, "utf-8")
    (tree / PAYLOAD.lstrip("/")).mkdir(exist_ok=True)
    (tree / "etc/hostname").write_text("rig\n", "utf-8")
    (tree / "etc/hosts").write_text("127.0.0.1 localhost rig\n", "utf-8")
    (tree / "etc/systemd/system/rig.service").write_text(UNIT, "utf-8")
    (tree / "etc/initramfs-tools/modules").write_text("\n".join(INITRD_MODULES) + "\n", "utf-8")
    units = tree / "etc/systemd/system"
    for unit in MASKED:
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to("/dev/null")
    wants = units / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "rig.service").symlink_to("../rig.service")
    _inside(
        tree, "useradd", "--system", "--no-create-home", "--shell=/usr/sbin/nologin", "posagent"
    )
    _inside(tree, "systemctl", "set-default", "multi-user.target")
    _inside(tree, "update-initramfs", "-u", "-k", "all")


def _made_disk(tree: Path, disk: Path, size_mb: int) -> Path:
    with disk.open("wb") as file:
        file.truncate(size_mb << 20)
    options = ["-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", str(tree)]
    _run(["mke2fs", "-q", *options, str(disk)], "mke2fs")
    return disk


def _requirements() -> list[str]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    return [*project["dependencies"]]


def _mirror() -> tuple[str, str]:
    """The suite of this Debian and the lines of its apt sources that are Debian's own."""
    form = "$(ORIGIN) $(LABEL) $(CODENAME) $(RELEASE) $(REPO_URI) $(COMPONENT)"
    listed = _run(
        ["apt-get", "indextargets", "--format", form, "Created-By: Packages"], "apt-get"
    ).splitlines()
    suite, lines = "", []
    for line in listed:
        origin, label, codename, release, uri, component = line.split()
        if origin == "Debian" and component == "main":
            lines.append(f"deb {uri} {release} main")
            if label == "Debian" and re.fullmatch(r"[a-z]+", codename):
                suite = codename
    if not suite:
        raise ImageError("this machine's apt knows no Debian mirror (apt-get update first?)")
    return suite, "\n".join(dict.fromkeys(lines)) + "\n"


def _apt_options(scratch: Path) -> list[str]:
    """How this machine's apt goes out, if by a proxy of its own."""
    lines = [
        line
        for line in _run(["apt-config", "dump"], "apt-config").splitlines()
        if re.match(r"Acquire::https?::", line)
    ]
    if not lines:
        return []
    options = scratch / "apt.conf"
    options.write_text("\n".join(lines) + "\n", "utf-8")
    return [f"--aptopt={options}"]


def _python_of(tree: Path) -> str:
    target = (tree / "usr/bin/python3").readlink().name
    return target.removeprefix("python")


#: In a mount namespace of its own: what is mounted is gone with it, however this ends, and no
#: clearing away of the tree can ever reach the machine's own /dev.
_CHROOT = """\
mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev" && exec chroot "$0" "$@"
"""


def _inside(tree: Path, *command: str) -> None:
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}
    apart = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _CHROOT, str(tree)]
    _run([*apart, *command], command[0], environment=environment)


def _run(
    command: list[str], what: str, *, given: str = "", environment: dict[str, str] | None = None
) -> str:
    search = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    done = subprocess.run(
        command,
        input=given,
        capture_output=True,
        text=True,
        env=environment or {**os.environ, "PATH": search},
        check=False,
    )
    if done.returncode:
        raise ImageError(f"{what} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Two runs at once make one image."""
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _forget_older(kept: Path) -> None:
    images = sorted(CACHE.glob("image-*"), key=lambda place: place.stat().st_mtime, reverse=True)
    for place in images[KEPT_IMAGES:]:
        if place != kept:
            shutil.rmtree(place)
