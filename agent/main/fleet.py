"""What the fleet may have done here: keys, the inbox, signed commands, and the trail of all of it.

The trail is always kept; everything else is loaded only where a key is configured or was taught.
Decides nothing: it says which rooms a command reaches, and when the terminal is idle.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from agent.actions.table import ACTIONS, Desk
from agent.core.fleet import KEYS_FILE
from agent.core.fleet.messages import Identity
from agent.errors import HardwareError
from agent.main.floor import Floor
from agent.main.watching import Watching
from agent.store.audit import Trail
from agent.supervise import Part
from agent.uplink.view import Channels

if TYPE_CHECKING:
    from agent import telemetry
    from agent.core.fleet.commands import Args
    from agent.main.restart import Restart
    from agent.telemetry.orders import KeyRing, Orders
    from agent.telemetry.orders.ports import Own

log = logging.getLogger(__name__)

#: Ignored commands that somebody without a right to it must have sent.
FORGERIES = ("forged", "unknown_key", "revoked_key", "flooded")
APP_S = 90.0
FILE_S = 10.0


class FleetInbox:
    """What comes down, for whoever takes it; both are plugged in once everything is built."""

    def __init__(self) -> None:
        self.orders: Orders | None = None
        self.wishes: Callable[[bytes], Awaitable[None]] | None = None

    async def command(self, cmd_id: str, payload: bytes, *, retained: bool) -> None:
        """See `telemetry.ports.Inbox`."""
        if self.orders is not None:
            await self.orders.command(cmd_id, payload, retained=retained)

    async def desired(self, payload: bytes) -> None:
        """See `telemetry.ports.Inbox`."""
        if self.wishes is not None:
            await self.wishes(payload)


def trail_of(floor: Floor) -> Trail:
    """Who did what on this terminal."""
    return Trail(floor.store, floor.clock, floor.config.fleet.audit_days)


def inbox_of(floor: Floor) -> FleetInbox | None:
    """None: nobody's word counts here, so nothing is subscribed to."""
    taught = (Path(floor.config.agent.state_dir) / KEYS_FILE).exists()
    return FleetInbox() if floor.config.fleet_key or taught else None


def ring_of(floor: Floor, trail: Trail) -> KeyRing:
    """Whose signature counts."""
    from agent.telemetry.orders import KeyRing, key_of

    configured = [
        key_of(key.id, bytes.fromhex(key.public_key), key.roles) for key in floor.config.fleet_key
    ]

    return KeyRing(configured, Path(floor.config.agent.state_dir), floor.threads, trail.write)


def fleet_parts(
    floor: Floor,
    inbox: FleetInbox | None,
    desk: Desk,
    publisher: telemetry.Publisher,
    *,
    rooms: Watching,
    channels: Channels,
    trail: Trail,
) -> list[Part]:
    """What takes the fleet's word, plugged into the inbox."""
    if inbox is None:
        return []
    from agent.main.desired import desired_of, renewal_of
    from agent.main.restart import Restarting

    idle, ring = idle_of(floor, rooms, channels), ring_of(floor, trail)
    restart = Restarting(floor.ending.again, lambda: not idle(), floor.clock)
    inbox.orders = orders_of(
        floor,
        desk,
        publisher,
        idle,
        trail=trail,
        ring=ring,
        restart=restart,
        also=renewal_of(floor, publisher, rooms.fleet),
        ignored=lambda reason: rooms.fleet.forged(reason) if reason in FORGERIES else None,
    )
    wishes = desired_of(floor, publisher, rooms, ring, restart, trail=trail, line=rooms.fleet)
    inbox.wishes = wishes.heard
    return [inbox.orders, wishes]


def idle_of(floor: Floor, rooms: Watching, channels: Channels) -> Callable[[], bool]:
    """Whether nobody is paying, as far as the payment app and the hosts show it."""
    quiet_ms = floor.config.fleet.idle_s * 1000

    def idle() -> bool:
        ago_ms = rooms.activity.called_ms_ago
        if rooms.activity.busy or (ago_ms is not None and ago_ms < quiet_ms):
            return False
        return not any(channel.in_flight for channel in channels.channels())

    return idle


def orders_of(
    floor: Floor,
    desk: Desk,
    publisher: telemetry.Publisher,
    idle: Callable[[], bool],
    *,
    trail: Trail,
    ring: KeyRing,
    restart: Restart,
    also: Mapping[str, Own] | None = None,
    ignored: Callable[[str], None] = lambda reason: None,
) -> Orders:
    """The part that takes commands. `also`: what others can do, by the operation's name."""
    from agent.store.orders import Orders as Ledger
    from agent.telemetry import orders

    identity: Identity = publisher.identity
    own: dict[str, Own] = {
        "restart_agent": partial(_restarted, restart),
        "reload_config": partial(_reloaded, floor, restart),
        **_app(floor),
        **(also or {}),
    }
    part = orders.build(
        orders.Ports(
            tenant=identity.tenant,
            device_id=identity.device_id,
            clock=floor.clock,
            ledger=Ledger(floor.store, trail),
            keys=ring,
            do=desk.do,
            tell=publisher.tell,
            operations=partial(frozenset, ACTIONS),
            own=own,
            idle=idle,
            per_hour=floor.config.fleet.commands_per_hour,
            ignored=ignored,
        )
    )
    publisher.introduce(replace(publisher.identity, capabilities=part.capabilities))
    return part


async def _restarted(restart: Restart, args: Args, by: str) -> Mapping[str, object]:
    """Never returns: what became of it is told after the start."""
    del args
    restart.restart(f"asked by {by}")
    never: asyncio.Future[Mapping[str, object]] = asyncio.get_running_loop().create_future()
    return await never


async def _reloaded(floor: Floor, restart: Restart, args: Args, by: str) -> Mapping[str, object]:
    """A configuration that is not right changes nothing: the error says where it is wrong."""
    from agent.main.overlay import in_order

    await floor.threads.call("reload-config", partial(in_order, floor.config, floor.source), FILE_S)
    return await _restarted(restart, args, by)


def _app(floor: Floor) -> dict[str, Own]:
    from agent.watch.payment_app.restarting import by_hook, name_of

    name = name_of(floor.config.payment_app)
    if not name or not floor.config.payment_app.restart:
        return {}  # nobody allowed it here

    async def restarted(args: Args, by: str) -> Mapping[str, object]:
        del args
        log.warning("event=app_restart_ordered app=%s by=%s", name, by)
        done, said = await by_hook(name, APP_S, Path(floor.config.hooks.actions_socket))
        if not done:
            raise HardwareError("app.not_restarted", said)
        return {"app": name, "said": said}

    return {"restart_app": restarted}
