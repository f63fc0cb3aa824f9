"""What hangs on this terminal, by make and number, and what it means when that changes.

Pure: takes what was seen and what is known, says what is known now and what changed. A device that
says less than yesterday (switched off, in use by the payment app) is the same device; one that says
something *else* is a change, worth a line of history. Where the facts come from is
`agent.watch.inventory`, where they are kept `agent.store.inventory`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Literal

from agent.core.health.reading import NotObservable, Outcome, Reading, Unknown, Value
from agent.record import dataclass

Policy = Literal["full", "masked", "off"]

#: What is told of a device, in the order it is shown.
FACTS = ("make", "model", "firmware", "serial", "interface", "driver", "usb_id")
#: Where one of these differs it is another device; elsewhere the same one in another state.
_IDENTIFYING = frozenset({"usb_id", "model", "serial"})
#: What the kernel and the device itself may each have a word of their own for.
_TWICE_TOLD = ("make", "model", "firmware", "serial")
#: udev names its links by maker, model and serial number: `…/by-id/usb-Acme_Pad_1234-if00`.
_BY_ID = re.compile(r"(/by-id/\S*_)([^\s_/]+?)(?=-if\d\d|-event|-port\d|-kbd|[^\w*.-]|$)")
_HIDDEN = "***"
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
    kernel: str = ""  #: its USB device as the kernel describes it, to know it again; never shown
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

    @property
    def what(self) -> str:
        """added, removed or changed."""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"


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


def recovered(one: Item, policy: Policy) -> Item:
    """An item kept under another policy, with no more of its serial number than this one allows."""
    serial = masked(one.serial, policy)
    # The kernel's description may hold the number as well.
    return one if serial == one.serial else replace(one, serial=serial, kernel="")


def covered(outcome: Outcome, policy: Policy) -> Outcome:
    """What a component said, with its serial number as it may be told."""
    if policy == "full":
        return outcome
    match outcome:
        case Reading(values=values, evidence=evidence):
            serial = values.get("serial")
            told = (
                {**values, "serial": masked(serial, policy)} if isinstance(serial, str) else values
            )
            return Reading(told, _covered(evidence, policy))
        case Unknown(reason=reason, evidence=evidence):
            return replace(
                outcome, reason=_plain(reason, policy), evidence=_covered(evidence, policy)
            )
        case NotObservable(why=why):
            return NotObservable(_plain(why, policy))
    return outcome


def update(
    known: Mapping[str, Item],
    seen: Iterable[Item],
    at_ms: int,
    gone: Collection[str] = (),
    kernel: Mapping[str, Item] | None = None,
) -> tuple[dict[str, Item], list[ItemChange]]:
    """What is known now, and what changed. `gone`: components surely not there any more.

    `kernel`: what the kernel alone says of those that are on USB.
    """
    alone = kernel or {}
    now = dict(known)
    changes: list[ItemChange] = []
    for one in seen:
        before = now.get(one.component)
        after, changed = _merged(before, one, at_ms, alone.get(one.component))
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
        name: masked(value, policy) if name == "serial" else _plain(value, policy)
        for name, value in evidence.items()
    }
    return {name: value for name, value in told.items() if value or name != "serial"}


def _plain(text: str, policy: Policy) -> str:
    """Free text in which a path may hold a serial number."""
    return _BY_ID.sub(lambda found: found[1] + (masked(found[2], policy) or _HIDDEN), text)


def _merged(before: Item | None, seen: Item, at_ms: int, alone: Item | None) -> tuple[Item, bool]:
    """What is known after `seen`, and whether that is a change."""
    described = {} if alone is None else alone.facts()
    kernel = " ".join(described.get(name, "") for name in ("usb_id", *_TWICE_TOLD)).strip()
    if before is None:
        return replace(seen, since_ms=at_ms, kernel=kernel), True
    old, new = before.facts(), seen.facts()
    if kernel and kernel == before.kernel:
        # The same device: where one of two words is only the kernel's, the other one holds.
        for name in _TWICE_TOLD:
            word = described.get(name)
            if word is not None and word == new.get(name):
                new[name] = old.get(name, word)
            elif word is not None and word == old.get(name):
                old[name] = new.get(name, word)
    if masked(new.get("serial", ""), "masked") == old.get("serial"):
        old["serial"] = new["serial"]  # a looser policy: the whole of what was known in part
    differ = {name for name in old.keys() & new.keys() if old[name] != new[name]}
    # Of another device nothing that was known holds; of the same, what it did not repeat does.
    kept = {} if differ & _IDENTIFYING else old
    since_ms = at_ms if differ else before.since_ms
    now = Item(
        component=seen.component,
        since_ms=since_ms,
        kernel=kernel or ("" if differ & _IDENTIFYING else before.kernel),
        **{**kept, **new},
    )
    return now, bool(differ)
