"""`make fleet-kills`: messages through real brokers while broker, line and agent are killed.

The agent is the real Publisher over a real state.db in a process of its own (`producer`). It makes
numbered messages of three kinds and says which ones its outbox has taken; those are promised. A
line of the rig's own is cut and stalled, the agent and the broker are killed with SIGKILL, at
random moments. In the end every promised message must have reached a subscriber, once after repeats
(same outbox_id and seq) are dropped, and in order within its kind.

Two controls show that the rig can tell: a reader that drops no repeats must count more messages
than there are, and an outbox in memory must lose some.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from agent.sim.broker import mosquitto
from tests.fleet_rig import certificates
from tests.fleet_rig.brokers import Broker, Mosquitto, RabbitMq, rabbitmq
from tests.fleet_rig.producer import KINDS, numbers_of
from tests.fleet_rig.reader import Reader, Seen
from tests.fleet_rig.relay import Relay
from tests.telemetry.strict_broker import StrictBroker

DEVICE = "T-1"
RECEIVE_MAXIMUM = 10
SLOW_PUBACK_S = 0.03
#: At most so many kills of a broker that takes ten seconds to come back.
SLOW_KILLS = 4


@dataclass(frozen=True)
class Plan:
    """One run."""

    target: str  #: strict, mosquitto or rabbitmq
    messages: int
    seed: int = 1
    pause_s: float = 0.15  #: between batches of twenty
    fault_every_s: float = 2.0  #: on average
    faults: tuple[str, ...] = ("agent", "broker", "cut", "stall")
    memory: bool = False
    at_most_s: float = 600.0


@dataclass
class Verdict:
    """What became of it."""

    plan: Plan
    faults: Counter[str] = field(default_factory=Counter)
    promised: int = 0
    delivered: int = 0  #: deliveries, repeats included
    distinct: int = 0  #: after dropping repeats
    history: int = 0  #: readings that arrived inside messages `hist`
    missing: int = 0  #: promised, never seen
    twice: int = 0  #: seen under two numbers
    disorder: Counter[str] = field(default_factory=Counter)
    lives: int = 0
    violations: int = 0
    protocols: set[str] = field(default_factory=set)
    seconds: float = 0.0

    @property
    def repeats(self) -> int:
        return self.delivered - self.distinct

    @property
    def proved(self) -> bool:
        return not (self.missing or self.twice or self.disorder or self.violations)


class Target(Protocol):
    """A broker, and what a subscriber of it has seen."""

    port: int
    tls: tuple[str, str, str] | None
    slow: bool
    consumer_first: bool

    async def start(self) -> None: ...
    async def kill(self) -> None: ...
    async def close(self) -> None: ...
    def watching(self) -> bool: ...
    def arrivals(self) -> Sequence[Seen]: ...


class Strict:
    """The strict broker of the tests: Receive Maximum 10, slow PUBACKs."""

    tls = None
    slow = False
    consumer_first = False

    def __init__(self) -> None:
        self.broker = StrictBroker(receive_maximum=RECEIVE_MAXIMUM, puback_after_s=SLOW_PUBACK_S)
        self.port = 0

    async def start(self) -> None:
        await self.broker.start()
        self.port = self.broker.port

    async def kill(self) -> None:
        await self.broker.stop()

    async def close(self) -> None:
        await self.broker.stop()

    def watching(self) -> bool:
        return True

    def arrivals(self) -> Sequence[Seen]:
        return [
            Seen(
                DEVICE, topic.split("/", 4)[4], str(body["outbox_id"]), int(str(body["seq"])), body
            )
            for topic, body in self.broker.received
            if "seq" in body
        ]


class Real:
    """A broker of the recipes, over TLS with certificates, read by the recipe's operator."""

    def __init__(self, kind: str, scratch: Path) -> None:
        certs = certificates.make(scratch / "certs", DEVICE, "operator")
        self.tls = tuple(str(certs / name) for name in ("ca.pem", f"{DEVICE}.pem", f"{DEVICE}.key"))
        self.slow = kind == "rabbitmq"
        # mosquitto keeps nothing for a reader that is away when it is killed; RabbitMQ does.
        self.consumer_first = not self.slow
        extra = "queue_qos0_messages true"
        (scratch / kind).mkdir()
        self._broker: Broker = (
            RabbitMq(scratch / kind, certs)
            if self.slow
            else Mosquitto(scratch / kind, certs, extra)
        )
        self.port = self._broker.port
        self._reader = Reader(
            self.port,
            qos=1 if self.slow else 0,
            tls=certificates.context(certs, "operator"),
            client_id="operator",
            topic="pos/1/acme/#",
        )

    async def start(self) -> None:
        await asyncio.to_thread(self._broker.start)
        if not self._reader.connects:
            if isinstance(self._broker, RabbitMq):
                await asyncio.to_thread(self._broker.add_terminals, DEVICE)
            self._reader.start()
            await asyncio.to_thread(self._reader.ready.wait, 30)

    async def kill(self) -> None:
        self._reader.ready.clear()
        self._broker.kill()

    async def close(self) -> None:
        await asyncio.to_thread(self._reader.close)
        self._broker.stop()

    def watching(self) -> bool:
        return self._reader.ready.is_set()

    def arrivals(self) -> Sequence[Seen]:
        return list(self._reader.arrivals)


class Agent:
    """The producer's process, killed and started again; knows what was promised."""

    def __init__(self, orders: dict[str, Any], last: int) -> None:
        self._orders, self._last = orders, last
        self.life = 0
        self.promised: list[tuple[int, int, int]] = []  #: (life, from, to)
        self.reached = 0
        self.waiting = -1
        self.lost = 0
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self.life += 1
        self.waiting = -1
        orders = self._orders | {
            "life": self.life, "first": self.reached + 1, "last": self._last,
        }  # fmt: skip
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.fleet_rig.producer", json.dumps(orders),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )  # fmt: skip
        self._reading = asyncio.create_task(self._read(self._process, self.life))

    async def kill(self) -> None:
        process = self._process
        assert process is not None
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await self._ended()

    async def stop(self) -> None:
        """In good order."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
        await self._ended()

    @property
    def dead(self) -> bool:
        return self._process is not None and self._process.returncode is not None

    async def _ended(self) -> None:
        assert self._process is not None
        assert self._reading is not None
        await self._process.wait()
        await self._reading  # what it still said, counts
        self._process = None

    async def _read(self, process: asyncio.subprocess.Process, life: int) -> None:
        assert process.stdout is not None
        async for raw in process.stdout:
            if not raw.endswith(b"\n"):
                continue  # killed in the middle of a word
            line = json.loads(raw)
            if "from" in line:
                self.promised.append((life, line["from"], line["to"]))
                self.reached = line["to"]
            self.waiting, self.lost = line["waiting"], line["lost"]


class Rig:
    """One run of a plan."""

    def __init__(self, plan: Plan, scratch: Path) -> None:
        self._plan = plan
        self._rng = random.Random(plan.seed)
        self.verdict = Verdict(plan)
        self._target: Target = Strict() if plan.target == "strict" else Real(plan.target, scratch)
        self._scratch = scratch

    async def run(self) -> Verdict:
        plan, target, began_s = self._plan, self._target, time.monotonic()
        await target.start()
        relay = Relay(target.port)
        await relay.start()
        agent = Agent(self._orders(relay.port), plan.messages)
        try:
            async with asyncio.timeout(plan.at_most_s):
                await agent.start()
                await self._trouble(agent, relay)
                relay.mend()
                # Nothing more happens to anybody: what is promised has to arrive now.
                await until(lambda: agent.waiting == 0, plan.at_most_s)
                await self._settled()
        finally:
            await agent.stop()
            await relay.stop()
            await target.close()
        self._judge(agent)
        self.verdict.seconds = time.monotonic() - began_s
        return self.verdict

    def _orders(self, port: int) -> dict[str, Any]:
        tls = self._target.tls
        (self._scratch / "state").mkdir(mode=0o700)
        return {
            "directory": str(self._scratch / "state"),
            "device": DEVICE,
            "memory": self._plan.memory,
            "pause_s": self._plan.pause_s,
            "tls": tls or ["", "", ""],
            "settings": {
                "endpoints": [f"mqtts://localhost:{port}" if tls else f"mqtt://127.0.0.1:{port}"],
                "boot_delay_s": 0,
                "reconnect_base_s": 0.2,
                "reconnect_cap_s": 1,
                "puback_timeout_s": 3,
                "will_delay_s": 0,
                "daily_budget_kb": 0,
                "drain_messages_per_s": 10_000,
                "drain_bytes_per_s": 100_000_000,
            },
        }

    async def _trouble(self, agent: Agent, relay: Relay) -> None:
        """Until everything is promised: one fault after the other, at random moments."""
        plan, rng, faults = self._plan, self._rng, self.verdict.faults
        while agent.reached < plan.messages:
            end_s = time.monotonic() + rng.uniform(0.2, 2 * plan.fault_every_s - 0.2)
            while time.monotonic() < end_s and agent.reached < plan.messages:
                if agent.dead:
                    raise RuntimeError("the agent ended by itself")
                await asyncio.sleep(0.02)
            what = rng.choice(plan.faults)
            if what == "broker" and self._target.slow and faults["broker"] >= SLOW_KILLS:
                what = "agent"
            faults[what] += 1
            await self._one(what, agent, relay)

    async def _one(self, what: str, agent: Agent, relay: Relay) -> None:
        rng, target = self._rng, self._target
        match what:
            case "agent":
                # One that has not begun yet has nothing to lose.
                await until(lambda: agent.waiting > 0 or agent.reached >= self._plan.messages, 60)
                await agent.kill()
                await agent.start()
            case "cut":
                relay.cut()
                await asyncio.sleep(rng.uniform(0.1, 1.5))
                relay.mend()
            case "stall":
                relay.stall()
                await asyncio.sleep(rng.uniform(0.5, 5.0))
                relay.mend()
            case _:
                await target.kill()
                if target.consumer_first:
                    relay.cut()
                await asyncio.sleep(rng.uniform(0.1, 1.5))
                await target.start()
                if target.consumer_first:
                    await until(target.watching, 30)
                    relay.mend()

    async def _settled(self) -> None:
        """The broker has it all; the subscriber may still be hearing it."""
        await until(self._target.watching, 30)
        seen, same = -1, 0
        while same < 5:
            now = len(self._target.arrivals())
            same = same + 1 if now == seen else 0
            seen = now
            await asyncio.sleep(0.2)

    def _judge(self, agent: Agent) -> None:
        verdict = self.verdict
        verdict.lives = agent.life
        promised = {
            (("event", "backlog", "health")[number % 3], life, number)
            for life, first, last in agent.promised
            for number in range(first, last + 1)
        }
        first: dict[tuple[str, int], Seen] = {}
        arrivals = [each for each in self._target.arrivals() if each.kind in KINDS]
        for each in arrivals:
            first.setdefault((each.outbox_id, each.seq), each)
        seen = [(each.kind, numbers_of(each.kind, each.body)) for each in first.values()]
        contents = Counter(number for _, numbers in seen for number in numbers)
        verdict.promised, verdict.delivered = len(promised), len(arrivals)
        verdict.distinct = len(first)
        verdict.history = sum(len(numbers) for kind, numbers in seen if kind == "hist")
        verdict.missing = len(promised - contents.keys()) + agent.lost
        verdict.twice = sum(count > 1 for count in contents.values())
        for kind in KINDS:
            numbers = [number for its, all_ in seen if its == kind for number in all_]
            broken = sum(now < before for before, now in pairwise(numbers))
            if broken:
                verdict.disorder[kind] = broken
        if isinstance(self._target, Strict):
            verdict.violations = self._target.broker.violations
            verdict.protocols = {str(each["version"]) for each in self._target.broker.connects}


async def until(reached: Callable[[], bool], at_most_s: float) -> None:
    async with asyncio.timeout(at_most_s):
        while not reached():
            await asyncio.sleep(0.02)


def play(plan: Plan) -> Verdict:
    """One run, in a scratch directory of its own."""
    with tempfile.TemporaryDirectory(prefix="posagent-kills-") as scratch:
        return asyncio.run(Rig(plan, Path(scratch)).run())


def line(verdict: Verdict) -> str:
    plan, faults = verdict.plan, verdict.faults
    killed = ", ".join(f"{faults[name]} {name}" for name in plan.faults)
    disorder = sum(verdict.disorder.values())
    name = f"{plan.target}, outbox in memory (control)" if plan.memory else plan.target
    return (
        f"| {name} | {killed} | {verdict.promised} | {verdict.delivered} | {verdict.history}"
        f" | {verdict.repeats} | {verdict.missing} | {verdict.twice} | {disorder}"
        f" | {verdict.violations if plan.target == 'strict' else '–'} | {verdict.seconds:.0f} s |"
    )


HEAD = """# Messages while broker, line and agent are killed

Written by `make fleet-kills`. The agent is the real Publisher over a real `state.db` in a process
of its own; alarms, money and readings go through its recorder; *promised* is what the store had
taken. SIGKILL to agent and broker, a line that is cut or goes silent, at random moments (seed
{seed}). *Delivered* is what a subscriber heard; *in history* are the readings that waited for a
connection and arrived inside messages `hist`, many in one, each counted by itself for what follows;
*repeats* have an outbox_id and seq it had already: the control is the reader that does not drop
them, it would count them as messages. *Missing*, *twice* (one content under two numbers) and *out
of order* (within a kind, first arrivals) must be 0.

- `mosquitto`: the recipe of packaging/fleet/mosquitto, TLS, client certificates, ACL, MQTT 5. It
  keeps nothing for a reader that is away while it is killed; the rig therefore lets the agent back
  in only when the reader is there, and reads what the dead broker had still written.
- `rabbitmq`: the recipe of packaging/fleet/rabbitmq (Debian's 3.10, MQTT 3.1.1, found out by the
  agent), TLS, certificate login. A durable queue; nobody waits for anybody.
- `strict`: Receive Maximum {receive_maximum}, each PUBACK {puback_ms:.0f} ms late; one message more
  than allowed would be a violation.
{of}
"""
COLUMNS = (
    "broker", "killed", "promised", "delivered", "in history", "repeats", "missing", "twice",
    "out of order", "violations", "took",
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    parser.add_argument("--only", choices=("strict", "mosquitto", "rabbitmq"))
    parser.add_argument("--report", type=Path)
    parser.add_argument(
        "--of",
        default="",
        help="which code and which brokers, for the report: words that follow 'Of'",
    )
    args = parser.parse_args()
    plans = [Plan(name, args.messages, args.seed) for name in ("strict", "mosquitto", "rabbitmq")]
    plans.append(Plan("strict", 1_500, args.seed, faults=("agent",), memory=True))
    if args.only:
        plans = [each for each in plans if each.target == args.only]
    text = HEAD.format(
        of=f"\nOf {args.of}.\n" if args.of else "",
        seed=args.seed,
        receive_maximum=RECEIVE_MAXIMUM,
        puback_ms=SLOW_PUBACK_S * 1000,
    )
    text += f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}\n"
    print(text, end="", flush=True)
    good = True
    for plan in plans:
        if (plan.target == "mosquitto" and not mosquitto()) or (
            plan.target == "rabbitmq" and not rabbitmq()
        ):
            row, good = f"| {plan.target} | NOT RUN: not installed | | | | | | | | | |", False
        else:
            verdict = play(plan)
            row = line(verdict)
            good &= bool(verdict.missing) if plan.memory else verdict.proved
            good &= plan.memory or verdict.repeats > 0
        print(row, flush=True)
        text += row + "\n"
    if args.report is not None:
        args.report.write_text(text, "utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
