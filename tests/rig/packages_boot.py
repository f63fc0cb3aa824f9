"""One boot of the packages' course, as it was heard outside; kept in a file, to be added up later.

Every boot begins with a disk of its own, and what the host got during it is counted with it: boots
of different runs can be put together into one report without anything being counted twice.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

#: Payments of these were handed over so that they are thrown away: the purges'.
THROWN_AWAY = frozenset({"unguarded", "purged"})


@dataclass(slots=True)
class Boot:
    """What the guest said from power-on to its end, and what the host got meanwhile."""

    name: str
    machine: str  # memory and root
    began: str  # UTC
    only: str = ""
    results: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)  # of the host's ledger, in the order of posting
    packages: list[str] = field(default_factory=list)
    ended_early: str = ""
    seconds: float = 0.0

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [each for each in self.results if each["kind"] == kind]

    def scenes(self) -> dict[str, dict[str, Any]]:
        """What was reported, by its name."""
        return {called(each): each for each in self.of_kind("scene")}

    def announced(self) -> list[str]:
        """The scenes that were to be played in this boot."""
        return [name for each in self.of_kind("scenes") for name in each["names"]]

    def every(self) -> list[str]:
        """All scenes such a boot has."""
        return [name for each in self.of_kind("scenes") for name in each["every"]]

    def ended(self) -> bool:
        return bool(self.of_kind("end"))

    def broken(self) -> str:
        """The last line of what broke the guest's half of the rig, or ""."""
        told = self.of_kind("broken")
        return str(told[-1]["text"]).strip().splitlines()[-1] if told else ""

    def ledger(self) -> list[Row]:
        """Per hand-over, what became of it."""
        posted = Counter(self.keys)
        due = {each["prefix"] for each in self.of_kind("due")}
        rows = []
        for each in self.of_kind("paid"):
            prefix, count = each["prefix"], each["count"]
            wanted = {f"{prefix}-{number:04d}" for number in range(count)}
            there = sum(1 for key in wanted if posted[key])
            twice = sum(1 for key in wanted if posted[key] > 1)
            lost = count - there if prefix in due else None
            rows.append(Row(prefix, count, there, lost, twice))
        return rows

    def strangers(self) -> list[str]:
        """Keys with the host that nobody handed over."""
        known = {f"{each['prefix']}-{number:04d}" for each in self.of_kind("paid")
                 for number in range(each["count"])}  # fmt: skip
        return sorted(set(self.keys) - known)


@dataclass(frozen=True, slots=True)
class Row:
    """One hand-over of payments."""

    prefix: str
    count: int
    there: int  # with the host
    lost: int | None  # None: the boot did not come so far that they ought to be with the host
    twice: int


def called(scene: dict[str, Any]) -> str:
    """A scene's name in the report."""
    return f"control: {scene['name']}" if scene["control"] else str(scene["name"])


def kept(boot: Boot, folder: Path) -> None:
    """Into a file of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{boot.began.replace(':', '')}-{boot.name}.json"
    (folder / name).write_text(json.dumps(asdict(boot), ensure_ascii=False, indent=1), "utf-8")


def read_boots(folder: Path) -> list[Boot]:
    """All that were kept there, the oldest first."""
    found = [Boot(**json.loads(file.read_text("utf-8"))) for file in folder.glob("*.json")]
    return sorted(found, key=lambda boot: (boot.began, boot.name))
