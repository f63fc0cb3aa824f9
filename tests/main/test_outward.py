"""What carries connections to the fleet, as the configuration and the kernel tell it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.config.channels import Channel
from agent.main.outward import _network
from agent.telemetry import Network

ROUTE = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"


def floor(root: Path, *channels: Channel, way: tuple[str, str] | None = None) -> Any:
    """As far as the question goes; `way`: channel and interface in use."""
    ways = None
    if way is not None:
        ways = SimpleNamespace(way=lambda: SimpleNamespace(channel=way[0], interface=way[1]))
    system = SimpleNamespace(root=str(root))
    return SimpleNamespace(config=SimpleNamespace(system=system, channel=channels), ways=ways)


NOBODY: Any = SimpleNamespace(components=list)


@pytest.mark.parametrize(
    ("channel", "interface", "expected"),
    [
        (Channel(name="lan", kind="ethernet"), "eth0", Network("lan")),
        (Channel(name="router", metered=True), "eth0", Network("router", metered=True)),
        (Channel(name="sim", kind="cellular"), "usb0", Network("sim", cellular=True)),
        (
            Channel(name="backup", metered=True),
            "wwan0",
            Network("backup", cellular=True, metered=True),
        ),
    ],
)
def test_bytes_are_paid_for_on_cellular_and_metered_channels(
    channel: Channel, interface: str, expected: Network, tmp_path: Path
) -> None:
    """By its kind, its interface, or because the configuration says so."""
    found = _network(floor(tmp_path, channel, way=(channel.name, interface)), NOBODY)
    assert found == expected
    assert found.paid is (expected.cellular or expected.metered)


@pytest.mark.parametrize(("interface", "paid"), [("eth0", False), ("wwan0", True)])
def test_without_channels_the_main_route_tells(interface: str, paid: bool, tmp_path: Path) -> None:
    """A modem is known by its interface; where there is no route nothing is known to be paid."""
    assert not _network(floor(tmp_path), NOBODY).paid
    (tmp_path / "proc/net").mkdir(parents=True)
    line = f"{interface}\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
    (tmp_path / "proc/net/route").write_text(ROUTE + line, "utf-8")
    assert _network(floor(tmp_path), NOBODY).paid is paid
