"""`posagent causes`: how the catalogue is browsed."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from agent.cli.texts import Words

OWNERS = (
    *("merchant", "cashier", "technician", "vendor"),
    *("acquirer", "bank", "platform", "agent"),
)
CHAPTERS = (
    *("network", "hardware", "software", "configuration"),
    *("host", "operation", "fleet"),
)


def add(tree: Any, command: Callable[[str, str], ArgumentParser], t: Words) -> None:
    """The command and its filters."""
    causes = command("causes", "help.causes")
    causes.add_argument("code", nargs="?", metavar="CODE", help=t("help.causes.code"))
    causes.add_argument("--chapter", choices=CHAPTERS, help=t("help.causes.chapter"))
    causes.add_argument("--owner", choices=OWNERS, help=t("help.causes.owner"))
    causes.add_argument("--known", choices=tuple("OHRCLA"), help=t("help.causes.known"))
    causes.add_argument("--words", metavar="WORDS", help=t("help.causes.words"))
    tree.json(causes)
