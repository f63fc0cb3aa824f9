"""The fleet's messages through the real daemon and the real broker, as a subscriber gets them.

`POSAGENT_OUTAGE_S` is how long the broker stays away (20 s by default, 60 s where CI=true).
"""

from __future__ import annotations

import os
import shutil
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent import __version__
from agent.core.fleet.messages import Kind
from agent.sim.broker import ServerTls
from agent.sim.certificates import Certificates, available, make_certificates
from agent.sim.host import HostThread
from agent.sim.host_faults import Fault
from tests.process.daemon import Daemon, payment, wait_until
from tests.process.fleet import (
    AGENT,
    DEVICE,
    BrokerThread,
    LoopThread,
    Printer,
    Reader,
    Row,
    at_once,
    frozen,
    outbox,
    printer,
    retained,
    said_by,
    telemetry,
)

pytestmark = [pytest.mark.process, pytest.mark.broker]

#: Readings come once a second here; at the field's rate they would leave for minutes afterwards.
FAST_DRAIN = "drain_messages_per_s = 200\ndrain_bytes_per_s = 1000000"
OUTAGE_S = float(
    os.environ.get("POSAGENT_OUTAGE_S") or ("60" if os.environ.get("CI") == "true" else "20")
)
#: Conditions of the printer that do not hide each other, and their alarms.
FAULTS: dict[str, dict[str, Any]] = {
    "printer.paper_out": {"paper": "out"},
    "printer.cutter_fault": {"cutter_fault": True},
    "printer.overheated": {"overheated": True},
    "printer.hardware_fault": {"unrecoverable": True},
}


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    with LoopThread() as loop:
        yield loop


# -- what a subscriber sees --------------------------------------------------------------------

#: Words that are in the payments and must be in no message.
SECRETS = {
    "key": "KEYSECRET-1",
    "masked": "622202******1234",
    "payload": "PAYLOADSECRET",
    "stan": "918273",
    "rrn": "RRNSECRET012",
    "batch": "564738",
}


def with_card(number: int) -> dict[str, Any]:
    return payment(
        f"{SECRETS['key']}{number}",
        card={"scheme": "unionpay", "masked": SECRETS["masked"]},
        stan=SECRETS["stan"],
        rrn=SECRETS["rrn"],
        batch=SECRETS["batch"],
        payload={"content_type": "text/plain", "text": SECRETS["payload"]},
    )


def moved(reader: Reader) -> list[dict[str, Any]]:
    """The health messages that tell of the paper's end; other components may speak beside it."""
    told = reader.of("health")
    return [each for each in told if not each["full"] and each.get("printer_paper") == "out"]


def alarming(reader: Reader, code: str) -> bool:
    """Whether a health message that tells only what moved names this alarm."""
    told = reader.of("health")
    return any(code in each.get("alarms", ()) for each in told if not each["full"])


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_subscriber_sees_every_kind_as_documented(protocol: str, loop: LoopThread) -> None:
    """state, info, health, backlog, event: topics, fields and retention as the contract says."""
    with (
        BrokerThread() as broker,
        Reader(broker.port) as reader,
        HostThread() as host,
        Daemon() as daemon,
        Printer(loop, daemon) as sim,
    ):
        host.apply(Fault.named("error_503"))
        daemon.configure(
            telemetry(broker.url, f'protocol = "{protocol}"')
            + printer(sim.device)
            + at_once("printer.paper_out"),
            url=host.host.url,
            agent=AGENT,
        )
        daemon.start()
        for number in range(3):
            assert daemon.submit(with_card(number)).status == 201
        reader.until(lambda: reader.states() == [("online", 1)], "online")
        reader.until(lambda: reader.last("health").get("full"), "a full health report")
        reader.until(lambda: reader.last("backlog").get("count") == 3, "the backlog")
        read = {"printer_paper", "system_storage_free_mb"}
        reader.until(lambda: read <= reader.first_told().keys(), "printer and system are read")
        sim.switch(paper="out")
        reader.until(lambda: reader.active("printer.paper_out") == [True], "paper out")
        reader.until(lambda: moved(reader), "it in health")
        reader.until(lambda: alarming(reader, "printer.paper_out"), "the alarm in health")

        told = retained(broker.port, "state", "info", "backlog")
        assert set(told) == {"state", "info", "backlog"}, "only these are retained"
        assert told["backlog"]["count"] == 3, "unsent money is seen at once"
        assert told["state"]["state"] == "online"
        assert told["state"]["connects"] == 1
        assert told["info"]["contract"] == 1
        assert told["info"]["agent_version"] == __version__
        assert told["info"]["site"] == "S7"
        assert told["info"]["uplinks"] == ["host"]
        assert told["info"]["os"]

        assert reader.of("health")[0]["full"] is True
        first = reader.first_told()
        assert (first["printer"], first["printer_paper"]) == ("ok", "ok")
        assert first["system_storage_free_mb"] > 0
        change = moved(reader)[0]
        assert change["full"] is False
        assert "printer_cover_open" not in change, "only what moved"

        event = reader.of("event")[-1]
        assert event["component"] == "printer"
        assert event["severity"] == "major"
        assert event["since_ts"] <= event["ts"]
        backlog = reader.last("backlog")
        assert backlog["amount_minor_cny"] == 3 * 1250
        assert backlog["cause"].startswith("host.")
        assert backlog["cause_count"] == 3
        assert backlog["queued_count"] + backlog["sending_count"] + backlog["waiting_count"] == 3
        assert (backlog["held_count"], backlog["in_doubt_count"]) == (0, 0)

        status = daemon.get("/v1/status").json["telemetry"]
        assert (status["connected"], status["protocol"]) == (True, protocol)
        assert f"Fleet connected · {broker.url} (MQTT {protocol})" in said_by(daemon, "status")
        spoken = {"5": "p5", "3.1.1": "p2"}[protocol]
        assert any(f"as {DEVICE} ({spoken}," in line for line in broker.lines), "as spoken to"

        host.apply(Fault())
        daemon.wait_drained()
        reader.until(lambda: reader.last("backlog")["count"] == 0, "the backlog is gone")
        assert "cause" not in reader.last("backlog")
        assert daemon.stop() == 0
        reader.until(lambda: reader.states()[-1] == ("offline", 1), "offline")
        assert reader.complaints() == []
        everywhere = {str(kind) for kind in Kind if kind not in (Kind.HIST, Kind.RES)}
        assert {each.kind for each in reader.heard} == everywhere
        everything = b"".join(each.payload for each in reader.heard).decode()
        assert [name for name, word in SECRETS.items() if word in everything] == []


# -- the end of a connection -------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_killed_agent_is_lost_and_a_stopped_one_is_offline(protocol: str) -> None:
    """The Will carries the number of the connection that died; the next one counts on."""
    with BrokerThread() as broker, Reader(broker.port) as reader, Daemon() as daemon:
        daemon.configure(
            telemetry(broker.url, f'protocol = "{protocol}"\nwill_delay_s = 0'), agent=AGENT
        )
        for connects in (1, 2):
            daemon.start()
            reader.until(lambda n=connects: ("online", n) in reader.states(), "online")
            assert retained(broker.port, "state")["state"]["connects"] == connects
            daemon.kill()
            reader.until(lambda n=connects: ("lost", n) in reader.states(), "the Will")
            assert retained(broker.port, "state")["state"] == {
                "state": "lost",
                "connects": connects,
            }
        daemon.start()
        reader.until(lambda: ("online", 3) in reader.states(), "online")
        assert daemon.stop() == 0
        reader.until(lambda: reader.states()[-1] == ("offline", 3), "offline")
        assert retained(broker.port, "state")["state"]["state"] == "offline"
        assert reader.states() == [
            ("online", 1),
            ("lost", 1),
            ("online", 2),
            ("lost", 2),
            ("online", 3),
            ("offline", 3),
        ]
        assert reader.complaints() == []


def test_an_agent_that_comes_back_within_the_will_delay_was_never_lost() -> None:
    """A crash and restart within two minutes is no outage for the fleet (MQTT 5)."""
    with BrokerThread() as broker, Reader(broker.port) as reader, Daemon() as daemon:
        daemon.configure(telemetry(broker.url), agent=AGENT)
        daemon.start()
        reader.until(lambda: reader.states() == [("online", 1)], "online")
        daemon.kill()
        daemon.start()
        reader.until(lambda: ("online", 2) in reader.states(), "online again")
        assert daemon.stop() == 0
        reader.until(lambda: ("offline", 2) in reader.states(), "offline")
        assert reader.states() == [("online", 1), ("online", 2), ("offline", 2)]


# -- outages -----------------------------------------------------------------------------------


def arrived(reader: Reader, row: Row) -> bool:
    """Whether this row came, or, where that makes it stale, a newer one of its kind.

    Readings that waited come as history: under another number, with their own time.
    """
    seqs = {seq for _, seq in reader.numbered()}
    past = {entry["ts"] for each in reader.of("hist") for entry in each["entries"]}
    if row.kind == "health" and row.at_ms in past:
        return True
    if row.seq in seqs or row.kept_for_good:
        return row.seq in seqs
    return any(each["seq"] > row.seq for each in reader.of(row.kind))


@pytest.mark.parametrize("killed", [False, True], ids=["agent-lives", "agent-killed"])
def test_no_message_is_lost_over_an_outage_of_the_broker(killed: bool, loop: LoopThread) -> None:
    """Every number the outbox held arrives, from before a kill -9 of the agent as well."""
    with (
        BrokerThread() as broker,
        Reader(broker.port) as reader,
        HostThread() as host,
        Daemon() as daemon,
        Printer(loop, daemon) as sim,
    ):
        host.apply(Fault.named("refuse"))
        daemon.configure(
            telemetry(broker.url, FAST_DRAIN) + printer(sim.device) + at_once(*FAULTS),
            url=host.host.url,
            agent=AGENT,
        )
        daemon.start()
        reader.until(lambda: reader.last("health").get("full"), "a full health report")
        wait_until(lambda: not outbox(daemon), "an empty outbox")
        broker.kill()
        reader.deaf()
        wait_until(
            lambda: not daemon.get("/v1/status").json["telemetry"]["connected"], "it is noticed"
        )

        began, rounds = time.monotonic(), 0
        held: dict[int, Row] = {}
        # How long it lasts is shown once; a kill needs no more than what comes before and after.
        while (not killed and time.monotonic() - began < OUTAGE_S) or rounds < 2:
            assert daemon.submit(payment()).status == 201
            for conditions in FAULTS.values():
                sim.switch(**conditions)
            held |= with_events(daemon, (2 * rounds + 1) * len(FAULTS))
            if killed and rounds == 0:
                daemon.kill()
                held |= outbox(daemon)
                daemon.start()
            sim.reset()
            rounds += 1
            held |= with_events(daemon, 2 * rounds * len(FAULTS))
        with frozen(daemon):
            # The broker forgot its subscriber, too: he must be back before the terminal talks.
            at_last = outbox(daemon)
            broker.start()
            reader.listening()

        must = at_last | {seq: row for seq, row in held.items() if row.kept_for_good}
        assert {row.kind for row in must.values()} >= {"event", "health", "backlog"}
        reader.until(
            lambda: all(arrived(reader, row) for row in must.values()),
            f"some of {sorted(must)}",
        )
        wait_until(lambda: not outbox(daemon), "an empty outbox")
        told = retained(broker.port, "state", "info", "backlog")
        assert told["state"]["state"] == "online", "the broker had forgotten all of it"
        assert len({outbox_id for outbox_id, _ in reader.numbered()}) == 1
        assert daemon.get("/v1/status").json["telemetry"]["lost"] == 0
        counts = [reader.active(code) for code in FAULTS]
        assert all(each == [True, False] * rounds for each in map(_deduplicated, counts))
        assert reader.complaints() == []


def with_events(daemon: Daemon, count: int) -> dict[int, Row]:
    """The outbox, once it holds so many events."""

    def there() -> dict[int, Row]:
        rows = outbox(daemon)
        return rows if sum(row.kind == "event" for row in rows.values()) >= count else {}

    rows: dict[int, Row] = wait_until(there, f"{count} events in the outbox")
    return rows


def _deduplicated(active: list[bool]) -> list[bool]:
    """Shown and cleared take turns: a repeat of QoS 1 says the same as the one before."""
    return [now for at, now in enumerate(active) if at == 0 or active[at - 1] is not now]


def test_messages_of_a_time_before_the_broker_arrive(loop: LoopThread) -> None:
    """A terminal installed before its broker: all it had to say since then is there."""
    with BrokerThread() as broker, Daemon() as daemon, Printer(loop, daemon) as sim:
        broker.stop()
        daemon.configure(
            telemetry(broker.url) + printer(sim.device) + at_once("printer.paper_out"), agent=AGENT
        )
        sim.switch(paper="out")
        daemon.start()
        wait_until(lambda: "printer.paper_out" in daemon.alarms(), "the alarm")
        wait_until(
            lambda: {row.kind for row in outbox(daemon).values()} >= {"info", "event"}, "kept"
        )
        with frozen(daemon):
            must = outbox(daemon)
            broker.start()
            reader = Reader(broker.port).__enter__()
        try:
            reader.until(lambda: all(arrived(reader, row) for row in must.values()), f"{must}")
            assert reader.complaints() == []
        finally:
            reader.__exit__(None, None, None)


# -- TLS ---------------------------------------------------------------------------------------

with_certificates = pytest.mark.skipif(
    not available(), reason="no trustme: telemetry over TLS was NOT tried"
)


def served_by(made: Certificates) -> ServerTls:
    return ServerTls(
        cert_file=str(made.host_cert_file),
        key_file=str(made.host_key_file),
        client_ca_file=str(made.ca_file),
    )


def reader_of(port: int, made: Certificates) -> Reader:
    context = ssl.create_default_context(cafile=str(made.ca_file))
    context.load_cert_chain(made.terminal_cert_file, made.terminal_key_file)
    return Reader(port, host="localhost", tls=context)


def installed(daemon: Daemon, ca: Certificates, client: Certificates) -> str:
    """Copy an authority and a client certificate beside the daemon; the configuration for them."""
    names = {"ca.pem": ca.ca_file, "own.pem": client.terminal_cert_file}
    for name, source in {**names, "own.key": client.terminal_key_file}.items():
        shutil.copy(source, daemon.home / f"{name}.new")
        (daemon.home / f"{name}.new").replace(daemon.home / name)
    return (
        f'ca_file = "{daemon.home}/ca.pem"\ncert_file = "{daemon.home}/own.pem"\n'
        f'key_file = "{daemon.home}/own.key"'
    )


@with_certificates
def test_telemetry_over_tls_with_a_client_certificate(tmp_path: Path) -> None:
    """Both sides show a certificate of the fleet's own authority."""
    made = make_certificates(tmp_path / "fleet", terminal=DEVICE)
    with (
        BrokerThread(tls=served_by(made)) as broker,
        reader_of(broker.port, made) as reader,
        Daemon() as daemon,
    ):
        daemon.configure(telemetry(broker.url, installed(daemon, made, made)), agent=AGENT)
        daemon.start()
        reader.until(lambda: reader.last("health").get("full"), "a full health report")
        assert reader.states() == [("online", 1)]
        assert daemon.get("/v1/status").json["telemetry"]["endpoint"].startswith("mqtts://")
        assert daemon.stop() == 0
        reader.until(lambda: reader.states()[-1] == ("offline", 1), "offline")
        assert reader.complaints() == []


@with_certificates
@pytest.mark.parametrize("wrong", ["broker", "client"])
def test_a_wrong_certificate_is_said_and_costs_no_message(
    wrong: str, tmp_path: Path, loop: LoopThread
) -> None:
    """Not one message to a stranger; kept, said in log and status; sent once it is put right."""
    made = make_certificates(tmp_path / "fleet", terminal=DEVICE)
    other = make_certificates(tmp_path / "other", terminal=DEVICE)
    with (
        BrokerThread(tls=served_by(made)) as broker,
        reader_of(broker.port, made) as reader,
        Daemon() as daemon,
        Printer(loop, daemon) as sim,
    ):
        files = installed(
            daemon, other if wrong == "broker" else made, other if wrong == "client" else made
        )
        daemon.configure(
            telemetry(broker.url, files) + printer(sim.device) + at_once("printer.paper_out"),
            agent=AGENT,
        )
        daemon.start()
        daemon.wait_log("error=broker.certificate")
        sim.switch(paper="out")
        wait_until(lambda: "printer.paper_out" in daemon.alarms(), "the alarm")
        wait_until(lambda: len(outbox(daemon)) >= 4, "messages in the outbox")
        status = daemon.get("/v1/status").json["telemetry"]
        assert status["connected"] is False
        assert status["error"] == "broker.certificate"
        assert status["reason"]
        assert status["queued"] >= 4
        said = said_by(daemon, "status")
        assert f"Fleet not connected · {broker.url}" in said
        assert "broker.certificate: " in said
        warnings = [
            line
            for line in daemon.log().splitlines()
            if "WARNING" in line and "event=telemetry_disconnected" in line
        ]
        assert len(warnings) == 1, "the first failure is loud, repeats are quiet"
        assert reader.heard == []
        held = outbox(daemon)

        installed(daemon, made, made)
        reader.until(lambda: all(arrived(reader, row) for row in held.values()), f"{held}")
        assert retained_state(reader) == "online"
        assert daemon.get("/v1/status").json["telemetry"]["lost"] == 0
        assert reader.complaints() == []


def retained_state(reader: Reader) -> str:
    state: str = reader.last("state")["state"]
    return state


# -- old brokers -------------------------------------------------------------------------------


def test_a_broker_that_stays_silent_on_mqtt_5_is_spoken_to_in_3_1_1_until_it_is_replaced() -> None:
    """amqtt misreads the greeting and never answers; mosquitto in its place gets MQTT 5."""
    with Daemon() as daemon:
        with BrokerThread(kind="amqtt") as old, Reader(old.port, v5=False) as reader:
            port = old.port
            daemon.configure(telemetry(old.url), agent=AGENT)
            daemon.start()
            reader.until(lambda: "online" in dict(reader.states()), "online", within_s=40.0)
            status = daemon.get("/v1/status").json["telemetry"]
            assert (status["connected"], status["protocol"]) == (True, "3.1.1")
            reader.until(lambda: reader.last("health").get("full"), "a full health report")
            assert reader.complaints() == []
        with BrokerThread(port=port) as new, Reader(new.port) as reader:
            reader.until(lambda: "online" in dict(reader.states()), "online")
            assert daemon.get("/v1/status").json["telemetry"]["protocol"] == "5"
            assert any(f"as {DEVICE} (p5," in line for line in new.lines)
