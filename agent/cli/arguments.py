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
from agent.cli import (
    arguments_audit,
    arguments_fleet,
    arguments_proof,
    arguments_simulated,
    arguments_software,
)
from agent.cli.texts import Words
from agent.core.money.transaction import MAX_AMOUNT_MINOR

EXIT_USAGE = 2


class _Formatter(argparse.HelpFormatter):
    """argparse makes one for every option, so it must not load the archive formats (0.8 MB of the
    daemon), which is what looking for the width in `shutil` does."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        prefix = Parser.words("help.usage") if prefix is None else prefix
        super().add_usage(usage, actions, groups, prefix)

    def _format_action(self, action: argparse.Action) -> str:
        if action.dest != "command" or not isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            return super()._format_action(action)
        from agent.cli.chapters import CHAPTERS

        said = {one.dest: one for one in action._choices_actions}  # noqa: SLF001
        parts: list[str] = []
        for title, names in CHAPTERS:
            parts.append(f"\n{'':>{self._current_indent}}{Parser.words(title)}:\n")
            self._indent()
            parts += [super(_Formatter, self)._format_action(said[name]) for name in names]
            self._dedent()
        return "".join(parts)


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
        for action in self._actions:  # argparse's own -h; those of `parents` are there, too
            if action.dest == "help":
                action.help = self.words("help.help")

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where to read on; exit 2."""
        from agent.cli.reason import reason

        sys.stderr.write(self.words("error.usage", what=reason(self.words, message)) + "\n")
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
    arguments_proof.add(tree, command, t)
    _queue(tree, command("queue", "help.queue"), t)
    _check(tree, command("check", "help.check"), t)
    probe = command("probe", "help.probe")
    probe.add_argument("name", nargs="?", metavar="NAME", help=t("help.probe.name"))
    probe.add_argument("--discover", action="store_true", help=t("help.probe.discover"))
    probe.add_argument("--ask", action="store_true", help=t("help.probe.ask"))
    probe.add_argument(
        "--printer", action="append", metavar="HOST[:PORT]", help=t("help.probe.printer")
    )
    probe.add_argument("--guided", action="store_true", help=t("help.probe.guided"))
    probe.add_argument(
        "--seconds", type=_seconds, default=10.0, metavar="S", help=t("help.probe.seconds")
    )
    tree.json(probe)
    _storage(tree, command, t)
    _inspect(tree, command("inspect", "help.inspect"), t)
    _config(tree, command("config", "help.config_command"), t)
    tree.json(command("verify", "help.verify"))
    salvage = command("salvage", "help.salvage")
    salvage.add_argument("file", metavar="FILE", help=t("help.salvage.file"))
    tree.json(salvage)
    keys = tree.group(command("key", "help.keys"), "order")
    tree.json(keys("show", "help.keys.show"))
    tree.json(keys("rotate", "help.keys.rotate"))
    arguments_software.add(tree, command, t)
    arguments_fleet.add(tree, command, t)
    arguments_audit.add(tree, command, t)
    _conformance(tree, command("conformance", "help.conformance"), t)
    _hooks(tree, command("hooks", "help.hooks"), t)
    demo = command("demo", "help.demo")
    demo.add_argument("--once", action="store_true", help=t("help.demo.once"))
    demo.add_argument("--keep", action="store_true", help=t("help.demo.keep"))
    _sim(tree, command("sim", "help.sim"), t)
    return parser


def _storage(tree: _Tree, command: Callable[[str, str], Parser], t: Words) -> None:
    backup = command("backup", "help.backup")
    backup.add_argument("file", type=Path, metavar="FILE", help=t("help.backup.file"))
    how = backup.add_mutually_exclusive_group()
    how.add_argument("--handover", action="store_true", help=t("help.backup.handover"))
    how.add_argument("--keygen", action="store_true", help=t("help.backup.keygen"))
    backup.add_argument("--recipient", metavar="KEY", help=t("help.backup.recipient"))
    tree.json(backup)
    restore = command("restore", "help.restore")
    restore.add_argument("file", type=Path, metavar="FILE", help=t("help.restore.file"))
    restore.add_argument("--key", type=Path, metavar="FILE", help=t("help.restore.key"))
    tree.json(restore)


def _queue(tree: _Tree, queue: Parser, t: Words) -> None:
    command = tree.group(queue, "order")
    listed = command("list", "help.queue.list")
    listed.add_argument("--all", action="store_true", help=t("help.queue.all"))
    listed.add_argument("--limit", type=_limit, default=50, metavar="N", help=t("help.queue.limit"))
    tree.json(listed)
    shown = command("show", "help.queue.show")
    shown.add_argument("key", metavar="KEY", help=t("help.key"))
    tree.json(shown)
    resolve = command("resolve", "help.queue.resolve")
    _resolve(resolve, t)
    tree.json(resolve)
    abandon = command("abandon", "help.queue.abandon")
    _abandon(abandon, t)
    tree.json(abandon)
    for name in ("retry", "hold", "release"):
        order = command(name, f"help.queue.{name}")
        which = order.add_mutually_exclusive_group(required=True)
        which.add_argument("key", nargs="?", metavar="KEY", help=t("help.key"))
        if name in ("hold", "release"):
            which.add_argument("--cause", metavar="CODE", help=t("help.queue.cause"))
        if name == "retry":
            which.add_argument("--all", action="store_true", help=t("help.queue.retry_all"))
        if name == "hold":
            order.add_argument("--reason", default="", metavar="TEXT", help=t("help.reason"))
        tree.json(order)


def _resolve(order: Parser, t: Words) -> None:
    order.add_argument("key", metavar="KEY", help=t("help.key"))
    order.add_argument(
        "outcome",
        choices=("posted", "declined", "reversed", "never_sent"),
        help=t("help.queue.outcome"),
    )
    order.add_argument("--evidence", required=True, metavar="TEXT", help=t("help.reason"))


def _abandon(order: Parser, t: Words) -> None:
    order.add_argument("key", metavar="KEY", help=t("help.key"))
    order.add_argument(
        "outcome",
        choices=("not_at_host", "settled_elsewhere", "posted_manually"),
        help=t("help.queue.confirmed"),
    )
    order.add_argument("--reference", required=True, metavar="TEXT", help=t("help.queue.proof"))
    order.add_argument("--said-by", required=True, metavar="NAME", help=t("help.queue.said_by"))


def _check(tree: _Tree, check: Parser, t: Words) -> None:
    check.add_argument("amount", metavar="AMOUNT", help=t("help.check.amount"))
    check.add_argument("currency", metavar="CURRENCY", help=t("help.check.currency"))
    check.add_argument("--kind", default="sale", metavar="KIND", help=t("help.check.kind"))
    check.add_argument("--posting", default="request", choices=("request", "advice"))
    for option in ("--tid", "--mid"):
        check.add_argument(option, metavar=option[2:].upper(), help=t("help.check.issued"))
    check.add_argument("--card", metavar="622202******0123", help=t("help.check.card"))
    check.add_argument("--again", metavar="KEY", help=t("help.check.again"))
    tree.json(check)


def _conformance(tree: _Tree, command: Parser, t: Words) -> None:
    add = command.add_argument
    add("url", metavar="URL", help=t("help.conformance.url"))
    add("--yes", action="store_true", help=t("help.conformance.yes"))
    for option, text in (
        ("--ca-file", "help.conformance.ca"),
        ("--cert", "help.conformance.cert"),
        ("--key", "help.conformance.key"),
        ("--body", "help.conformance.body"),
        ("--header-file", "help.conformance.headers"),
        ("--token-file", "help.conformance.token"),
    ):
        add(option, type=Path, metavar="FILE", help=t(text))
    add("--terminal", metavar="TID", help=t("help.conformance.terminal"))
    add("--merchant", metavar="MID", help=t("help.conformance.merchant"))
    add("--other-terminal", metavar="TID", help=t("help.conformance.other"))
    add("--amount", type=_minor, default=1, metavar="N", help=t("help.conformance.amount"))
    add("--decline-amount", type=_minor, metavar="N", help=t("help.conformance.decline"))
    add("--currency", default="CNY", metavar="CODE", help=t("help.conformance.currency"))
    add("--kind", default="sale", metavar="KIND", help=t("help.conformance.kind"))
    posting = ("advice", "request")
    add("--posting", default="advice", choices=posting, help=t("help.conformance.posting"))
    add(
        "--content-type",
        default="application/json",
        metavar="TYPE",
        help=t("help.conformance.type"),
    )
    add("--header", action="append", metavar="LINE", help=t("help.conformance.header"))
    add("--timeout", type=_seconds, default=30.0, metavar="S", help=t("help.conformance.timeout"))
    add(
        "--in-flight",
        type=_seconds,
        default=60.0,
        metavar="S",
        help=t("help.conformance.in_flight"),
    )
    tree.json(command)


def _config(tree: _Tree, config: Parser, t: Words) -> None:
    command = tree.group(config, "order")
    tree.json(command("check", "help.config.check"))
    tree.json(command("show", "help.config.show"))
    keys = command("keys", "help.config.keys")
    keys.add_argument("--toml", action="store_true", help=t("help.config.toml"))


def _inspect(tree: _Tree, inspect: Parser, t: Words) -> None:
    which = inspect.add_mutually_exclusive_group()
    which.add_argument("number", nargs="?", metavar="NUMBER", help=t("help.inspect.number"))
    which.add_argument("--last", action="store_true", help=t("help.inspect.last"))
    which.add_argument("--list", action="store_true", help=t("help.inspect.list"))
    slip = inspect.add_argument_group(t("help.inspect.slip"))
    slip.add_argument("--slip", action="store_true", help=t("help.inspect.as_slip"))
    slip.add_argument(
        "--columns", type=int, choices=(32, 48), default=32, help=t("help.inspect.columns")
    )
    tree.json(inspect)


def _hooks(tree: _Tree, hooks: Parser, t: Words) -> None:
    check = tree.group(hooks, "order")("check", "help.hooks.check")
    check.add_argument("directory", nargs="?", type=Path, metavar="DIR", help=t("help.hooks.dir"))
    check.add_argument("--deadline", type=_seconds, metavar="S", help=t("help.hooks.deadline"))
    tree.json(check)


def _sim(tree: _Tree, sim: Parser, t: Words) -> None:
    command = tree.group(sim, "what")
    printer = command("printer", "help.sim.printer")
    printer.add_argument("--path", type=Path, metavar="TTY", help=t("help.sim.path"))
    printer.add_argument("--receipt", type=Path, metavar="FILE", help=t("help.sim.receipt"))
    dialects, sensors = ("escpos", "star", "custom"), ("two", "one", "end")
    printer.add_argument(
        "--dialect", choices=dialects, default="escpos", help=t("help.sim.dialect")
    )
    printer.add_argument("--sensors", choices=sensors, default="two", help=t("help.sim.sensors"))
    printer.add_argument(
        "--connection", choices=("pty", "tcp"), default="pty", help=t("help.sim.connection")
    )
    printer.add_argument("--port", type=_port, default=9100, help=t("help.sim.port"))
    printer.add_argument(
        "--listen", metavar="ADDRESS", default="127.0.0.1", help=t("help.sim.listen")
    )
    printer.add_argument(
        "--control", type=Path, required=True, metavar="SOCKET", help=t("help.sim.control")
    )
    printer.add_argument("orders", nargs="*", metavar="ORDER", help=t("help.sim.order"))
    _sim_scanner(command("scanner", "help.sim.scanner"), t)
    _sim_modem(command("modem", "help.sim.modem"), t)
    for name in ("host", "acquirer"):
        host = command(name, f"help.sim.{name}")
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
        if name == "host":
            decline = "help.conformance.decline"
            host.add_argument("--decline-amount", type=_minor, metavar="N", help=t(decline))
        host.add_argument("orders", nargs="*", metavar="ORDER", help=t("help.sim.host_order"))
    keypad = command("keypad", "help.sim.keypad")
    keypad.add_argument("--path", type=Path, metavar="PATH", help=t("help.sim.keypad.path"))
    keypad.add_argument("--uinput", action="store_true", help=t("help.sim.keypad.uinput"))
    keypad.add_argument(
        "--event-bytes", type=int, choices=(16, 24), help=t("help.sim.keypad.bytes")
    )
    keypad.add_argument(
        "--control", type=Path, required=True, metavar="SOCKET", help=t("help.sim.control")
    )
    keypad.add_argument("orders", nargs="*", metavar="ORDER", help=t("help.sim.order"))
    broker = command("broker", "help.sim.broker")
    broker.add_argument("--port", type=_port, default=0, help=t("help.sim.port"))
    arguments_simulated.add_fleet(command("fleet", "help.sim.fleet"), t)


def _sim_modem(modem: Parser, t: Words) -> None:
    modem.add_argument("--path", type=Path, metavar="TTY", help=t("help.sim.path"))
    makers = ("quectel", "ublox", "telit", "plain")
    modem.add_argument("--maker", choices=makers, default="quectel", help=t("help.sim.modem.maker"))
    modem.add_argument(
        "--control", type=Path, required=True, metavar="SOCKET", help=t("help.sim.control")
    )
    modem.add_argument("orders", nargs="*", metavar="ORDER", help=t("help.sim.order"))


def _sim_scanner(scanner: Parser, t: Words) -> None:
    vendors = ("honeywell", "newland_v1", "newland_v2", "ssi", "datalogic")
    scanner.add_argument("--path", type=Path, metavar="TTY", help=t("help.sim.path"))
    scanner.add_argument(
        "--vendor", choices=vendors, default="honeywell", help=t("help.sim.scanner.vendor")
    )
    scanner.add_argument(
        "--baud", type=_baud, default=0, metavar="SPEED", help=t("help.sim.scanner.baud")
    )
    scanner.add_argument(
        "--control", type=Path, required=True, metavar="SOCKET", help=t("help.sim.control")
    )
    scanner.add_argument("orders", nargs="*", metavar="ORDER", help=t("help.sim.order"))


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


def _baud(text: str) -> int:
    return _whole(text, 0, 115_200)


def _port(text: str) -> int:
    return _whole(text, 0, 65_535)


def _minor(text: str) -> int:
    return _whole(text, 1, MAX_AMOUNT_MINOR)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.05 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r}: 0.05 … 3600")
    return seconds


def _whole(text: str, least: int, most: int) -> int:
    if not text.isascii() or not text.isdecimal() or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text!r}: {least} … {most}")
    return int(text)
