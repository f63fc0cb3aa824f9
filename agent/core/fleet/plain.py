"""What may stand in a message: names that are names, numbers JSON can hold, texts with an end.

Pure. Readings come from devices and from vendors' programs; whatever those say, a message stays
valid JSON, flat and small. A value that cannot be told is null (not known), a field whose name is
none is left out. Called by `core.fleet.messages`; it knows no message and no secret.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from agent.core.health.reading import Value

#: Of a text. Longer ones end in an ellipsis.
MAX_CHARS = 200
#: What every reader of JSON holds without loss.
MAX_WHOLE = 2**53
#: Of one component in one message, names and values together: the largest of ours needs half.
MAX_COMPONENT_BYTES = 4_096
NAME = re.compile(r"[a-z][a-z0-9_]{0,79}")
#: Controls and line ends; and halves of signs beyond 16 bits, which no encoding can write.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")

#: Readings that stand beside others for the texts of alarms, as configured.
_SETTINGS = re.compile(r"(?:^|_)(?:limit(?:_(?:mb|kb|bytes|percent|s|ms))?|warn_days|slow_ms)$")
#: Evidence for whoever looks into a terminal (the command `report` brings it), and what `info`
#: says already: a third of a full report, and addresses of a shop's network besides.
_CLOSE_BY = frozenset(
    f"{component}_{name}"
    for component, names in {
        "connectivity": "ip_address gateway_address gateway_state default_routes hosts dns_name "
        "dns_servers dns_kind subject issuer noticing probing bytes_spent link_up host",
        "devices": "hotplug",
        "queue": "store",
        "system": "storage_path storage_total_mb memory_total_mb reserve_kb",
        "software": "agent_version os",
        "fleet": "connected endpoint protocol",
    }.items()
    for name in names.split()
)


def text(said: str, most: int = MAX_CHARS) -> str:
    """One printable line with an end."""
    # Cut first: of a megabyte only the beginning is worth looking at.
    line = _UNPRINTABLE.sub(" ", str(said[: most + 1]))
    return line if len(line) <= most else line[: most - 1] + "…"


def value(said: object) -> Value:
    """A reading as it may be told; None: it cannot be."""
    match said:
        case bool():
            return said
        case int():
            return int(said) if abs(said) <= MAX_WHOLE else None
        case float():
            return float(said) if math.isfinite(said) else None
        case str():
            return text(said)
    return None


def fields(
    said: Mapping[str, Value], prefix: str = "", most_bytes: int = MAX_COMPONENT_BYTES
) -> dict[str, Value]:
    """The fields `prefix` + name, as many of them as there is room for."""
    told: dict[str, Value] = {}
    for name, plain in _named(said.items(), prefix):
        most_bytes -= len(name) + 4 + (len(plain.encode()) if isinstance(plain, str) else 8)
        if most_bytes < 0:
            break
        told[name] = plain
    return told


def _named(said: Iterable[tuple[str, Value]], prefix: str) -> Iterable[tuple[str, Value]]:
    for name, one in said:
        if NAME.fullmatch(whole := f"{prefix}{name}"):
            yield whole, value(one)


def worth_telling(name: str, value: Value) -> bool:
    """Whether a reading belongs into a message: it says something, and to a fleet."""
    return value not in (None, "") and name not in _CLOSE_BY and not _SETTINGS.search(name)
