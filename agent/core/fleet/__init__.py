"""What a fleet is told of a terminal and what it may ask of it, as rules over plain values.

Here stand only the names of the two files in `state_dir` that say whether a fleet ever spoke:
whoever asks no more than that must not load what reads them.
"""

from __future__ import annotations

DESIRED_FILE = "desired.json"
KEYS_FILE = "fleet.keys"
