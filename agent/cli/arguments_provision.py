"""The arguments of `posagent provision`; a part of `agent.cli.arguments`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.cli.texts import Words


def add(tree: Any, command: Callable[[str, str], ArgumentParser], t: Words) -> None:
    """The orders and their options."""
    order = tree.group(command("provision", "help.provision"), "order")

    def named(one: ArgumentParser) -> None:
        for name in ("device-id", "serial", "prefix", "tenant", "site"):
            word = name.replace("-", "_")
            one.add_argument(
                f"--{name}", dest=word, default="", metavar="TEXT", help=t(f"help.provision.{word}")
            )
        tree.json(one)

    tree.json(order("status", "help.provision.status"))
    named(order("identity", "help.provision.identity"))
    for word in ("profile", "keys"):
        one = order(word, f"help.provision.{word}")
        one.add_argument("file", type=Path, metavar="FILE", help=t(f"help.provision.{word}.file"))
        tree.json(one)
    request = order("request", "help.provision.request")
    request.add_argument("--out", type=Path, metavar="FILE", help=t("help.provision.out"))
    tree.json(request)
    install = order("install", "help.provision.install")
    install.add_argument("certificate", type=Path, metavar="FILE",
                         help=t("help.provision.certificate"))  # fmt: skip
    install.add_argument("--ca", type=Path, metavar="FILE", help=t("help.provision.ca"))
    tree.json(install)
    whole = order("all", "help.provision.all")
    whole.add_argument("--stick", type=Path, metavar="DIR", required=True,
                       help=t("help.provision.stick"))  # fmt: skip
    named(whole)
    adopt = order("adopt", "help.provision.adopt")
    how = adopt.add_mutually_exclusive_group(required=True)
    how.add_argument("--replace", action="store_true", help=t("help.provision.replace"))
    how.add_argument("--fresh", action="store_true", help=t("help.provision.fresh"))
    named(adopt)
    tree.json(order("seal", "help.provision.seal"))
