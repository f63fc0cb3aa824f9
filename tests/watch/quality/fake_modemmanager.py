"""A ModemManager for tests: its objects on a real bus, and its answers. Needs jeepney."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from jeepney import HeaderFields, Message, MessageType, new_error, new_method_return
from jeepney.bus_messages import message_bus
from jeepney.io.asyncio import DBusRouter, Proxy, open_dbus_connection

SERVICE = "org.freedesktop.ModemManager1"
IMEI, IMSI, NUMBER = "860000000000017", "460000000000011", "+8613800000000"
PATH = "/org/freedesktop/ModemManager1/Modem/0"
_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={path}</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
"""


@asynccontextmanager
async def bus_at(folder: Path) -> AsyncIterator[str]:
    """A real dbus-daemon of its own; its address."""
    config, path = folder / "bus.conf", folder / "bus"
    config.write_text(_CONFIG.format(path=path))
    running = await asyncio.create_subprocess_exec(
        *("dbus-daemon", "--nofork", "--print-address=1", f"--config-file={config}"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert running.stdout is not None
    try:
        async with asyncio.timeout(30):
            assert await running.stdout.readline()  # it listens now
        yield f"unix:path={path}"
    finally:
        with suppress(ProcessLookupError):
            running.terminate()
        await running.wait()


def modem(**changes: Any) -> dict[str, dict[str, tuple[str, Any]]]:
    """One modem as it tells of itself, what identifies it included."""
    told: dict[str, Any] = {
        "State": ("i", 11),
        "StateFailedReason": ("u", 0),
        "UnlockRequired": ("u", 1),
        "AccessTechnologies": ("u", 1 << 14),
        "SignalQuality": ("(ub)", (71, True)),
        "Sim": ("o", "/org/freedesktop/ModemManager1/SIM/0"),
        "Ports": ("a(su)", [("cdc-wdm0", 6), ("wwan0", 2)]),
        "EquipmentIdentifier": ("s", IMEI),
        "DeviceIdentifier": ("s", "9f1c"),
        "OwnNumbers": ("as", [NUMBER]),
        "RegistrationState": ("u", 1),
        "OperatorCode": ("s", "46001"),
        "OperatorName": ("s", "CHN-UNICOM"),
        "Imei": ("s", IMEI),
        "Rate": ("u", 0),
        "Lte": ("a{sv}", {}),
        "Nr5g": ("a{sv}", {}),
        "Umts": ("a{sv}", {}),
        "Gsm": ("a{sv}", {}),
        **changes,
    }
    network = ("RegistrationState", "OperatorCode", "OperatorName", "Imei")
    signal = ("Rate", "Lte", "Nr5g", "Umts", "Gsm")
    return {
        f"{SERVICE}.Modem": {k: v for k, v in told.items() if k not in (*network, *signal)},
        f"{SERVICE}.Modem.Modem3gpp": {name: told[name] for name in network},
        f"{SERVICE}.Modem.Signal": {name: told[name] for name in signal},
    }


class FakeModemManager:
    """The service. `objects` are what it has; `refuse` names the error it answers instead."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {PATH: modem()}
        self.refuse: dict[str, str] = {}
        self.called: list[tuple[str, tuple[Any, ...]]] = []
        self.silent = False

    @asynccontextmanager
    async def at(self, address: str) -> AsyncIterator[FakeModemManager]:
        connection = await open_dbus_connection(address)
        async with DBusRouter(connection) as router:
            await Proxy(message_bus, router).RequestName(SERVICE)
        serving = asyncio.create_task(self._serve(connection))
        try:
            yield self
        finally:
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving
            await connection.close()

    async def _serve(self, connection: Any) -> None:
        while True:
            message: Message = await connection.receive()
            if message.header.message_type is not MessageType.method_call or self.silent:
                continue
            await connection.send(self._answer(message))

    def _answer(self, message: Message) -> Message:
        member = message.header.fields[HeaderFields.member]
        self.called.append((member, message.body))
        if member in self.refuse:
            return new_error(message, self.refuse[member])
        if member == "GetManagedObjects":
            return new_method_return(message, "a{oa{sa{sv}}}", (self.objects,))
        if member == "Setup":
            (rate,) = message.body
            told = self.objects[message.header.fields[HeaderFields.path]]
            measured = {"rsrp": ("d", -96.0), "rsrq": ("d", -11.0), "snr": ("d", 8.4)}
            told[f"{SERVICE}.Modem.Signal"] |= {
                "Rate": ("u", rate),
                "Lte": ("a{sv}", measured if rate else {}),
            }
            return new_method_return(message)
        return new_error(message, "org.freedesktop.DBus.Error.UnknownMethod")
