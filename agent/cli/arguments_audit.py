"""The arguments of `posagent audit` and `posagent alarm`; a part of `agent.cli.arguments`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from agent.cli.texts import Words


def add(tree: Any, command: Callable[[str, str], ArgumentParser], t: Words) -> None:
    """The commands and their options."""
    audit = command("audit", "help.audit")
    audit.add_argument("--verify", action="store_true", help=t("help.audit.verify"))
    audit.add_argument("--since", default="", metavar="WHEN", help=t("help.audit.since"))
    audit.add_argument(
        "--limit", type=int, default=50, choices=range(1, 501), metavar="N",
        help=t("help.audit.limit"),
    )  # fmt: skip
    tree.json(audit)
    alarm = tree.group(command("alarm", "help.alarm"), "order")
    acknowledge = alarm("acknowledge", "help.alarm.acknowledge")
    acknowledge.add_argument("code", metavar="CODE", help=t("help.alarm.code"))
    acknowledge.add_argument("--note", default="", metavar="TEXT", help=t("help.alarm.note"))
    acknowledge.add_argument("--until", default="", metavar="WHEN", help=t("help.alarm.until"))
    acknowledge.add_argument("--to", default="", metavar="WHO", help=t("help.alarm.to"))
    tree.json(acknowledge)
    release = alarm("release", "help.alarm.release")
    release.add_argument("code", metavar="CODE", help=t("help.alarm.code"))
    tree.json(release)
