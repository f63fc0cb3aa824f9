"""What the tables [[channel]] and [channels] must keep between their keys.

Called by `agent.settings.rules` with the merged configuration.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from agent.settings.problems import Both

#: Key, what was found, the rule.
Found = tuple[str, Any, Both]


def channel_rules(merged: Mapping[str, Any]) -> Iterator[Found]:
    """The rules that do not hold."""
    seen: set[str] = set()
    for number, channel in enumerate(merged.get("channel", ())):
        path = f"channel.{number}"
        name = channel.get("name")
        if name in seen:
            yield (
                f"{path}.name",
                name,
                ("each channel needs a name of its own", "每个 channel 的名称必须唯一"),
            )
        seen.add(name)
        if not channel.get("interface") and not channel.get("select"):
            yield (
                f"{path}.interface",
                "",
                (
                    "name its interface, or set select = true where the firmware switches",
                    "请填写网络接口；由固件切换时请设 select = true",
                ),
            )
        for address in channel.get("resolvers", ()):
            if not _address(address):
                yield (
                    f"{path}.resolvers",
                    address,
                    ("name servers are given as addresses", "域名服务器应填写地址"),
                )
        if (probe := channel.get("probe")) and not _target(probe):
            yield f"{path}.probe", probe, ("must be host:port", "应为 host:port")


def _address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _target(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and "/" not in text and port.isdecimal() and 0 < int(port) < 65_536
