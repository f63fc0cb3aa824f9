"""The rig's half inside the guest: devices, daemon, checks, controls; results go to the outside.

Run by the unit `rig.service` after the wheel was installed. Ends with 0 when everything was tried,
whatever came out: the verdict is made outside, from the rows that arrived.
"""

from __future__ import annotations

import platform
import sys
import time
import traceback
from pathlib import Path

from tests.rig.guest import gadgets, weather
from tests.rig.guest.checks import run
from tests.rig.guest.results import RigError, say
from tests.rig.guest.scenes import Scene, all_scenes, settled
from tests.rig.guest.terminal import Broker, Terminal, components

#: Until every watcher of a fresh daemon has read its device once.
SETTLE_S = 90.0
#: How long a control is given to find something: longer than its check takes where it holds.
UNWATCHED_S = 60.0
LOG_LINES = 40


def main() -> int:
    say("boot", uptime_s=float(Path("/proc/uptime").read_text("ascii").split()[0]))
    say("kernel", release=platform.release(), python=platform.python_version())
    for module, complaint in gadgets.load_modules():
        say("module", name=module, complaint=complaint)
    terminal, broker = Terminal(), Broker()
    broker.start()
    try:
        for gadget in gadgets.ALL:
            gadget.make()
            say("device", name=gadget.name, path=str(gadget.appears))
        scenes = all_scenes()
        tried = sum(_watched(terminal, broker, together) for together in scenes)
        tried += sum(_unwatched(terminal, broker, together) for together in scenes)
        if Path("only").read_text("utf-8") in weather.NAME:
            weather.tried(terminal)
    except Exception:
        say("broken", text=traceback.format_exc()[-1500:], log=terminal.log(LOG_LINES)[-3000:])
        raise
    finally:
        broker.stop()
    say("end", rows=tried)
    return 0


def _watched(terminal: Terminal, broker: Broker, together: tuple[Scene, ...]) -> int:
    """How many checks were tried."""
    tried = 0
    for scene in together:
        scene.start()
    terminal.configure("".join(scene.table for scene in together))
    ready_s = terminal.start()
    say("daemon", ready_s=round(ready_s, 1), scenes=[scene.name for scene in together])
    for scene in together:
        _settle(scene)
        for check in scene.checks:
            tried += 1
            if not run([check], broker, watched=True):
                say("log", text=terminal.log(LOG_LINES)[-3000:])
            _settle(scene)
    say("left", restarts=terminal.restarts(), memory_kb=terminal.memory_kb())
    terminal.stop()
    for scene in together:
        scene.stop()
    return tried


def _unwatched(terminal: Terminal, broker: Broker, together: tuple[Scene, ...]) -> int:
    """The control: no watcher of theirs, and the same checks must find nothing. How many."""
    for scene in together:
        scene.start()
    terminal.configure("".join(scene.unwatched for scene in together))
    terminal.start()
    gadgets.wait_for(lambda: bool(components()), "an answer of the daemon", SETTLE_S)
    controls = [each for scene in together for each in scene.checks if each.name == scene.control]
    run(controls, broker, watched=False, limit_s=UNWATCHED_S)
    terminal.stop()
    for scene in together:
        scene.stop()
    return len(controls)


def _settle(scene: Scene) -> None:
    """Until the device is told to be well, from where the next check starts."""
    began = time.monotonic()
    try:
        gadgets.wait_for(lambda: settled(scene), f"{scene.name} told to be well", SETTLE_S)
    except RigError as error:
        last = components().get(scene.component, {})
        say("unsettled", scene=scene.name, text=f"{error}; last: {last}")
    else:
        say("settled", scene=scene.name, after_s=round(time.monotonic() - began, 1))


if __name__ == "__main__":
    sys.exit(main())
