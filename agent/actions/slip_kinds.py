"""What goes on each slip is gathered here; how it reads is `agent.core.slips`'s."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from agent.actions.finding import by_key
from agent.actions.paging import last_seq
from agent.actions.ports import Ports
from agent.core.why.text import Language
from agent.errors import StoreError
from agent.wire.problem import RequestError

if TYPE_CHECKING:
    from agent.core.money.journal import Backlog
    from agent.core.slips.paper import Slip

#: Of a reconciliation; the rest is for a screen.
MOST_FINDINGS = 60


def offset_of(ports: Ports) -> timedelta:
    """This terminal's distance from UTC."""
    return ports.clock.now().at.astimezone().utcoffset() or timedelta(0)


async def voucher(ports: Ports, key: str, lang: Language) -> Slip:
    from agent.core.slips import voucher as paper

    record = await by_key(ports, key)
    return paper.slip(record, ports.clock.now().at, lang, offset_of(ports))


async def recent(ports: Ports, key: str, lang: Language) -> Slip:
    from agent.core.slips import recent as paper

    del key
    after = max(0, await last_seq(ports.journal) - paper.MOST)
    records = await ports.journal.page(states=None, after_seq=after, limit=paper.MOST)
    who, now = ports.identity.device_id, ports.clock.now().at
    return paper.slip(records, who, now, lang, offset_of(ports))


async def diagnostic(ports: Ports, key: str, lang: Language) -> Slip:
    from agent.actions.why import verdict
    from agent.core.slips import diagnostic as paper
    from agent.core.why.case import unknown_of

    backlog: Backlog | None
    try:
        backlog = await ports.journal.backlog()
    except StoreError:
        backlog = None
    channels = () if ports.channels is None else ports.channels.channels()
    unknown = unknown_of(ports.health.components())
    terminal = paper.Terminal(
        device_id=ports.identity.device_id,
        version=ports.identity.version,
        backlog=backlog,
        alive=ports.daemon_alive,
        alarms=len(ports.health.alarms()),
        unknown=tuple(one.component for one in unknown if not one.permanent),
        channels=tuple((channel.name, str(channel.state)) for channel in channels),
    )
    return paper.slip(await verdict(ports, key or None), terminal, lang, offset_of(ports))


async def inspection(ports: Ports, key: str, lang: Language) -> Slip:
    from agent.core.slips import inspection as paper

    known = ports.inspections
    report = None if known is None else await known.report(int(key) if key else None)
    if report is None:
        raise RequestError("slip.nothing", "no such self-inspection is kept")
    return paper.slip(report, ports.identity.device_id, lang, offset_of(ports))


async def drill(ports: Ports, key: str, lang: Language) -> Slip:
    from agent.core.slips import drill as paper

    known = ports.drills
    found = None
    if known is not None:
        found = await known.drill(int(key) if key else None)
    if found is None:
        raise RequestError("slip.nothing", "no such drill is kept")
    return paper.slip(found, lang, offset_of(ports))


async def reconcile(ports: Ports, key: str, lang: Language) -> Slip:
    import json

    from agent.actions.reconcile import show
    from agent.core.slips import reconcile as paper
    from agent.wire.api import encode
    from agent.wire.reconcile import ReconciliationArgs

    found = await show(ports, ReconciliationArgs(number=key or "last", limit=MOST_FINDINGS))
    told = json.loads(encode(found))
    return paper.slip(told["reconciliation"], told["findings"], lang)
