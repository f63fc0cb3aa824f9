"""What carries connections where no channel is configured, from the kernel's files."""

from __future__ import annotations

from pathlib import Path

from agent.link.carrier import is_cellular, main_interface

HEAD = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"


def routes(root: Path, *lines: str) -> Path:
    (root / "proc/net").mkdir(parents=True)
    (root / "proc/net/route").write_text(HEAD + "\n".join(lines) + "\n")
    return root


def test_the_preferred_default_route_counts(tmp_path: Path) -> None:
    """The lowest metric among those that are up; other routes and garbage do not count."""
    root = routes(
        tmp_path,
        "eth0\t00000000\t0100000A\t0003\t0\t0\t700\t00000000\t0\t0\t0",
        "wwan0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0",
        "down0\t00000000\t0100000A\t0002\t0\t0\t1\t00000000\t0\t0\t0",
        "lan0\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0",
        "odd0\t00000000\t0\tzz\t0\t0\tx\t00000000\t0\t0\t0",
        "short",
    )
    assert main_interface(root) == "wwan0"


def test_without_a_route_nothing_is_known(tmp_path: Path) -> None:
    """No file, no default route: no name, and no modem."""
    assert main_interface(tmp_path) == ""
    assert main_interface(routes(tmp_path)) == ""
    assert not is_cellular("", tmp_path)
    assert not is_cellular("../etc", tmp_path)


def test_a_modem_by_type_or_name(tmp_path: Path) -> None:
    """The kernel's type where it gives one, else the usual names."""
    place = tmp_path / "sys/class/net/usb0"
    place.mkdir(parents=True)
    (place / "uevent").write_text("DEVTYPE=wwan\nINTERFACE=usb0\n")
    assert is_cellular("usb0", tmp_path)
    assert is_cellular("rmnet_data1", tmp_path)
    assert is_cellular("ppp0", tmp_path)
    assert not is_cellular("eth0", tmp_path)
