"""The commands and their arguments, as argparse knows them.

Which function carries out a command is decided in `app`; this file only names it (`command`).
Options that every command takes may stand before or behind the command.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from agent import __version__
from agent.cli.texts import Words

EXIT_USAGE = 2


class _Formatter(argparse.HelpFormatter):
    """argparse makes one for every option, so it must not load the archive formats (0.8 MB of the
    daemon), which is what looking for the width in `shutil` does."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        prefix = Parser.words("help.usage") if prefix is None else prefix
        super().add_usage(usage, actions, groups, prefix)


def _columns() -> int:
    given = os.environ.get("COLUMNS", "")
    if given.isascii() and given.isdigit() and int(given):
        return int(given)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (AttributeError, ValueError, OSError):  # no output, closed, or no terminal
        return 80


class Parser(argparse.ArgumentParser):
    """Refuses in the chosen language and never abbreviates: scripts must survive new options."""

    words = Words("en")

    def __init__(self, **more: Any) -> None:
        super().__init__(formatter_class=_Formatter, **more)
        self._positionals.title = self.words("help.positionals")
        self._optionals.title = self.words("help.options")

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where to read on; exit 2."""
        sys.stderr.write(self.words("error.usage", what=message) + "\n")
        sys.stderr.write(self.words("error.usage.hint", program=self.prog) + "\n")
        sys.exit(EXIT_USAGE)


def parse(argv: Sequence[str], words: Words) -> argparse.Namespace:
    """The arguments; exits 2 on wrong ones, 0 after --help and --version."""
    Parser.words = words
    return _parser(words).parse_args(argv)


class _Tree:
    """Adds commands that all take the options every command takes."""

    def __init__(self, t: Words) -> None:
        self._t = t
        self._everywhere = _everywhere(t)

    def top(self) -> Parser:
        return self._parser(Parser, prog="posagent", description=self._t("help.program"))

    def group(self, parser: Parser, dest: str) -> Callable[[str, str], Parser]:
        """A function that adds a command below `parser` by name and text."""
        commands = parser.add_subparsers(dest=dest, metavar=dest.upper(), required=True)

        def add(name: str, text: str) -> Parser:
            said = self._t(text)
            return self._parser(commands.add_parser, name, help=said, description=said)

        return add

    def json(self, parser: Parser) -> None:
        parser.add_argument("--json", action="store_true", help=self._t("help.json"))

    def _parser(self, make: Callable[..., Parser], *names: str, **more: str) -> Parser:
        return make(
            *names,
            epilog=self._t("help.exit"),
            parents=[self._everywhere],
            allow_abbrev=False,
            **more,
        )


def _parser(t: Words) -> Parser:
    tree = _Tree(t)
    parser = tree.top()
    parser.add_argument("--version", action="version", version=f"posagent {__version__}")
    command = tree.group(parser, "command")
    command("run", "help.run")
    status = command("status", "help.status")
    status.add_argument("--watch", action="store_true", help=t("help.watch"))
    tree.json(status)
    why = command("why", "help.why")
    why.add_argument("key", nargs="?", metavar="KEY", help=t("help.why.key"))
    tree.json(why)
    _queue(tree, command("queue", "help.queue"), t)
    probe = command("probe", "help.probe")
    probe.add_argument("name", metavar="NAME", help=t("help.probe.name"))
    tree.json(probe)
    _config(tree, command("config", "help.config_command"), t)
    demo = command("demo", "help.demo")
    demo.add_argument("--once", action="store_true", help=t("help.demo.once"))
    demo.add_argument("--keep", action="store_true", help=t("help.demo.keep"))
    _sim(tree, command("sim", "help.sim"), t)
    causes = command("causes", "help.causes")
    causes.add_argument("code", nargs="?", metavar="CODE", help=t("help.causes.code"))
    tree.json(causes)
    return parser


def _queue(tree: _Tree, queue: Parser, t: Words) -> None:
    command = tree.group(queue, "order")
    listed = command("list", "help.queue.list")
    listed.add_argument("--all", action="store_true", help=t("help.queue.all"))
    listed.add_argument("--limit", type=_limit, default=50, metavar="N", help=t("help.queue.limit"))
    tree.json(listed)
    shown = command("show", "help.queue.show")
    shown.add_argument("key", metavar="KEY", help=t("help.key"))
    tree.json(shown)
    for name in ("retry", "hold", "release"):
        order = command(name, f"help.queue.{name}")
        if name == "hold":
            order.add_argument("key", metavar="KEY", help=t("help.key"))
        else:
            which = order.add_mutually_exclusive_group(required=True)
            which.add_argument("key", nargs="?", metavar="KEY", help=t("help.key"))
        if name == "release":
            which.add_argument("--cause", metavar="CODE", help=t("help.queue.cause"))
        if name == "retry":
            which.add_argument("--all", action="store_true", help=t("help.queue.retry_all"))
        if name == "hold":
            order.add_argument("--reason", default="", metavar="TEXT", help=t("help.reason"))
        tree.json(order)


def _config(tree: _Tree, config: Parser, t: Words) -> None:
    command = tree.group(config, "order")
    tree.json(command("check", "help.config.check"))
    tree.json(command("show", "help.config.show"))
    keys = command("keys", "help.config.keys")
    keys.add_argument("--toml", action="store_true", help=t("help.config.toml"))


def _sim(tree: _Tree, sim: Parser, t: Words) -> None:
    command = tree.group(sim, "what")
    printer = command("printer", "help.sim.printer")
    printer.add_argument("--path", type=Path, metavar="TTY", help=t("help.sim.path"))
    printer.add_argument("--receipt", type=Path, metavar="FILE", help=t("help.sim.receipt"))
    printer.add_argument(
        "--control", type=Path, required=True, metavar="SOCKET", help=t("help.sim.control")
    )
    printer.add_argument("orders", nargs="*", metavar="ORDER", help=t("help.sim.order"))
    host = command("host", "help.sim.host")
    host.add_argument("--control", metavar="URL", help=t("help.sim.control"))
    host.add_argument("--port", type=_port, default=0, help=t("help.sim.port"))
    host.add_argument("--control-port", type=_port, default=0, help=t("help.sim.control_port"))
    for option, text in (
        ("--ledger", "help.sim.ledger"),
        ("--cert", "help.sim.cert"),
        ("--key", "help.sim.key"),
        ("--client-ca", "help.sim.client_ca"),
    ):
        host.add_argument(option, type=Path, metavar="FILE", help=t(text))
    host.add_argument("orders", nargs="*", metavar="ORDER", help=t("help.sim.host_order"))
    broker = command("broker", "help.sim.broker")
    broker.add_argument("--port", type=_port, default=0, help=t("help.sim.port"))


def _everywhere(t: Words) -> Parser:
    # Without defaults: what was given before the command must not be lost behind it.
    options = Parser(add_help=False, argument_default=argparse.SUPPRESS, allow_abbrev=False)
    group = options.add_argument_group(t("help.everywhere"))
    group.add_argument("--lang", choices=("zh", "en"), help=t("help.lang"))
    group.add_argument("--config", type=Path, metavar="FILE", help=t("help.config"))
    group.add_argument("--state-dir", type=Path, metavar="DIR", help=t("help.state_dir"))
    group.add_argument("--socket", type=Path, metavar="PATH", help=t("help.socket"))
    return options


def _limit(text: str) -> int:
    return _whole(text, 1, 10_000)


def _port(text: str) -> int:
    return _whole(text, 0, 65_535)


def _whole(text: str, least: int, most: int) -> int:
    if not text.isascii() or not text.isdecimal() or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text!r}: {least} … {most}")
    return int(text)
