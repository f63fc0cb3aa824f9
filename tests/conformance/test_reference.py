"""The examination passes the reference host, and finds each of its faults."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from pathlib import Path
from typing import Any

import pytest

from agent.conformance import REQUIREMENTS, Level, Report, Verdict, Ways, outdated_context
from agent.link.dial import Dialer
from agent.link.tls import client_context, server_context
from agent.sim.host import ReferenceHost
from agent.sim.host_faults import NAMED, Fault
from agent.sim.ledger import sums
from tests.conformance.receivers import (
    DECLINED_MINOR,
    NoBlocking,
    Receiver,
    examine_reference,
    examined,
    files,
    numbers,
    reference,
    said,
)

#: By fault, the requirement that has to notice. `none` and a short `delay` keep the contract.
NOTICED = {
    "drop_before": 4, "drop_after": 4, "error_500": 24, "error_500_after": 24, "error_502": 24,
    "error_502_after": 24, "error_503": 7, "busy": 7, "unauthorised": 7, "forbidden": 7,
    "bad_request": 7, "mismatch": 7, "redirect": 5, "in_progress": 16, "malformed": 7, "empty": 7,
    "truncated": 4, "wrong_amount": 8, "wrong_key": 8, "decline": 7, "drip": 4, "black_hole": 4,
    "black_hole_after": 4, "refuse": 1, "delay": 4,
}  # fmt: skip
#: Found by the clock alone.
SILENT = {"delay", "drip", "black_hole", "black_hole_after"}
CHANGES: dict[str, dict[str, Any]] = {
    "in_progress": {"tries": 1000},
    "error_503": {"retry_after_s": 0},
    "busy": {"retry_after_s": 0},
    "delay": {"delay_s": 0.45, "only": "post", "times": 3},
}


def test_the_reference_host_keeps_the_contract() -> None:
    """Every requirement that plain http can show holds; what was posted was posted once."""
    report, host = examine_reference()
    assert report.holds, said(report)
    assert not numbers(report, Verdict.ADVICE)
    assert numbers(report, Verdict.UNSEEN) == [2, 3, 24, 26, 29, 30], said(report)
    total = sums(host.ledger.postings())
    assert total.duplicates == ()
    assert total.posted == len(report.posted)
    assert {one.key for one in report.posted} == {
        posting.key for posting in host.ledger.postings() if posting.status == "posted"
    }


def test_every_fault_of_the_reference_host_has_its_line_here() -> None:
    """A fault added to the host must be added to what is noticed."""
    assert NOTICED.keys() == NAMED.keys() - {"none"}
    assert set(NOTICED.values()) <= REQUIREMENTS.keys()


@pytest.mark.parametrize("name", NOTICED)
def test_each_fault_is_found(name: str) -> None:
    """Whatever the reference host can be made to do wrong, the examination says so."""

    async def spoil(host: ReferenceHost) -> None:
        await host.apply(Fault.named(name, **CHANGES.get(name, {})))

    report, _ = examine_reference(spoil, 0.4 if name in SILENT else 10.0)
    assert not report.holds
    assert NOTICED[name] in numbers(report, Verdict.FAILS), said(report)


def test_a_late_answer_within_the_time_is_none_of_our_business() -> None:
    """A slow host keeps the contract: repeats meanwhile get 409 and later the result."""

    async def slow(host: ReferenceHost) -> None:
        await host.apply(Fault.named("delay", delay_s=0.02))

    report, _ = examine_reference(slow)
    assert report.holds, said(report)


def test_one_lost_answer_does_not_fail_the_whole_examination() -> None:
    """A single 500 after the posting: the repeat gets the stored result, and 24 is shown."""

    async def once(host: ReferenceHost) -> None:
        await host.apply(Fault.named("error_500_after", times=1))

    report, host = examine_reference(once)
    assert report.holds, said(report)
    assert 24 in numbers(report, Verdict.HOLDS)
    assert sums(host.ledger.postings()).duplicates == ()


def test_a_host_that_ignores_keys_is_found() -> None:
    """The positive control of every rig: the repeat, the cut line and the race all tell."""
    report, host = examine_reference(ignore_keys=True)
    assert {10, 11, 14, 15, 17} <= set(numbers(report, Verdict.FAILS)), said(report)
    assert sums(host.ledger.postings()).duplicates


def test_over_tls_with_client_certificates(tmp_path: Path) -> None:
    """https, mutual: version and client certificate are looked at too, and all that can holds."""
    certificates = files(tmp_path)
    ca, cert, key = (
        str(certificates.ca_file),
        str(certificates.terminal_cert_file),
        str(certificates.terminal_key_file),
    )

    async def scene() -> Report:
        async with reference(
            cert_file=certificates.host_cert_file,
            key_file=certificates.host_key_file,
            client_ca_file=certificates.ca_file,
        ) as host:
            ways = Ways(
                dial=Dialer(NoBlocking()),  # type: ignore[arg-type]
                tls=client_context(ca, cert, key),
                outdated=outdated_context(),
                bare=client_context(ca),
            )
            return await examined(host.port, ways, scheme="https")

    report = asyncio.run(scene())
    assert report.holds, said(report)
    assert not numbers(report, Verdict.ADVICE), said(report)
    assert {2, 3} <= set(numbers(report, Verdict.HOLDS)), said(report)
    inside = [number for number, one in REQUIREMENTS.items() if one.level is Level.INSIDE]
    assert numbers(report, Verdict.UNSEEN) == [24, 26, *inside]


def test_a_certificate_of_somebody_else_is_found(tmp_path: Path) -> None:
    """The host is examined with the agent's own trust: a stranger's certificate ends it."""
    ours, theirs = files(tmp_path / "a"), files(tmp_path / "b")

    async def scene() -> Report:
        async with reference(
            cert_file=theirs.host_cert_file, key_file=theirs.host_key_file
        ) as host:
            ways = Ways(
                dial=Dialer(NoBlocking()),  # type: ignore[arg-type]
                tls=client_context(str(ours.ca_file)),
            )
            return await examined(host.port, ways, scheme="https")

    report = asyncio.run(scene())
    assert numbers(report, Verdict.FAILS) == [1]
    assert "not trusted" in said(report)


def test_old_tls_and_a_missing_certificate_are_found(tmp_path: Path) -> None:
    """A host that speaks TLS 1.0 fails; one that asks for no client certificate is advised."""
    certificates = files(tmp_path)
    lenient = server_context(str(certificates.host_cert_file), str(certificates.host_key_file))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        lenient.minimum_version = ssl.TLSVersion.TLSv1
    lenient.set_ciphers("ALL:@SECLEVEL=0")
    outdated = outdated_context()
    if outdated is None:
        pytest.skip("this OpenSSL offers no TLS 1.1")

    async def scene() -> Report:
        receiver = Receiver()
        await receiver.start(lenient)
        ca = str(certificates.ca_file)
        ways = Ways(
            dial=Dialer(NoBlocking()),  # type: ignore[arg-type]
            tls=client_context(ca),
            outdated=outdated,
            bare=client_context(ca),
        )
        try:
            return await examined(receiver.port, ways, scheme="https")
        finally:
            await receiver.close()

    report = asyncio.run(scene())
    assert numbers(report, Verdict.FAILS) == [2], said(report)
    assert numbers(report, Verdict.ADVICE) == [3], said(report)


def test_a_second_terminal_has_keys_of_its_own() -> None:
    """With --other-terminal the same key is posted there too, as another payment."""

    async def scene() -> tuple[Report, int]:
        async with reference() as host:
            report = await examined(host.port, other_terminal_id="T0000009")
            there = [p for p in host.ledger.postings() if p.terminal_id == "T0000009"]
            return report, len(there)

    report, there = asyncio.run(scene())
    assert report.holds, said(report)
    assert there == 1


def test_without_an_amount_to_decline_that_line_is_not_examined() -> None:
    """What was not looked at is said, and is no failure."""

    async def scene() -> Report:
        async with reference() as host:
            return await examined(host.port, decline_amount_minor=None)

    report = asyncio.run(scene())
    assert report.holds
    assert 21 in numbers(report, Verdict.UNSEEN)
    assert DECLINED_MINOR not in {one.amount_minor for one in report.posted}
