"""Asks an ESC/POS printer who it is, for the inventory.

Decides what is asked (texts first, single bytes where there are none) and when to stop: the first
unanswered question ends it, for a printer that does not know GS I may print what follows. Who may
see a serial number is not decided here.
"""

from __future__ import annotations

from agent.watch.drivers import identity
from agent.watch.printer.exchange import Exchange


async def ask(exchange: Exchange) -> dict[str, str]:
    """Maker, model, firmware, serial and font, as far as the printer says; else its numbers."""
    found: dict[str, str] = {}
    for name in identity.TEXTS:
        text = await exchange.raw(identity.query(name), name, identity.text_in)
        if text is None:
            break
        if text:
            found[name] = text
    if found:
        return found
    for name in identity.NUMBERS:
        number = await exchange.raw(identity.query(name), name, identity.number_in)
        if number is None:
            break
        found[name] = f"0x{number:02x}"
    return found
