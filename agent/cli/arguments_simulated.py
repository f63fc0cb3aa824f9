"""The arguments of `posagent sim fleet`. A part of `agent.cli.arguments`."""

from __future__ import annotations

import argparse
from pathlib import Path

from agent.cli.texts import Words

MOST_TERMINALS = 100_000


def add_fleet(fleet: argparse.ArgumentParser, t: Words) -> None:
    """The fleet of simulated terminals."""
    fleet.add_argument(
        "-n", "--count", type=_count, default=100, metavar="N", help=t("help.sim.fleet.count")
    )
    fleet.add_argument("--broker", required=True, metavar="URL", help=t("help.sim.fleet.broker"))
    fleet.add_argument("--tenant", default="sim", metavar="NAME", help=t("help.sim.fleet.tenant"))
    fleet.add_argument("--prefix", default="S-", metavar="TEXT", help=t("help.sim.fleet.prefix"))
    fleet.add_argument("--seed", type=int, default=1, metavar="N", help=t("help.sim.fleet.seed"))
    for option, text in (("--certs", "certs"), ("--report", "report")):
        fleet.add_argument(option, type=Path, metavar="PATH", help=t(f"help.sim.fleet.{text}"))
    for option, default in (("ramp", 0.0), ("period", 60.0), ("spread", None)):
        fleet.add_argument(
            f"--{option}", type=_seconds, default=default, metavar="S",
            help=t(f"help.sim.fleet.{option}"),
        )  # fmt: skip
    for option, share in (("offline", 0.02), ("hosts-down", 0.1), ("alarms", 0.05)):
        text = option.replace("-", "_")
        fleet.add_argument(
            f"--{option}", type=_share, default=share, metavar="0..1",
            help=t(f"help.sim.fleet.{text}"),
        )  # fmt: skip
    fleet.add_argument("--sales", type=_seconds, default=12.0, metavar="N",
                       help=t("help.sim.fleet.sales"))  # fmt: skip


def _count(text: str) -> int:
    return round(_number(text, 1, MOST_TERMINALS))


def _seconds(text: str) -> float:
    return _number(text, 0, 3_600)


def _share(text: str) -> float:
    return _number(text, 0, 1)


def _number(text: str, least: float, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r}: {least} … {most}")
    return number
