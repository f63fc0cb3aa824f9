"""The arguments of `posagent software` and `posagent update`. A part of `agent.cli.arguments`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from agent.cli.texts import Words

P = TypeVar("P", bound=ArgumentParser)


class Tree(Protocol[P]):
    """Adds commands that all take the options every command takes."""

    def group(self, parser: P, dest: str) -> Callable[[str, str], P]: ...
    def json(self, parser: P) -> None: ...


def add(tree: Tree[P], command: Callable[[str, str], P], t: Words) -> None:
    """Both commands."""
    order = tree.group(command("software", "help.software"), "order")
    tree.json(order("show", "help.software.show"))
    check = order("check", "help.software.check")
    check.add_argument("file", type=Path, metavar="FILE", help=t("help.software.file"))
    tree.json(check)
    sign = order("sign", "help.software.sign")
    sign.add_argument("file", type=Path, nargs="?", metavar="FILE", help=t("help.software.file"))
    sign.add_argument("--key", type=Path, metavar="FILE", required=True,
                      help=t("help.software.key"))  # fmt: skip
    sign.add_argument("--key-id", default="fleet", metavar="ID", help=t("help.software.key_id"))
    sign.add_argument("--keygen", action="store_true", help=t("help.software.keygen"))
    order = tree.group(command("update", "help.update"), "order")
    tree.json(order("show", "help.update.show"))
    tree.json(order("status", "help.update.status"))
    _begin(order("apply", "help.update.apply"), tree, t)
    _begin(order("start", "help.update.apply"), tree, t)
    for word in ("commit", "rollback"):
        end = order(word, f"help.update.{word}")
        end.add_argument("target", nargs="?", default="", metavar="ID", help=t("help.update.id"))
        tree.json(end)


def _begin(apply: P, tree: Tree[P], t: Words) -> None:
    apply.add_argument("target", metavar="FILE|ID", help=t("help.update.target"))
    apply.add_argument("--component", default="", metavar="NAME", help=t("help.update.component"))
    # Not --version: that tells the agent's own.
    apply.add_argument("--to", default="", metavar="VERSION", help=t("help.update.version"))
    apply.add_argument("--any-time", action="store_true", help=t("help.update.any_time"))
    tree.json(apply)
