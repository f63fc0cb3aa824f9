"""The arguments of `posagent drill` and `posagent stats`; a part of `agent.cli.arguments`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from agent.cli.texts import Words

FACTORS = ("network", "channel", "signal", "hour", "weekday", "app_version", "printer", "amount")


def add(tree: Any, command: Callable[[str, str], ArgumentParser], t: Words) -> None:
    """The commands and their options."""
    drill = command("drill", "help.drill")
    drill.add_argument("number", nargs="?", metavar="NUMBER", help=t("help.drill.number"))
    drill.add_argument(
        "--records", type=int, choices=range(1, 201), default=20, metavar="N",
        help=t("help.drill.records"),
    )  # fmt: skip
    drill.add_argument("--restart", action="store_true", help=t("help.drill.restart"))
    drill.add_argument("--last", action="store_true", help=t("help.drill.last"))
    drill.add_argument("--list", action="store_true", help=t("help.drill.list"))
    tree.json(drill)
    stats = command("stats", "help.stats")
    stats.add_argument("--since", metavar="TIME", help=t("help.stats.since"))
    stats.add_argument("--until", metavar="TIME", help=t("help.stats.until"))
    stats.add_argument("--by", choices=FACTORS, metavar="FACTOR", help=t("help.stats.by"))
    stats.add_argument("--late-after", metavar="SECONDS", help=t("help.stats.late_after"))
    tree.json(stats)
