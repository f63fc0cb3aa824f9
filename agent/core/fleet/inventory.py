"""What hangs on this terminal, by make and number, and what it means when that changes.

Pure: takes what was seen and what is known, says what is known now and what changed. A device that
says less than yesterday (switched off, in use by the payment app) is the same device; one that says
something *else* is a change, worth a line of history. Where the facts come from is
`agent.watch.inventory`, where they are kept `agent.store.inventory`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from agent.core.health.reading import Outcome, Reading, Unknown, Value

Policy = Literal["full", "masked", "off"]

#: What is told of a device, in the order it is shown.
FACTS = ("make", "model", "firmware", "serial", "interface", "driver", "usb_id")
#: Where one of these differs it is another device; elsewhere the same one in another state.
_IDENTIFYING = frozenset({"usb_id", "model", "serial"})
#: Longest fact kept: a device's words may be anything.
MAX_CHARS = 120
#: How much of a serial number is shown at most when it is masked.
SHOWN_CHARS = 4
#: Devices nobody is configured to watch carry the place they are plugged at, as `usb:1-1.4`.
LOOSE = "usb:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One device. `since_ms` (UTC): since when it is there as it is; "" = not known."""

    component: str
    make: str = ""
    model: str = ""
    firmware: str = ""
    serial: str = ""  #: as the policy allows it
    interface: str = ""
    driver: str = ""
    usb_id: str = ""
    since_ms: int = 0

    def facts(self) -> dict[str, str]:
        """What is known of it."""
        told = {name: str(getattr(self, name)) for name in FACTS}
        return {name: value for name, value in told.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemChange:
    """A device came (`before` is None), went (`after` is None) or is another than before."""

    component: str
    at_ms: int
    before: Item | None
    after: Item | None


def item(component: str, facts: Mapping[str, str], policy: Policy) -> Item:
    """An item of what was seen, tidied; the serial number as the policy has it."""
    tidy = {name: " ".join(facts.get(name, "").split())[:MAX_CHARS] for name in FACTS}
    tidy["serial"] = masked(tidy["serial"], policy)
    return Item(component=component, **tidy)  # type: ignore[arg-type]


def masked(serial: str, policy: Policy) -> str:
    """The serial number as it may be told: whole, its end, or not at all."""
    match policy:
        case "full":
            return serial
        case "masked":
            shown = min(SHOWN_CHARS, len(serial) // 2)
            return "*" * (len(serial) - shown) + serial[len(serial) - shown :]
        case _:
            return ""


def covered(outcome: Outcome, policy: Policy) -> Outcome:
    """What a component said, with its serial number as it may be told."""
    match outcome:
        case Reading(values=values, evidence=evidence):
            serial = values.get("serial")
            if not isinstance(serial, str) and "serial" not in evidence:
                return outcome
            told = (
                {**values, "serial": masked(serial, policy)} if isinstance(serial, str) else values
            )
            return Reading(told, _covered(evidence, policy))
        case Unknown(evidence=evidence) if "serial" in evidence:
            return replace(outcome, evidence=_covered(evidence, policy))
    return outcome


def update(
    known: Mapping[str, Item], seen: Iterable[Item], at_ms: int, gone: Collection[str] = ()
) -> tuple[dict[str, Item], list[ItemChange]]:
    """What is known now, and what changed. `gone`: components surely not there any more."""
    now = dict(known)
    changes: list[ItemChange] = []
    for one in seen:
        before = now.get(one.component)
        after, changed = _merged(before, one, at_ms)
        now[one.component] = after
        if changed:
            changes.append(
                ItemChange(component=one.component, at_ms=at_ms, before=before, after=after)
            )
    for component in sorted(set(gone) & now.keys()):
        before = now.pop(component)
        changes.append(ItemChange(component=component, at_ms=at_ms, before=before, after=None))
    return now, changes


def fields(items: Iterable[Item]) -> dict[str, Value]:
    """The watched devices, flat, as `printer_model` and `printer_since_ts`, for the fleet."""
    told: dict[str, Value] = {}
    for one in items:
        if one.component.startswith(LOOSE):
            continue
        told |= {f"{one.component}_{name}": value for name, value in one.facts().items()}
        told[f"{one.component}_since_ts"] = one.since_ms
    return told


def _covered(evidence: Mapping[str, str], policy: Policy) -> dict[str, str]:
    told = {
        name: masked(value, policy) if name == "serial" else value
        for name, value in evidence.items()
    }
    return {name: value for name, value in told.items() if value or name != "serial"}


def _merged(before: Item | None, seen: Item, at_ms: int) -> tuple[Item, bool]:
    """What is known after `seen`, and whether that is a change."""
    if before is None:
        return replace(seen, since_ms=at_ms), True
    old, new = before.facts(), seen.facts()
    differ = {name for name in old.keys() & new.keys() if old[name] != new[name]}
    # Of another device nothing that was known holds; of the same, what it did not repeat does.
    kept = {} if differ & _IDENTIFYING else old
    since_ms = at_ms if differ else before.since_ms
    return Item(component=seen.component, since_ms=since_ms, **{**kept, **new}), bool(differ)
