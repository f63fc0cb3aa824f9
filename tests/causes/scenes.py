"""All scenes by name, the long ones first so that the short ones fill the gaps."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.causes import firmware, hosts, lines, machine, money, network, programs
from tests.causes.bench import Bench

Scene = Callable[[Bench], None]

SCENES: Mapping[str, Scene] = {
    f"{part.__name__.rpartition('.')[2]}.{scene.__name__}": scene
    for part in (machine, network, programs, money, lines, firmware, hosts)
    for scene in part.SCENES
}
