"""Echo messages on an idle line: proof that the host still listens, at the app's discretion.

An echo under the terminal's own TID and STAN can collide with the payment app, so the agent makes
one only under a TID of its own, or sends the app's own message as it is. A line whose echo is not
answered is hung up: the next payment opens a fresh one instead of vanishing into a dead one.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterator

from agent.config import Iso8583Uplink as Config
from agent.core.money.iso8583 import Message, answer_mti, differs
from agent.uplink.iso8583.codec import BrokenMessageError
from agent.uplink.iso8583.frame import FrameError
from agent.uplink.iso8583.line import Fate, Fits, Line
from agent.uplink.iso8583.timed import hear
from agent.uplink.iso8583.uplink import Terms

log = logging.getLogger(__name__)

#: UnionPay: 0820 with 60 = 00, batch, 301.
ECHO_MTI = "0820"
ECHO_60 = "00000001301"


class Echo:
    """Asks "are you there?" on lines nobody uses."""

    def __init__(self, terms: Terms, messages: Iterator[bytes], period_s: float) -> None:
        self._terms = terms
        self._messages = messages
        self.period_s = period_s

    async def keep(self, line: Line) -> None:
        """For as long as the line is in use."""
        while True:
            await asyncio.sleep(self.period_s)
            if line.idle_s() >= self.period_s * 0.9:
                await self.once(line)

    async def once(self, line: Line) -> bool:
        """One echo; False after hanging up because nothing fitting came back."""
        message = next(self._messages)
        layout = self._terms.layout
        frame = layout.framed(layout.tpdu + layout.header + message)
        sent = self._terms.codec.decode(message)
        heard: list[Message] = []
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        ending = await line.ask(frame, self._fits(sent, heard))
        hear(self._terms.timed, sent, heard[0] if heard else None, loop.time() - began_s)
        if ending.fate is Fate.ANSWERED:
            return True
        log.warning("event=echo_failed fate=%s reason=%r", ending.fate, ending.reason)
        await line.hang_up()
        return False

    def _fits(self, sent: Message, heard: list[Message]) -> Callable[[bytes], Fits]:
        def fits(body: bytes) -> Fits:
            try:
                message, addressed = self._terms.layout.opened(body)
                got = self._terms.codec.decode(message)
            except (FrameError, BrokenMessageError):
                return Fits.BROKEN
            if addressed and not differs(sent, got, ("11", "41")):
                heard.append(got)
                return Fits.MINE
            # Perhaps the late answer to a payment; whoever asked for that will judge it.
            return Fits.OTHER if got.mti != answer_mti(sent.mti) else Fits.FOREIGN

        return fits


def echo_of(config: Config, terms: Terms) -> Echo | None:
    """The profile's echo, if it has one."""
    match config.echo:
        case "app":
            messages: Iterator[bytes] = itertools.repeat(bytes.fromhex(config.echo_message))
        case "own_tid":
            messages = _own(config, terms)
        case _:
            return None
    return Echo(terms, messages, config.echo_period_s)


def _own(config: Config, terms: Terms) -> Iterator[bytes]:
    for stan in itertools.cycle(range(1, 1_000_000)):
        fields = {
            "11": f"{stan:06d}",
            "41": f"{config.echo_terminal_id:<8}",
            "42": f"{config.echo_merchant_id:<15}",
            "60": ECHO_60,
        }
        yield terms.codec.encode(Message(ECHO_MTI, fields))
