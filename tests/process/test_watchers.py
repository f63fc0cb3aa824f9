"""What the watchers see, through the real daemon, to everybody who must hear of it.

One terminal stands for all of them; every test leaves it as it found it: well, and known to be.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from agent.core.health.standard import STANDARD
from agent.core.why.causes import CATALOGUE
from agent.sim.host import HostThread
from agent.sim.host_faults import Fault
from tests.process.daemon import Daemon, payment, wait_until
from tests.process.fleet import (
    AGENT,
    COMPONENTS,
    BrokerThread,
    LoopThread,
    Printer,
    Reader,
    at_once,
    printer,
    said_by,
    telemetry,
)

pytestmark = [pytest.mark.process, pytest.mark.broker]

#: Everything a simulated printer can have, and its one alarm.
PRINTER: dict[str, dict[str, Any]] = {
    "printer.paper_out": {"paper": "out"},
    "printer.paper_low": {"paper": "low"},
    "printer.cover_open": {"cover_open": True},
    "printer.cutter_fault": {"cutter_fault": True},
    "printer.overheated": {"overheated": True},
    "printer.hardware_fault": {"unrecoverable": True},
    "printer.offline": {"switched_off_line": True},
}
SILENT = "printer.not_answering"
UNREACHABLE = "network.host_unreachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """A terminal with everything it talks to."""

    daemon: Daemon
    printer: Printer
    host: HostThread
    reader: Reader

    def shown(self, code: str) -> dict[str, Any]:
        """The alarm, once the local API shows it as a root."""
        alarm: dict[str, Any] = wait_until(
            lambda: (
                (found := self.daemon.alarms().get(code, {}))
                and not found["suppressed_by"]
                and found
            ),
            f"{code} as a root alarm",
        )
        return alarm

    def well(self) -> None:
        """Until nothing is wrong any more."""
        wait_until(lambda: not self.daemon.alarms(), "no alarm")

    def component(self, name: str) -> dict[str, Any]:
        return self.daemon.components().get(name, {})

    def why(self, *arguments: str) -> dict[str, Any]:
        """The verdict of `posagent why --json`."""
        verdict: dict[str, Any] = json.loads(said_by(self.daemon, "why", "--json", *arguments))
        return verdict


@pytest.fixture(scope="module")
def standing() -> Iterator[Terminal]:
    with (
        LoopThread() as loop,
        BrokerThread() as broker,
        Reader(broker.port) as reader,
        HostThread() as host,
        Daemon() as daemon,
        Printer(loop, daemon) as sim,
    ):
        daemon.configure(
            telemetry(broker.url)
            + printer(sim.device)
            + "[connectivity]\nperiod_s = 1.0\ntimeout_s = 1.0\n"
            + at_once(*PRINTER, SILENT, UNREACHABLE),
            url=host.host.url,
            agent=AGENT,
        )
        daemon.start()
        wait_until(lambda: daemon.components().keys() >= set(COMPONENTS), "every component")
        reader.until(lambda: reader.last("health").get("full"), "a full health report")
        yield Terminal(daemon=daemon, printer=sim, host=host, reader=reader)
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log()
        assert reader.complaints() == []


@pytest.fixture
def terminal(standing: Terminal) -> Iterator[Terminal]:
    """A terminal that is well; after a failure it is made so again for the next test."""
    standing.well()
    heard, logged = len(standing.reader.heard), len(standing.daemon.log())
    yield standing
    standing.printer.reset()
    standing.host.apply(Fault())
    standing.well()
    # Shown by pytest only for a test that failed.
    print(*(each.payload for each in standing.reader.heard[heard:]), sep="\n")
    print(standing.daemon.log()[logged:])


# -- the printer -------------------------------------------------------------------------------


@pytest.mark.parametrize("code", PRINTER)
def test_what_a_printer_has_is_told_to_everybody_and_cleared(code: str, terminal: Terminal) -> None:
    """API, `status`, `why` and MQTT say the same; payments go on; the end of it is told as well."""
    daemon, reader = terminal.daemon, terminal.reader
    before = len(reader.active(code))
    terminal.printer.switch(**PRINTER[code])
    alarm = terminal.shown(code)
    cause, severity = CATALOGUE[code], str(STANDARD[code].severity)
    assert alarm["component"] == "printer"
    assert alarm["severity"] == severity
    assert alarm["title"] == {"zh": cause.title.zh, "en": cause.title.en}
    assert alarm["owner"] == str(cause.owner)
    assert alarm["step"]["en"]

    reader.until(lambda: reader.active(code)[before:] == [True], "its event")
    event = next(each for each in reversed(reader.of("event")) if each["code"] == code)
    assert (event["component"], event["severity"]) == ("printer", severity)

    body = payment()
    assert daemon.submit(body).status == 201
    daemon.wait_drained()
    status = said_by(daemon, "status")
    assert f"All payments are sent. One alarm is open: {cause.title.en}." in status
    assert f"{severity}: {cause.title.en} ({code}) since" in status
    assert alarm["step"]["en"] in status
    whole = terminal.why()
    assert whole["headline"]["en"] == "No payment is waiting to be sent"
    assert [finding["code"] for finding in whole["findings"]] == [code]
    if code == "printer.paper_out":
        assert "the payment itself is not affected" in whole["findings"][0]["reason"]["en"]
    of_it = terminal.why(body["key"])
    assert of_it["advice"]["retry"] == "already_done"
    assert "is posted at the host" in of_it["headline"]["en"]

    terminal.printer.reset()
    wait_until(lambda: code not in daemon.alarms(), "the end of it")
    reader.until(lambda: reader.active(code)[before:] == [True, False], "the end of it")
    assert "Alarms none" in said_by(daemon, "status")


def test_what_follows_from_an_empty_roll_is_no_second_alarm(terminal: Terminal) -> None:
    """The printer is off-line because it has no paper: one thing to do, one event, one alarm."""
    reader = terminal.reader
    before = len(reader.of("event"))
    terminal.printer.switch(paper="out")
    terminal.shown("printer.paper_out")
    follows = terminal.daemon.alarms()["printer.offline"]
    assert follows["suppressed_by"] == "printer.paper_out"
    reader.until(lambda: reader.last("health").get("alarms") == ["printer.paper_out"], "in health")
    terminal.printer.switch(paper="ok")
    terminal.well()
    reader.until(lambda: reader.last("health").get("alarms") == [], "the end of it in health")
    reader.until(lambda: len(reader.of("event")) >= before + 2, "shown and cleared")
    assert {each["code"] for each in reader.of("event")[before:]} == {"printer.paper_out"}


def test_an_unplugged_printer_is_unknown_and_not_faulty(terminal: Terminal) -> None:
    """Nobody knows how it is: said as such, with the reason, and nothing claimed about paper."""
    daemon, reader = terminal.daemon, terminal.reader
    terminal.printer.unplug()
    alarm = terminal.shown(SILENT)
    assert terminal.component("printer")["outcome"] == "unknown"
    reason = terminal.component("printer")["reason"]
    assert str(terminal.printer.device) in reason
    assert alarm["owner"] == "technician"
    assert {code for code in daemon.alarms() if code.startswith("printer.")} == {SILENT}
    status = said_by(daemon, "status")
    assert "printer: unknown - " in status
    assert "printer: fault" not in status
    verdict = terminal.why()
    assert [finding["code"] for finding in verdict["findings"]] == [SILENT]
    assert "its state is unknown, which is not a fault" in verdict["findings"][0]["reason"]["en"]
    assert any("printer: unknown" in each["en"] for each in verdict["unknowns"])
    reader.until(lambda: reader.last("health").get("printer") == "unknown", "unknown in health")
    assert reader.last("health")["printer_paper"] is None, "no longer known"

    terminal.printer.reset()
    wait_until(lambda: terminal.component("printer")["outcome"] == "reading", "a reading")
    reader.until(lambda: reader.active(SILENT)[-2:] == [True, False], "the end of it")
    reader.until(lambda: reader.last("health").get("printer_paper") == "ok", "paper in health")


# -- the way to the host -----------------------------------------------------------------------


def test_a_host_cut_off_is_named_by_alarm_backlog_and_why(terminal: Terminal) -> None:
    """The fleet hears which cause keeps how much money, and when it is gone."""
    daemon, reader = terminal.daemon, terminal.reader
    before = len(reader.active(UNREACHABLE))
    terminal.host.apply(Fault.named("refuse"))
    bodies = [payment() for _ in range(3)]
    for body in bodies:
        assert daemon.submit(body).status == 201
    alarm = terminal.shown(UNREACHABLE)
    assert alarm["severity"] == "major"
    assert daemon.backlog()["blocking_cause"] == UNREACHABLE
    reader.until(lambda: reader.active(UNREACHABLE)[before:] == [True], "its event")
    reader.until(
        lambda: (
            reader.last("backlog").get("cause") == UNREACHABLE
            and reader.last("backlog")["count"] == 3
        ),
        "the backlog with its cause",
    )
    backlog = reader.last("backlog")
    assert backlog["cause_count"] == 3
    assert backlog["amount_minor_cny"] == 3 * 1250
    assert backlog["next_attempt_ts"] > 0
    reader.until(
        lambda: (
            reader.last("health").get("connectivity_tcp") == "failed"
            or any(each.get("connectivity_tcp") == "failed" for each in reader.of("health"))
        ),
        "the layer that is broken",
    )
    # An empty roll beside it is another matter, and does not explain the money.
    terminal.printer.switch(paper="out")
    terminal.shown("printer.paper_out")
    verdict = terminal.why()
    assert verdict["headline"]["en"].startswith("Payments not yet sent: 3, CNY 37.50")
    codes = [finding["code"] for finding in verdict["findings"]]
    assert codes[:2] == [UNREACHABLE, "printer.paper_out"]
    of_one = terminal.why(bodies[0]["key"])
    assert [finding["code"] for finding in of_one["findings"]] == [UNREACHABLE]
    assert of_one["advice"]["retry"] == "will_be_sent"
    title = CATALOGUE[UNREACHABLE].title.en
    assert f"Cause: {title}." in said_by(daemon, "status")

    terminal.printer.reset()
    terminal.host.apply(Fault())
    daemon.wait_drained()
    wait_until(lambda: UNREACHABLE not in daemon.alarms(), "the end of it")
    reader.until(lambda: reader.active(UNREACHABLE)[before:] == [True, False], "the end of it")
    reader.until(lambda: reader.last("backlog")["count"] == 0, "the backlog is gone")
    posted = [posting.key for posting in terminal.host.host.ledger.postings()]
    assert {body["key"] for body in bodies} <= set(posted)
    assert len(posted) == len(set(posted))


# -- everything else ---------------------------------------------------------------------------


def test_every_component_answers_on_a_plain_machine(terminal: Terminal) -> None:
    """Connectivity, system, software and the agent's own parts give readings, here and by MQTT.

    The payment app has said nothing of itself; a scanner and a bank list are not there.
    """
    daemon = terminal.daemon
    wait_until(lambda: daemon.components()["queue"]["values"].get("unsent") == 0, "an idle queue")
    told = daemon.components()
    assert set(told) == {*COMPONENTS, "drill", "settlement"}
    others = {name: each["outcome"] for name, each in told.items() if each["outcome"] != "reading"}
    # Whether this machine has a way out, and radios, is its own business.
    fixed = {name: word for name, word in others.items() if name not in ("link", "signal")}
    absent = dict.fromkeys(("scanner", "settlement"), "not_fitted")
    assert fixed == {"payment_app": "not_observable", **absent}
    connectivity, system, software = (
        told[name]["values"] for name in ("connectivity", "system", "software")
    )
    assert connectivity["tcp"] == "ok"
    assert connectivity["hosts_reached"] == 1
    assert system["storage_free_mb"] > 0
    assert system["memory_available_mb"] > 0
    assert system["uptime_s"] > 0
    assert software["agent_version"]
    assert software["os"]
    assert told["agent"]["values"]["clock_trusted"] is True
    assert told["uplink"]["values"]["state"] == "ok"
    reader = terminal.reader
    reader.until(lambda: set(COMPONENTS) <= reader.first_told().keys(), "every component")
    first = reader.first_told()
    expected = dict.fromkeys(COMPONENTS, "ok") | others
    del expected["settlement"]  # not told to the fleet before a list was read
    assert {name: first[name] for name in COMPONENTS} == expected
    assert all(each["duration_ms"] < 5_000 for each in told.values())
