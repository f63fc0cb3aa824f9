"""One verdict, whoever asks: program, command line, page, slip, its code, fleet, bundle."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from agent.actions.bundle import _lines as bundled
from agent.actions.ports import Ports
from agent.actions.slips import show
from agent.actions.table import action
from agent.cli import why as command
from agent.cli.fleet_result import show as answered
from agent.cli.screen import Screen
from agent.cli.session import Session
from agent.cli.texts import Words
from agent.core.health.conditions import Severity
from agent.core.health.tracker import Alarm
from agent.core.moment import to_ms
from agent.core.money.journal import Change, Event, HostResult, Record
from agent.core.slips.compact import decode
from agent.core.why.case import Said
from agent.core.why.reconcile.kept import KeptFinding, said_of
from agent.wire.api import OneKey, encode
from agent.wire.order_arguments import arguments_of
from agent.wire.slips import SlipShowArgs
from tests.actions.desk import AT, FAILED, Desktop, on_desk

#: Of the machine: not looked at before the verdict is written.
SURROUNDINGS: Any = None
CODE = re.compile(r"[a-z]+\.[a-z_]+")
#: What a list said of the payment: posted here, not there.
LISTED = KeptFinding(
    number=1, n=1, result="missing_there", line=0, seq=1, key="a", how="", amount_minor=100,
    listed_minor=None, fee_minor=None, currency="CNY", settled_day=0, due_day=740_000,
    occurred_ms=to_ms(AT), rrn="", stan="", batch="", terminal_id="T", detail="", mark=0,
)  # fmt: skip


@dataclass
class Lists:
    """One list, which lacks the payment."""

    async def about(self, record: Record | None) -> Sequence[Said]:
        told = said_of(LISTED, None)
        assert told is not None
        return [told] if record is not None else []


def _alarm(code: str, component: str) -> Alarm:
    return Alarm(
        code=code, component=component, severity=Severity.MAJOR, since_at=AT, shown_at=AT,
        args={}, flaps=0, suppressed_by="",
    )  # fmt: skip


async def reconciled(desk: Desktop) -> str:
    await desk.take("a")
    posted = Change(event=Event.POSTED, result=HostResult(reference="R1", rrn="9"))
    await desk.move("a", Change(event=Event.ATTEMPT), posted)
    desk.ports = replace(desk.ports, evidence=(Lists(),))
    return "a"


async def reversing(desk: Desktop) -> str:
    await desk.take("a")
    unanswered = Change(event=Event.NO_ANSWER, cause="host.no_reply", note="no answer in time")
    frozen = Change(event=Event.FREEZE, cause="reversal.pending", note="reversal a-r")
    await desk.move("a", Change(event=Event.ATTEMPT), unanswered, frozen)
    return "a"


async def held(desk: Desktop) -> str:
    await desk.take("a")
    await desk.move("a", *FAILED, Change(event=Event.HOLD, note="by a person"))
    return "a"


async def printer_and_host(desk: Desktop) -> str:
    await desk.take("a")
    desk.lines.lines[0].state, desk.lines.lines[0].cause = "backing_off", "host.down"
    desk.tracker.open = [_alarm("printer.paper_out", "printer")]
    return ""


async def empty(desk: Desktop) -> str:
    return ""


async def nobody_knows(desk: Desktop) -> str:
    return "nope"


SITUATIONS = {
    "reconciled": (reconciled, ["settlement.not_in_file"]),
    "reversing": (reversing, ["reversal.pending"]),
    "held": (held, ["queue.held"]),
    "printer and host": (printer_and_host, ["host.down", "printer.paper_out"]),
    "empty": (empty, []),
    "unknown key": (nobody_knows, []),
}


@pytest.mark.parametrize("alive", [True, False], ids=["alive", "dead"])
@pytest.mark.parametrize("name", sorted(SITUATIONS))
def test_everybody_is_told_the_same(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    alive: bool,
) -> None:
    """Same findings in the same order by every way out, from a daemon and from its store."""

    async def test(desk: Desktop) -> None:
        prepare, expected = SITUATIONS[name]
        key = await prepare(desk)
        ports = desk.ports if alive else replace(desk.ports, mover=None, channels=None)
        told = await _api(ports, key)
        codes = [one["code"] for one in told["findings"]]
        if alive:
            assert codes == expected
        else:
            assert "software.agent_degraded" in codes or name == "reconciled"
        assert _fleet(await _ordered(ports, key), capsys) == codes
        assert _commanded(told, monkeypatch, capsys) == codes
        assert await _slip(ports, key) == (codes, codes)
        if not key:
            assert await _bundle(ports) == (codes, codes, codes)

    on_desk(tmp_path, test)


async def _api(ports: Ports, key: str) -> dict[str, Any]:
    """What the local API answers, which is what the page shows."""
    asked = OneKey(key=key) if key else arguments_of("why", {})[1]
    found: dict[str, Any] = json.loads(
        encode(await action("why_transaction" if key else "why")(ports, asked))
    )
    return found


async def _ordered(ports: Ports, key: str) -> dict[str, Any]:
    """What a fleet command `explain` brings back."""
    name, arguments = arguments_of("why", {"key": key} if key else {})
    found: dict[str, Any] = json.loads(encode(await action(name)(ports, arguments)))
    return found


def _numbered(lines: str) -> list[str]:
    """The codes of the numbered findings among lines of text."""
    found = []
    for line in lines.splitlines():
        if re.match(r" *\d\. ", line):
            found += CODE.findall(line)[-1:]
    return found


def _fleet(told: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> list[str]:
    session = Session(args=argparse.Namespace(), words=Words("en"), screen=Screen())
    answered(session, "explain", told)
    return _numbered(capsys.readouterr().out)


def _commanded(
    told: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    """What `posagent why` prints, in both languages alike."""

    class Source:
        as_of = None

        def ask(self, name: str, **arguments: Any) -> dict[str, Any]:
            return told

    monkeypatch.setattr(command, "readable", lambda session: Source())
    monkeypatch.setattr(command, "say_offline", lambda *given: None)
    found = []
    for lang in ("en", "zh"):
        args = argparse.Namespace(key=told["key"], question=None, json=False)
        command.why(Session(args=args, words=Words(lang), screen=Screen()))  # type: ignore[arg-type]
        found.append(_numbered(capsys.readouterr().out))
    assert found[0] == found[1]
    return found[0]


async def _slip(ports: Ports, key: str) -> tuple[list[str], list[str]]:
    """Codes on the diagnostic slip, and those of its code for the technician."""
    shown = await show(ports, SlipShowArgs(kind="diagnostic", key=key, columns=48, lang="en"))
    code = re.search(r"PA1[^ ]*", "".join(line.strip() for line in shown.lines))
    assert code is not None
    printed = [line.strip() for line in shown.lines if CODE.fullmatch(line.strip())]
    compact = re.split(r"(?<=;c=[0-9a-f]{8})", code[0])[0]
    return printed, [one for one, _ in decode(compact).findings]


async def _bundle(ports: Ports) -> tuple[list[str], list[str], list[str]]:
    """Codes in a bundle's `verdict.json` and in its texts."""
    found: dict[str, list[str]] = {}
    async for line in bundled(ports, SURROUNDINGS, {}):
        told = json.loads(line)
        if told.get("name") == "verdict.json":
            found["json"] = [one["code"] for one in told["json"]["findings"]]
            break
        if str(told.get("name")).startswith("why."):
            found[told["name"]] = _numbered(told["text"])
    return found["json"], found["why.en.txt"], found["why.zh.txt"]
