"""What software runs here against what should, and beginning an update."""

from __future__ import annotations

from agent.actions.ports import Ports
from agent.actions.ports.software import Software
from agent.core.moment import at_ms
from agent.core.software.standing import Installed
from agent.core.software.update import Verb
from agent.errors import OperatorError
from agent.record import dataclass
from agent.wire.api import Nothing
from agent.wire.problem import CODES
from agent.wire.software import (
    ManifestOut,
    SoftwareItemOut,
    SoftwareOut,
    UpdateArgs,
    UpdateEndArgs,
    UpdateOut,
    changes_out,
    update_out,
)

#: Changes and updates shown; more are kept.
SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A technician's word, as the updates take it."""

    update: str
    file: str
    sha256: str
    size_bytes: int
    component: str
    version: str
    any_time: bool


async def show(ports: Ports, args: Nothing) -> SoftwareOut:
    """Works on a dead daemon's store too; what it read last is then all there is."""
    del args
    known = ports.software
    now = ports.clock.now().at
    if known is None:
        return SoftwareOut(at=now, manifest=None, components=[], changes=[], updates=[])
    return SoftwareOut(
        at=now,
        manifest=_manifest(known),
        components=_components(known),
        changes=changes_out(await known.changes(SHOWN)),
        updates=[update_out(one) for one in list(known.updates())[:SHOWN]],
    )


async def begin(ports: Ports, args: UpdateArgs) -> UpdateOut:
    """Raises RequestError saying why not."""
    if ports.installer is None:
        raise OperatorError(
            "daemon.down",
            "nothing can be updated while the agent is not running",
            CODES["daemon.down"].hint,
        )
    asked = Asked(
        update=args.update,
        file=args.file,
        sha256=args.sha256,
        size_bytes=args.size_bytes,
        component=args.component,
        version=args.version,
        any_time=args.any_time,
    )
    return update_out(await ports.installer.begin(asked, ports.actor))


async def end(ports: Ports, args: UpdateEndArgs) -> UpdateOut:
    """Keep or take back. Raises RequestError where there is nothing to."""
    if ports.installer is None:
        raise OperatorError(
            "daemon.down",
            "nothing can be updated while the agent is not running",
            CODES["daemon.down"].hint,
        )
    verb = Verb.COMMIT if args.what == "commit" else Verb.ROLLBACK
    return update_out(await ports.installer.end(args.update, verb, ports.actor))


def _manifest(known: Software) -> ManifestOut | None:
    view = known.view()
    if view is None:
        return None
    verdict, in_force = view.verdict, view.verdict.in_force
    expires_ms = None if in_force is None else in_force.expires_ms
    return ManifestOut(
        standing=str(verdict.standing),
        text_zh=verdict.sentence("zh"),
        text_en=verdict.sentence("en"),
        sequence=None if in_force is None else in_force.sequence,
        signed_by="" if in_force is None else in_force.signed_by,
        expires=None if expires_ms is None else at_ms(expires_ms),
    )


def _components(known: Software) -> list[SoftwareItemOut]:
    since = known.known()
    view = known.view()
    if view is None:
        found = {name: Installed(version=one.version) for name, one in since.items()}
        compared, wanted = {}, {}
    else:
        found = dict(view.found)
        compared, wanted = {one.component: one for one in view.compared}, dict(view.wanted)
    items = []
    for name in sorted(found.keys() | compared.keys()):
        one, stands = found.get(name, Installed(version="", told=False)), compared.get(name)
        offer = wanted[name].offer if name in wanted else None
        items.append(
            SoftwareItemOut(
                component=name,
                installed=one.version,
                required="" if stands is None else stands.required,
                standing="" if stands is None else str(stands.standing),
                since_at=at_ms(since[name].since_ms) if name in since else None,
                why=one.why,
                update="" if offer is None else offer.update,
            )
        )
    return items
