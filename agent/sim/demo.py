"""`posagent demo`: a terminal's whole day in a minute, on this machine, then a playground.

Decides what is started, in which order it is stopped, and what the visitor is told to try. It
starts the printer, the host and the broker as simulators and the real daemon as a process of its
own, lets `demo_story` play, and ends everything it started, whatever happens. Called by the
command line; needs no root, no fixed port and no network.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import shlex
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agent.errors import AgentError
from agent.sim import certificates, printer
from agent.sim.broker import Broker, Heard, Watcher
from agent.sim.demo_actors import Keeper, PaymentApp
from agent.sim.demo_story import (
    Cast,
    StoryError,
    check,
    play,
    run_command,
    unsent_count,
    until,
)
from agent.sim.demo_text import Language, Narrator
from agent.sim.host import HostOptions, ReferenceHost
from agent.sim.leash import leash

TENANT = "demo"
DEVICE_ID = "demo-terminal"
#: In the playground a payment arrives this often.
PAYMENT_EVERY_S = 5
#: The simulated host is done with a post within this time; short, so that nobody waits a minute.
IN_FLIGHT_S = 2
#: Scripts in the run directory, in the order they are suggested.
HINTS = (
    "paper-out",
    "paper-in",
    "cut",
    "why",
    "queue",
    "page",
    "mend",
    "lose",
    "kill",
    "status",
    "ledger",
    "fleet-watch",
    "fleet-send",
    "mqtt",
)
#: What to type behind a script to see something at once.
MORE = {"fleet-watch": " --once --wait 5", "fleet-send": " report"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What the command line may choose."""

    language: Language = "en"
    once: bool = False  #: end after the story; exit code 1 if the books do not agree
    keep: bool = False  #: leave the run directory behind


class Live:
    """Says in the playground what happens without the visitor asking."""

    def __init__(self, narrator: Narrator) -> None:
        self.on = False  #: off during the story, which says these things itself
        self._narrator = narrator

    def heard(self, message: Heard) -> None:
        if self.on and message.kind == "event":
            name = "live.alarm" if message.fields.get("active") else "live.cleared"
            self._narrator.say(name, body=message.payload.decode())

    def trouble(self, reason: str) -> None:
        self._narrator.say("live.refused", reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What stands before the story begins."""

    directory: Path
    cast: Cast
    keeper: Keeper
    live: Live
    broker_port: int


def demo(options: DemoOptions) -> int:
    """Run it; the exit code: 0 as promised, 1 the books disagree or it broke off."""
    return asyncio.run(run(options))


async def run(options: DemoOptions) -> int:
    """As `demo`, inside a running loop."""
    narrator = Narrator(options.language)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    directory = Path(tempfile.mkdtemp(prefix="posagent-demo-"))
    try:
        async with _staged(narrator, directory, options) as stage:
            good = await _until_stopped(_perform(stage, options), stage, stop)
    except (StoryError, AgentError, OSError, TimeoutError) as error:
        narrator.say("failed", reason=str(error) or "timed out")
        good = False
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
        if not options.keep:
            shutil.rmtree(directory, ignore_errors=True)
    narrator.say("bye")
    return 0 if good else 1


async def _until_stopped(
    performance: Coroutine[Any, Any, bool], stage: Stage, stop: asyncio.Event
) -> bool:
    """The performance's verdict; False if something broke it off, True if the visitor did."""
    narrator = stage.cast.narrator
    acting = asyncio.create_task(performance)
    keeping = asyncio.create_task(stage.keeper.keep())
    stopping = asyncio.create_task(stop.wait())
    tasks: set[asyncio.Task[Any]] = {acting, keeping, stopping}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if keeping.done():
            keeping.result()  # only ever ends by raising
        if acting.done():
            return acting.result()
        return await _last_check(stage)
    except (StoryError, AgentError, OSError) as error:
        narrator.say("failed", reason=error)
        narrator.say("log", path=stage.keeper.log_file)
        narrator.quote(stage.keeper.log_tail())
        return False
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _perform(stage: Stage, options: DemoOptions) -> bool:
    cast = stage.cast
    await until(cast.app.answering, "the agent's local API", 15.0)
    cast.narrator.say(
        "started",
        host=cast.host.url,
        mqtt=stage.broker_port,
        printer=stage.directory / "printer",
        pid=stage.keeper.pid,
    )
    cast.narrator.say("page.address", address=f"http://{cast.page}/")
    good = await play(cast)
    if options.once:
        return good
    hints(cast.narrator, stage.directory, fleet=bool(cast.order))
    told = json.loads(await run_command(["page", "--config", str(cast.config), "--json"]))
    cast.narrator.say("page", address=told["address"], code=told["code"])
    stage.live.on = True
    await _playground(stage)
    return good


async def _last_check(stage: Stage) -> bool:
    """The visitor ends it: compare the books once more, naming what is still on its way."""
    try:
        return await check(stage.cast, None)
    except AgentError:
        return True  # no daemon to ask: whatever it holds is safe on disk, and unknown here


async def _playground(stage: Stage) -> None:
    """Payments keep coming; whatever the visitor breaks shows up as lines."""
    cast = stage.cast
    before = 0
    while True:
        await asyncio.sleep(PAYMENT_EVERY_S)
        with contextlib.suppress(AgentError):
            await cast.app.pay(random.randrange(100, 50_000))
            unsent = unsent_count(await cast.app.backlog())
            if unsent != before:
                cast.narrator.say("live.backlog", count=unsent)
            before = unsent


@asynccontextmanager
async def _staged(
    narrator: Narrator, directory: Path, options: DemoOptions
) -> AsyncIterator[Stage]:
    """Everything started; stopped in reverse order when the block ends, also by an error."""
    narrator.heading("title")
    narrator.say("run_dir", path=directory)
    async with AsyncExitStack() as stack:
        host = await _start_host(narrator, directory, stack)
        broker = Broker()
        stack.push_async_callback(broker.stop)
        broker_port = await broker.start()
        control = await _start_printer(directory, stack)
        live = Live(narrator)
        loop = asyncio.get_running_loop()

        def pass_on(heard: Heard) -> None:  # called by the subscriber's thread
            loop.call_soon_threadsafe(live.heard, heard)

        ear = Watcher(
            broker_port,
            topic=f"pos/1/{TENANT}/#",
            v5=broker.v5,
            on_message=pass_on,
        )
        stack.callback(ear.close)
        ear.start()
        if not await ear.expect(lambda: ear.subscribed):
            raise StoryError("nobody could subscribe at the broker")
        public = await _new_key(directory) if broker.v5 else ""
        page = f"127.0.0.1:{_free_port()}"
        config = _write_config(directory, host.url, broker, options.language, public, page=page)
        command = [*leash(), sys.executable, "-m", "agent", "run", "--config", str(config)]
        keeper = Keeper(command, directory, narrator.say)
        stack.push_async_callback(keeper.end)
        await keeper.start()
        app = PaymentApp(directory / "api.sock", live.trouble)
        stack.push_async_callback(app.close)
        cast = Cast(
            narrator=narrator,
            app=app,
            host=host,
            ledger_file=directory / "ledger.jsonl",
            printer=control,
            ear=ear,
            config=config,
            page=page,
            order=_order(directory, broker_port, options.language) if public else (),
        )
        _write_scripts(directory, host.control_url, broker_port, options.language)
        yield Stage(
            directory=directory, cast=cast, keeper=keeper, live=live, broker_port=broker_port
        )


async def _start_host(narrator: Narrator, directory: Path, stack: AsyncExitStack) -> ReferenceHost:
    options = HostOptions(ledger_file=directory / "ledger.jsonl", in_flight_s=IN_FLIGHT_S)
    if certificates.available():
        made = certificates.make_certificates(directory / "tls", terminal=DEVICE_ID)
        options = replace(
            options,
            cert_file=made.host_cert_file,
            key_file=made.host_key_file,
            client_ca_file=made.ca_file,
        )
    else:
        narrator.say("http_only")
    host = ReferenceHost(options)
    stack.push_async_callback(host.close)
    await host.start()
    return host


async def _start_printer(
    directory: Path, stack: AsyncExitStack
) -> Callable[[str], Awaitable[None]]:
    """The printer with its control socket; returns what obeys one line of its language."""
    stop, control_path = asyncio.Event(), directory / "printer.ctl"
    serving = asyncio.create_task(printer.serve(directory / "printer", control_path, stop))

    async def end() -> None:
        stop.set()
        await serving

    stack.push_async_callback(end)

    async def listening() -> bool:
        if serving.done():
            serving.result()
        return control_path.exists()

    await until(listening, "the simulated printer", 5.0)

    async def order(line: str) -> None:
        answer = await printer.control(control_path, line)
        if answer.startswith("error"):
            raise StoryError(f"the simulated printer refused {line!r}: {answer}")

    return order


async def _new_key(directory: Path) -> str:
    """The operator's key, made on the spot as he would make it; its public half."""
    made = ["fleet", "key", "new", str(directory / "operator.key"), "--key-id", "operator"]
    told = json.loads(await run_command([*made, "--json"]))
    return str(told["public_key"])


def _order(directory: Path, broker_port: int, language: Language) -> tuple[str, ...]:
    """`posagent fleet send` to the one terminal there is; what to do comes behind it."""
    return (
        "--lang", language, "fleet", "send", "--broker", f"mqtt://127.0.0.1:{broker_port}",
        "--tenant", TENANT, "--sign-key", str(directory / "operator.key"),
        "--to", DEVICE_ID, "--yes",
    )  # fmt: skip


def _write_config(
    directory: Path,
    url: str,
    broker: Broker,
    language: Language,
    public: str = "",
    *,
    page: str = "127.0.0.1:0",
) -> Path:
    """The daemon's configuration: real in every part, only quicker than in the field.

    `public` is the operator's key, "" where the fleet sends no commands.
    """
    tables: dict[str, dict[str, object]] = {
        "agent": {
            "device_id": DEVICE_ID,
            "tenant": TENANT,
            "language": language,
            "state_dir": str(directory / "state"),
            "run_dir": str(directory),
        },
        "[uplink]": {
            "name": "acquirer",
            "url": url,
            "connect_timeout_s": 3.0,
            "answer_timeout_s": 5.0,
            "backoff_base_s": 0.5,
            "backoff_cap_s": 4.0,
            "host_in_flight_s": IN_FLIGHT_S,
        },
        "telemetry": {
            "endpoints": [broker.url],
            # amqtt misreads an MQTT 5 greeting and goes silent instead of refusing it.
            "protocol": "auto" if broker.v5 else "3.1.1",
            "boot_delay_s": 0.0,
            "reconnect_cap_s": 5.0,
            "health_period_s": 30.0,
            "backlog_period_s": 2.0,
        },
        "printer": {"device": str(directory / "printer"), "period_s": 5.0},
        "connectivity": {"period_s": 5.0, "timeout_s": 2.0},
        "page": {"listen": page, "code_minutes": 60},
        # A visitor waits no minute until a payment is late, nor a day until it is settled.
        "stats": {"late_after_s": 1},
        "[reconcile]": {"name": "bank", "cycle": "T+0", "weekends": True},
        'health."printer.paper_out"': {"visible_after_s": 0.0, "clear_after_s": 0.0},
        'health."network.host_unreachable"': {"visible_after_s": 0.0, "clear_after_s": 0.0},
    }
    if url.startswith("https:"):
        tables["[uplink]"] |= {
            "ca_file": str(directory / "tls" / "ca.pem"),
            "cert_file": str(directory / "tls" / "terminal.pem"),
            "key_file": str(directory / "tls" / "terminal.key"),
        }
    if public:
        tables["[fleet_key]"] = {"id": "operator", "public_key": public, "roles": ["operate"]}
    return _written(directory, tables)


def _written(directory: Path, tables: Mapping[str, Mapping[str, object]]) -> Path:
    """The file, and the folder it names."""
    lines: list[str] = []
    for name, values in tables.items():
        # JSON's strings, numbers and lists of strings are TOML's too.
        lines += ["", f"[{name}]", *(f"{key} = {json.dumps(v)}" for key, v in values.items())]
    config = directory / "posagent.toml"
    config.write_text("\n".join(lines).lstrip() + "\n", "utf-8")
    config.chmod(0o600)
    (directory / "state").mkdir(mode=0o700)
    return config


def _free_port() -> int:
    """Chosen before the agent starts: it is killed and comes back at the same address."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port


def _write_scripts(directory: Path, control_url: str, broker_port: int, language: Language) -> None:
    """One small script per thing to try; reading one shows the whole command."""
    agent = f"exec {shlex.quote(sys.executable)} -m agent"
    config = f"--config {directory / 'posagent.toml'} --lang {language}"
    host = f"{agent} sim host --control {control_url}"
    paper = f"{agent} sim printer --control {directory / 'printer.ctl'}"
    order = shlex.join(_order(directory, broker_port, language))
    watch = f"--lang {language} fleet watch --broker mqtt://127.0.0.1:{broker_port}"
    scripts = {
        "paper-out": f"{paper} paper out",
        "paper-in": f"{paper} paper ok",
        "cut": f"{host} refuse",
        "lose": f"{host} drop_after only=post times=1",
        "mend": f"{host} off",
        "ledger": f"{host} ledger",
        "kill": f"kill -9 $(cat {directory / 'agent.pid'})",
        "why": f'{agent} why {config} "$@"',
        "status": f'{agent} status {config} "$@"',
        "queue": f'{agent} queue list {config} "$@"',
        "page": f'{agent} page {config} "$@"',
        "fleet-watch": f'{agent} {watch} --tenant {TENANT} "$@"',
        "fleet-send": f'{agent} {order} "$@"',
        "mqtt": f"exec mosquitto_sub -h 127.0.0.1 -p {broker_port} -t 'pos/1/#' -v",
    }
    # The checkout need not be installed, and the scripts may be called from anywhere.
    search = f"export PYTHONPATH={shlex.quote(str(Path(__file__).parents[2]))}\n"
    for name, command in scripts.items():
        path = directory / name
        path.write_text(f"#!/bin/sh\n{search}{command}\n", "utf-8")
        path.chmod(0o700)


def hints(narrator: Narrator, directory: Path, *, fleet: bool = True) -> None:
    """What to try now, as commands to copy; `fleet`: also as its manager."""
    narrator.heading("hints")
    for name in HINTS:
        if name == "mqtt" and not shutil.which("mosquitto_sub"):
            continue
        if fleet or not name.startswith("fleet-"):
            narrator.hint(f"hint.{name}", f"{directory / name}{MORE.get(name, '')}")
    narrator.say("hint.stop", seconds=PAYMENT_EVERY_S)
