"""The seam carries schemes that are not built: Sparkplug B and AWS IoT, through the real part."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

import pytest

from agent.config.adapter import Adapter
from agent.telemetry.adapters.choosing import scheme_of
from agent.telemetry.adapters.thin_edge import ThinEdge
from agent.telemetry.adapters.thingsboard import ThingsBoard
from tests.telemetry.adapters import rows
from tests.telemetry.adapters.aws_iot import SHADOW_BYTES, AwsIot
from tests.telemetry.adapters.served import Broker, Server, crashing, prompt, reported, terminal
from tests.telemetry.adapters.signing import signed
from tests.telemetry.adapters.sparkplug import (
    BOOLEAN,
    DOUBLE,
    INT64,
    STRING,
    Metric,
    Payload,
    Sparkplug,
    decoded,
    encoded,
)
from tests.telemetry.rig import running

METRICS = {"printer": STRING, "printer_paper": STRING, "printer_retries": INT64,
           "printer_head_c": DOUBLE, "printer_cover_open": BOOLEAN}  # fmt: skip


@dataclass
class SparkplugHost:
    """Checks what a host application checks: birth first, no gap, death with its birth's number."""

    complaints: list[str] = field(default_factory=list)
    births: list[dict[str, Any]] = field(default_factory=list)
    data: list[Payload] = field(default_factory=list)
    deaths: list[int] = field(default_factory=list)
    seq: int | None = None

    def take(self, topic: str, payload: bytes, *, qos: int = 1, retained: bool = False) -> None:
        del qos  # the seam knows QoS 1 only: docs/fleet/adapters.md
        kind = topic.split("/")[2]
        told = decoded(payload)
        names = {one.name: one.value for one in told.metrics}
        if retained:
            self.complaints.append(f"{topic}: retained")
        match kind:
            case "NBIRTH":
                if told.seq != 0 or names.get("Node Control/Rebirth") is not False:
                    self.complaints.append("birth: seq 0 and Node Control/Rebirth false")
                self.births.append(names)
                self.seq = 0
            case "NDATA":
                if not self.births or set(names) - set(self.births[-1]):
                    self.complaints.append(f"not born with {sorted(names)}")
                if self.seq is not None and told.seq != (self.seq + 1) % 256:
                    self.complaints.append(f"gap: {self.seq} -> {told.seq}")
                self.seq = told.seq
                self.data.append(told)
            case "NDEATH":
                if told.seq is not None or names.get("bdSeq") != self.births[-1]["bdSeq"]:
                    self.complaints.append("death: no seq, and the bdSeq of its birth")
                self.deaths.append(int(names["bdSeq"] or 0))


@pytest.mark.broker
def test_sparkplug_is_born_first_counts_and_dies_with_its_number() -> None:
    """NBIRTH before data, rebirth on request, the Will of the same connection after a crash."""

    async def story() -> None:
        async with Broker() as broker:
            host = SparkplugHost()
            async with Server(broker.port, host, lambda topic: "/NCMD/" in topic) as server:
                made = terminal(prompt([broker.url]), Sparkplug("pos", "T-1", METRICS))
                async with crashing(made):
                    await server.until(lambda: host.births, "a birth")
                    made.rig.health.says("printer", paper="ok", retries=3, head_c=41.5)
                    await reported(made, lambda: host.data)
                    asked = Payload(rows.TS, (Metric("Node Control/Rebirth", BOOLEAN, True),), None)
                    server.say("spBv1.0/pos/NCMD/T-1", encoded(asked))
                    await server.until(lambda: len(host.births) == 2, "the second birth")
                    assert host.births[1]["bdSeq"] == host.births[0]["bdSeq"] == 1
                    assert host.births[1]["printer_retries"] == 3
                    made.rig.health.says("printer", paper="out", retries=9, head_c=60.5)
                    await reported(made, lambda: len(host.data) >= 2)
                await server.until(lambda: host.deaths == [1], "the Will")
                made.rig.db.close()
                assert host.complaints == []

    asyncio.run(story())


@dataclass
class AwsRules:
    """Limits of AWS IoT Core on every message, and what shadows and jobs say."""

    complaints: list[str] = field(default_factory=list)
    shadows: dict[str, dict[str, Any]] = field(default_factory=dict)
    updates: list[tuple[str, str]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def take(self, topic: str, payload: bytes, *, qos: int = 1, retained: bool = False) -> None:
        if topic.count("/") > 7 or len(topic.encode()) > 256:
            self.complaints.append(f"{topic}: more than seven slashes")
        if qos > 1 or retained or len(payload) > 131_072:
            self.complaints.append(f"{topic}: QoS 2, retained or too large")
        parts = topic.split("/")
        if "/shadow/" in topic and parts[-1] == "update":
            if len(payload) > SHADOW_BYTES:
                self.complaints.append(f"{topic}: a shadow of {len(payload)} bytes")
            self.shadows.setdefault(parts[5], {}).update(json.loads(payload)["state"]["reported"])
        elif "/jobs/" in topic and parts[-1] == "update":
            status = json.loads(payload)["status"]
            if status not in {"IN_PROGRESS", "FAILED", "SUCCEEDED", "REJECTED"}:
                self.complaints.append(f"{topic}: {status}")
            self.updates.append((parts[4], status))
        else:
            self.others.append(topic)


def of_aws(topic: str) -> bool:
    return topic.endswith(("/accepted", "/delta", "/notify-next"))


@pytest.mark.broker
def test_aws_shadows_and_jobs_fit_the_seam() -> None:
    """State and readings as named shadows, a job as a command and back, a desired shadow."""

    async def story() -> None:
        async with Broker() as broker:
            rules = AwsRules()
            async with Server(broker.port, rules, of_aws, topics=("#", "$aws/#")) as server:
                made = terminal(prompt([broker.url]), AwsIot("T-1"))
                rig, things = made.rig, "$aws/things/T-1"
                async with running(rig):
                    await server.until(lambda: "line" in rules.shadows, "online")
                    await server.until(
                        lambda: f"{things}/jobs/$next/get" in rules.others, "the question for jobs"
                    )
                    rig.health.says("printer", paper="ok")
                    await reported(made, lambda: rules.shadows.get("health", {}).get("printer"))
                    rig.health.change(rig.clock, "printer.paper_out")
                    await server.until(lambda: "pos/T-1/event" in rules.others, "the alarm")
                    job = {"execution": {"jobId": "job-7", "jobDocument": signed("c-1")}}
                    server.say(f"{things}/jobs/notify-next", job)
                    await server.until(lambda: made.inbox.commands, "the job")
                    assert made.inbox.commands[0][0] == "c-1"
                    assert await rig.part.tell(rows.res("c-1", "accepted"))
                    assert await rig.part.tell(rows.res("c-1", "ok"))
                    await server.until(lambda: len(rules.updates) == 2, "the job's end")
                    assert rules.updates == [("job-7", "IN_PROGRESS"), ("job-7", "SUCCEEDED")]
                    wish = {"desired": 1, "payload": "e30="}
                    delta = {"state": {"envelope": wish}}
                    server.say(f"{things}/shadow/name/desired/update/delta", delta)
                    await server.until(lambda: made.inbox.wishes, "the wish")
                    assert json.loads(made.inbox.wishes[0]) == wish
                await server.until(lambda: rules.shadows["line"]["state"] == "offline", "goodbye")
                assert rules.complaints == []

    asyncio.run(story())


@pytest.mark.parametrize(("name", "kind"), [("thin_edge", ThinEdge), ("thingsboard", ThingsBoard)])
def test_the_configured_scheme_is_chosen(name: Any, kind: type) -> None:
    """One word in the configuration, one scheme."""
    made = scheme_of(name, Adapter(), listening=True)
    assert type(made) is kind
    assert made.subscriptions


def test_an_adapter_that_is_not_configured_is_not_loaded() -> None:
    """A terminal pays no memory for servers it does not know."""
    code = (
        "import sys, agent.telemetry, agent.main\n"
        "print([name for name in sys.modules if name.startswith('agent.telemetry.adapters')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.rpartition(".")[2] for name in eval(done.stdout)}
    assert loaded == {"adapters", "native"}
