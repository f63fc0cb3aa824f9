"""From evidence to layers: the lowest broken one, and nothing that only follows from it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config.network import Connectivity
from agent.link.contact import Contact
from agent.watch.connectivity.look import Look
from agent.watch.connectivity.memory import Budget
from agent.watch.connectivity.memory import Told as Heard
from agent.watch.connectivity.names import Told
from agent.watch.connectivity.rounds import Found
from agent.watch.connectivity.story import certificate_cause, told_values
from agent.watch.connectivity.target import FAILED, NOT_NEEDED, NOT_TRIED, OK, Reach, Target
from agent.watch.connectivity.verdict import LAYERS, Names, Portal, Seen, judge, lie, lowest
from agent.watch.layers import Interface, Route
from tests.fakes import FakeClock

ETH = Interface(name="eth0", link=True, operstate="up", addresses=("192.168.1.50",))
WAY = Route(interface="eth0", gateway="192.168.1.1")
HOST = Target(host="203.0.113.7", port=443, files=("", "", ""))
FINE = Reach(target=HOST, tcp=OK, tls=OK, address="203.0.113.7")
SILENT = Reach(target=HOST, tcp=FAILED, address="203.0.113.7", tcp_reason="timed out")
REFUSING = replace(SILENT, refused=True)
WITNESS = Reach(target=Target(host="198.51.100.1", port=53), tcp=OK, address="198.51.100.1")
GONE = replace(WITNESS, tcp=FAILED)


def seen(**more: object) -> Seen:
    plain = Seen(interface=ETH, route=WAY, names=Names(state=OK), gateway_state="reachable")
    return replace(plain, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("evidence", "broken"),
    [
        (seen(reached=[FINE]), ""),
        (seen(reached=[FINE], gateway_state="failed"), ""),
        (seen(reached=[SILENT], gateway_state="failed"), "gateway"),
        (seen(reached=[SILENT], gateway_state="incomplete"), "gateway"),
        (seen(reached=[SILENT], gateway_answers=False), "gateway"),
        (seen(reached=[SILENT], gateway_answers=False, references=[WITNESS]), "tcp"),
        (seen(reached=[SILENT], gateway_state="stale", references=[WITNESS]), "tcp"),
        (seen(reached=[SILENT], references=[GONE]), "internet"),
        (seen(reached=[SILENT], references=[GONE, WITNESS]), "tcp"),
        (seen(reached=[REFUSING], references=[GONE]), "tcp"),
        (seen(reached=[SILENT]), "tcp"),
        (seen(reached=[SILENT], portal=Portal(kind="no_answer")), "internet"),
        (seen(reached=[SILENT], portal=Portal(kind="open")), "tcp"),
        (seen(reached=[SILENT], portal=Portal(kind="portal")), "captive_portal"),
        (seen(reached=[replace(FINE, tls=FAILED)], portal=Portal(kind="portal")),
         "captive_portal"),
        (seen(reached=[FINE], portal=Portal(kind="portal")), ""),
        (seen(interface=None), "carrier"),
        (seen(interface=replace(ETH, link=False), route=None), "carrier"),
        (seen(interface=replace(ETH, addresses=("169.254.1.1",)), route=None), "address"),
        (seen(interface=replace(ETH, known=False, link=False)), ""),
        (seen(route=None, reached=[SILENT]), "route"),
        (seen(route=None, reached=[replace(SILENT, via="wg0")]), "tcp"),
        (seen(route=None, routes_told=False, reached=[SILENT]), "tcp"),
        (seen(route=None, reached=[FINE]), ""),
        (seen(route=None, needed=False), ""),
    ],
)  # fmt: skip
def test_the_lowest_broken_layer(evidence: Seen, broken: str) -> None:
    """Each fault by itself is named, and proof from above clears what lies below."""
    assert lowest(judge(evidence)) == broken


def test_two_silent_witnesses_make_a_dead_line() -> None:
    """Without references a silent public name server and a silent host say it together."""
    far = Told(server="8.8.8.8", kind="no_answer")
    lost = Told(server="192.168.1.1", kind="servfail")
    for told in (far, lost):
        names = Names(state=FAILED, told=(told,))
        assert lowest(judge(seen(reached=[SILENT], names=names))) == "internet"
    there = Names(state=FAILED, told=(replace(far, kind="nxdomain"),))
    assert judge(seen(reached=[SILENT], names=there))["internet"] == OK


WORDS = st.sampled_from([OK, FAILED, NOT_TRIED, NOT_NEEDED])


SEEN = st.builds(
    seen,
    interface=st.builds(
        lambda link, known: replace(ETH, link=link, known=known), st.booleans(), st.booleans()
    ),
    route=st.sampled_from([None, WAY, Route(interface="ppp0", gateway="")]),
    gateway_state=st.sampled_from(["", "reachable", "stale", "delay", "probe", "failed", "odd"]),
    portal=st.builds(
        Portal,
        kind=st.sampled_from(["off", "not_tried", "open", "portal", "unclear", "no_answer"]),
    ),
    reached=st.lists(
        st.builds(Reach, target=st.just(HOST), tcp=WORDS, tls=WORDS, refused=st.booleans()),
        max_size=2,
    ),
    references=st.sampled_from([(), (WITNESS,), (GONE,)]),
    others_held=st.booleans(),
)


@settings(deadline=None)
@given(SEEN)
def test_every_layer_has_a_word_whatever_was_seen(evidence: Seen) -> None:
    """And stale, delay and probe are never a fault."""
    states = judge(evidence)
    assert tuple(states) == LAYERS
    assert set(states.values()) <= {OK, FAILED, NOT_TRIED, NOT_NEEDED}
    if evidence.gateway_state in ("stale", "delay", "probe"):
        assert states["gateway"] != FAILED


def test_lies_of_name_servers() -> None:
    """Impossible, invented or moved into the shop; a private acquirer is believed."""
    assert "can be no host's" in lie(["127.0.0.1"], (), ())
    assert "do not exist" in lie(["203.0.113.1"], ["203.0.113.1"], ())
    assert "before it was 203.0.113.7" in lie(["192.168.1.1"], (), ["203.0.113.7"])
    assert lie(["10.9.8.7"], (), ()) == ""
    assert lie(["10.9.8.7"], (), ["10.1.1.1"]) == ""
    assert lie(["203.0.113.8"], (), ["203.0.113.7"]) == ""


@pytest.mark.parametrize(
    ("code", "trusted", "offset_s", "cause"),
    [
        ("tls.host_certificate_expired", True, None, "tls.host_certificate_expired"),
        ("tls.host_certificate_expired", True, 3, "tls.host_certificate_expired"),
        ("tls.host_certificate_expired", True, 86_400, "clock.wrong"),
        ("tls.host_certificate_expired", False, None, "clock.wrong"),
        ("clock.wrong", True, None, "clock.wrong"),
        ("clock.wrong", True, -2, "tls.untrusted"),
        ("tls.untrusted", False, 86_400, "tls.untrusted"),
    ],
)
def test_the_clock_is_asked_before_a_certificate_is_blamed(
    code: str, trusted: bool, offset_s: int | None, cause: str
) -> None:
    """A wrong date makes every certificate look wrong."""
    clock = FakeClock()
    clock.trusted = trusted
    reach = replace(FINE, tls=FAILED, tls_code=code)
    assert certificate_cause(reach, clock.now(), offset_s) == cause


def look(*interfaces: Interface) -> Look:
    return Look(
        seen=interfaces, watched=interfaces, routes=(WAY,), routes_told=True, servers=(),
        neighbours=None, root=Path("/nowhere"),
    )  # fmt: skip


def values(found: Found, *interfaces: Interface, **config: object) -> dict[str, object]:
    return dict(
        told_values(
            config=Connectivity(**config),  # type: ignore[arg-type]
            found=found, states={"internet": OK}, seen=look(ETH, *interfaces), active=ETH,
            gateway_state="", name="", now=FakeClock().now(),
        )
    )  # fmt: skip


def test_one_issuer_for_several_hosts_is_an_interception() -> None:
    """A wrong CA file would show several issuers, or one host."""
    bad = replace(FINE, tls=FAILED, tls_code="tls.untrusted", issuer="Shop Proxy")
    other = replace(bad, target=replace(HOST, host="203.0.113.8"))
    told = values(Found(reached={bad.target: bad, other.target: other}))
    assert (told["intercepted"], told["issuer"]) == (True, "Shop Proxy")
    assert values(Found(reached={bad.target: bad}))["intercepted"] is False


def test_a_tunnel_that_leads_nowhere() -> None:
    """It is up, the internet is there, and every host behind it is silent."""
    tunnel = Interface(name="wg0", link=False, operstate="unknown", addresses=("10.9.0.2",))
    behind = replace(SILENT, via="wg0")
    told = values(Found(reached={HOST: behind}), tunnel, tunnels=("wg0",))
    assert (told["vpn"], told["tunnel"]) == (FAILED, "wg0")
    reached = Found(reached={HOST: replace(FINE, via="wg0")})
    assert values(reached, tunnel, tunnels=("wg0",))["vpn"] == OK


def test_a_failed_host_shows_its_own_dates() -> None:
    """Not those of the host that is well."""
    expired = datetime(2020, 1, 1, tzinfo=UTC)
    bad = replace(FINE, tls=FAILED, tls_code="tls.host_certificate_expired", expires_at=expired)
    told = values(Found(reached={HOST: bad}))
    assert told["expires_at"] == "2020-01-01"
    assert "certificate_days" not in told
    good = replace(FINE, expires_at=FakeClock().now().at + timedelta(days=9, hours=1))
    assert values(Found(reached={HOST: good}))["certificate_days"] == 9


def test_bytes_are_counted_by_the_day() -> None:
    """What is spent is spent until the day is over; a test that costs too much is never due."""
    budget = Budget(10_000)
    budget.charge(9_000, 0)
    assert (budget.spent(1), budget.left(1)) == (9_000, 1_000)
    budget.charge(2_000, 5)
    assert budget.left(6) == 0
    assert budget.left(86_400_000) == 10_000
    assert budget.pace_ms(4_001, 0.4) is None
    assert budget.pace_ms(400, 0.4) == 8_640_000
    assert Budget(0).pace_ms(1, 0.4) is None


def test_a_failure_after_a_proof_takes_the_proof_away() -> None:
    """Only the newest word about a host counts, on the interface it was about."""
    heard = Heard()
    held = Contact(purpose="uplink", host="a.cn", port=1, interface="eth0", tls=True)
    heard.take(held, 10)
    assert heard.proof(("", "eth0"), "a.cn", 1, 0) is not None
    assert heard.proof(("wwan0",), "a.cn", 1, 0) is None
    assert heard.proof(("eth0",), "a.cn", 1, 11) is None
    heard.take(replace(held, layer="tcp"), 20)
    assert heard.proof(("", "eth0"), "a.cn", 1, 0) is None
    heard.take(replace(held, layer="answer"), 30)
    assert heard.proof(("eth0",), "a.cn", 1, 0) is not None
    assert heard.held_since(("eth0",), 30)
    heard.forget()
    assert not heard.held_since(("eth0",), 0)
