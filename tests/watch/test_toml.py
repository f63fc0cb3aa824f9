"""TOML of others costs no more time than its size is worth."""

from __future__ import annotations

import pytest

from agent.config import Software
from agent.core.software.manifest import Refusal, Standing
from agent.watch import toml
from agent.watch.configuration.formats import FormError, parse
from agent.watch.software.manifests import Opener


def test_a_key_of_a_hundred_thousand_parts_is_refused_unread() -> None:
    """In settings and in a manifest; what people write is read as ever."""
    deep = "x = 1\na" + ".a" * 100_000 + " = 1\n"
    with pytest.raises(FormError, match="line 2: more than 64 dots"):
        parse(deep, "toml")
    refused = Opener(Software()).opened(deep.encode(), "m.toml")
    assert isinstance(refused, Refusal)
    assert refused.standing is Standing.GARBAGE
    assert toml.loads('[a.b]\nhost = "10.0.0.1"') == {"a": {"b": {"host": "10.0.0.1"}}}
