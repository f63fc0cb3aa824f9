"""Order and roots: what is said first, and what only follows from something else."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from agent.core.why.causes import CATALOGUE, Owner
from agent.core.why.text import verbatim
from agent.core.why.weigh import FOLLOWS, WAY, Scales, Tier, tier_of
from tests.core.why.cases import AT, EARLIER


def found(*codes: str) -> list[tuple[str, tuple[str, ...]]]:
    scales = Scales({})
    for code in codes:
        scales.add(code)
    return [(one.code, one.consequences) for one in scales.findings(aside=True)]


def test_tables_name_real_codes() -> None:
    """Whatever the tables speak of is in the catalogue."""
    assert set(FOLLOWS) <= set(CATALOGUE)
    assert {root for roots in FOLLOWS.values() for root in roots} <= set(CATALOGUE)


@pytest.mark.parametrize(("lower", "upper"), list(itertools.combinations(WAY, 2)))
def test_lowest_broken_layer_is_the_root(lower: str, upper: str) -> None:
    """Of two broken layers the lower one is the cause and the other is listed under it."""
    assert found(upper, lower) == [(lower, (upper,))]


def test_chain_of_consequences_ends_at_one_root() -> None:
    """All that follows from one root stands under it, in a fixed order."""
    assert found("network.slow", "network.host_unreachable", "network.no_link") == [
        ("network.no_link", ("network.host_unreachable", "network.slow"))
    ]


@pytest.mark.parametrize(
    ("root", "consequence"),
    [
        ("clock.wrong", "tls.client_certificate_expired"),
        ("clock.wrong", "tls.host_certificate_expired"),
        ("clock.wrong", "tls.ca_expired"),
        ("network.captive_portal", "tls.untrusted"),
        ("config.credential_expired", "config.permission_denied"),
        ("system.storage_low", "queue.store_full"),
        ("queue.quarantined", "software.data_error"),
    ],
)
def test_known_roots(root: str, consequence: str) -> None:
    """Causes that come from different sources are still put under their root."""
    assert found(consequence, root) == [(root, (consequence,))]


def test_tracker_knows_roots_of_its_own() -> None:
    """What the health tracker calls a consequence is one, if its root is there."""
    scales = Scales({})
    scales.add("printer.offline", after="printer.paper_out")
    assert [one.code for one in scales.findings(aside=True)] == ["printer.offline"]
    scales.add("printer.paper_out")
    (one,) = scales.findings(aside=True)
    assert (one.code, one.consequences) == ("printer.paper_out", ("printer.offline",))


def test_circle_of_roots_ends() -> None:
    """Two causes that each name the other as root do not hang the verdict."""
    scales = Scales({})
    scales.add("printer.offline", after="printer.paper_out")
    scales.add("printer.paper_out", after="printer.offline")
    assert len(scales.findings(aside=True)) <= 2


def test_local_causes_come_before_the_host() -> None:
    """What stops money here is said before the host's troubles, and what only slows after them."""
    order = ["network.no_link", "host.no_reply", "host.down", "network.unstable"]
    for codes in itertools.permutations(order):
        assert [code for code, _ in found(*codes)] == order


def test_every_order_of_arrival_gives_one_verdict() -> None:
    """The same facts give the same findings in the same order."""
    mixed = ["printer.paper_out", "host.busy", "clock.wrong", "queue.held", "network.no_gateway"]
    assert len({str(found(*codes)) for codes in itertools.permutations(mixed)}) == 1


def test_what_moves_no_money_can_be_left_out() -> None:
    """Asked about money, the printer is silent; a full disk behind a full store is not."""
    scales = Scales({})
    for code in ("printer.paper_out", "system.storage_low", "queue.store_full"):
        scales.add(code)
    assert [one.code for one in scales.findings(aside=False)] == ["system.storage_low"]
    assert len(scales.findings(aside=True)) == 2


def test_state_of_the_payment_is_never_a_consequence() -> None:
    """What the record itself says stays a finding of its own."""
    scales = Scales({})
    scales.add("clock.wrong")
    scales.add("tls.ca_expired", tier=Tier.STATE)
    assert [one.code for one in scales.findings(aside=True)] == ["tls.ca_expired", "clock.wrong"]


@pytest.mark.parametrize(
    ("code", "component", "tier"),
    [
        ("config.permission_denied", "printer", Tier.ASIDE),
        ("config.permission_denied", "uplink", Tier.BLOCK),
        ("network.slow", "", Tier.LIMP),
        ("settlement.delayed", "", Tier.REMOTE),
        ("inspection.overdue", "", Tier.ASIDE),
    ],
)
def test_tiers(code: str, component: str, tier: Tier) -> None:
    """How near a cause is to the money depends on who tells it."""
    assert tier_of(code, component) is tier


def test_one_cause_from_two_sources_is_one_finding() -> None:
    """Evidence adds up, the earliest beginning counts, the first fact stays."""
    scales = Scales({"terminal_id": "T1"})
    line = verbatim("tcp refused")
    scales.add("network.host_unreachable", args={"host": "a"}, evidence=(line,))
    scales.add("network.host_unreachable", since_at=AT, args={"host": "b"}, evidence=(line,))
    scales.add(
        "network.host_unreachable",
        since_at=EARLIER,
        args={"tcp_reason": "refused"},
        evidence=(verbatim("again"),),
    )
    scales.add("network.host_unreachable", since_at=AT + timedelta(hours=1))
    (one,) = scales.findings(aside=False)
    assert one.since_at == EARLIER
    assert one.args == {
        "terminal_id": "T1",
        "since": EARLIER,
        "host": "a",
        "tcp_reason": "refused",
    }
    assert [line.render("en") for line in one.evidence] == ["tcp refused", "again"]
    assert one.owner is Owner.TECHNICIAN
    assert scales.since(["network.host_unreachable", "host.down"]) == EARLIER
    assert scales.since(["host.down"]) is None


def test_codes_of_another_version() -> None:
    """A code the catalogue does not have is remembered as such and breaks nothing."""
    scales = Scales({})
    scales.add("network.from_the_future")
    scales.add("")
    assert scales.strange == {"network.from_the_future"}
    assert scales.findings(aside=True) == []
