"""`posagent conformance`: exit codes, the report in both languages, and what it refuses to do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.cli.app import main
from agent.conformance import REQUIREMENTS, sights
from agent.core.why.text import Text
from agent.sim.host import HostOptions, HostThread
from agent.sim.host_faults import Fault

RECEIVER = Path(__file__).resolve().parents[2] / "docs" / "contracts" / "receiver.md"
NAMED = re.compile(r"\{([a-z0-9_]+)\}")


@pytest.fixture
def host() -> Iterator[HostThread]:
    with HostThread(HostOptions(sync=False, decline_minor=5105)) as thread:
        yield thread


def test_a_good_host_exits_0(host: HostThread, capsys: pytest.CaptureFixture[str]) -> None:
    """A plain report, one line per requirement, and the test payments to take back."""
    assert main(["--lang", "en", "conformance", host.host.url, "--decline-amount", "5105"]) == 0
    told = capsys.readouterr().out
    for number in REQUIREMENTS:
        assert re.search(rf"^ ?{number}  (holds |unseen)", told, re.MULTILINE)
    assert "the host keeps the contract" in told
    assert "test payments were posted" in told


def test_a_bad_host_exits_1(host: HostThread, capsys: pytest.CaptureFixture[str]) -> None:
    """Every failed line says what was seen, what is asked and what it costs, in both languages."""
    host.apply(Fault.named("wrong_amount"))
    assert main(["--lang", "en", "conformance", host.host.url]) == 1
    told = capsys.readouterr().out
    assert "FAILS" in told
    assert "amount_minor was sent as 1, echoed as 2" in told
    assert "costs: " in told
    assert "does NOT keep" in told
    assert main(["--lang", "zh", "conformance", host.host.url]) == 1
    told = capsys.readouterr().out
    assert "不符" in told
    assert "amount_minor 发出 1，带回 2" in told
    assert "后果：" in told


def test_json_is_for_programs(host: HostThread, capsys: pytest.CaptureFixture[str]) -> None:
    """One document with every requirement, in stable words."""
    assert main(["--lang", "en", "conformance", host.host.url, "--json", "--amount", "7"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert told["holds"] is True
    assert [one["number"] for one in told["requirements"]] == list(REQUIREMENTS)
    assert {one["verdict"] for one in told["requirements"]} == {"holds", "unseen"}
    assert {one["amount_minor"] for one in told["posted"]} == {7}


def test_own_body_headers_and_token_are_sent(host: HostThread, tmp_path: Path) -> None:
    """A host with its own format and a token can be examined as well."""
    body, token, headers = tmp_path / "body", tmp_path / "token", tmp_path / "headers"
    body.write_text("<pay id='{{key}}' cents='{{amount_minor}}'/>")
    token.write_text("s3cret\n")
    headers.write_text("X-Bank: one\n")
    order = [
        "conformance", host.host.url, "--body", str(body), "--content-type", "text/xml",
        "--token-file", str(token), "--header-file", str(headers), "--header", "X-More: two",
        "--terminal", "T0000077", "--merchant", "M77", "--currency", "EUR", "--kind", "refund",
        "--posting", "request",
    ]  # fmt: skip
    assert main(["--lang", "en", *order]) == 0
    posting = host.host.ledger.postings()[0]
    assert (posting.terminal_id, posting.merchant_id, posting.currency) == (
        "T0000077",
        "M77",
        "EUR",
    )
    assert (posting.kind, posting.posting) == ("refund", "request")


@pytest.mark.parametrize(
    ("order", "word"),
    [
        (["https://pay.example/v1"], "--yes"),
        (["https://pay.example/v1", "--yes"], "--terminal"),
        (["http://pay.example/v1", "--yes"], "https"),
        (["ftp://127.0.0.1/"], "http(s)"),
        (["http://u:p@127.0.0.1/"], "http(s)"),
        (["http://127.0.0.1/?a=b"], "http(s)"),
        (["http://127.0.0.1:99999/"], "http(s)"),
        (["http://127.0.0.1/", "--header", "no colon"], "NAME: VALUE"),
        (["http://127.0.0.1/", "--body", "/nowhere/at/all"], "/nowhere/at/all"),
        (["https://127.0.0.1/", "--ca-file", "/nowhere/at/all"], "/nowhere/at/all"),
    ],
)
def test_what_it_will_not_do(
    order: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is sent to a real host without --yes and a test terminal, nor in clear."""
    assert main(["--lang", "en", "conformance", *order]) == 2
    assert word in capsys.readouterr().err


def test_secrets_are_never_shown(
    host: HostThread, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither a good nor a broken credential line is told to the screen."""
    headers = tmp_path / "headers"
    headers.write_text("Authorization Bearer t0psecret\n")
    assert main(["conformance", host.host.url, "--header-file", str(headers)]) == 2
    headers.write_text("Authorization: Bearer t0psecret\n")
    assert main(["conformance", host.host.url, "--header-file", str(headers), "--json"]) == 0
    shown = capsys.readouterr()
    assert "t0psecret" not in shown.out + shown.err


def texts() -> list[tuple[str, Text]]:
    named = [(name, one) for name, one in vars(sights).items() if isinstance(one, Text)]
    for number, one in REQUIREMENTS.items():
        named += [(f"asks {number}", one.asks), (f"costs {number}", one.costs)]
    return named


def test_both_languages_say_the_same() -> None:
    """Every sentence exists twice, with the same facts in it."""
    for name, text in texts():
        assert set(NAMED.findall(text.zh)) == set(NAMED.findall(text.en)), name
        assert not set("[]") & set(text.zh + text.en), name


def test_the_document_lists_the_same_requirements() -> None:
    """docs/contracts/receiver.md has a row for each number, with the words of the table."""
    row = re.compile(r"^\| (\d+) \| (?:MUST|SHOULD)[^|]* \| ([^|]+?) \|", re.MULTILINE)
    rows = dict(row.findall(RECEIVER.read_text("utf-8")))
    assert {int(number) for number in rows} == set(REQUIREMENTS)
    for number, words in rows.items():
        assert words.replace("`", "") == REQUIREMENTS[int(number)].asks.en, number
