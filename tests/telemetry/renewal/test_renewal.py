"""A certificate is renewed: the request, what comes back, and all that may be wrong with it."""

from __future__ import annotations

import asyncio
import importlib.util
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cryptography")

from cryptography.x509.oid import ExtendedKeyUsageOID

from agent.errors import AgentError
from agent.link.tls import client_context
from agent.telemetry.renewal import Files, Renewal
from tests.fakes import FakeClock, Straight
from tests.telemetry.renewal.authority import DAY, NOW, Authority

DEVICE = "d-1"


class Terminal:
    def __init__(self, folder: Path, ca: Authority | None) -> None:
        self.cert, self.key, self.ca = folder / "cert.pem", folder / "key.pem", folder / "ca.pem"
        if ca is not None:
            self.ca.write_text(ca.pem)
        self.clock = FakeClock(wall_ms=int(NOW.timestamp() * 1000))
        self.renewed: list[bool] = []
        self.renewal = Renewal(
            Files(
                cert_file=str(self.cert),
                key_file=str(self.key),
                ca_file=str(self.ca) if ca is not None else "",
            ),
            tenant="acme",
            device_id=DEVICE,
            clock=self.clock,
            blocking=Straight(),
            renewed=lambda: self.renewed.append(True),
        )

    def order(self, **args: object) -> dict[str, Any]:
        return dict(asyncio.run(self.renewal.carry_out(args, "fleet:k1")))

    def refused(self, **args: object) -> str:
        with pytest.raises(AgentError) as caught:
            self.order(**args)
        return caught.value.code

    def laid(self) -> set[str]:
        return {path.name for path in self.cert.parent.iterdir()}


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def test_a_request_and_what_came_of_it_are_a_pair_that_works(
    tmp_path: Path, authority: Authority
) -> None:
    """Over an intermediate; the key was never told, and both files are the owner's alone."""
    between = Authority("cell-3", authority)
    one = Terminal(tmp_path, authority)
    csr = one.order()["csr"]
    assert set(one.laid()) == {"ca.pem", "key.pem.pending"}
    chain = between.issue(csr) + between.pem
    answer = one.order(certificate=chain)
    assert answer["expires_ts"] == int((NOW + 89 * DAY).timestamp() * 1000)
    assert one.laid() == {"ca.pem", "cert.pem.new", "key.pem.new"}
    for name in ("cert.pem.new", "key.pem.new"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert client_context(str(one.ca), f"{one.cert}.new", f"{one.key}.new")
    assert one.renewed == [True]
    assert len(chain) < 6_144
    assert one.refused(certificate=chain) == "nothing_requested"


def test_what_was_not_asked_for_is_refused_and_leaves_the_request_standing(
    tmp_path: Path, authority: Authority
) -> None:
    """Each for its own word; after all of them the right one is still taken."""
    one = Terminal(tmp_path, authority)
    old = one.order()["csr"]
    csr = one.order()["csr"]
    stranger = Authority("stranger")
    no_authority = authority.issue(csr)
    mute = Authority("mute", authority, signs=False)
    last = Authority("last", authority, below=0, signs=True)
    beneath = Authority("beneath", last, signs=True)
    for chain, word in (
        ("nonsense", "not_a_certificate"),
        (authority.issue(old), "another_key"),
        (authority.issue(csr, name="d-2"), "another_name"),
        (authority.issue(csr, use=ExtendedKeyUsageOID.SERVER_AUTH), "not_for_clients"),
        (authority.issue(csr, begins=NOW + DAY), "not_yet_valid"),
        (authority.issue(csr, ends=NOW - timedelta(hours=1)), "already_expired"),
        (stranger.issue(csr), "another_authority"),
        (stranger.issue(csr) + authority.pem, "chain_broken"),
        (no_authority + no_authority, "chain_broken"),
        (mute.issue(csr) + mute.pem, "chain_broken"),
        (beneath.issue(csr) + beneath.pem + last.pem, "chain_broken"),
        (authority.issue(csr) + authority.pem * 4, "chain_too_long"),
    ):
        assert one.refused(certificate=chain) == word
    assert one.laid() == {"ca.pem", "key.pem.pending"}
    assert not one.renewed
    assert "expires_ts" in one.order(certificate=last.issue(csr) + last.pem)


def test_a_clock_nobody_vouches_for_is_not_asked(tmp_path: Path) -> None:
    """Else a terminal that lost its clock could never be given a certificate."""
    authority = Authority()
    one = Terminal(tmp_path, None)
    one.clock.trusted = False
    one.clock.wall_ms = 0
    csr = one.order()["csr"]
    assert "expires_ts" in one.order(certificate=authority.issue(csr))


def test_where_it_cannot_be_done_the_answer_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon never loads the library: it is missing on most terminals."""
    one = Terminal(tmp_path, None)
    one.key = tmp_path / "gone" / "key.pem"
    broken = Terminal(tmp_path, None)
    broken.renewal = Renewal(
        Files(cert_file="/nowhere/c", key_file="/nowhere/k", ca_file=""),
        tenant="acme", device_id=DEVICE, clock=one.clock, blocking=Straight(),
        renewed=lambda: None,
    )  # fmt: skip
    assert broken.refused() == "not_kept"
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert one.refused() == "not_available"


def test_days_and_when_it_is_time_follow_the_file(tmp_path: Path, authority: Authority) -> None:
    """At two thirds of its life, give or take a tenth; nothing while the clock is not trusted."""
    one = Terminal(tmp_path, authority)
    assert one.renewal.values() == {}
    csr = one.order()["csr"]
    one.cert.write_text(authority.issue(csr, begins=NOW, ends=NOW + 90 * DAY))
    assert one.renewal.values() == {"certificate_days": 90, "certificate_due": False}
    one.clock.advance(50 * 86_400)
    assert one.renewal.values()["certificate_due"] is False
    one.clock.advance(20 * 86_400)
    assert one.renewal.values() == {"certificate_days": 20, "certificate_due": True}
    one.clock.trusted = False
    assert one.renewal.values() == {}
    one.clock.trusted = True
    one.cert.write_text("no certificate")
    assert one.renewal.values() == {}
