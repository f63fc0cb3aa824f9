"""[[channel]] and [channels]: what is taken, and the sentences for what is not."""

from __future__ import annotations

import pytest

from agent.settings.channel_rules import channel_rules

GOOD = {"name": "main", "interface": "eth0"}


@pytest.mark.parametrize(
    ("channels", "path", "words"),
    [
        ([GOOD, GOOD], "channel.1.name", "a name of its own"),
        ([{"name": "main"}], "channel.0.interface", "select = true"),
        ([{**GOOD, "resolvers": ["dns.test"]}], "channel.0.resolvers", "as addresses"),
        ([{**GOOD, "probe": "host.test"}], "channel.0.probe", "host:port"),
        ([{**GOOD, "probe": "https://x:1/"}], "channel.0.probe", "host:port"),
        ([{**GOOD, "probe": "x:99999"}], "channel.0.probe", "host:port"),
    ],
)
def test_what_does_not_fit_is_named(
    channels: list[dict[str, object]], path: str, words: str
) -> None:
    """Twins, no interface, names for servers, no port: a sentence at the key, in two languages."""
    ((where, _, (english, chinese)),) = channel_rules({"channel": channels})
    assert where == path
    assert words in english
    assert chinese


def test_what_fits_passes() -> None:
    """Several, with everything; and none at all."""
    full = {"resolvers": ["192.0.2.1", "2001:db8::1"], "probe": "[2001:db8::1]:443"}
    others = [{**GOOD, "name": "sim", **full}, {"name": "any", "select": True}]
    assert list(channel_rules({"channel": [GOOD, *others]})) == []
    assert list(channel_rules({})) == []
