"""From address to operation."""

from __future__ import annotations

import re

import pytest

from agent.local.routes import Routes, WrongMethodError
from agent.wire.api import OPERATIONS
from agent.wire.problem import RequestError


def test_every_operation_is_found_at_its_address() -> None:
    """The table and the router agree."""
    routes = Routes()
    for operation in OPERATIONS:
        names = re.findall(r"\{([a-z_]+)\}", operation.path)
        given = {name: f"{name}-1" for name in names}
        found, values = routes.find(operation.method, operation.path.format(**given))
        assert found is operation
        assert values == given


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/backlog/", "/v1//backlog", "/v2/backlog", "*"])
def test_other_addresses_are_unknown(path: str) -> None:
    """Nothing is guessed: no trailing slash, no other version."""
    with pytest.raises(RequestError) as caught:
        Routes().find("GET", path)
    assert caught.value.code == "route.unknown"


def test_another_method_is_told_which_ones_there_are() -> None:
    """The allowed methods of an address are named."""
    with pytest.raises(WrongMethodError) as caught:
        Routes().find("DELETE", "/v1/transactions")
    assert (caught.value.code, caught.value.allowed) == ("route.method", "POST, GET")
