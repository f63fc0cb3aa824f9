"""The arguments of `posagent journal`. A part of `agent.cli.arguments`."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from typing import Any

from agent.cli.texts import Words


def add(tree: Any, command: Callable[[str, str], ArgumentParser], t: Words) -> None:
    """Both orders."""
    order = tree.group(command("journal", "help.journal"), "order")
    tree.json(order("show", "help.journal.show"))
    down = order("step-down", "help.journal.step_down")
    down.add_argument("--to", type=_schema, required=True, metavar="N", help=t("help.journal.to"))
    tree.json(down)


def _schema(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 9_999:
        raise ArgumentTypeError(f"{text!r}: 1 … 9999")
    return int(text)
