"""The commands that explain, reconcile and prove; a part of `agent.cli.arguments`.

Joins one file per command (`arguments_<command>.py`); the small ones stand here.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from agent.cli.texts import Words


def add(tree: Any, command: Callable[[str, str], ArgumentParser], t: Words) -> None:
    """The commands and their options."""
    why = command("why", "help.why")
    why.add_argument("key", nargs="?", metavar="KEY", help=t("help.why.key"))
    tree.json(why)
    causes = command("causes", "help.causes")
    causes.add_argument("code", nargs="?", metavar="CODE", help=t("help.causes.code"))
    tree.json(causes)
