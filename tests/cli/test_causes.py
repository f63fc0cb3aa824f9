"""`posagent causes`: browse by chapter, owner, way of knowing and words; one code in full."""

from __future__ import annotations

import json

import pytest

from agent.cli.app import main
from agent.cli.arguments_causes import CHAPTERS as NAMED
from agent.cli.arguments_causes import OWNERS
from agent.core.why.causes import CATALOGUE, CHAPTERS, Owner


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["causes", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_choices_are_the_catalogues() -> None:
    """Written down twice, so that the parser loads no catalogue."""
    assert set(OWNERS) == set(Owner)
    assert list(NAMED) == list(CHAPTERS)


def test_one_code_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    """What to do now, to say, when to stop, whom to call with which references."""
    code, out, _ = said(capsys, "host.down", "--lang", "zh")
    words = "".join(out.split())
    assert code == 0
    for part in (
        "现在：",
        "对顾客说：",
        "到此为止：",
        "然后致电：收单机构（报终端号TID、商户号MID",
    ):
        assert part in words
    assert "[" not in out
    _, out, _ = said(capsys, "wallet.code_expired", "--lang", "en")
    assert "nobody has to be called" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "codes"),
    [
        (["--owner", "bank"], {"settlement.account_limit"}),
        (["--owner", "platform", "--known", "H"], {"platform.outage"}),
        (["--words", "纸卷 热敏"], {"printer.paper_out"}),
        (["--words", "THERMAL nobody-says-this"], None),
        (["network", "--chapter", "network", "--words", "bars weak"], {"network.weak_signal"}),
        (["printer.paper_out", "--owner", "bank"], None),
    ],
)
def test_filters(
    capsys: pytest.CaptureFixture[str], arguments: list[str], codes: set[str] | None
) -> None:
    """Filters add up; words are found in either language, whatever their case."""
    code, out, err = said(capsys, *arguments, "--json")
    if codes is None:
        assert code == 1
        assert "no cause fits these filters" in err + out
        return
    assert code == 0
    assert {one["code"] for one in json.loads(out)} == codes


def test_json_has_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Every code with its guidance, for programs."""
    _, out, _ = said(capsys, "--json")
    entries = {one["code"]: one for one in json.loads(out)}
    assert entries.keys() == CATALOGUE.keys()
    told = entries["tls.ca_expired"]["guidance"]
    assert told["whom"] == "vendor"
    assert told["give"] == ["model", "serial", "version", "subject"]
    assert told["call"]["zh"].startswith("设备厂商")


def test_the_list_goes_by_chapters(capsys: pytest.CaptureFixture[str]) -> None:
    """A heading for each chapter that has something to show."""
    _, out, _ = said(capsys, "--lang", "en")
    heads = [line for line in out.splitlines() if line.startswith(("Network,", "The line"))]
    assert heads == ["Network, certificates, clock", "The line to the fleet"]
    _, out, _ = said(capsys, "--lang", "en", "--chapter", "fleet")
    assert "Network, certificates" not in out
    assert "fleet.forged_command" in out
