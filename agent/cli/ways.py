"""The component `channels` as a person reads it: which way out is used, and how the others stand.

Called by `status` with the values of the reading.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.cli.reason import reason
from agent.cli.texts import Words

_STATE = "state_"


def ways(t: Words, values: Mapping[str, Any]) -> list[str]:
    """One part for each channel, in the order of the configuration."""
    names = [key.removeprefix(_STATE) for key in values if key.startswith(_STATE)]
    return [_way(t, name, values) for name in names]


def _way(t: Words, name: str, values: Mapping[str, Any]) -> str:
    state = t.word("way", str(values[_STATE + name]))
    why = reason(t, str(values.get(f"reason_{name}", "")))
    if name == values.get("in_use"):
        said = "status.way_used_why" if why else "status.way_used"
        return t(said, name=name, state=state, reason=why)
    if why:
        return t("status.way_why", name=name, state=state, reason=why)
    return t("status.way", name=name, state=state)
