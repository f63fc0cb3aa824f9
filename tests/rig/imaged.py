"""The package put into an image before its first boot, as a device vendor does it.

Works on a copy of the guest's disk, in a chroot and with no systemd running: what the package's
scripts do there is part of what is tried. / is read-only afterwards, /var a disk of its own.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.rig.image import PAYLOAD, ImageError

STATE_MB = 384
FSTAB = f"""\
/dev/vda / ext4 ro,noatime 0 0
/dev/vdb {PAYLOAD} ext4 ro 0 0
/dev/vdc /var ext4 defaults,noatime 0 0
tmpfs /tmp tmpfs defaults 0 0
"""
CONFIG = """\
[agent]
device_id = "rig"
[[uplink]]
name = "host"
url = "{url}"
ca_file = "/etc/posagent/rig-ca.pem"
backoff_base_s = 0.5
backoff_cap_s = 5.0
host_in_flight_s = 5
answer_timeout_s = 60.0
connect_timeout_s = 30.0
"""
#: $0 the disk, $1 where it is mounted, $2 the packages, $3 the files for /etc, $4 the state disk.
#: In a mount namespace of its own: whatever happens, nothing stays mounted.
_SCRIPT = """\
set -eu
mount -o loop "$0" "$1"
mount -t proc proc "$1/proc"
mount --bind /dev "$1/dev"
mv "$1/opt/posagent" "$1/opt/rig"
mkdir "$1/tmp/debs"
cp "$2"/*.deb "$1/tmp/debs"
chroot "$1" sh -c 'userdel posagent && dpkg -i /tmp/debs/*.deb'
rm -r "$1/tmp/debs"
cp "$3/fstab" "$1/etc/fstab"
install -m 0644 "$3/rig.toml" "$1/etc/posagent/conf.d/rig.toml"
install -m 0644 "$3/ca.pem" "$1/etc/posagent/rig-ca.pem"
chroot "$1" posagent config check --config /etc/posagent/posagent.toml
chroot "$1" systemctl is-enabled posagent.service posagent-actions.socket
chroot "$1" systemctl disable --quiet mosquitto.service
touch "$1/etc/rig-second" "$1/etc/rig-began"
umount "$1/proc" "$1/dev"
mke2fs -q -t ext4 -d "$1/var" "$4"
umount "$1"
"""


def put_into_image(system: Path, state: Path, debs: Path, ca_file: Path, url: str) -> None:
    """Install `debs` on the disk `system`; its /var becomes the disk `state`."""
    etc, tree = system.parent / "etc", system.parent / "tree"
    etc.mkdir()
    tree.mkdir()
    (etc / "fstab").write_text(FSTAB, "ascii")
    (etc / "rig.toml").write_text(CONFIG.format(url=url), "utf-8")
    (etc / "ca.pem").write_bytes(ca_file.read_bytes())
    with state.open("wb") as file:
        file.truncate(STATE_MB << 20)
    done = subprocess.run(
        [
            *("nice", "-n", "10", "unshare", "--mount", "--propagation", "private"),
            *("sh", "-c", _SCRIPT, str(system), str(tree), str(debs), str(etc), str(state)),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin", "LC_ALL": "C.UTF-8"},
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip()[-1500:]
        raise ImageError(f"putting the package into an image ended with {done.returncode}: {said}")
