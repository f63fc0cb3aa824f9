"""Watches what is installed against what should be.

Asks the places of `sources` for versions, the manifest in force for what is wanted, and says how
they stand; a refused manifest is said beside the verdict of the last good one. Only where there is
none in force and one was refused is the component unknown. Starts nothing: what is behind and has
an update goes to whoever installs those (`updates`), which also says how far that one is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING, Protocol, TypeVar

import agent
from agent.blocking import Blocking
from agent.config.software import Component, Software
from agent.core.health.reading import Outcome, Reading, Unknown, Value
from agent.core.software.manifest import Standing
from agent.core.software.standing import Compared, Installed, behind, compared, counts
from agent.core.software.standing import Standing as Stands
from agent.record import dataclass
from agent.watch.software.history import History
from agent.watch.software.manifests import Manifests, Verdict
from agent.watch.software.sources import Place, Sources

if TYPE_CHECKING:
    from agent.core.software.update import Update
    from agent.core.software.wanted import Manifest, Wanted

T = TypeVar("T")

log = logging.getLogger(__name__)

DEADLINE_S = 20.0
#: Components named in one value; the rest is in the evidence.
NAMED = 8


class Updating(Protocol):
    """Who installs updates: `agent.watch.software.updates.Updates`."""

    def shown(self) -> Mapping[str, Value]:
        """What a reading says of the update under way, or of the last one."""
        ...

    def last(self, component: str) -> Update | None:
        """The last update of a component."""
        ...

    def consider(self, view: View) -> None:
        """Begin what the manifest wants, where that is allowed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything of the last read."""

    verdict: Verdict
    found: Mapping[str, Installed] = field(default_factory=dict)
    compared: tuple[Compared, ...] = ()
    wanted: Mapping[str, Wanted] = field(default_factory=dict)


class SoftwareWatcher:
    """One reading of versions."""

    component = "software"
    deadline_s = DEADLINE_S

    def __init__(
        self,
        config: Software,
        components: Iterable[Component],
        *,
        sources: Sources,
        manifests: Manifests,
        blocking: Blocking,
    ) -> None:
        self.period_s = config.period_s
        self.sources = sources
        self.manifests = manifests
        self.history: History | None = None
        self.updates: Updating | None = None
        self._channel = config.channel
        self._places = {one.name: _place(one) for one in components}
        self._blocking = blocking
        self._view: View | None = None
        self._fed: Mapping[str, str] | None = None
        #: What the hook `inventory` says is installed; plugged in where that is asked.
        self.installed_by_hooks: Callable[[], Mapping[str, str] | None] = lambda: None
        sources.hooks = self.told_by_hooks
        self.on_android = sources.on_android
        self._reading = asyncio.Lock()  #: one thread at a time in what was read before
        self._poke: Callable[[], None] = _nobody

    def feed(self, outcome: Outcome) -> None:
        """What the vendor's hook `probe.software` says: version by component."""
        if isinstance(outcome, Reading):
            told = {name: str(one) for name, one in outcome.values.items() if one is not None}
            self._fed = told

    def told_by_hooks(self) -> Mapping[str, str] | None:
        """Versions the vendor's firmware tells, by name; None: it tells none."""
        told = self.installed_by_hooks()
        return self._fed if told is None else {**told, **(self._fed or {})}

    def heed(self, poke: Callable[[], None]) -> None:
        """`poke` has this read again at once."""
        self._poke = poke

    def look_again(self) -> None:
        """Something was installed, or another manifest came."""
        self._poke()

    def view(self) -> View | None:
        """The last read; None before the first."""
        return self._view

    async def read(self) -> Outcome:
        """Versions as they are now."""
        view = await self.look()
        if self.updates is not None:
            self.updates.consider(view)
        return self._outcome(view)

    async def look(self) -> View:
        """Read everything that is another than before."""
        view = await self._on_thread(self._collect)
        if self.history is not None:
            await self.history.take(view.found)
        self._view = replace(view, compared=tuple(map(self._with_update, view.compared)))
        return self._view

    async def installed(self, component: str) -> Installed | None:
        """One component as it is at this moment; None if nothing reads it."""
        return (await self._on_thread(self._collect)).found.get(component)

    async def offer(self, given: bytes, vouched: str = "") -> Verdict:
        """A manifest that came over the network (the fleet's `desired`, signed by `vouched`). Never
        raises for what is in it; the verdict says what became of it."""
        verdict = await self._on_thread(lambda: self.manifests.offer(given, vouched))
        self.look_again()
        return verdict

    async def _on_thread(self, work: Callable[[], T]) -> T:
        async with self._reading:
            return await self._blocking.call("software", work, DEADLINE_S - 1.0)

    def _collect(self) -> View:
        verdict = self.manifests.look()
        wanted = _asked(verdict.in_force, self._channel)
        places = dict(self._places)
        for one in wanted.values():
            if one.component not in places and one.installed_by:
                places[one.component] = _place_of(one)
        found = self.sources.read(places.values())
        unread = Installed(version="", told=False)
        return View(
            verdict=verdict,
            found=found,
            wanted=wanted,
            compared=tuple(
                compared(one, found.get(one.component, unread)) for one in wanted.values()
            ),
        )

    def _with_update(self, one: Compared) -> Compared:
        """What is behind, with what became of its update."""
        update = None if self.updates is None else self.updates.last(one.component)
        if update is None or one.standing is not Stands.BEHIND:
            return one
        from agent.core.software.update import Phase  # there is one: it is loaded

        match update.phase:
            case Phase.FAILED:
                return replace(one, standing=Stands.FAILED)
            case Phase.ROLLED_BACK:
                return replace(one, standing=Stands.ROLLED_BACK)
            case Phase.COMMITTED:
                return one
            case _:
                return replace(one, standing=Stands.PENDING)

    def _outcome(self, view: View) -> Outcome:
        verdict = view.verdict
        refused = verdict.standing not in (Standing.NONE, Standing.IN_FORCE)
        values: dict[str, Value] = {
            "agent_version": agent.__version__,
            "os": self.sources.os_name(),
            "kernel": view.found["kernel"].version,
        }
        values = {name: one for name, one in values.items() if one}
        if self.updates is not None:
            values |= self.updates.shown()
        if verdict.standing is Standing.NONE:
            return Reading(values, _versions(view))
        if verdict.in_force is None:
            return Unknown(verdict.sentence("en"), "", {"manifest": str(verdict.standing)})
        values |= counts(view.compared)
        if verdict.in_force.sequence:
            values |= {"manifest": str(verdict.standing), "sequence": verdict.in_force.sequence}
        late = behind(view.compared)[:NAMED]
        if late:
            values |= {
                "package": ", ".join(one.component for one in late),
                "installed": ", ".join(one.installed or "-" for one in late),
                "required": ", ".join(one.required for one in late),
            }
        evidence = _versions(view) | {one.component: str(one) for one in view.compared}
        if refused:
            evidence["manifest"] = verdict.sentence("en")
        return Reading(values, evidence)


def _versions(view: View) -> dict[str, str]:
    """What is configured and not judged."""
    told = {one.component for one in view.compared} | {"agent", "os", "kernel"}
    return {
        name: one.version or f"? ({one.why})" if one.why else one.version or "?"
        for name, one in view.found.items()
        if name not in told
    }


def _asked(manifest: Manifest | None, channel: str) -> dict[str, Wanted]:
    if manifest is None:
        return {}
    # What is asked of this channel outweighs what is asked of all.
    asked = sorted(manifest.for_channel(channel), key=lambda one: one.channel != "")
    return {one.component: one for one in asked}


def _place(one: Component) -> Place:
    return Place(
        component=one.name,
        installed_by=one.installed_by,
        package=one.package,
        path=one.path,
        key=one.field,
        scheme=one.scheme,
    )


def _place_of(one: Wanted) -> Place:
    return Place(
        component=one.component,
        installed_by=one.installed_by,
        package=one.package,
        path=one.path,
        key=one.key,
    )


def _nobody() -> None:
    """Until somebody runs this watcher."""
