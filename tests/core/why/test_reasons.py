"""Reasons in Chinese: each is one that the code really says, and what is unknown stays as it is."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.why.reasons import REASONS, in_chinese
from agent.core.why.reasons_rooms import ROOMS as MORE
from agent.core.why.text import Text
from tests.core.why.reason_texts import reasons

AGENT = Path(__file__).resolve().parents[3] / "agent"
ROOMS = (
    "link",
    "watch",
    "hooks",
    "actions",
    "core/configuration",
    "core/software",
    "core/network",
    "cli",
    "http",
    "wire",
    "uplink",
    "core/money",
)
#: What a person at the terminal never reads as a reason: words of the contract with programmers
#: (answers 4xx of the API, checks of the configuration at the start), and forms without words.
NOT_FOR_PEOPLE = (
    *("agent/hooks/part.py", "agent/hooks/unwrap.py", "agent/uplink/iso8583/intake.py"),
    *("agent/core/money/journal.py", "agent/watch/software/plain.py", "agent/link/bound.py"),
    *("agent/link/dns.py", "agent/link/proxy.py", "agent/link/tls.py"),
    # "nothing to do for": a fault of ours. A parser's own words: "line 7: 7", "rpm: 7".
    *("agent/uplink/attempt.py", "agent/watch/configuration/formats.py"),
    "agent/watch/software/packages.py",
)
SYSTEM = slice([english for english, _ in REASONS].index("No such file or directory"), None)


def test_every_sentence_is_said_somewhere() -> None:
    """A reason that is worded anew in a watcher cannot fall back into English unnoticed."""
    said = "".join(
        re.sub(r"[\"']\s*\n\s*f?[\"']", "", file.read_text(encoding="utf-8"))
        for room in ROOMS
        for file in (AGENT / room).rglob("*.py")
    )
    own = [english for english, _ in (*REASONS[: SYSTEM.start], *MORE)]
    # Two of them are put together from two pieces by those who say them.
    seams = re.compile(r"\{[a-z]+\}|; | to(?= \{name)|(?<=closed the connection) ")
    fragments = {one.strip(" :;") for words in own for one in seams.split(words)}
    assert sorted(one for one in fragments if one not in said) == []


def test_both_sides_take_over_the_same() -> None:
    """No fact of the English sentence is made up in the Chinese one, and none of it stays."""
    for english, chinese in (*REASONS, *MORE):
        assert set(re.findall(r"\{([a-z]+)\}", chinese)) <= set(
            re.findall(r"\{([a-z]+)\}", english)
        )
        assert not chinese.isascii()


def test_every_reason_the_code_can_give_has_its_chinese() -> None:
    """Found in the syntax of the rooms: a new reason in English only fails here."""
    left = [
        f"{where}: {words}"
        for where, words in reasons()
        if re.search("[a-z]{2}", words)
        and not where.startswith(NOT_FOR_PEOPLE)
        and in_chinese(_without_ends(words)).isascii()
    ]
    assert left == []


def _without_ends(words: str) -> str:
    """Where a clause may follow (`has no address; DHCP gave none`), the sentence without it."""
    return words.removesuffix("7") if words.endswith("address7") else words


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("10.0.0.1:443 refused the connection", "10.0.0.1:443拒绝连接"),
        ("there is no interface wwan*", "没有接口wwan*"),
        ("/etc/x.crt: No such file or directory", "/etc/x.crt：文件不存在"),
        (
            "cable has no carrier; there is no interface wwan0",
            "接口cable没有连接（网线、Wi-Fi或SIM卡）；没有接口wwan0",
        ),
        (
            "posagent-actions cannot be reached at /run/a.sock: Connection refused",
            "连不上posagent-actions（/run/a.sock）：连接被拒绝",
        ),
        ("the vendor says: E-17; ask them", "the vendor says: E-17; ask them"),
        ("主机维护中", "主机维护中"),
        ("E17", "E17"),
        ("words of a host nobody knows", "words of a host nobody knows"),
    ],
)
def test_said_in_chinese(english: str, chinese: str) -> None:
    """Known reasons change, joined ones part by part; a host's own words never do."""
    assert in_chinese(english) == chinese


def test_a_closed_device_is_said_in_chinese() -> None:
    """The sandbox's word on a device, with what to do."""
    said = in_chinese(
        "the sandbox the agent runs in does not let it open /dev/usb/lp0: allow the device there "
        "(systemd: DeviceAllow= by `systemctl edit posagent`), and restart the agent"
    )
    assert said.startswith("posagent所在的沙箱不允许打开/dev/usb/lp0：")
    assert "DeviceAllow=" in said


def test_in_a_sentence() -> None:
    """The reason follows the language of the sentence it stands in."""
    text = Text("不通：{error}", "down: {error}")
    facts = {"error": "there is no interface wwan*"}
    assert text.render("zh", facts) == "不通：没有接口wwan*"
    assert text.render("en", facts) == "down: there is no interface wwan*"


def test_a_time_in_a_reading() -> None:
    """A watcher's time is shown as people write it, in the reader's zone; what is none stays."""
    text = Text("自{since}起", "since {since}")
    for told, shown in (
        ("2026-11-22T23:42:45+00:00", "2026-11-23 07:42:45"),
        ("2026-11-22T23:42:45Z", "2026-11-23 07:42:45"),
        ("2026-99-22T23:42:45Z", "2026-99-22T23:42:45Z"),
        ("2026-11-22", "2026-11-22"),
    ):
        assert text.render("en", {"since": told}, timedelta(hours=8)) == f"since {shown}"


@given(st.text(max_size=200))
def test_any_words(words: str) -> None:
    """Whatever a device says comes out as a text."""
    assert isinstance(in_chinese(words), str)
