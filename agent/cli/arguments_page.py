"""The arguments of `posagent page`; a part of `agent.cli.arguments`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from agent.cli.texts import Words


def add(tree: Any, command: Callable[[str, str], ArgumentParser], t: Words) -> None:
    """The command and its options."""
    page = command("page", "help.page")
    page.add_argument(
        "order", nargs="?", choices=("code", "open", "close", "show"), default="code",
        metavar="code|open|close|show", help=t("help.page.order"),
    )  # fmt: skip
    page.add_argument(
        "--minutes", type=int, choices=range(1, 121), default=None, metavar="N",
        help=t("help.page.minutes"),
    )  # fmt: skip
    tree.json(page)
