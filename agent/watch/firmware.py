"""The component `firmware`: what the vendor's hooks `identity` and `inventory` say of the terminal.

Decides which of it are values (what the terminal is, for the inventory) and which is evidence (what
is built in and installed). Serial numbers of built-in devices stay out of the evidence: the policy
for them is the inventory's, which gets the devices from `identity`. Judged by nobody; an absent or
broken hook makes this one component unknown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, Protocol

from agent.core.fleet.inventory import FACTS
from agent.core.health.reading import Outcome, Reading, Unknown, Value
from agent.hooks.findings import HookError
from agent.watch.hooked import MARGIN_S
from agent.wire.hooks import Identity, Inventory, Item

COMPONENT = "firmware"
_FACTS = ("make", "model", "serial", "firmware", "os", "board")
_OF_ITEM = ("make", "model", "version", "firmware", "interface", "driver")
COMPONENT_NAME = r"[a-z][a-z0-9_]{0,35}"
#: Lines of evidence; the rest is counted.
ITEMS_SHOWN = 24


class Answered(Protocol):
    """What a hook said."""

    @property
    def answer(self) -> Any: ...


class Puller(Protocol):
    """`agent.hooks.pull.Puller`: runs a pull hook. Raises HookError."""

    async def ask(self, name: str, **fields: object) -> Answered: ...


class FirmwareWatcher:
    """Asks both hooks; one of them is enough."""

    component = COMPONENT

    def __init__(self, puller: Puller, period_s: float, deadline_s: float) -> None:
        self.period_s = period_s
        self.deadline_s = 2 * (deadline_s + MARGIN_S)
        self._puller = puller
        self._devices: dict[str, str] = {}
        self._software: dict[str, str] | None = None

    def software(self) -> dict[str, str] | None:
        """Versions of the software it named last, by name; None: it named none."""
        return self._software

    async def identity(self) -> dict[str, str]:
        """The devices it named last, as `printer.model`; nothing of the terminal itself."""
        return self._devices

    async def read(self) -> Outcome:
        """What the firmware says of the terminal."""
        silent: list[str] = []
        values: dict[str, Value] = {}
        evidence: dict[str, str] = {}
        for name in ("identity", "inventory"):
            try:
                answer = (await self._puller.ask(name)).answer
            except HookError as error:
                silent.append(error.finding.what())
                continue
            match answer:
                case Identity():
                    values |= {key: text for key in _FACTS if (text := getattr(answer, key))}
                case Inventory(items=items):
                    self._devices = _devices(items)
                    self._software = _software(items)
                    evidence |= {_key(one): _shown(one) for one in items[:ITEMS_SHOWN]}
                    values["devices"] = sum(one.kind == "device" for one in items)
                    values["packages"] = sum(one.kind == "software" for one in items)
                case _:
                    silent.append(answer.reason)
        if not values:
            return Unknown("; ".join(silent) or "the firmware says nothing of itself")
        if silent:
            evidence["unknown"] = "; ".join(silent)
        return Reading(values, evidence)


def _devices(items: Iterable[Item]) -> dict[str, str]:
    """Facts by component; the second of a name is its `_2`. A name of no component is left out."""
    told: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for one in items:
        if one.kind != "device" or not re.fullmatch(COMPONENT_NAME, one.name):
            continue
        seen[one.name] += 1
        number = seen[one.name]
        name = one.name if number == 1 else f"{one.name}_{number}"
        if seen.total() <= ITEMS_SHOWN:
            told |= {f"{name}.{fact}": text for fact in FACTS if (text := getattr(one, fact, ""))}
    return told


def _software(items: Iterable[Item]) -> dict[str, str]:
    return {one.name: one.version for one in items if one.kind == "software" and one.version}


def _key(one: Item) -> str:
    return f"{one.kind} {one.name}"


def _shown(one: Item) -> str:
    return " ".join(text for key in _OF_ITEM if (text := getattr(one, key))) or "-"
