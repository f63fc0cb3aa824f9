"""The arguments of `posagent bundle`; a part of `agent.cli.arguments_proof`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.cli.texts import Words


def add(tree: Any, command: Callable[[str, str], ArgumentParser], t: Words) -> None:
    """The command and its options."""
    bundle = command("bundle", "help.bundle")
    bundle.add_argument("file", nargs="?", type=Path, metavar="FILE", help=t("help.bundle.file"))
    bundle.add_argument("--usb", action="store_true", help=t("help.bundle.usb"))
    tree.json(bundle)
