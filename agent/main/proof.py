"""What explains, reconciles and proves, plugged together: the rest of the ports of the actions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from agent.actions.checked_evidence import CheckedEvidence
from agent.actions.listed import ListEvidence
from agent.actions.ports import Ports
from agent.main.floor import Floor
from agent.main.later import later
from agent.main.lists import puller_of, reconciler_of
from agent.settings.checks import rules_of

if TYPE_CHECKING:
    from agent.bundles import Surroundings
    from agent.offload import ChildOffload
    from agent.store.health_past import HealthPast
    from agent.store.kinds import KindRows
    from agent.store.settled import SettledRows
    from agent.store.timings import Timings


def proving(floor: Floor, ports: Ports, poke: Callable[[str], object]) -> Ports:
    """`ports` with what only these actions need."""
    bundling = partial(_surroundings, floor)
    offload, lists = later(_offload), later(partial(_lists, floor))
    ports = replace(ports, kinds=later(partial(_kinds, floor)))
    ports = replace(ports, past=later(partial(_past, floor)))
    ports = replace(ports, timings=later(partial(_timings, floor)))
    ports = replace(ports, lists=lists, evidence=(*ports.evidence, ListEvidence(lists)))
    checks = CheckedEvidence(ports, rules_of(floor.config))
    ports = replace(ports, evidence=(*ports.evidence, checks))
    reconciler = reconciler_of(floor, lists, offload, partial(poke, "settlement"))
    puller = puller_of(floor, lists, reconciler, ports.identity.device_id)
    ports = replace(ports, reconciler=reconciler, puller=puller)
    return replace(ports, offload=offload, bundling=bundling)


def _surroundings(floor: Floor) -> Surroundings:
    # Loaded with the first bundle: most terminals never make one.
    from agent.main.bundles import surroundings

    return surroundings(floor.config, floor.store.directory, floor.source)


def _offload() -> ChildOffload:
    from agent.offload import ChildOffload

    return ChildOffload()


def _lists(floor: Floor) -> SettledRows:
    from agent.store.settled import SettledRows

    return SettledRows(floor.store)


def _kinds(floor: Floor) -> KindRows:
    from agent.store.kinds import KindRows

    return KindRows(floor.store, floor.clock)


def _past(floor: Floor) -> HealthPast:
    from agent.store.health_past import HealthPast

    return HealthPast(floor.store)


def _timings(floor: Floor) -> Timings:
    from agent.store.timings import Timings

    return Timings(floor.store)
