"""The arguments of `posagent guard`; a part of `agent.cli.arguments_proof`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.cli.texts import Words
from agent.core.money.guarding import Purpose


def add(tree: Any, command: Callable[[str, str], ArgumentParser], t: Words) -> None:
    """The command and its options."""
    guard = command("guard", "help.guard")
    guard.add_argument(
        "--for", dest="purpose", choices=[str(one) for one in Purpose], default="update",
        help=t("help.guard.for"),
    )  # fmt: skip
    guard.add_argument("--force", action="store_true", help=t("help.guard.force"))
    said = guard.add_mutually_exclusive_group()
    said.add_argument("--reason", metavar="TEXT", help=t("help.guard.reason"))
    said.add_argument("--reason-file", type=Path, metavar="FILE", help=t("help.guard.reason_file"))
    tree.json(guard)
