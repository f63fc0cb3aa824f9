"""What cannot go together in [page]. Called by `agent.settings.rules` with the merged tables."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from agent.settings.problems import Both

#: Key, what was found, the rule.
Found = tuple[str, Any, Both]


def page_rules(merged: Mapping[str, Any]) -> Iterator[Found]:
    """The rules that do not hold."""
    page = merged.get("page", {})
    if listen := page.get("listen"):
        host, _, port = str(listen).rpartition(":")
        if not _loopback(host.strip("[]")) or int(port) > 65_535:
            rule = ("an address of this terminal itself and a port", "须为本机回环地址和端口")
            yield "page.listen", listen, rule
    if (address := page.get("service_address")) and not _near(address):
        rule = (
            "a private or link-local address; a public one would open the terminal to everybody",
            "须为私有或链路本地地址，公网地址会使终端对外暴露",
        )
        yield "page.service_address", address, rule
    if page.get("request_opens") and not _has_service(page):
        rule = ("needs service_interface or service_address", "需要设置服务端口的接口或地址")
        yield "page.request_opens", True, rule
    yield from _keys(page.get("keys", ()), merged.get("keypad", {}))


def _keys(keys: Any, keypad: Mapping[str, Any]) -> Iterator[Found]:
    if not keys:
        return
    told = ", ".join(map(str, keys))
    if len(keys) < 2 or len(set(keys)) != len(keys):
        yield "page.keys", told, ("two or three different keys", "须为两个或三个不同的键")
    elif not (keypad.get("device") or keypad.get("name")) or keypad.get("read") == "never":
        rule = ("needs a [keypad] that may be read", "需要配置可读取的 [keypad]")
        yield "page.keys", told, rule


def _has_service(page: Mapping[str, Any]) -> bool:
    return bool(page.get("service_interface") or page.get("service_address"))


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _near(host: str) -> bool:
    try:
        told = ipaddress.ip_address(host)
    except ValueError:
        return False
    if told.is_unspecified or told.is_multicast:
        return False
    return told.is_private or told.is_link_local or told.is_loopback
