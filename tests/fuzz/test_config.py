"""Configuration files of any content: a configuration, or problems that quote no secret."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config import Config
from agent.settings import agent_table, load
from agent.settings.problems import ConfigError
from agent.settings.schema import effective
from tests.fuzz.effort import SECRET, effort, mutated

GOOD = """\
[agent]
state_dir = "/var/lib/posagent"
log_level = "info"

[[uplink]]
name = "host"
url = "https://host.example/pay"
in_flight = 4
backoff_base_s = 2.0
on_unknown = "query"

[[uplink]]
name = "bank"
type = "iso8583"
host = "acquirer.example"
port = 5000
tpdu = "6000030000"

[[limit]]
currency = "CNY"
single_minor = 100000

[telemetry]
endpoints = ["mqtts://broker.example:8883"]
username = "u"

[health."printer.paper_out"]
visible_after_s = 0
"""
LINES = [
    "[agent]", "[[uplink]]", "[uplink]", "[telemetry]", "[limits]", "[a.b.c]", "[[health]]",
    "[[a]]",
    'url = "https://u:' + SECRET + '@h/"', f'password = "{SECRET}"', f'token = "{SECRET}"',
    f'passwort = "{SECRET}"', f"password = {SECRET}", f'password = ["{SECRET}"]',
    f'secret = {{ x = "{SECRET}" }}', f'psk = "{SECRET}',
    "port = 99999999999999999999", "port = -1", "port = 1e999", "port = nan", "port = inf",
    "in_flight = 1979-05-27", "in_flight = 07:32:00", 'name = """a\nb"""', "name = 'a", "= 1",
    "a.b.c = 1", 'tpdu = "zz"', 'log_level = "\\u0000"', "enabled = 1", "covers = [[[]]]",
]  # fmt: skip
TELLING = [
    b"\n", b"\r", b'"', b"[", b"]", b"=", b".", b"{", b"}", b"#", b"\x00", b"\xff", b"\xef\xbb\xbf",
    *[f"\n{line}\n".encode() for line in LINES],
]  # fmt: skip


@cache
def file() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="config-"))
    folder.chmod(0o700)
    return folder / "posagent.toml"


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """A good file with lines put in and taken out."""
    lines = GOOD.splitlines()
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(lines)))
        if draw(st.booleans()):
            lines.insert(at, draw(st.sampled_from(LINES)))
        else:
            del lines[at : at + 1]
    return "\n".join(lines).encode()


def check(raw: bytes) -> None:
    file().write_bytes(raw)
    file().chmod(0o600)
    try:
        loaded = load(file(), references=False)
    except ConfigError as error:
        said = str(error) + "".join(p.sentence("zh") + p.sentence("en") for p in error.problems)
    else:
        said = "".join(str(row) for row in effective(loaded.config))
        assert isinstance(loaded.config, Config)
    assert SECRET not in said
    agent_table(file())


def test_the_file_it_begins_with_is_a_good_one() -> None:
    """Control: what is varied below is not refused for something else each time."""
    file().write_bytes(GOOD.encode())
    file().chmod(0o600)
    assert [uplink.name for uplink in load(file(), references=False).config.uplink] == [
        "host",
        "bank",
    ]


@effort(50)
@given(mutated(texts(), TELLING))
def test_a_configuration_or_problems(raw: bytes) -> None:
    """Nothing else comes of any file, and no problem shows a secret."""
    check(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"a = " + b"[" * 50_000,
        b"a." * 2_000 + b"b = 1",
        b"[" + b"a." * 2_000 + b"b]",
        b"\n" * 900_000,
        b"[[uplink]]\n" * 1_000,
        b'a = "' + b"x" * 900_000 + b'"',
        b"a = " + b"9" * 5_000,
    ],
    ids=lambda raw: repr(raw[:8]),
)  # fmt: skip
def test_a_large_file_is_refused_in_a_moment(raw: bytes) -> None:
    """A mistake (a log, a device) is told, not thought about."""
    check(raw)
