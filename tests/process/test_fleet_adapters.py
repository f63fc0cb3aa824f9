"""The real daemon with a server's adapter: what its fleet server gets, by that server's rules."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest

from agent.sim.broker import Heard, Watcher
from agent.sim.host import HostThread
from agent.sim.host_faults import Fault
from tests.process.daemon import PATIENCE_S, Daemon, payment
from tests.process.fleet import (
    AGENT,
    DEVICE,
    BrokerThread,
    LoopThread,
    Printer,
    at_once,
    printer,
    telemetry,
)
from tests.telemetry.adapters.signing import FLEET_KEY, signed
from tests.telemetry.adapters.thin_edge_rules import ThinEdgeRules
from tests.telemetry.adapters.thingsboard_rules import ThingsBoardRules

pytestmark = [pytest.mark.process, pytest.mark.broker]

#: Words that are in the payments and must be in no message.
SECRETS = (
    "KEYSECRET-1",
    "622202",
    "******1234",
    "PAYLOADSECRET",
    "918273",
    "RRNSECRET012",
    "564738",
)


class Judge:
    """Listens to everything; each message goes before the rules of the server it is meant for."""

    def __init__(self, port: int) -> None:
        self.thingsboard = ThingsBoardRules()
        self.thin_edge = ThinEdgeRules()
        self.port = port
        self.watcher = Watcher(port, topic="#", on_message=self._take)

    def __enter__(self) -> Self:
        self.watcher.start()
        assert self.watcher.wait(lambda: self.watcher.subscribed, PATIENCE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self.watcher.close()

    def _take(self, heard: Heard) -> None:
        if heard.topic.startswith("v2/r/req/") or b'"init"' in heard.payload:
            return  # said by a server
        if heard.topic.startswith("te/"):
            # Who was there before is not told what is retained; test_thin_edge_served.py looks.
            measured = heard.topic.split("/")[5:6] == ["m"]
            self.thin_edge.take(heard.topic, heard.payload, retained=not measured)
        else:
            self.thingsboard.take(heard.topic, heard.payload)

    def say(self, topic: str, told: dict[str, Any], *, retained: bool = False) -> None:
        """What a server publishes."""
        from paho.mqtt.publish import single

        single(topic, json.dumps(told), 1, retain=retained, port=self.port)

    def until(self, reached: Callable[[], Any], what: str) -> None:
        assert self.watcher.wait(lambda: bool(reached()), PATIENCE_S), f"not seen: {what}"


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    with LoopThread() as loop:
        yield loop


def with_card(number: int) -> dict[str, Any]:
    return payment(
        f"KEYSECRET-1{number}",
        card={"scheme": "unionpay", "masked": "622202******1234"},
        stan="918273",
        rrn="RRNSECRET012",
        batch="564738",
        payload={"content_type": "text/plain", "text": "PAYLOADSECRET"},
    )


def test_both_servers_get_health_alarms_and_money_by_their_rules(loop: LoopThread) -> None:
    """Two daemons, two adapters: money that waits, paper out and in again, a goodbye, a kill."""
    with (
        BrokerThread() as broker,
        Judge(broker.port) as judge,
        HostThread() as host,
        Daemon() as first,
        Daemon() as second,
        Printer(loop, first) as one,
        Printer(loop, second) as other,
    ):
        board, edge = judge.thingsboard, judge.thin_edge
        host.apply(Fault.named("error_503"))
        token = first.home / "token"
        token.write_text("TOKENSECRET\n", "utf-8")
        token.chmod(0o600)
        for daemon, device, more in (
            (first, one.device, f'adapter = "thingsboard"\nusername_file = "{token}"'),
            (second, other.device, 'adapter = "thin_edge"\nwill_delay_s = 0'),
        ):
            daemon.configure(
                f"{telemetry(broker.url, more)}{printer(device)}{at_once('printer.paper_out')}"
                + FLEET_KEY,
                url=host.host.url,
                agent=AGENT,
            )
            own = daemon.config_file.read_text("utf-8").replace(DEVICE, daemon.home.name)
            daemon.config_file.write_text(own, "utf-8")
            daemon.start()
            for number in range(3):
                assert daemon.submit(with_card(number)).status == 201
        judge.until(lambda: board.attributes.get("site") == "S7", "attributes")
        judge.until(lambda: board.latest("backlog_count") == 3, "the backlog")
        judge.until(lambda: board.latest("printer_paper") == "ok", "readings")
        judge.until(lambda: edge.health == ["up"], "up")
        judge.until(lambda: edge.twin.get("pos_terminal", {}).get("site") == "S7", "the twin")
        judge.until(lambda: edge.twin.get("pos_backlog", {}).get("count") == 3, "the backlog")
        judge.until(lambda: edge.twin.get("pos_readings", {}).get("printer_paper"), "words")
        judge.until(lambda: edge.measurements, "numbers")
        now_ms = round(time.time() * 1000)
        order = signed("c-1", device_id=first.home.name, now_ms=now_ms)
        board.open_calls.add(7)
        judge.say("v2/r/req/7", {"method": "posagent", "params": order})
        judge.until(lambda: board.answers.get(7), "the answer to the call")
        assert board.answers[7][0]["status"] == "ok"
        assert board.answers[7][0]["result"]
        judge.say("v2/r/req/8", {"method": "posagent", "params": {"op": "restart"}})
        order = signed("c-2", device_id=second.home.name, now_ms=now_ms)
        edge.begun("c8y-2", {"status": "init", "envelope": order})
        judge.say(
            "te/device/main/service/posagent/cmd/pos_command/c8y-2",
            {"status": "init", "envelope": order},
            retained=True,
        )
        judge.until(lambda: edge.command_states["c8y-2"][-1] == "successful", "the command's end")
        for sim in (one, other):
            sim.switch(paper="out")
        judge.until(lambda: board.alarms.get("printer.paper_out") == "MAJOR", "the alarm")
        judge.until(lambda: "printer.paper_out" in edge.alarms, "the alarm")
        for sim in (one, other):
            sim.reset()
        judge.until(lambda: "printer.paper_out" not in board.alarms, "its end")
        judge.until(lambda: "printer.paper_out" not in edge.alarms, "its end")
        first.stop()
        second.kill()
        judge.until(lambda: board.attributes["ended_in_order"], "the goodbye")
        judge.until(lambda: edge.health[-1] == "down", "the Will")
        assert 8 not in board.answers, "nothing unsigned is answered"
        assert (board.complaints, edge.complaints) == ([], [])
        for each in judge.watcher.messages:
            text = each.topic + each.payload.decode()
            assert [secret for secret in SECRETS if secret in text] == []
        assert any("u'TOKENSECRET'" in line for line in broker.lines), "the token is the user"
        assert "TOKENSECRET" not in first.log()
