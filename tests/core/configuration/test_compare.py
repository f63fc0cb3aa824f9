"""Settings against the issued ones: a difference is a finding, silence none, secrets are hidden."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.configuration.causes import CODES, GROUPS, Kind, trait
from agent.core.configuration.compare import Compared, Finding, Issued, Told, compare
from agent.core.configuration.values import Raw
from agent.core.why.causes import CATALOGUE


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def digest(text: str) -> str:
    return sha256("key" + text)[:8]


def issued(name: str, *values: Raw, **more: object) -> Issued:
    known = trait(name)
    given = {
        "kind": known.kind, "code": known.code, "currency": known.currency,
        "secret": known.secret, **more,
    }  # fmt: skip
    return Issued(name=name, values=values, **given)  # type: ignore[arg-type]


def told(name: str, value: Raw, source: str = "export.json") -> Told:
    return Told(name=name, value=value, source=source)


def compared(wanted: list[Issued], words: list[Told]) -> Compared:
    return compare(wanted, words, digest=digest, sha256=sha256)


def only(wanted: Issued, word: Told) -> Finding:
    (finding,) = compared([wanted], [word]).findings
    return finding


@pytest.mark.parametrize(
    ("name", "values", "code", "shown"),
    [
        ("merchant_id", ("M1", "M2"), "config.merchant_mismatch", ("M1", "M2")),
        ("terminal_id", ("T1", "t1"), "config.merchant_mismatch", ("T1", "t1")),
        ("mode", ("live", "SIT"), "config.wrong_mode", ("live", "test")),
        (
            "limit_single_cny",
            ("500.00", 60_000),
            "config.limit_wrong",
            ("500.00 CNY", "600.00 CNY"),
        ),
        ("limit_count_cny", (20, "21"), "config.limit_wrong", ("20", "21")),
        ("offline_total", ("9", "8"), "config.limit_wrong", ("9", "8")),
        ("apn", ("CMNET", "cmiot"), "network.config_invalid", ("cmnet", "cmiot")),
        (
            "dns_servers",
            (("1.1.1.1",), "8.8.8.8"),
            "network.config_invalid",
            ("1.1.1.1", "8.8.8.8"),
        ),
        ("proxy", ("", "10.0.0.1:8080"), "network.config_invalid", ("-", "10.0.0.1:8080")),
        ("dhcp", (True, "off"), "network.config_invalid", ("true", "false")),
        ("signed_on", (True, False), "config.not_signed_on", ("true", "false")),
        ("receipt_footer", ("谢谢", "Thanks"), "config.not_activated", ("谢谢", "Thanks")),
    ],
)
def test_a_difference_is_a_finding_under_its_cause(
    name: str, values: tuple[Raw, Raw], code: str, shown: tuple[str, str]
) -> None:
    """With setting, expected, found and where that was said."""
    finding = only(issued(name, values[0]), told(name, values[1]))
    assert finding.code == code
    assert (finding.args["expected"], finding.args["found"]) == shown
    assert finding.args["source"] == "export.json"
    assert finding.args.get("currency", "CNY") == "CNY"


def test_not_told_is_no_difference() -> None:
    """Unless the profile wants it told."""
    result = compared([issued("apn", "a"), issued("mode", "live", required=True)], [])
    assert result.not_told == ("apn", "mode")
    assert [(one.code, one.args["gap"]) for one in result.findings] == [
        ("config.not_activated", "mode (told by nobody)")
    ]


def test_every_source_is_held_against_the_profile() -> None:
    """What payments carry may be right where the export is wrong; extra settings are counted."""
    words = [told("merchant_id", "M1", "payments"), told("merchant_id", "M2"), told("x", "1")]
    result = compared([issued("merchant_id", "M1")], words)
    assert (result.same, len(result.findings), result.not_issued) == (1, 1, 1)
    assert result.findings[0].args["source"] == "export.json"


def test_any_of_several_values_is_right() -> None:
    """Two terminals behind one app."""
    wanted = [issued("terminal_id", "T1", "T2")]
    assert compared(wanted, [told("terminal_id", "T2")]).same == 1
    assert only(wanted[0], told("terminal_id", "T3")).args["expected"] == "T1 / T2"


@pytest.mark.parametrize("empty", ["", "000000000000000", 0])
def test_an_empty_merchant_is_set_up_not_finished(empty: Raw) -> None:
    """Not a mismatch: nobody has put it in yet."""
    assert only(issued("merchant_id", "M1"), told("merchant_id", empty)).code == (
        "config.not_activated"
    )


def test_empty_may_be_what_was_issued() -> None:
    """Then it is right; and an empty set or proxy differs from one that was issued."""
    assert compared([issued("footer", "")], [told("footer", " ")]).same == 1
    assert only(issued("proxy", "p"), told("proxy", "")).code == "network.config_invalid"
    assert compared([issued("dhcp", True)], [told("dhcp", False)]).findings


def test_what_cannot_be_read_is_unclear() -> None:
    """Neither right nor wrong, told or issued."""
    wrong = compared([issued("limit_single_cny", "5.00")], [told("limit_single_cny", "lots")])
    assert (wrong.findings, wrong.unclear) == ((), ("limit_single_cny (export.json)",))
    issued_badly = issued("limit_single_cny", "lots")
    assert compared([issued_badly], [told("limit_single_cny", 5)]).unclear


def test_secrets_are_digests() -> None:
    """Expected and found can be told apart and not read; also where the profile has a hash only."""
    finding = only(issued("apn_password", "hunter2"), told("apn_password", "hunter3"))
    assert finding.args["expected"] == f"#{digest('hunter2')}"
    assert "hunter" not in str(finding)
    hashed = issued("apn_password", sha256("hunter2"), hashed=True)
    assert compared([hashed], [told("apn_password", "hunter2")]).same == 1
    differs = only(hashed, told("apn_password", "hunter3"))
    assert "hunter" not in str(differs)
    # A plain hash of a short password is the password to whoever tries them all.
    assert sha256("hunter2")[:8] not in str(differs)
    assert differs.args["found"] == f"#{digest(sha256('hunter3'))}"


@pytest.mark.parametrize(
    "name",
    [
        "apn_password", "offline_password", "limit_pin", "wifi_ssid", "wifi_bssid", "sim_iccid",
        "modem_imei", "sim_imsi", "admin_pass", "wifi_passphrase", "api_key", "apikey", "tmk",
    ],
)  # fmt: skip
def test_what_is_nobodys_business_is_masked_whatever_else_its_name_says(name: str) -> None:
    """Passwords, names of networks, numbers of cards and modems."""
    finding = only(issued(name, "9001"), told(name, "9002"))
    assert "900" not in str(finding)
    assert only(issued("limit_pin_cny", 9001), told("limit_pin_cny", 9002)).args["found"] == (
        "90.02 CNY"
    )


def test_long_and_strange_values_are_cut_and_cleaned() -> None:
    """What a file holds must not move a technician's cursor."""
    finding = only(issued("footer", "a"), told("footer", "\x1b[2J" + "x" * 200))
    assert finding.args["found"].startswith("?[2J")
    assert len(finding.args["found"]) == 64


def test_the_worst_comes_first() -> None:
    """A merchant before a limit before a footer."""
    wanted = [issued("footer", "a"), issued("limit_count", 1), issued("merchant_id", "M")]
    words = [told("footer", "b"), told("limit_count", 2), told("merchant_id", "N")]
    codes = [one.code for one in compared(wanted, words).findings]
    assert codes == sorted(codes, key=CODES.index)
    assert codes[0] == "config.merchant_mismatch"


def test_every_group_is_a_cause_of_the_catalogue() -> None:
    """And its prefix is its own."""
    assert [group.code for group in GROUPS if group.code not in CATALOGUE] == []
    assert len({group.prefix for group in GROUPS}) == len(GROUPS)


@pytest.mark.parametrize(
    ("name", "secret"),
    [("apn_password", True), ("wifi_psk", True), ("api_key", True), ("key_id", False),
     ("token_sha256", False), ("monkey", False)],
)  # fmt: skip
def test_secrets_are_known_by_their_names(name: str, secret: bool) -> None:
    """So that a profile need not say it."""
    assert trait(name).secret is secret


@given(
    st.lists(st.tuples(st.sampled_from(["mode", "limit_a_cny", "apn", "pin", "z"]),
                       st.one_of(st.text(max_size=9), st.integers(), st.booleans(), st.floats()))),
    st.sampled_from(Kind),
)  # fmt: skip
def test_nothing_raises(words: list[tuple[str, Raw]], kind: Kind) -> None:
    """Whatever is told is right, wrong, unclear or not issued."""
    wanted = [issued("mode", "live"), issued("limit_a_cny", "1"), issued("z", "1", kind=kind)]
    said = [told(name, value) for name, value in words]
    result = compare(wanted, said, digest=lambda text: "x", sha256=lambda text: "y")
    about = sum(word.name in {one.name for one in wanted} for word in said)
    assert result.same + len(result.findings) + len(result.unclear) == about
