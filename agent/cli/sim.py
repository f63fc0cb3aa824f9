"""`posagent demo` and `posagent sim …`: the simulators, run or given orders.

Device packages leave `agent.sim` out; then these commands say so. Orders to the host are names of
faults (`refuse`, `delay wait_s=3`), `off`, `state` or `ledger`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from agent.cli.session import Exit, Session, UnreachableError
from agent.errors import OperatorError, RemoteError


def demo(session: Session) -> int:
    """Everything on this machine, with simulators."""
    _need_simulators(session)
    from agent.sim.demo import DemoOptions
    from agent.sim.demo import demo as play

    options = DemoOptions(
        language=session.words.lang, once=session.args.once, keep=session.args.keep
    )
    return play(options)


def sim(session: Session) -> int:
    """One simulator, or an order to one."""
    _need_simulators(session)
    match session.args.what, bool(session.args.__dict__.get("orders")):
        case "printer", True:
            return _order_device(session)
        case "printer", False:
            return _run_printer(session)
        case "keypad" | "scanner" | "modem", True:
            return _order_device(session)
        case "keypad", False:
            return _run_keypad(session)
        case "scanner", False:
            return _run_scanner(session)
        case "modem", False:
            return _run_modem(session)
        case "host" | "acquirer", True:
            return _order_host(session)
        case "acquirer", False:
            return _run_acquirer(session)
        case "host", False:
            return _run_host(session)
        case "fleet", _:
            return _run_fleet(session)
        case _:
            return _run_broker(session)


def _need_simulators(session: Session) -> None:
    from importlib.util import find_spec

    if find_spec("agent.sim") is None:
        raise UnreachableError("sim.absent", session.words("error.no_simulators"))


def _run_printer(session: Session) -> int:
    from agent.sim.language import serve
    from agent.sim.printers.lines import Line, PtyLine, TcpLine
    from agent.sim.printers.orders import obey
    from agent.sim.printers.printer import Printer

    args = session.args
    line: Line
    if args.connection == "tcp":
        line = TcpLine(args.port, args.listen)
    elif args.path is None:
        raise OperatorError("sim.no_path", session.words("error.sim_path"))
    else:
        line = PtyLine(args.path)
    printer = Printer(line, dialect=args.dialect, receipt_file=args.receipt)
    obey(printer, f"sensors {args.sensors}")

    def ready() -> None:
        session.screen.line(f"printer {line.name}")
        session.screen.line(f"control {args.control}")

    return _until_stopped(lambda stop: serve(printer, obey, args.control, stop, ready))


def _run_keypad(session: Session) -> int:
    from agent.sim.keypad import KEYS, NATIVE_BYTES, Line, SimulatedKeypad, serve

    args = session.args
    if args.path is None:
        raise OperatorError("sim.no_path", session.words("error.sim_keypad"))
    line: Line | Path = args.path
    if args.uinput:
        from agent.sim.uinput import UinputLine

        line = UinputLine(args.path, list(KEYS.values()))

    async def run(stop: asyncio.Event) -> None:
        keypad = SimulatedKeypad(line, event_bytes=args.event_bytes or NATIVE_BYTES)
        session.screen.line(f"keypad {args.path}")
        session.screen.line(f"control {args.control}")
        await serve(keypad, args.control, stop)

    return _until_stopped(run)


def _run_scanner(session: Session) -> int:
    from agent.sim.language import serve
    from agent.sim.scanners.language import obey
    from agent.sim.scanners.scanner import SimulatedScanner

    args = session.args
    if args.path is None:
        raise OperatorError("sim.no_path", session.words("error.sim_scanner"))
    scanner = SimulatedScanner(args.path, args.vendor)
    scanner.switch(baud=args.baud)

    def ready() -> None:
        session.screen.line(f"scanner {args.path}")
        session.screen.line(f"control {args.control}")

    return _until_stopped(lambda stop: serve(scanner, obey, args.control, stop, ready))


def _run_modem(session: Session) -> int:
    from agent.sim.language import serve
    from agent.sim.modem import SimulatedModem, obey

    args = session.args
    if args.path is None:
        raise OperatorError("sim.no_path", session.words("error.sim_modem"))
    modem = SimulatedModem(args.path, args.maker)

    def ready() -> None:
        session.screen.line(f"modem {args.path}")
        session.screen.line(f"control {args.control}")

    return _until_stopped(lambda stop: serve(modem, obey, args.control, stop, ready))


def _order_device(session: Session) -> int:
    from agent.sim import orders

    order = " ".join(session.args.orders)
    try:
        answer = asyncio.run(orders.give(session.args.control, order))
    except (OSError, TimeoutError) as error:
        raise _nobody(session, str(session.args.control), error) from error
    if answer.startswith("error"):
        raise OperatorError("sim.order", answer.removeprefix("error:").strip())
    session.screen.line(answer)
    return Exit.OK


def _run_host(session: Session) -> int:
    from agent.sim import host

    args = session.args
    options = host.HostOptions(
        port=args.port,
        control_port=args.control_port,
        ledger_file=args.ledger,
        cert_file=args.cert,
        key_file=args.key,
        client_ca_file=args.client_ca,
        decline_minor=args.decline_amount,
    )
    return _until_stopped(lambda stop: host.serve(options, stop, session.screen.line))


def _run_acquirer(session: Session) -> int:
    from agent.sim import acquirer

    args = session.args
    options = acquirer.AcquirerOptions(
        port=args.port,
        control_port=args.control_port,
        book_file=args.ledger,
        cert_file=args.cert,
        key_file=args.key,
        client_ca_file=args.client_ca,
    )
    return _until_stopped(lambda stop: acquirer.serve(options, stop, session.screen.line))


def _order_host(session: Session) -> int:
    control = session.args.control
    if control is None:
        raise OperatorError("sim.no_control", session.words("error.sim_control"))
    name, *changes = session.args.orders
    match name:
        case "state":
            answer = _ask(session, control, None)
        case "ledger":
            answer = _ask(session, f"{control.rstrip('/')}/ledger", None)
        case "off":
            answer = _ask(session, control, {"fault": "none"})
        case _:
            answer = _ask(session, control, {"fault": name, **_changes(session, changes)})
    session.print_json(answer)
    return Exit.OK


def _changes(session: Session, words: Sequence[str]) -> dict[str, Any]:
    """`wait_s=3` -> a number, `scope=post` -> a word."""
    changes: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise OperatorError("sim.order", session.words("error.sim_order", word=word))
        try:
            changes[name] = json.loads(value)
        except ValueError:
            changes[name] = value
    return changes


def _ask(session: Session, url: str, body: dict[str, Any] | None) -> Any:
    from urllib.error import HTTPError, URLError
    from urllib.request import ProxyHandler, Request, build_opener

    if not url.startswith("http://"):
        raise OperatorError("sim.control", session.words("error.sim_control"))
    content = None if body is None else json.dumps(body).encode()
    request = Request(url, data=content, headers={"Content-Type": "application/json"})
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            return json.load(answer)
    except HTTPError as error:
        with error:
            said = error.read().decode("utf-8", "replace")
        raise OperatorError("sim.order", said) from error
    except (URLError, OSError, ValueError) as error:
        raise _nobody(session, url, error) from error


def _run_broker(session: Session) -> int:
    from agent.sim.broker import Broker

    async def serve(stop: asyncio.Event) -> None:
        broker = Broker()
        broker.port = session.args.port
        async with broker:
            session.screen.line(f"broker {broker.url}")
            await stop.wait()

    return _until_stopped(serve)


def _run_fleet(session: Session) -> int:
    from agent.cli import sim_fleet

    return _until_stopped(lambda stop: sim_fleet.run(session, stop))


def _until_stopped(serve: Callable[[asyncio.Event], Awaitable[None]]) -> int:
    """Run until Ctrl-C or SIGTERM."""

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await serve(stop)

    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(run())
    except OSError as error:
        raise RemoteError("sim.failed", str(error)) from error
    return Exit.OK


def _nobody(session: Session, where: str, error: Exception) -> UnreachableError:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return UnreachableError(
        "sim.nobody", session.words("error.sim_nobody", where=where, reason=reason)
    )
