"""What travels into the machine: the wheel of this checkout, unpacked, and the app's half.

The disks are made here, too: the read-only one with the above and the one that loses power.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.rig.image import ROOT, ImageError

#: The reference host and the harness, as the machine's network shows them.
OUTSIDE = "10.0.2.2"
STATE = "/var/lib/posagent"
WITNESS = "/dev/ttyS2"
DATA_MB = 128


def made_payload(scratch: Path, url: str, ca_file: Path) -> Path:
    """A disk with the daemon, its configuration and the app's half of the rig."""
    tree = scratch / "payload"
    site = tree / "site"
    site.mkdir(parents=True)
    wheels = scratch / "wheel"
    _run(
        sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels),
        str(ROOT),
    )  # fmt: skip
    (wheel,) = wheels.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    _run(
        sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash",
        "-s", str(tree), "-p", "/rig", str(site),
    )  # fmt: skip
    for file in (Path(__file__).parent / "guest").iterdir():
        if file.is_file():
            shutil.copy(file, tree / file.name)
    shutil.copy(ca_file, tree / "ca.pem")
    (tree / "ca.pem").chmod(0o644)
    (tree / "posagent.toml").write_text(
        f'[agent]\nstate_dir = "{STATE}"\nrun_dir = "/run/posagent"\ndevice_id = "power-cuts"\n'
        f'[[uplink]]\nname = "host"\nurl = "{url}"\nca_file = "/rig/ca.pem"\n'
        "backoff_base_s = 0.2\nbackoff_cap_s = 1.0\nhost_in_flight_s = 1\nanswer_timeout_s = 10\n",
        "utf-8",
    )
    (tree / "posagent.toml").chmod(0o644)
    disk = scratch / "payload.ext4"
    with disk.open("wb") as file:
        file.truncate(48 << 20)
    options = ("-t", "ext4", "-O", "^has_journal", "-m", "0", "-E", "root_owner=0:0")
    _run("mke2fs", "-q", *options, "-d", str(tree), str(disk))
    return disk


def made_data_disk(scratch: Path) -> bytearray:
    """An empty ext4 with its journal, as a vendor's image brings it."""
    disk = scratch / "data.ext4"
    with disk.open("wb") as file:
        file.truncate(DATA_MB << 20)
    # Everything written now: later writes are the daemon's and the file system's own.
    _run("mke2fs", "-q", "-t", "ext4", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(disk))
    content = bytearray(disk.read_bytes())
    disk.unlink()
    return content


def _run(*command: str) -> None:
    search = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PATH": search}
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip()[-1500:]
        raise ImageError(f"{command[0]} ended with {done.returncode}: {said}")
