"""The arguments of `posagent slip`; a part of `agent.cli.arguments_proof`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from agent.cli.texts import Words


def add(tree: Any, command: Callable[[str, str], ArgumentParser], t: Words) -> None:
    """The command and its options."""
    order = tree.group(command("slip", "help.slip"), "order")
    for name in ("list", "show", "print", "decode"):
        action = order(name, f"help.slip.{name}")
        tree.json(action)
        if name in ("show", "print"):
            action.add_argument("kind", metavar="KIND", help=t("help.slip.kind"))
            action.add_argument("key", nargs="?", metavar="KEY", help=t("help.slip.key"))
        if name == "show":
            action.add_argument(
                "--columns", type=int, choices=(32, 48), default=32, help=t("help.slip.columns")
            )
            action.add_argument("--png", metavar="FILE", help=t("help.slip.png"))
            action.add_argument("--escpos", metavar="FILE", help=t("help.slip.escpos"))
        if name == "decode":
            action.add_argument("text", metavar="TEXT", help=t("help.slip.text"))
