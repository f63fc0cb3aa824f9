"""The pre-settlement slip over a real journal: by day, by batch, by terminal, and what failed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.actions import why
from agent.actions.ports.slips import Printed
from agent.actions.slip_evidence import SlipEvidence
from agent.actions.slip_print import run as print_it
from agent.actions.slips import show
from agent.core.money.batches import Batch
from agent.core.money.journal import Change, Event, HostResult
from agent.core.money.transaction import (
    Kind,
    Payload,
    Posting,
    Submission,
    Transaction,
)
from agent.core.why.text import Money, format_money
from agent.errors import StoreError
from agent.store.kinds import KindRows
from agent.wire.problem import RequestError
from agent.wire.slips import SlipPrintArgs, SlipShowArgs
from tests.actions.desk import Desktop, code_of, on_desk

#: Shortly before now, as the desk's clock has it.
AT = datetime(2026, 11, 18, 11, tzinfo=UTC)
DONE = (
    Change(event=Event.ATTEMPT),
    Change(event=Event.POSTED, result=HostResult(reference="R", rrn="1")),
)
TODAY = AT.strftime("%Y-%m-%d")


@dataclass
class Notes:
    """What outlives the process."""

    kept: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def load(self, name: str) -> dict[str, Any]:
        return json.loads(json.dumps(self.kept.get(name, {})))  # type: ignore[no-any-return]

    async def save(self, name: str, kept: Mapping[str, Any]) -> None:
        self.kept[name] = dict(kept)


@dataclass
class Told:
    """The payment app's word on batches."""

    count: int = 2

    async def batch(self, terminal_id: str, batch: str | None) -> Batch | None:
        name = batch or "000007"
        return Batch(terminal_id=terminal_id, batch=name, opened_at=AT, count=self.count)

    async def stages(self, seq: int) -> list[Any]:
        return []


@dataclass
class Lists:
    """The acquirer's lists, with payments this terminal has not."""

    open: dict[str, int] = field(default_factory=dict)

    async def open_counts(self) -> Mapping[str, int]:
        return self.open


@dataclass
class Printer:
    """One that prints, or says why not."""

    error: Exception | None = None
    how: str = "driver"
    columns: int = 48
    lang: str = "en"
    wants_images: bool = False

    async def put(self, rows: object, images: object) -> Printed:
        if self.error is not None:
            raise self.error
        return Printed(by="driver", confirmed=True)


async def take(desk: Desktop, key: str, minor: int, *, terminal: str = "T", batch: str) -> None:
    await desk.store.append(
        Submission(
            transaction=Transaction(
                key=key, terminal_id=terminal, merchant_id=f"M{terminal}", kind=Kind.SALE,
                posting=Posting.ADVICE, occurred_at=AT, uplink="main", amount_minor=minor,
                currency="CNY", batch=batch,
            ),
            payload=Payload(content_type="a/b", body=b"x"),
        )
    )  # fmt: skip
    await desk.move(key, *DONE)


def equipped(desk: Desktop, **more: Any) -> Notes:
    """The desk with a memory, a printer's word and the kinds of payments."""
    notes = Notes()
    more = {"told": Told(), **more}
    desk.ports = replace(
        desk.ports, memory=notes, kinds=KindRows(desk.store, desk.ports.clock),
        evidence=(SlipEvidence(notes),), **more,
    )  # fmt: skip
    return notes


async def shown(desk: Desktop, key: str = "") -> str:
    args = SlipShowArgs(kind="presettlement", key=key, columns=48, lang="en")
    return "\n".join((await show(desk.ports, args)).lines)


def test_by_batch_and_by_day(tmp_path: Path) -> None:
    """A batch counts what is in it, a day what was taken on it; another one's is nobody's."""

    async def test(desk: Desktop) -> None:
        equipped(desk)
        await take(desk, "a", 100, batch="000007")
        await take(desk, "b", 250, batch="000007")
        await take(desk, "c", 1000, batch="000008")
        batch = await shown(desk, "000007")
        assert format_money(Money(350, "CNY")) in batch
        assert "Nothing is known to be missing" in batch
        assert format_money(Money(1350, "CNY")) in await shown(desk, TODAY)
        assert await code_of(shown(desk, "000099")) == "slip.nothing"
        assert await code_of(shown(desk, "2020-01-01")) == "slip.nothing"
        assert await code_of(shown(desk, "2020-13-01")) == "slip.key"

    on_desk(tmp_path, test)


def test_each_terminal_number_has_its_own(tmp_path: Path) -> None:
    """Two merchants at one terminal: each has its own sums, and none is left out."""

    async def test(desk: Desktop) -> None:
        equipped(desk, told=Told(count=1))
        await take(desk, "a", 100, terminal="T1", batch="000007")
        await take(desk, "b", 9900, terminal="T2", batch="000007")
        found = await shown(desk, "000007")
        first, second = found.split("Pre-settlement slip")[1:]
        assert "T2" in first
        assert format_money(Money(9900, "CNY")) in first
        assert "T1" in second
        assert format_money(Money(100, "CNY")) in second
        assert found.count("Nothing is known to be missing") == 2

    on_desk(tmp_path, test)


def test_what_is_missing_is_found_by_app_and_by_list(tmp_path: Path) -> None:
    """More in the app's batch or in the acquirer's list than here is said, and why says it too."""

    async def test(desk: Desktop) -> None:
        equipped(desk, told=Told(count=3), lists=Lists({"missing_here": 2}))
        await take(desk, "a", 100, batch="000007")
        found = await shown(desk, "000007")
        assert "counts 3" in found
        assert "list has 2" in found
        desk.ports = replace(desk.ports, lists=None)
        verdict = await why.answered(desk.ports, "slip")
        (missing,) = [one for one in verdict.findings if one.code.startswith("presettlement")]
        assert missing.code == "presettlement.missing_records"
        assert missing.args["count"] == 4

    on_desk(tmp_path, test)


@pytest.mark.parametrize(
    ("error", "failed"),
    [
        (RequestError("slip.not_ready", "the printer is out of paper"), "the printer"),
        (StoreError("store.unavailable", "the journal cannot be read"), "the records"),
        (RequestError("slip.not_ready", "/dev/usb/lp0: Permission denied"), "a missing right"),
        (RequestError("slip.failed", "the program gave no answer"), "the software"),
        (RequestError("slip.paying", "somebody is paying"), ""),
    ],
    ids=["printer", "data", "rights", "software", "nothing"],
)
def test_what_failed_first_is_kept(tmp_path: Path, error: Exception, failed: str) -> None:
    """Printer, records, rights or software: what stood in the way is named until it is printed."""

    async def test(desk: Desktop) -> None:
        printer = Printer(error=error)
        equipped(desk, printing=printer)
        await take(desk, "a", 100, batch="000007")
        args = SlipPrintArgs(kind="presettlement", key="000007")
        with pytest.raises(type(error)):
            await print_it(desk.ports, args)
        verdict = await why.answered(desk.ports, "slip")
        told = {one.code: one.reason.render("en") for one in verdict.findings}
        if not failed:
            assert "presettlement.not_generated" not in told
            return
        assert failed in told["presettlement.not_generated"]
        printer.error = None
        await print_it(desk.ports, args)
        verdict = await why.answered(desk.ports, "slip")
        assert "presettlement.not_generated" not in [one.code for one in verdict.findings]

    on_desk(tmp_path, test)


def test_a_preauthorisation_says_that_it_was_never_completed(tmp_path: Path) -> None:
    """Asked by its key it says the same as `why --preauth`, until a completion exists."""

    async def test(desk: Desktop) -> None:
        equipped(desk)
        preauth = Transaction(
            key="p", terminal_id="T", merchant_id="M", kind=Kind.PREAUTH, posting=Posting.ADVICE,
            occurred_at=AT, uplink="main", amount_minor=5000, currency="CNY",
        )  # fmt: skip
        body = Payload(content_type="a/b", body=b"x")
        await desk.store.append(Submission(transaction=preauth, payload=body))
        await desk.move("p", *DONE)
        by_key = (await why.verdict(desk.ports, "p")).findings[0]
        (by_question,) = [
            one for one in (await why.answered(desk.ports, "preauth")).findings
            if one.code == "preauth.not_completed"
        ]  # fmt: skip
        assert by_key.code == by_question.code
        assert by_key.evidence == by_question.evidence
        completion = replace(preauth, key="c", kind=Kind.PREAUTH_COMPLETION, refers_to="p")
        await desk.store.append(Submission(transaction=completion, payload=body))
        verdict = await why.verdict(desk.ports, "p")
        assert "preauth.not_completed" not in [one.code for one in verdict.findings]

    on_desk(tmp_path, test)
