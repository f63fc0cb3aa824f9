"""`posagent reconcile` and its options; a part of `agent.cli.arguments_proof`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.cli.texts import Words


def add(tree: Any, command: Callable[[str, str], ArgumentParser], t: Words) -> None:
    """`reconcile FILE`, `reconcile list`, `reconcile show N`."""
    parser = command("reconcile", "help.reconcile")
    parser.add_argument("file", metavar="FILE", help=t("help.reconcile.file"))
    parser.add_argument("number", metavar="N", nargs="?", help=t("help.reconcile.number"))
    parser.add_argument("--profile", metavar="NAME", default="", help=t("help.reconcile.profile"))
    parser.add_argument("--settled-on", metavar="DAY", help=t("help.reconcile.settled_on"))
    parser.add_argument(
        "--class", metavar="CLASS", dest="only", default="", help=t("help.reconcile.class")
    )
    parser.add_argument("--csv", metavar="OUT", type=Path, help=t("help.reconcile.csv"))
    parser.add_argument("--slip", action="store_true", help=t("help.reconcile.slip"))
    tree.json(parser)
