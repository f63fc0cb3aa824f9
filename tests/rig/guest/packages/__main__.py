"""The guest's half of the packages' course: the scenes of one boot, in order.

Run by `rig.service`. Ends with 0 when everything was tried; the verdict is made outside.
"""

from __future__ import annotations

import platform
import sys
import traceback
from pathlib import Path

from tests.rig.guest.packages import machine, money, sandbox, small
from tests.rig.guest.packages.machine import must, ran
from tests.rig.guest.packages.payments import Host
from tests.rig.guest.packages.scene import Scene, called, played
from tests.rig.guest.results import say

ADDRESS = "10.0.2.15/24"


def main() -> int:
    say("boot", uptime_s=float(Path("/proc/uptime").read_text("ascii").split()[0]))
    say("kernel", release=platform.release(), python=platform.python_version())
    try:
        _network()
        first = not Path("/etc/rig-second").exists()
        host = Host()
        host.up()
        if first:
            # Masked for good: the broker is the other course's.
            ran("systemctl", "stop", "mosquitto.service")
            ran("systemctl", "disable", "mosquitto.service")
            url = Path("/rig/url").read_text("ascii").strip()
            devices = sandbox.Devices()
            handed = money.Money(host)
            scenes = [*sandbox.scenes(url, devices), *money.scenes(handed), *sandbox.deaths()]
            scenes += money.purges(handed)
        else:
            scenes = small.scenes(small.Small(host))
        only = Path("/rig/only").read_text("utf-8").split(",")
        played([each for each in scenes if _wanted(each, only, first=first)], scenes)
    except Exception:
        say("broken", text=traceback.format_exc()[-1500:], log=machine.log(40)[-3000:])
        raise
    say("end", rows=0)
    return 0


def _wanted(scene: Scene, only: list[str], *, first: bool) -> bool:
    """The beginning of the first boot is always needed."""
    needed = scene.name in {"devices attached", "installed by dpkg", "daemon up under systemd"}
    return any(each in called(scene) for each in only) or (first and needed)


def _network() -> None:
    (device,) = [each.name for each in Path("/sys/class/net").iterdir() if each.name != "lo"]
    must("ip", "link", "set", device, "up")
    must("ip", "address", "add", ADDRESS, "dev", device)
    must("ip", "route", "add", "default", "via", "10.0.2.2")


if __name__ == "__main__":
    sys.exit(main())
