"""Commands of the fleet and operations of the API agree on what may be said with them."""

from __future__ import annotations

import pytest
from msgspec.structs import fields

from agent.core.fleet.commands import OPS
from agent.wire.api import BY_NAME
from agent.wire.order_arguments import arguments_of
from agent.wire.signed import DocumentError

#: Done by the daemon itself, not by an operation.
OF_THE_DAEMON = {"reload_config", "renew_certificate", "restart_agent", "restart_app"}


@pytest.mark.parametrize("command", sorted(OPS.keys() - OF_THE_DAEMON))
def test_a_commands_arguments_are_its_operations(command: str) -> None:
    """No command takes what its operation refuses, and none lacks what that must have."""
    op = OPS[command]
    rows = [op.operation, "why_question", "why_transaction"]
    known = {
        field.name: field
        for name in (rows if op.operation == "why" else rows[:1])
        for field in fields(BY_NAME[name].arguments)
    }
    assert op.args.keys() <= known.keys()
    if op.operation != "why":
        needed = {name for name, field in known.items() if field.required}
        assert needed <= {name for name, arg in op.args.items() if arg.required}


def test_what_is_asked_chooses_the_operation() -> None:
    """Why: of the terminal, of one payment, or one of the questions; nothing else is made up."""
    assert arguments_of("why", {})[0] == "why"
    assert arguments_of("why", {"key": "k"})[0] == "why_transaction"
    assert arguments_of("why", {"question": "late"})[0] == "why_question"
    with pytest.raises(DocumentError):
        arguments_of("why", {"question": "late", "key": "k"})
    with pytest.raises(DocumentError):
        arguments_of("no_such_operation", {})
