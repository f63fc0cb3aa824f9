"""The commands that explain, reconcile and prove; a part of `agent.cli.arguments`.

Joins one file per command (`arguments_<command>.py`); the small ones stand here.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from agent.cli import (
    arguments_bundle,
    arguments_causes,
    arguments_drill,
    arguments_guard,
    arguments_journal,
    arguments_page,
    arguments_provision,
    arguments_reconcile,
    arguments_selftest,
    arguments_slip,
)
from agent.cli.texts import Words


def add(tree: Any, command: Callable[[str, str], ArgumentParser], t: Words) -> None:
    """The commands and their options."""
    why = command("why", "help.why")
    about = why.add_mutually_exclusive_group()
    about.add_argument("key", nargs="?", metavar="KEY", help=t("help.why.key"))
    for question in ("late", "settlement", "preauth", "slip"):
        about.add_argument(
            f"--{question}", dest="question", action="store_const", const=question,
            help=t(f"help.why.{question}"),
        )  # fmt: skip
    tree.json(why)
    arguments_causes.add(tree, command, t)
    arguments_page.add(tree, command, t)
    arguments_bundle.add(tree, command, t)
    arguments_drill.add(tree, command, t)
    arguments_journal.add(tree, command, t)
    arguments_reconcile.add(tree, command, t)
    arguments_slip.add(tree, command, t)
    arguments_selftest.add(tree, command, t)
    arguments_provision.add(tree, command, t)
    arguments_guard.add(tree, command, t)
