"""The key ring: which keys there are, and one more. No key ever leaves the store."""

from __future__ import annotations

from agent.actions.ports import Ports
from agent.actions.ports.rooms import Keys
from agent.wire.api import Nothing
from agent.wire.keeping import KeysOut


async def show(ports: Ports, args: Nothing) -> KeysOut:
    del args
    return _out(await ports.caring().keys())


async def rotate(ports: Ports, args: Nothing) -> KeysOut:
    del args
    return _out(await ports.caring().rotate())


def _out(keys: Keys) -> KeysOut:
    return KeysOut(
        sealing=keys.sealing,
        file=str(keys.file),
        newest=keys.newest,
        held=list(keys.held),
        in_use=list(keys.in_use),
        missing=list(keys.missing),
        turning=keys.turning,
    )
