"""Header fields as handlers and callers see them: lower-case names, repeats joined."""

from __future__ import annotations

from collections.abc import Iterable


def folded(fields: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """One value a name; h11 has already made the names lower-case and ASCII."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in fields:
        name, value = raw_name.decode("ascii"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
