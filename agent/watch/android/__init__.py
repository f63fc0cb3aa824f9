"""Android: what getprop, dumpsys and cmd tell, for the watchers that read files elsewhere.

One object, `Android`, asks; each watcher gets what it needs through a protocol of its own: radios,
versions and properties, the payment app's process, battery. Loaded only where this is Android.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agent.blocking import Blocking
from agent.clock import Clock
from agent.config.android import Android as Settings

if TYPE_CHECKING:
    from agent.watch.android.facts import Android


BUILD_PROP = "system/build.prop"


def here(settings: Settings, root: Path = Path("/")) -> bool:
    """Whether this is Android, or is said to be."""
    if settings.mode != "auto":
        return settings.mode == "on"
    try:
        return (root / BUILD_PROP).exists() or Path(settings.bin, "getprop").exists()
    except OSError:
        return False


def build(
    settings: Settings, *, clock: Clock, blocking: Blocking, root: Path = Path("/")
) -> Android | None:
    """Who asks Android; None where this is none."""
    if not here(settings, root):
        return None
    from agent.watch.android.facts import Android

    return Android(settings, clock, blocking)


__all__ = ["build", "here"]
