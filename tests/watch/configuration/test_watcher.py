"""The component `configuration`: profile, exports, hooks, payments, credentials and rights."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from agent import crypt
from agent.config import Agent, Check, Config, Limit, Uplink
from agent.config.terminal import Configuration, SettingsFile
from agent.core.configuration.profile import Profile, Standing
from agent.core.health.reading import Outcome, Reading, Unknown, Value
from agent.core.health.standard import STANDARD
from agent.watch.configuration import ConfigurationWatcher, build
from agent.watch.configuration.access import Need, denied, look
from agent.watch.configuration.credentials import expiry
from agent.watch.configuration.masking import Masking
from agent.wire.profile import profile_from
from agent.wire.signed import (
    Document,
    DocumentError,
    envelope,
    envelope_in,
    is_envelope,
    signed_bytes,
)
from tests.fakes import FakeClock

SEED = b"s" * 32
KEY = crypt.public_of(SEED).hex()


class Inline:
    async def call(self, name: str, function: Callable[[], Any], deadline_s: float) -> Any:
        return function()


@dataclass
class Payments:
    merchant_id: str = ""
    terminal_id: str = ""


class House:
    """A terminal's files and its watcher."""

    def __init__(self, tmp_path: Path) -> None:
        self.home = tmp_path
        self.clock = FakeClock()
        self.payments = Payments()
        self.profile_file = tmp_path / "profile.json"
        self.export_file = tmp_path / "export.json"
        self.state_dir = tmp_path / "state"
        self.state_dir.mkdir()

    def issue(self, **settings: Any) -> None:
        self.profile_file.write_text(json.dumps({"profile": "P", "settings": settings}))

    def export(self, **settings: Any) -> None:
        self.export_file.write_text(json.dumps(settings))

    def watcher(self, keys: Mapping[str, str] | None = None, **more: Any) -> ConfigurationWatcher:
        configuration = Configuration(
            profile=str(self.profile_file), profile_keys=dict(keys or {}), **more
        )
        config = Config(
            agent=Agent(state_dir=str(self.state_dir), run_dir=str(self.home)),
            configuration=configuration,
            settings_file=(SettingsFile(path=str(self.export_file)),),
            check=Check(merchant_ids=("M1",)),
            limit=(Limit(currency="CNY", total_minor=100_000, count=50),),
            uplink=(Uplink(name="h", url="https://Host.example/pay"),),
        )
        return build(config, "me", clock=self.clock, blocking=Inline(), payments=self.payments)

    def read(self, watcher: ConfigurationWatcher | None = None) -> Outcome:
        return asyncio.run((watcher or self.watcher()).read())


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def values(outcome: Outcome) -> Mapping[str, Value]:
    assert isinstance(outcome, Reading), outcome
    return outcome.values


def judged(outcome: Outcome) -> dict[str, bool | None]:
    told = values(outcome)
    return {one.code: sign.judge(told) for one, sign in STANDARD.judged_by("configuration")}


def raised(outcome: Outcome) -> set[str]:
    return {code for code, truth in judged(outcome).items() if truth}


# -- comparing ---------------------------------------------------------------------------------


def test_all_as_issued_settles_everything(house: House) -> None:
    """Nothing is raised and nothing left open."""
    house.issue(merchant_id="M1", mode="live")
    house.export(merchant_id="M1", mode="production", other=1)
    told = house.read()
    assert set(judged(told).values()) == {False}
    assert (values(told)["compared"], values(told)["profile"]) == (2, "in_force")


def test_each_difference_is_told_under_its_cause(house: House) -> None:
    """The first of each in the words of its text, all of them as evidence."""
    house.issue(merchant_id="M1", terminal_id="T1", limit_single_cny="5.00", footer="x")
    house.export(merchant_id="M2", terminal_id="T2", limit_single_cny=900, footer="y")
    told = house.read()
    assert raised(told) == {
        "config.merchant_mismatch", "config.limit_wrong", "config.not_activated",
    }  # fmt: skip
    sign = STANDARD["config.merchant_mismatch"].sign_of("configuration")
    assert sign is not None
    shown = sign.shown(values(told))
    assert (shown["expected"], shown["found"], shown["merchant_id"]) == ("M1", "M2", "M2")
    assert values(told)["mismatch_count"] == 2
    assert "expected T1, found T2" in told.evidence["terminal_id"]  # type: ignore[union-attr]


def test_payments_a_hook_and_the_agents_own_rules_are_held_against_it(house: House) -> None:
    """Whatever names a setting, not only the export."""
    house.issue(
        merchant_id="M1", offline_total_cny=200_000, offline_count_cny=50,
        check_merchant_ids=["M1", "M9"], uplink_hosts=["host.example"], mode="live",
    )  # fmt: skip
    house.export()
    house.payments = Payments("M7", "T7")
    watcher = house.watcher()
    watcher.feed(Reading({"mode": "training", "nothing": None}, {"source": "am get"}))
    told = house.read(watcher)
    assert isinstance(told, Reading)
    assert "(payments)" in told.evidence["merchant_id"]
    assert "(am get)" in told.evidence["mode"]
    assert "expected 2000.00 CNY, found 1000.00 CNY" in told.evidence["offline_total_cny"]
    assert "offline_count_cny" not in told.evidence
    assert "(posagent.toml)" in told.evidence["check_merchant_ids"]


def test_a_source_that_is_away_clears_nothing(house: House) -> None:
    """What was wrong in it may still be; what is known is still said."""
    house.issue(merchant_id="M1")
    house.export_file.write_bytes(b"\0\0")
    told = house.read()
    assert judged(told)["config.merchant_mismatch"] is None
    assert judged(told)["config.permission_denied"] is False
    assert "no text" in told.evidence[f"export {house.export_file}"]  # type: ignore[union-attr]


def test_secrets_are_never_told(house: House) -> None:
    """Neither as value nor as evidence; the same secret has one digest on one terminal."""
    house.issue(apn_password="hunter2", wifi_psk={"sha256": hashlib.sha256(b"p").hexdigest()})
    house.export(apn_password="hunter3", wifi_psk="q")
    first, second = house.read(), house.read()
    assert "hunter" not in str(first)
    assert first == second
    assert (house.state_dir / "digest.key").stat().st_mode & 0o777 == 0o600
    other = Masking(house.home)
    assert other("hunter3") != Masking(house.state_dir)("hunter3")
    assert len(Masking(Path("/proc"))("x")) == 8  # a place where no key can be kept


# -- the profile -------------------------------------------------------------------------------


def test_a_profile_that_is_missing_is_set_up_not_finished(house: House) -> None:
    """So is one for another terminal, and one that has expired."""
    house.export()
    assert raised(house.read()) == {"config.not_activated"}
    for more in ({"devices": ["you"]}, {"expires": "2020-01-01T00:00:00Z"}):
        house.profile_file.write_text(json.dumps({"profile": "P", "settings": {}, **more}))
        assert raised(house.read()) == {"config.not_activated"}


@pytest.mark.parametrize(
    ("content", "standing"),
    [
        (b"{", Standing.GARBAGE),
        (b"[]", Standing.GARBAGE),
        (b'{"profile":"P","settings":{"mode":null}}', Standing.GARBAGE),
        (b'{"profile":"P","settings":{"limit_single_cny":"much"}}', Standing.GARBAGE),
        (b'{"profile":"P","settings":{"x":{"kind":"text"}}}', Standing.GARBAGE),
        (b'{"profile":1,"key_id":"k","signature":"*","payload":"*"}', Standing.GARBAGE),
        (b"\xff\xfe\xff", Standing.GARBAGE),
    ],
)
def test_a_profile_that_is_none_is_unknown(
    house: House, content: bytes, standing: Standing
) -> None:
    """With the reason; no setting is blamed."""
    house.export()
    house.profile_file.write_bytes(content)
    os.utime(house.profile_file, (1_700_000_000, 1_700_000_000))
    told = house.read()
    assert isinstance(told, Unknown)
    assert str(standing) in told.reason


def signature_of(payload: bytes) -> bytes:
    return crypt.sign(SEED, signed_bytes(Document.PROFILE, payload))


def test_only_a_signed_profile_is_believed_where_keys_are_set(house: House) -> None:
    """Unsigned, by an unknown key, altered: refused, and the one in force stays."""
    house.export(mode="test")
    payload = json.dumps({"profile": "S", "sequence": 5, "settings": {"mode": "live"}}).encode()
    good = envelope(Document.PROFILE, "k1", signature_of(payload), payload)
    watcher = house.watcher({"k1": KEY})
    house.issue(mode="test")
    assert isinstance(house.read(watcher), Unknown)
    house.profile_file.write_bytes(good)
    assert raised(house.read(watcher)) == {"config.wrong_mode"}

    manifest = crypt.sign(SEED, signed_bytes(Document.MANIFEST, payload))
    older = payload.replace(b'"sequence": 5', b'"sequence": 4')
    for offered, standing in (
        (envelope(Document.PROFILE, "k2", signature_of(payload), payload), Standing.UNKNOWN_KEY),
        (envelope(Document.PROFILE, "k1", manifest, payload), Standing.BAD_SIGNATURE),
        (envelope(Document.PROFILE, "k1", signature_of(payload), older), Standing.BAD_SIGNATURE),
        (envelope(Document.PROFILE, "k1", signature_of(older), older), Standing.OLDER),
        (b'{"profile":"P","settings":{}}', Standing.UNSIGNED),
    ):
        house.profile_file.write_bytes(offered)
        told = house.read(watcher)
        assert values(told)["profile"] == str(standing)
        assert values(told)["profile_id"] == "S"
        assert raised(told) == {"config.wrong_mode"}


def test_an_older_signed_profile_is_refused_after_a_restart_too(house: House) -> None:
    """Whoever may write the file could otherwise wait for the next start; a key that no longer
    counts and garbage in what was kept are another matter."""

    def signed(sequence: int) -> bytes:
        payload = json.dumps({"profile": f"S{sequence}", "sequence": sequence,
                              "settings": {"mode": "live"}}).encode()  # fmt: skip
        return envelope(Document.PROFILE, "k1", signature_of(payload), payload)

    house.profile_file.write_bytes(signed(5))
    assert values(house.read(house.watcher({"k1": KEY})))["profile"] == "in_force"
    house.profile_file.write_bytes(signed(4))
    told = values(house.read(house.watcher({"k1": KEY})))
    assert (told["profile"], told["profile_id"]) == ("older", "S5")
    (kept,) = house.state_dir.glob("profile.kept")
    assert kept.stat().st_mode & 0o777 == 0o600
    for left in (kept.read_bytes().replace(b'"k1"', b'"k9"'), b"garbage", signed(3)[:-9]):
        kept.write_bytes(left)
        os.utime(kept, (0, 0))
        assert values(house.read(house.watcher({"k1": KEY})))["profile_id"] == "S4"
    unsigned = house.watcher()
    house.issue(mode="live")
    assert values(house.read(unsigned))["profile"] == "in_force"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
PARTS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("profile", "settings", "sequence", "devices", "credentials", "expires", "key_id",
         "signature", "payload"),
        JSON,
    ),
)  # fmt: skip


@given(whole=JSON | PARTS | st.builds(
    lambda value: {"profile": "P", "settings": {"mode": value, "limit_a_cny": value}}, JSON
))  # fmt: skip
def test_no_document_raises_anything_but_that_it_is_no_profile(whole: object) -> None:
    """Whatever JSON somebody puts there."""
    try:
        if is_envelope(whole):
            envelope_in(Document.PROFILE, whole)
        else:
            assert isinstance(profile_from(whole), Profile)
    except DocumentError:
        return


@given(raw=st.binary(max_size=200))
def test_no_bytes_of_a_credential_raise(raw: bytes) -> None:
    """Neither do the pieces of a certificate or a token."""
    for whole in (raw, b"a." + raw + b".b", b"-----BEGIN CERTIFICATE-----\n" + raw):
        assert expiry(whole) is None or expiry(whole)


# -- credentials and rights --------------------------------------------------------------------


def test_of_authorities_the_last_to_end_decides() -> None:
    """Of one's own chain the first: that is the one shown to the host."""
    soon = trustme.CA().issue_cert("a.example", not_after=datetime(2030, 1, 1, tzinfo=UTC))
    late = trustme.CA().issue_cert("b.example", not_after=datetime(2040, 1, 1, tzinfo=UTC))
    both = b"".join(one.cert_chain_pems[0].bytes() for one in (soon, late))
    ends = [expiry(both), expiry(both, authority=True)]
    assert [one.year for one in ends if one] == [2030, 2040]


def token(exp: object) -> bytes:
    body = base64.urlsafe_b64encode(json.dumps({"exp": exp}).encode()).rstrip(b"=")
    return b"e30." + body + b".c2ln"


def test_credentials_are_there_valid_and_the_issued_ones(house: House) -> None:
    """Missing, empty, expired, another than issued; shown is a digest."""
    house.export()
    now_s = house.clock.wall_ms // 1000
    files = {name: house.home / name for name in ("gone", "empty", "old", "soon", "good", "other")}
    files["empty"].touch()
    files["old"].write_bytes(token(now_s - 1))
    files["soon"].write_bytes(token(now_s + 3 * 86_400 + 60))
    files["good"].write_bytes(b"top secret")
    files["other"].write_bytes(b"top secret")
    digest = hashlib.sha256(b"top secret").hexdigest()
    house.profile_file.write_text(
        json.dumps({
            "profile": "P", "settings": {},
            "credentials": {str(files["good"]): digest, str(files["other"]): "0" * 64},
        })
    )  # fmt: skip
    named = tuple(str(files[name]) for name in ("gone", "empty", "old", "soon"))
    told = house.read(house.watcher(credentials=named))
    assert isinstance(told, Reading)
    assert raised(told) == {"config.not_activated", "config.credential_expired"}
    assert (values(told)["set_up_count"], values(told)["expired_count"]) == (3, 1)
    assert values(told)["expired_subject"] == str(files["old"])
    assert values(told)["credential_days"] == -1
    assert "expires in 3 days" in told.evidence[f"credential {files['soon']}"]
    assert "top secret" not in str(told)
    house.clock.trusted = False
    again = house.read(house.watcher(credentials=named))
    assert values(again)["expired_count"] == 0


@pytest.mark.parametrize("exp", [True, "x", None, 1e400, [1]])
def test_a_token_that_says_nothing_of_its_end_has_none(exp: object) -> None:
    """And garbage is no token."""
    assert expiry(token(exp)) is None
    assert expiry(b"a.b.c") is None


@contextmanager
def as_nobody() -> Iterator[None]:
    """This process with nobody's rights."""
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def test_a_missing_right_names_who_may_and_what_is_needed() -> None:
    """The file, or the closed directory above it; never what is not there."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    home = Path(tempfile.mkdtemp(prefix="pa-", dir="/tmp"))
    try:
        home.chmod(0o755)
        closed, shut, exposed = home / "closed", home / "shut", home / "exposed"
        closed.mkdir(0o700)
        (closed / "inside").touch()
        for file, mode in ((shut, 0o640), (exposed, 0o666)):
            file.touch()
            file.chmod(mode)
        paths = (shut, closed / "inside", exposed, home / "nowhere")
        needs = [Need(path=str(path), rights="rw", what="keys", private=True) for path in paths]
        with as_nobody():
            found = look(iter(needs))
            again = denied(str(shut), "settings file")
    finally:
        shutil.rmtree(home)
    first, second = found.findings
    assert (found.checked, first.args["subject"]) == (4, str(shut))
    assert "no right to read and write: root:root 0640, the agent is" in first.args["reason"]
    assert f"{closed} may not be entered: root:root 0700" in second.args["reason"]
    assert list(found.lines) == [str(exposed)]
    assert again.code == first.code == "config.permission_denied"


@pytest.mark.parametrize("text", ["x = " + "1" * 5_000, "x = 2026-13-99", "x = [" * 3_000])
def test_a_profile_python_chokes_on_is_garbage(house: House, text: str) -> None:
    """A number of thousands of digits raises something else than a syntax error does."""
    house.profile_file = house.profile_file.with_suffix(".toml")
    house.profile_file.write_text(text)
    os.utime(house.profile_file, (0, 0))  # not being written
    found = house.read()
    assert isinstance(found, Unknown)
    assert "garbage" in found.reason
