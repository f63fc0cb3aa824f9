"""A command's arguments as those of the operation it stands for. Never raises but DocumentError."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from agent.wire.api import BY_NAME, Message
from agent.wire.signed import DocumentError, converted


def arguments_of(operation: str, args: Mapping[str, object]) -> tuple[str, Message]:
    """Name and checked arguments of the operation; some commands are two of them."""
    name = operation
    if operation == "why" and "question" in args:
        name = "why_question"
    elif operation == "why" and "key" in args:
        name = "why_transaction"
    row = BY_NAME.get(name)
    if row is None:
        raise DocumentError(f"there is no operation {name}")
    shape: type[Struct] = row.arguments
    return name, converted(dict(args), shape)
