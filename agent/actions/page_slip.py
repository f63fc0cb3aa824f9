"""Puts the service listener's address and code onto a slip, where this terminal prints any."""

from __future__ import annotations

import logging

from agent.actions.ports import Ports
from agent.errors import AgentError
from agent.wire.session import PageCodeOut, on_slip

log = logging.getLogger(__name__)


async def on_paper(ports: Ports, told: PageCodeOut) -> PageCodeOut:
    """The same, saying whether it was printed; that it was not is no reason to keep it shut."""
    printing = ports.printing
    if printing is None or printing.how == "off":
        return told
    from agent.actions.slips import matrices
    from agent.core.slips import layout, page

    slip = page.slip(
        address=told.address,
        code=told.code,
        code_s=told.expires_in_s,
        closes_s=told.closes_in_s,
        fingerprint=told.fingerprint,
        lang=printing.lang,
    )
    rows = layout.rows(slip, printing.columns)
    try:
        images = await matrices(ports, rows) if printing.wants_images else {}
        await printing.put(rows, images)
    except AgentError as error:
        log.info("event=page_not_on_slip code=%s", error.code)
        return told
    return on_slip(told)
