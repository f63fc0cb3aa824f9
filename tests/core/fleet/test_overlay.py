"""The rule *never loosen*: what the fleet may set from afar, and what it can never reach."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from agent import settings
from agent.config import Config
from agent.core.fleet import overlay
from agent.core.fleet.overlay import limits_over, refused
from agent.settings import schema
from agent.settings.problems import ConfigError

LOCAL = """
[agent]
tenant = "acme"

[telemetry]
endpoints = ["mqtts://broker.example:8883"]
ca_file = "/etc/posagent/ca.pem"
health_period_s = 600

[check]
duplicate_window_s = 60
currencies = ["CNY", "USD"]
on_limit = "hold"
past_s = 0

[[limit]]
currency = "CNY"
single_minor = 50000
count = 20

[[uplink]]
name = "host"
url = "https://host.example/pay"

[store]
retention_days = 200

[health."printer.paper_out"]
visible_after_s = 20
"""


@pytest.fixture(scope="module")
def file() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "posagent.toml"
        place.write_text(LOCAL)
        yield place


@cache
def local_of(file: Path) -> Mapping[str, Any]:
    found = settings.load(file, references=False).config
    plain: dict[str, Any] = msgspec.to_builtins(found)
    return plain


def effective(file: Path, wish: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What a terminal would run under; None: it refuses the statement."""
    if refused(_flat(wish), local_of(file)):
        return None  # as `load` does, and without reading the file
    over = settings.Overlay(tables=wish, file=Path("/var/lib/posagent/desired.json"))
    try:
        found = settings.load(file, references=False, overlay=over).config
    except (settings.NotAllowedError, ConfigError):
        return None
    plain: dict[str, Any] = msgspec.to_builtins(found)
    return plain


def _flat(wish: Mapping[str, Any]) -> Mapping[str, Any]:
    """[health] as the files write it, in parts."""
    if isinstance(told := wish.get("health"), dict) and "printer" in told:
        return {**wish, "health": {"printer.cover_open": told["printer"]["cover_open"]}}
    return wish


FORBIDDEN = [
    {"telemetry": {"ca_file": "/tmp/ca.pem"}},
    {"telemetry": {"username": "x"}},
    {"telemetry": {"endpoints": ["mqtt://127.0.0.1:1883"]}},
    {"telemetry": {"endpoints": []}},
    {"telemetry": {"endpoints": ["mqtts://a:1"] * 9}},
    {"telemetry": {"endpoints": "mqtts://a:1"}},
    {"telemetry": {"outbox_max_rows": 100}},
    {"telemetry": {"window": 9}},
    {"telemetry": {"window": ""}},
    {"telemetry": {"window": "auto"}},
    {"telemetry": {"daily_budget_kb": 0}},
    {"telemetry": {"proxy": "http://thief.example:3128"}},
    {"telemetry": {"adapter": "thingsboard"}},
    {"telemetry": {"window": True}},
    {"telemetry": {"nothing": 1}},
    {"telemetry": 5},
    {"uplink": [{"name": "mine", "url": "https://thief.example"}]},
    {"store": {"seal": False}},
    {"store": {"retention_days": 199}},
    {"store": {"retention_days": 3000}},
    {"store": {"key_file": "/tmp/keys"}},
    {"api": {"technician": ["@everyone"]}},
    {"inventory": {"serials": "full"}},
    {"agent": {"tenant": "other"}},
    {"agent": {"log_level": "chatty"}},
    {"check": {"duplicate_window_s": 0}},
    {"check": {"duplicate_window_s": 59}},
    {"check": {"future_s": 0}},
    {"check": {"future_s": 301}},
    {"check": {"future_s": "300"}},
    {"check": {"currencies": []}},
    {"check": {"currencies": ["CNY", "EUR"]}},
    {"check": {"currencies": "CNY"}},
    {"check": {"on_limit": "flag"}},
    {"check": {"on_limit": ["refuse"]}},
    {"check": {"terminal_ids": ["T1"]}},
    {"limit": [{"currency": "CNY", "single_minor": 50001}]},
    {"limit": [{"currency": "CNY", "count": 21}]},
    {"limit": [{"currency": "CNY", "warn_percent": 81}]},
    {"limit": [{"currency": "CNY", "single_minor": None}]},
    {"limit": [{"currency": "CNY", "colour": 1}]},
    {"limit": [{"currency": "CNY", "count": 1}, {"currency": "CNY", "posting": "any"}]},
    {"limit": [{"posting": "any"}]},
    {"limit": [{"currency": 5}]},
    {"limit": [5]},
    {"limit": {"currency": "CNY"}},
    {"limit": [{"currency": "CNY", "posting": "advice", "count": 1}] * 65},
    {"health": {"printer.paper_out": {"enabled": False}}},
    {"health": {"printer.paper_out": {"visible_after_s": 3601}}},
    {"health": {"printer.paper_out": 5}},
    {"health": 5},
    {"fleet": {"key": [{"id": "x", "public_key": "00" * 32, "roles": ["administer"]}]}},
    {"fleet": {"commands_per_hour": 3600}},
    {"inspection": {"hour": -1}},
    {"inspection": {"overdue_days": 0}},
    {"software": {"auto_update": True}},
    {"software": {"update_hours": "whenever"}},
    {"software": {"update_hours": 5}},
    {"connectivity": {"hosts": ["a"] * 9}},
    {"hooks": {"directory": "/tmp"}},
    {"new_table": {"key": 1}},
]


@pytest.mark.parametrize("wish", FORBIDDEN, ids=lambda wish: str(wish)[:60])
def test_what_loosens_or_stands_in_no_list_is_refused_by_name(
    file: Path, wish: dict[str, Any]
) -> None:
    """The whole statement, whatever else stands in it; the key is told."""
    key = refused(wish, local_of(file))
    assert key.split(".")[0] == next(iter(wish))
    assert refused({"agent": {"log_level": "debug"}, **wish}, local_of(file))
    over = settings.Overlay(tables=wish, file=Path("/var/lib/posagent/desired.json"))
    with pytest.raises(settings.NotAllowedError, match=key.split(".", maxsplit=1)[0]):
        settings.load(file, references=False, overlay=over)


ALLOWED = [
    {},
    {"agent": {"log_level": "debug"}},
    {"telemetry": {"endpoints": ["mqtts://other.example:8883", "mqtts://third.example:8883"]}},
    {"telemetry": {"endpoints": ["mqtts://broker.example:8883"], "health_period_s": 60}},
    {"telemetry": {"outbox_max_rows": 50_000, "keepalive_s": 900}},
    {"telemetry": {"keepalive_s": "auto", "profile": "eco", "spread_s": 1200}},
    {"check": {"duplicate_window_s": 120, "future_s": 60, "on_limit": "refuse"}},
    {"check": {"currencies": ["CNY"], "kinds": ["sale", "refund"], "past_s": 0}},
    {"check": {"past_s": 3600}},
    {"limit": [{"currency": "CNY", "single_minor": 50000, "total_minor": 1}]},
    {"limit": [{"currency": "EUR", "count": 1}, {"currency": "CNY", "posting": "advice",
                                                "single_minor": 1}]},
    {"health": {"printer.paper_out": {"visible_after_s": 0, "enabled": True}}},
    {"health": {"printer": {"cover_open": {"clear_after_s": 60}}}},
    {"inspection": {"hour": 3, "overdue_days": 2}},
    {"software": {"update_hours": "02:00-05:00", "update_battery_percent": 50}},
    {"store": {"retention_days": 365}},
    {"connectivity": {"references": ["198.51.100.1:443"], "portal_url": "http://p.example/"}},
]  # fmt: skip


@pytest.mark.parametrize("wish", ALLOWED, ids=lambda wish: str(wish)[:60])
def test_what_tightens_or_harms_nobody_may_be_set(file: Path, wish: dict[str, Any]) -> None:
    """And is in force afterwards as it was said."""
    found = effective(file, wish)
    assert found is not None
    for table, content in wish.items():
        if table not in ("limit", "health"):
            for key, value in content.items():
                assert found[table][key] == (tuple(value) if isinstance(value, list) else value)


def test_other_brokers_need_a_ca_of_the_terminals_own(tmp_path: Path) -> None:
    """Where any public CA will do, any broker with a certificate would."""
    place = tmp_path / "posagent.toml"
    place.write_text('[telemetry]\nendpoints = ["mqtts://a.example:8883"]\n')
    assert effective(place, {"telemetry": {"endpoints": ["mqtts://b.example:8883"]}}) is None
    assert effective(place, {"telemetry": {"endpoints": ["mqtts://a.example:8883"]}}) is not None


def test_a_switch_that_is_off_may_be_said_to_be_off() -> None:
    """To say what is so already loosens nothing."""
    local = {"health": {"printer.paper_out": {"enabled": False}}}
    assert refused({"health": {"printer.paper_out": {"enabled": False}}}, local) == ""
    assert refused({"health": {"printer.paper_out": {"enabled": True}}}, local) == ""


def test_limits_are_laid_over_by_currency_and_posting() -> None:
    """What the files say of one stays where the fleet says nothing."""
    local = [{"currency": "CNY", "count": 5, "age_s": 60}, {"currency": "USD", "count": 1}]
    wish = [{"currency": "CNY", "posting": "any", "count": 2}, {"currency": "EUR", "count": 1}]
    assert limits_over(local, wish) == [
        {"currency": "CNY", "count": 2, "age_s": 60, "posting": "any"},
        {"currency": "USD", "count": 1},
        {"currency": "EUR", "count": 1},
    ]
    assert local[0]["count"] == 5


def test_every_key_in_the_list_is_one_of_the_configuration() -> None:
    """A renamed key would be out of reach without anybody noticing."""
    known = {f"{table.strip('[]')}.{name}" for table, name in schema.all_keys()}
    listed = {f"{table}.{key}" for table, keys in overlay.MAY.items() for key in keys}
    assert listed <= known
    assert {f"limit.{key}" for key in overlay.MAY_LIMIT} <= known


#: Who is looser, told without the list: what may not move at all, and what only one way.
FIXED = ("api", "uplink", "hooks", "hook", "inventory", "payment_app", "channel", "fleet",
         "printer", "scanner", "keypad", "app", "settings_file", "component")  # fmt: skip
STRICT = {"flag": 0, "hold": 1, "refuse": 2}


def looser(now: Mapping[str, Any], local: Mapping[str, Any]) -> list[str]:
    """Every way in which `now` guards less than `local`."""
    found = [name for name in FIXED if now.get(name) != local.get(name)]
    t, own = now["telemetry"], local["telemetry"]
    found += [key for key in ("ca_file", "cert_file", "key_file", "username", "password_file")
              if t[key] != own[key]]  # fmt: skip
    found += [one for one in t["endpoints"] if not one.startswith("mqtts://")]
    for key in ("state_dir", "run_dir", "tenant", "device_id"):
        if now["agent"][key] != local["agent"][key]:
            found.append(key)
    for key in ("seal", "key_file", "max_unsent", "reserve_kb"):
        if now["store"][key] != local["store"][key]:
            found.append(key)
    if now["store"]["retention_days"] < local["store"]["retention_days"]:
        found.append("retention_days")
    check, mine = now["check"], local["check"]
    found += [key for key in ("duplicate_window_s", "trace_window_s") if check[key] < mine[key]]
    for key in ("future_s", "past_s"):
        if (check[key] or 10**12) > (mine[key] or 10**12):
            found.append(key)
    for key in ("terminal_ids", "merchant_ids", "currencies", "kinds"):
        if mine[key] and (not check[key] or not set(check[key]) <= set(mine[key])):
            found.append(key)
    found += [
        key for key in mine if key.startswith("on_") and STRICT[check[key]] < STRICT[mine[key]]
    ]
    for one in local["limit"]:
        same = [x for x in now["limit"]
                if (x["currency"], x["posting"]) == (one["currency"], one["posting"])]  # fmt: skip
        if not same or any(
            bound is not None and key not in ("currency", "posting")
            and (same[0][key] is None or same[0][key] > bound)
            for key, bound in one.items()
        ):  # fmt: skip
            found.append("limit")
    off = {code for code, delay in now["health"].items() if not delay["enabled"]}
    return found + sorted(off - {c for c, d in local["health"].items() if not d["enabled"]})


def anything() -> st.SearchStrategy[Any]:
    number = st.one_of(
        st.integers(-5, 200), st.integers(0, 100_000), st.floats(0, 100_000), st.booleans()
    )
    word = st.sampled_from(
        ["", "flag", "hold", "refuse", "CNY", "USD", "EUR", "sale", "debug", "none", "full",
         "mqtts://x.example:1", "mqtt://127.0.0.1:1", "02:00-03:00", "/tmp/x", "a:1"]
    )  # fmt: skip
    return st.one_of(number, word, st.lists(word, max_size=3))


def wishes() -> st.SearchStrategy[dict[str, Any]]:
    """Documents over all keys there are, some of them likely to be taken."""
    pairs = sorted({(table.strip("[]"), name) for table, name in schema.all_keys()
                    if not table.startswith("[[") and "CODE" not in table})  # fmt: skip
    listed = [(table, key) for table, keys in overlay.MAY.items() for key in keys]
    entry = st.tuples(st.sampled_from(listed * 6 + pairs), anything())
    bounds = st.dictionaries(
        st.sampled_from([*overlay.MAY_LIMIT, "posting"]), anything(), min_size=1, max_size=3
    )
    limit = st.builds(lambda name, rest: {"currency": name, **rest},
                      st.sampled_from(["CNY", "USD", "EUR"]), bounds)  # fmt: skip
    delay = st.dictionaries(st.sampled_from(sorted(overlay.MAY_HEALTH)), anything(), max_size=2)

    def whole(entries: Any, limits: Any, delays: Any) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for (table, key), value in entries:
            made.setdefault(table, {})[key] = value
        if limits:
            made["limit"] = limits
        if delays:
            made["health"] = {"printer.paper_out": delays}
        return made

    return st.builds(
        whole,
        st.lists(entry, max_size=2),
        st.lists(limit, max_size=2),
        st.one_of(st.none(), delay),
    )


@hypothesis_settings(max_examples=120, deadline=None)
@given(wish=wishes())
def test_no_statement_ever_loosens_what_the_terminal_says_itself(
    file: Path, wish: dict[str, Any]
) -> None:
    """Whatever is signed: it is refused, or nothing guards less than before."""
    found = effective(file, wish)
    if found is not None:
        assert looser(found, local_of(file)) == []


def test_the_judge_of_that_would_see_a_loosening(file: Path) -> None:
    """The control: without the rule each of these would have gone through."""
    local = local_of(file)
    for table, key, value in (
        ("check", "duplicate_window_s", 1), ("check", "past_s", 10**9), ("store", "seal", False),
        ("check", "on_limit", "flag"), ("telemetry", "ca_file", ""), ("check", "currencies", []),
    ):  # fmt: skip
        base = local if table != "check" or key != "past_s" else {
            **local, "check": {**local["check"], "past_s": 5},
        }  # fmt: skip
        assert looser({**base, table: {**base[table], key: value}}, base)
    assert looser({**local, "limit": []}, local)
    assert looser(msgspec.to_builtins(Config()), local)


PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=8)


@given(
    st.recursive(
        PLAIN,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
        ),
        max_leaves=12,
    )
)
def test_garbage_is_refused_and_never_raises(value: Any) -> None:
    """Whatever stands where a table, a list or a number should."""
    local = msgspec.to_builtins(Config())
    for table in ("telemetry", "check", "limit", "health", "else"):
        assert isinstance(refused({table: value}, local), str)
        assert isinstance(refused({table: {"window": value, "currencies": value}}, local), str)
        assert isinstance(refused({"limit": [{"currency": "CNY", "count": value}]}, local), str)
        assert isinstance(refused({"health": {"a.b": {"enabled": value}}}, local), str)
