"""The arguments of `posagent drill` and `posagent stats`; a part of `agent.cli.arguments`."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from typing import Any

from agent.cli.texts import Words

FACTORS = ("network", "channel", "signal", "hour", "weekday", "app_version", "printer", "amount")
MOST_RECORDS = 200


def add(tree: Any, command: Callable[[str, str], ArgumentParser], t: Words) -> None:
    """The commands and their options."""
    drill = command("drill", "help.drill")
    drill.add_argument("number", nargs="?", metavar="NUMBER", help=t("help.drill.number"))
    drill.add_argument(
        "--records", type=_records, default=20, metavar="N",
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


def _records(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= MOST_RECORDS:
        return int(text)
    raise ArgumentTypeError(f"{text!r}: 1 … {MOST_RECORDS}")
