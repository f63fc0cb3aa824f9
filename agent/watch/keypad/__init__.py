"""The keypad: presence, stuck, bouncing and dead keys – classes and counts, never keys.

No code, order or time of a key leaves `reader`; nothing is ever grabbed; PIN pads are not read.
"""

from __future__ import annotations

from pathlib import Path

from agent.blocking import Blocking
from agent.config.devices import Keypad
from agent.watch.keypad.watcher import KeypadWatcher


def build(config: Keypad, state_dir: str, blocking: Blocking) -> KeypadWatcher:
    """The watcher of the keypad `config` names."""
    return KeypadWatcher(config, Path(state_dir), blocking)
