"""The bench's figures and how they are shown: one row each, with floor, ratio and target.

A missed target is printed, never an error: times depend on the machine and on what else it does.
"""

from __future__ import annotations

import json
import os
import platform
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured thing."""

    group: str
    name: str
    value: float
    unit: str
    floor: float | None = None  #: what it is compared with, measured in the same run
    floor_name: str = ""
    target: str = ""
    met: bool | None = None  #: None: shown for information
    note: str = ""
    ratio: float | None = None  #: given where it is not value ÷ floor, as in a median of ratios

    @property
    def times_floor(self) -> float | None:
        if self.ratio is not None or not self.floor:
            return self.ratio
        return self.value / self.floor


def machine() -> dict[str, object]:
    """Where and under what load it was measured."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "kernel": platform.release(),
        "cores": os.cpu_count(),
        "load_1min": round(os.getloadavg()[0], 2),
    }


def as_json(figures: Sequence[Figure], where: dict[str, object], notes: Sequence[str]) -> str:
    rows = [asdict(figure) | {"ratio": figure.times_floor} for figure in figures]
    return json.dumps({"machine": where, "figures": rows, "notes": list(notes)}, indent=1)


def as_text(figures: Sequence[Figure], where: dict[str, object], notes: Sequence[str]) -> str:
    """The table a person reads."""
    lines = [" · ".join(f"{name} {value}" for name, value in where.items()), ""]
    head = ("what", "measured", "floor in the same run", "ratio", "target", "")
    rows = [head]
    group = ""
    for figure in figures:
        if figure.group != group:
            group = figure.group
            rows.append((f"[{group}]", "", "", "", "", ""))
        rows.append(_row(figure))
    widths = [max(_width(row[column]) for row in rows) for column in range(len(head))]
    lines += [
        "  ".join(_padded(c, w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    lines += ["", *(f"- {note}" for note in notes)]
    return "\n".join(lines)


def _row(figure: Figure) -> tuple[str, ...]:
    floor = "" if figure.floor is None else f"{_number(figure.floor)} {figure.floor_name}"
    ratio = "" if figure.times_floor is None else f"{figure.times_floor:.2f}"
    met = {None: "", True: "met", False: "MISSED"}[figure.met]
    name = f"{figure.name} ({figure.note})" if figure.note else figure.name
    return name, f"{_number(figure.value)} {figure.unit}", floor, ratio, figure.target, met


def _number(value: float) -> str:
    if value == round(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
