"""`posagent selftest --power-cut`: what it can be told."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.cli.texts import Words

STEPS = ("procedure", "start", "check", "finish")


def add(tree: Any, command: Callable[[str, str], ArgumentParser], t: Words) -> None:
    """The command and its options."""
    selftest = command("selftest", "help.selftest")
    selftest.add_argument(
        "--power-cut", nargs="?", const="procedure", choices=STEPS, required=True,
        metavar="STEP", help=t("help.selftest.power_cut"),
    )  # fmt: skip
    selftest.add_argument("--directory", type=Path, metavar="D", help=t("help.selftest.directory"))
    selftest.add_argument("--seen", type=int, metavar="N", help=t("help.selftest.seen"))
    selftest.add_argument(
        "--started-here", action="store_true", help=t("help.selftest.started_here")
    )
    selftest.add_argument("--tell", metavar="WHERE", help=t("help.selftest.tell"))
    selftest.add_argument("--numbers", type=int, metavar="N", help=t("help.selftest.numbers"))
    tree.json(selftest)
