"""A folder that looks like Android to what runs in it: /system, /system_ext, /data, /dev/socket,
and none of /etc, /tmp, /run, /var, /home, /usr. Programs are this machine's, so its C library and
that library's folder lie there too; Android's own they are not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.android.fakes import ROOT

PYTHON = f"3.{sys.version_info.minor}"
UID, INET = 7500, 3003
TOOLS = ("sh", "cat", "mv", "readlink", "sync", "env", "id", "ls")
LEFT_OUT = ("test", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "site-packages",
            "__pycache__", "config-*")  # fmt: skip
FIXTURES = ROOT / "tests" / "fixtures" / "android" / "13"

#: Stands in for init, as root inside: makes the socket, drops everything, becomes the service.
INIT = """
import os, socket, sys
made, uid, gid, program = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
environment = {"PATH": "/system/bin", "ANDROID_ROOT": "/system", "ANDROID_DATA": "/data"}
for one in os.environ:
    if one.startswith("POSAGENT_"):
        environment[one] = os.environ[one]
if made != "-":
    if os.path.exists(made):
        os.unlink(made)
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(made)
    os.chown(made, uid, uid)
    os.chmod(made, 0o666)
    sock.listen(8)
    os.set_inheritable(sock.fileno(), True)
    environment["ANDROID_SOCKET_posagent"] = str(sock.fileno())
os.setgroups([gid])
os.setgid(uid)
os.setuid(uid)
os.umask(0o077)
os.chdir("/")
os.execve(program[0], program, environment)
"""
#: In a mount namespace of its own: everything read-only, /data and /dev/socket not.
MOUNTS = """
set -eu
root=$1; shift
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --bind /sys "$root/sys"
mount -o remount,bind,ro "$root/sys"
for name in null zero urandom random; do mount --bind "/dev/$name" "$root/dev/$name"; done
for name in data dev/socket; do mount --bind "$root/$name" "$root/$name"; done
[ -z "${DATA_READ_ONLY:-}" ] || mount -o remount,bind,ro "$root/data"
mount -o remount,bind,ro "$root"
exec chroot "$root" /system_ext/posagent/python/bin/python"$PYTHON" -I -c "$INIT" "$@"
"""


def laid(root: Path, bundle: Path) -> Path:
    """The folder, with `bundle` (built with that path to the interpreter) in it."""
    for name in ("proc", "sys", "dev/socket", "data/system", "data/misc", "system/bin",
                 "system_ext/bin", "system_ext/etc/posagent"):  # fmt: skip
        (root / name).mkdir(parents=True)
    for name in ("null", "zero", "urandom", "random"):
        (root / "dev" / name).touch()
    (root / "bin").symlink_to("/system/bin")
    shutil.copytree(bundle, root / "system_ext" / "posagent", symlinks=True)
    home = root / "system_ext" / "posagent" / "python"
    base = Path(sys.base_prefix)
    (home / "bin").mkdir(parents=True)
    program = base / "bin" / f"python{PYTHON}"
    shutil.copy(program, home / "bin" / f"python{PYTHON}")
    library = base / "lib" / f"python{PYTHON}"
    shutil.copytree(
        library, home / "lib" / f"python{PYTHON}", ignore=shutil.ignore_patterns(*LEFT_OUT)
    )
    for found in (base / "lib").glob(f"libpython{PYTHON}.so*"):
        shutil.copy(found, home / "lib" / found.name)
    tools = [Path(str(shutil.which(tool))) for tool in TOOLS]
    for tool, path in zip(TOOLS, tools, strict=True):
        shutil.copy(path.resolve(), root / "system" / "bin" / tool)
    _libraries(root, [program, *tools, *library.rglob("*.so"), *bundle.rglob("*.so")])
    _scripts(root)
    files = ROOT / "packaging" / "android"
    for name, to in (("posagent.sh", "posagent"), ("posagent-prepare.sh", "posagent-prepare")):
        shutil.copy(files / name, root / "system_ext" / "bin" / to)
        (root / "system_ext" / "bin" / to).chmod(0o755)
    shutil.copy(files / "posagent.toml", root / "system_ext" / "etc" / "posagent")
    apps = root / "system_ext" / "etc" / "posagent" / "payment-apps"
    apps.write_text("com.example.pay\n")
    (root / "data" / "system" / "packages.list").write_text("com.example.pay 10123 0 /x y none\n")
    data = root / "data" / "misc" / "posagent"
    for name in ("", "etc", "etc/conf.d", "etc/hooks.d", "state", "run", "tmp"):
        (data / name).mkdir(exist_ok=True)
        os.chown(data / name, UID, UID)
        (data / name).chmod(0o711 if not name else 0o700)
    return root


def _libraries(root: Path, files: Iterable[Path]) -> None:
    """What the dynamic loader of this machine needs, at the places it looks."""
    for file in files:
        said = subprocess.run(
            ["ldd", str(file)], check=False, capture_output=True, text=True
        ).stdout
        for word in said.split():
            if word.startswith("/") and ".so" in word and not word.startswith(sys.base_prefix):
                to = root / word.lstrip("/")
                to.parent.mkdir(parents=True, exist_ok=True)
                if not to.exists():
                    shutil.copy(Path(word).resolve(), to)


def _scripts(root: Path) -> None:
    """Android's own programs, as far as the agent and init use them."""
    folder = root / "system" / "bin"
    shutil.copytree(FIXTURES, root / "system" / "said")
    (root / "system" / "build.prop").write_text("ro.build.version.release=13\n")
    scripts = {
        "logwrapper": 'exec "$@"\n',
        "setprop": "exit 0\n",
        "getprop": '[ -z "${1:-}" ] && exec cat /system/said/getprop.txt\necho\n',
        "dumpsys": "f=$1\n[ $f != activity ] || f=activity_processes\n"
        'f=/system/said/dumpsys_$f.txt\n[ -e "$f" ] && exec cat "$f"\n'
        'echo "Can\'t find service: $1"\n',
        "cmd": 'echo "java.lang.SecurityException: uid 7500 may not"; exit 255\n',
    }
    for name, script in scripts.items():
        (folder / name).write_text("#!/system/bin/sh\n" + script)
        (folder / name).chmod(0o755)


def command(root: Path, program: list[str], *, socket: str = "-") -> list[str]:
    """`program` as the service's user inside; with `socket`, as init starts a service."""
    front = ["unshare", "--mount", "sh", "-c", MOUNTS, "mounts", str(root)]
    return [*front, socket, str(UID), str(INET), *program]


def environment(**more: str) -> dict[str, str]:
    """What the front of a command needs; nothing of it reaches the program but POSAGENT_…"""
    inside = {"INIT": INIT, "PYTHON": PYTHON}
    libraries = {"LD_LIBRARY_PATH": "/system_ext/posagent/python/lib"}
    return {"PATH": os.environ["PATH"], **inside, **libraries, **more}
