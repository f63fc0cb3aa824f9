"""The arguments of `posagent fleet`. A part of `agent.cli.arguments`."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from agent.cli.texts import Words

P = TypeVar("P", bound=ArgumentParser)
GROUPS = ("cause", "alarm", "version", "firmware", "site", "model", "state", "tenant")


class Tree(Protocol[P]):
    """Adds commands that all take the options every command takes."""

    def group(self, parser: P, dest: str) -> Callable[[str, str], P]: ...
    def json(self, parser: P) -> None: ...


def add(tree: Tree[P], command: Callable[[str, str], P], t: Words) -> None:
    """All of them."""
    order = tree.group(command("fleet", "help.fleet"), "order")
    _watch(tree, order("watch", "help.fleet.watch"), t)
    what = tree.group(order("key", "help.fleet.keys"), "what")
    new = what("new", "help.fleet.keys.new")
    new.add_argument("file", type=Path, metavar="FILE", help=t("help.fleet.keys.file"))
    new.add_argument("--key-id", required=True, metavar="ID", help=t("help.fleet.key_id"))
    new.add_argument(
        "--passphrase", nargs="?", const="", metavar="FILE", help=t("help.fleet.passphrase")
    )
    tree.json(new)
    show = what("show", "help.fleet.keys.show")
    show.add_argument("file", type=Path, metavar="FILE", help=t("help.fleet.keys.file"))
    tree.json(show)
    sign = order("sign", "help.fleet.sign")
    _signing(sign, t)
    sign.add_argument("--desired", type=Path, metavar="FILE", help=t("help.fleet.sign.desired"))
    sign.add_argument("--to", nargs="+", metavar="DEVICE", default=[], help=t("help.fleet.to"))
    sign.add_argument("--to-file", type=Path, metavar="FILE", help=t("help.fleet.to_file"))
    sign.add_argument("--out", type=Path, default=Path(), metavar="DIR",
                      help=t("help.fleet.sign.out"))  # fmt: skip
    tree.json(sign)
    _send(tree, order("send", "help.fleet.send"), t)
    _desired(tree, order("desired", "help.fleet.desired"), t)


def _access(parser: ArgumentParser, t: Words) -> None:
    parser.add_argument("--broker", required=True, metavar="URL", help=t("help.fleet.broker"))
    for option, text in (
        ("--ca", "help.fleet.ca"), ("--cert", "help.fleet.cert"), ("--key", "help.fleet.key"),
        ("--password-file", "help.fleet.password"),
    ):  # fmt: skip
        parser.add_argument(option, type=Path, metavar="FILE", help=t(text))
    parser.add_argument("--username", default="", metavar="NAME", help=t("help.fleet.username"))
    parser.add_argument("--client-id", default="", metavar="ID", help=t("help.fleet.client_id"))


def _watch(tree: Tree[P], watch: P, t: Words) -> None:
    _access(watch, t)
    watch.add_argument("--tenant", type=_name, default="+", help=t("help.fleet.tenant"))
    watch.add_argument("--share", default="", metavar="GROUP", help=t("help.fleet.share"))
    watch.add_argument("--filter", action="append", default=[], metavar="WHAT",
                       help=t("help.fleet.filter"))  # fmt: skip
    watch.add_argument("--sort", default="age", metavar="FIELD", help=t("help.fleet.sort"))
    watch.add_argument(
        "--group", choices=GROUPS, default="cause", metavar="FIELD", help=t("help.fleet.group")
    )
    watch.add_argument("--once", action="store_true", help=t("help.fleet.once"))
    watch.add_argument("--wait", type=_seconds, default=5.0, metavar="S", help=t("help.fleet.wait"))
    watch.add_argument("--csv", action="store_true", help=t("help.fleet.csv"))
    watch.add_argument("--follow", action="store_true", help=t("help.fleet.follow"))
    watch.add_argument("--heartbeat", type=_seconds, default=900.0, metavar="S",
                       help=t("help.fleet.heartbeat"))  # fmt: skip
    watch.add_argument("--sign-key", type=Path, metavar="FILE", help=t("help.fleet.sign_key"))
    watch.add_argument(
        "--passphrase", nargs="?", const="", metavar="FILE", help=t("help.fleet.passphrase")
    )
    tree.json(watch)


def _signing(parser: ArgumentParser, t: Words) -> None:
    parser.add_argument("op", nargs="?", metavar="OP", help=t("help.fleet.sign.op"))
    parser.add_argument("--arg", action="append", default=[], metavar="NAME=VALUE",
                        help=t("help.fleet.sign.arg"))  # fmt: skip
    parser.add_argument("--from", type=Path, dest="source", metavar="FILE",
                        help=t("help.fleet.sign.from"))  # fmt: skip
    parser.add_argument("--tenant", type=_name, default="", help=t("help.fleet.tenant"))
    parser.add_argument("--sign-key", type=Path, metavar="FILE", help=t("help.fleet.signing"))
    parser.add_argument(
        "--passphrase", nargs="?", const="", metavar="FILE", help=t("help.fleet.passphrase")
    )
    parser.add_argument("--expires", type=_lifetime, default=900.0, metavar="S",
                        help=t("help.fleet.expires"))  # fmt: skip


def _send(tree: Tree[P], send: P, t: Words) -> None:
    _access(send, t)
    _signing(send, t)
    send.add_argument("--envelope", type=Path, nargs="+", default=[], metavar="FILE",
                      help=t("help.fleet.envelope"))  # fmt: skip
    send.add_argument("--to", nargs="+", metavar="DEVICE", default=[], help=t("help.fleet.to"))
    send.add_argument("--to-file", type=Path, metavar="FILE", help=t("help.fleet.to_file"))
    send.add_argument("--where", action="append", default=[], metavar="FILTER",
                      help=t("help.fleet.where"))  # fmt: skip
    send.add_argument("--wait", type=_seconds, default=5.0, metavar="S", help=t("help.fleet.wait"))
    send.add_argument("--yes", action="store_true", help=t("help.fleet.yes"))
    send.add_argument("--rate", type=_rate, default=20.0, metavar="N", help=t("help.fleet.rate"))
    send.add_argument("--patience", type=_lifetime, metavar="S", help=t("help.fleet.patience"))
    tree.json(send)


def _desired(tree: Tree[P], desired: P, t: Words) -> None:
    desired.add_argument("file", type=Path, metavar="FILE", help=t("help.fleet.desired.file"))
    _access(desired, t)
    desired.add_argument("--sign-key", type=Path, metavar="FILE",
                         help=t("help.fleet.signing"))  # fmt: skip
    desired.add_argument(
        "--passphrase", nargs="?", const="", metavar="FILE", help=t("help.fleet.passphrase")
    )
    desired.add_argument("--members", type=Path, required=True, metavar="FILE",
                         help=t("help.fleet.members"))  # fmt: skip
    desired.add_argument("--stages", type=_stages, default=(5, 25, 100), metavar="5,25,100",
                         help=t("help.fleet.stages"))  # fmt: skip
    desired.add_argument("--stop-at", type=_percent, default=2.0, metavar="PERCENT",
                         help=t("help.fleet.stop_at"))  # fmt: skip
    desired.add_argument("--soak", type=_seconds, default=1800.0, metavar="S",
                         help=t("help.fleet.soak"))  # fmt: skip
    desired.add_argument("--rate", type=_rate, default=50.0, metavar="N", help=t("help.fleet.rate"))
    desired.add_argument("--yes", action="store_true", help=t("help.fleet.yes"))
    tree.json(desired)


def _name(text: str) -> str:
    if text not in ("", "+") and not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text):
        raise ArgumentTypeError(f"{text!r}: A-Z a-z 0-9 _ -")
    return text


def _seconds(text: str) -> float:
    return _bounded(text, 0.1, 7 * 86_400)


def _lifetime(text: str) -> float:
    return _bounded(text, 1, 7 * 86_400)


def _rate(text: str) -> float:
    return _bounded(text, 0.1, 10_000)


def _percent(text: str) -> float:
    return _bounded(text.removesuffix("%"), 0, 100)


def _stages(text: str) -> tuple[int, ...]:
    found = tuple(int(_bounded(part.removesuffix("%"), 1, 100)) for part in text.split(","))
    if list(found) != sorted(set(found)):
        raise ArgumentTypeError(f"{text!r}: 5,25,100")
    return found


def _bounded(text: str, least: float, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise ArgumentTypeError(f"{text!r}: {least:g} … {most:g}")
    return value
