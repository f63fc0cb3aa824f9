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
from agent.main.lists import reconciler_of
from agent.offload import ChildOffload
from agent.settings.checks import rules_of
from agent.store.kinds import KindRows
from agent.store.settled import SettledRows

if TYPE_CHECKING:
    from agent.bundles import Surroundings


def proving(floor: Floor, ports: Ports, poke: Callable[[str], object]) -> Ports:
    """`ports` with what only these actions need."""
    bundling = partial(_surroundings, floor)
    offload, lists = ChildOffload(), SettledRows(floor.store)
    ports = replace(ports, kinds=KindRows(floor.store, floor.clock))
    ports = replace(ports, lists=lists, evidence=(*ports.evidence, ListEvidence(lists)))
    checks = CheckedEvidence(ports, rules_of(floor.config))
    ports = replace(ports, evidence=(*ports.evidence, checks))
    reconciler = reconciler_of(floor, lists, offload, partial(poke, "settlement"))
    return replace(ports, offload=offload, bundling=bundling, reconciler=reconciler)


def _surroundings(floor: Floor) -> Surroundings:
    # Loaded with the first bundle: most terminals never make one.
    from agent.main.bundles import surroundings

    return surroundings(floor.config, floor.store.directory, floor.source)
