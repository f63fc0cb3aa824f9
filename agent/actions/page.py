"""The page's doors: where it is served, a code for it, the listener for a technician."""

from __future__ import annotations

from agent.actions.page_slip import on_paper
from agent.actions.ports import Ports
from agent.actions.ports.page import Page
from agent.errors import OperatorError
from agent.wire.api import Message, Nothing
from agent.wire.problem import CODES, RequestError
from agent.wire.session import DiagnoseOut, PageCodeOut, PageOpenArgs, PageOut


async def show(ports: Ports, args: Nothing) -> PageOut:
    return _page(ports).shown()


async def code(ports: Ports, args: Nothing) -> PageCodeOut:
    return _page(ports).code(ports.actor)


async def opened(ports: Ports, args: PageOpenArgs) -> PageCodeOut:
    return await on_paper(ports, await _page(ports).open(args.minutes, ports.actor))


async def close(ports: Ports, args: Nothing) -> PageOut:
    page = _page(ports)
    await page.close(ports.actor)
    return page.shown()


async def diagnose(ports: Ports, args: Nothing) -> DiagnoseOut:
    if ports.asking is None:
        raise _down()
    return ports.asking.hook(ports.actor)


async def session(ports: Ports, args: Message) -> Message:
    raise RequestError("session.not_here", "there are no sessions on the unix socket")


def _page(ports: Ports) -> Page:
    if ports.page is None and ports.daemon_alive:
        raise RequestError("page.off", "[page] says neither where it is served nor for whom")
    if ports.page is None:
        raise _down()
    return ports.page


def _down() -> OperatorError:
    what = "nothing is served while the agent is not running"
    return OperatorError("daemon.down", what, CODES["daemon.down"].hint)
