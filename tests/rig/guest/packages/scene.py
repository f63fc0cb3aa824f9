"""One scene: something is done to the installed package, and what came of it is reported.

A scene that breaks is a scene that failed, and the next one is tried all the same: a boot costs
minutes. A control is a scene with a protection taken away; it is well when the rig notices.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.rig.guest.packages.machine import log
from tests.rig.guest.results import RigError, say

LOG_LINES = 25


@dataclass(frozen=True, slots=True)
class Scene:
    """What is tried, in words, and how."""

    part: str  # of the report
    name: str
    act: Callable[[], str]  # what was found; raises RigError when it is not as it must be
    control: bool = False


def called(scene: Scene) -> str:
    """As the report calls it."""
    return f"control: {scene.name}" if scene.control else scene.name


def played(scenes: list[Scene], every: list[Scene]) -> None:
    """Each in its turn; the outside hears before the first which are to come, of which."""
    say("scenes", names=[called(each) for each in scenes], every=[called(each) for each in every])
    for scene in scenes:
        began = time.monotonic()
        try:
            found, well = scene.act(), True
        # The boundary: whatever breaks a scene is its finding.
        except Exception as error:  # noqa: BLE001
            where = traceback.extract_tb(error.__traceback__)[-1]
            found, well = f"{error} ({Path(where.filename).name}:{where.lineno})", False
        say(
            "scene",
            part=scene.part,
            name=scene.name,
            control=scene.control,
            well=well,
            found=found[-1200:],
            took_s=round(time.monotonic() - began, 1),
        )
        if not well:
            say("log", text=log(LOG_LINES)[-3000:])


def check(condition: bool, complaint: str) -> None:
    """Raises RigError with `complaint` unless it holds."""
    if not condition:
        raise RigError(complaint)
