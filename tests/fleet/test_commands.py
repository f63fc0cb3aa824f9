"""`posagent fleet …` against a real broker, as an operator types it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.cli.app import main
from agent.fleet import keys
from tests.fleet.contract import Terminal, lines
from tests.process.fleet import BrokerThread


@pytest.fixture(scope="module")
def broker() -> Iterator[BrokerThread]:
    with BrokerThread() as running:
        yield running


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "ops.key"
    keys.new(path, "ops")
    return path


def told(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, Any]:
    """The exit code and the JSON of a command."""
    capsys.readouterr()
    code = main(["fleet", *argv, "--json"])
    out = capsys.readouterr()
    assert out.out, out.err
    return code, json.loads(out.out)


def test_watch_sees_money_alarms_and_cause(
    broker: BrokerThread, capsys: pytest.CaptureFixture[str]
) -> None:
    """What terminals tell stands in one document: backlog, alarm, cause, versions."""
    at = ("watch", "--broker", broker.url, "--tenant", "acme", "--once", "--wait", "0.5")
    with Terminal(broker.port, "W-1") as one, Terminal(broker.port, "W-2") as two:
        one.tell("info", retained=True, contract=1, agent_version="0.1.0", site="上海", model="A8")
        apart = dict.fromkeys(
            ("queued_count", "sending_count", "held_count", "in_doubt_count", "quarantined_count"),
            0,
        )
        one.tell(
            "backlog", retained=True, count=4, waiting_count=4, oldest_age_s=75, cause="host.down",
            cause_count=4, amount_minor_cny=5000, **apart,
        )  # fmt: skip
        two.tell(
            "event", retained=True, code="printer.paper_out", component="printer",
            severity="major", active=True, since_ts=1_795_000_000_000,
        )  # fmt: skip
        code, document = told(capsys, *at, "--filter", "W-*")
        assert code == 0
        first, second = sorted(document["terminals"], key=lambda each: each["device_id"])
        assert (first["state"], first["site"]) == ("online", "上海")
        assert first["backlog"]["count"] == 4
        assert first["backlog"]["cause"] == "host.down"
        assert first["backlog"]["amount_minor_cny"] == 5000
        assert [alarm["code"] for alarm in second["alarms"]] == ["printer.paper_out"]
        assert "backlog" not in second
        assert document["groups"]["cause"]["host.down"]["count"] == 4
        assert document["fleet"]["backlog_told"] == 1
        assert document["not_of_the_contract"] == {}
        assert main(["fleet", *at, "--csv", "--filter", "cause:host.*"]) == 0
        rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
        assert [(row["device_id"], row["amount_minor_cny"]) for row in rows] == [("W-1", "5000")]
        assert main(["fleet", *at, "--lang", "zh", "--filter", "W-1"]) == 0
        assert "收单系统故障" in capsys.readouterr().out


def test_send_signs_and_waits_for_the_result(
    broker: BrokerThread, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command is signed with a new number, obeyed by its terminal, and its result shown."""
    answer = [{"status": "running", "progress_percent": 50}, {"status": "ok", "result": {"n": 3}}]
    public = keys.show(key).public
    with Terminal(broker.port, "S-1", public, lambda _op: answer) as one:
        at = ("send", "--broker", broker.url, "--tenant", "acme", "--sign-key", str(key))
        code, results = told(capsys, *at, "report", "--to", "S-1")
        assert (code, results[0]["status"], results[0]["result"]) == (0, "ok", {"n": 3})
        code, _ = told(capsys, *at, "retry", "--arg", "uplink=bank", "--to", "S-1")
        assert code == 0
        (_, first), (op, second) = one.commands
        assert (op, second["uplink"]) == ("retry", "bank")
        assert second["seq"] > first["seq"]
        assert keys.show(key).last_seq == second["seq"]
        assert 0 < second["left_s"] <= 900


def test_the_exit_code_tells_who_did_not(
    broker: BrokerThread, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """6 when one said no, 3 when one said nothing."""
    public = keys.show(key).public
    no = [{"status": "rejected", "code": "terminal_busy"}]
    at = ("send", "--broker", broker.url, "--tenant", "acme", "--sign-key", str(key), "report")
    with Terminal(broker.port, "E-1", public), Terminal(broker.port, "E-2", public, lambda _: no):
        to = lines(tmp_path / "to", "E-1", "E-2  # the slow one", "")
        code, results = told(capsys, *at, "--to-file", str(to))
        found = {each["device_id"]: (each["status"], each.get("code")) for each in results}
        assert code == 6
        assert found == {"E-1": ("ok", None), "E-2": ("rejected", "terminal_busy")}
        code, results = told(capsys, *at, "--to", "E-1", "E-3", "--patience", "1")
        assert code == 3
        assert [each["status"] for each in results] == ["ok", "unanswered"]


def test_what_disturbs_is_asked_for(
    broker: BrokerThread, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a person and without --yes nothing disruptive is sent."""
    with Terminal(broker.port, "D-1", keys.show(key).public) as one:
        at = ("send", "--broker", broker.url, "--tenant", "acme", "--sign-key", str(key))
        assert main(["fleet", *at, "restart_agent", "--to", "D-1"]) == 2
        assert one.commands == []
        code, results = told(
            capsys, *at, "restart_agent", "--where", "D-*", "--wait", "0.5", "--yes"
        )
        assert (code, [each["device_id"] for each in results]) == (0, ["D-1"])


def test_signed_elsewhere_and_sent_here(
    broker: BrokerThread, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The machine that signs needs no network, the one that sends no key."""
    asked = tmp_path / "order.toml"
    asked.write_text(
        'op = "acknowledge_alarm"\ntenant = "acme"\nargs = {code = "printer.paper_out"}\n'
    )
    code, files = told(
        capsys, "sign", "--from", str(asked), "--sign-key", str(key), "--to", "G-1", "G-2",
        "--out", str(tmp_path / "out"),
    )  # fmt: skip
    assert (code, len(files)) == (0, 2)
    public = keys.show(key).public
    with Terminal(broker.port, "G-1", public) as one, Terminal(broker.port, "G-2", public) as two:
        code, _ = told(capsys, "send", "--broker", broker.url, "--envelope", *files, "--yes")
        assert code == 0
        assert one.commands[0][1]["code"] == two.commands[0][1]["code"] == "printer.paper_out"
        # A command again is the same command: nobody's doing it twice is the terminal's affair.
        assert told(capsys, "send", "--broker", broker.url, "--envelope", files[0])[0] == 0


@pytest.mark.parametrize(
    "argv",
    [
        ("no_such_op",),
        ("retry",),
        ("report", "--arg", "nothing=1"),
        ("report", "--arg", "noequals"),
    ],
)
def test_a_wrong_order_is_never_signed(
    argv: tuple[str, ...], key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unknown commands and arguments end before the key is opened."""
    sign = ("sign", *argv, "--tenant", "acme", "--to", "A", "--sign-key", str(key))
    assert main(["fleet", *sign, "--out", str(tmp_path)]) == 2
    assert keys.show(key).last_seq == 0
    assert capsys.readouterr().err


def statement(tmp_path: Path) -> Path:
    path = tmp_path / "eco.toml"
    path.write_text(
        'tenant = "acme"\ngroup = "shops"\nversion = 7\n[config.telemetry]\nkeepalive_s = 600\n'
    )
    return path


def test_a_release_halts_itself(
    broker: BrokerThread, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """More than --stop-at of those reached say no: a halting statement goes out, and code 6."""
    with Terminal(broker.port, "H-1") as one:

        def refuse(_given: bytes) -> None:
            one.tell("info", retained=True, contract=1, desired_version=7)
            one.tell("event", code="fleet.desired_rejected", component="fleet", severity="major",
                     active=True, since_ts=1)  # fmt: skip

        one.on_desired = refuse
        code, result = told(
            capsys, "desired", str(statement(tmp_path)), "--broker", broker.url, "--sign-key",
            str(key), "--members", str(lines(tmp_path / "m", "H-1")), "--stages", "100",
            "--soak", "0.1", "--stop-at", "2%", "--yes",
        )  # fmt: skip
        assert (code, result["phase"], result["version"]) == (6, "halted", 8)
        assert (result["reached"], result["rejected"]) == (1, 1)


def test_a_release_goes_through_its_stages(
    broker: BrokerThread, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every stage is a retained statement with a version of its own; all well: code 0."""
    with Terminal(broker.port, "R-1") as one:
        one.on_desired = lambda _given: one.tell(
            "info", retained=True, contract=1, desired_version=9
        )
        code, result = told(
            capsys, "desired", str(statement(tmp_path)), "--broker", broker.url, "--sign-key",
            str(key), "--members", str(lines(tmp_path / "m", "R-1")), "--stages", "50,100",
            "--soak", "0.1", "--yes",
        )  # fmt: skip
        assert (code, result["phase"], result["version"], result["well"]) == (0, "done", 8, 1)
        assert len(one.desired) == 1  # of one member, one stage has it


def test_a_statement_signed_elsewhere_is_published_as_it_is(
    broker: BrokerThread, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`fleet desired` takes what `fleet sign --desired` wrote, and needs no key for it."""
    code, files = told(
        capsys, "sign", "--desired", str(statement(tmp_path)), "--sign-key", str(key),
        "--out", str(tmp_path),
    )  # fmt: skip
    assert (code, [Path(file).name for file in files]) == (0, ["shops-7.desired"])
    with Terminal(broker.port, "P-1") as one:
        code, _ = told(
            capsys, "desired", files[0], "--broker", broker.url, "--members",
            str(lines(tmp_path / "m", "P-1")), "--yes",
        )  # fmt: skip
        assert code == 0
    assert [given.strip() for given in one.desired] == [Path(files[0]).read_bytes().strip()]
