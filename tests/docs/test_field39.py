"""The contract's table of response codes is the code's."""

from __future__ import annotations

import re

from agent.config import Iso8583Uplink
from agent.core.money.iso8583 import CARD_FIELDS
from tests.docs.field39 import DOCUMENT, written


def test_the_table_is_current() -> None:
    """Run python -m tests.docs.field39 after changing a code."""
    text = DOCUMENT.read_text("utf-8")
    assert text == written(text)


def test_every_key_it_names_exists() -> None:
    """Keys in backticks with an equals sign are keys of the configuration."""
    text = DOCUMENT.read_text("utf-8")
    named = set(re.findall(r"`([a-z_0-9]+) = ", text))
    assert named <= {*Iso8583Uplink.__struct_fields__, "type", "delivery"}
    for field in CARD_FIELDS:
        assert re.search(rf"\b{field}\b", text)
