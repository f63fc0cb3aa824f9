"""The reader of the contract believes what its rules allow, in any order, and no liar."""

from __future__ import annotations

import json
import random
import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent.core.fleet.messages import Kind
from agent.fleet.numbers import MAX_RUNS, Numbers, Told
from agent.fleet.reader import MAX_READ_BYTES, Reader
from agent.fleet.view import Row, plain, story
from tests.fleet.contract import backlog, body, event

AT = 1_795_000_500_000
TOPIC = "pos/1/acme/T-1/"


def heard(*messages: tuple[str, bytes]) -> Reader:
    reader = Reader()
    for tail, payload in messages:
        reader.hear(TOPIC + tail, payload, AT)
    return reader


def row(reader: Reader, now_ms: int = AT) -> Row:
    one = reader.get("acme", "T-1")
    assert one is not None
    return Row(one, reader, now_ms)


def state(word: str, connects: int, ts: int | None = None) -> tuple[str, bytes]:
    told: dict[str, Any] = {"state": word, "connects": connects}
    return "state", json.dumps(told | ({} if ts is None else {"ts": ts})).encode()


def health(seq: int, *, full: bool = False, **fields: Any) -> tuple[str, bytes]:
    return "health", body(seq, full=full, **({"ts": 1_795_000_000_000 + seq} | fields))


def test_a_will_of_an_older_connection_is_not_believed() -> None:
    """`lost` counts only with the number of the newest `online`."""
    assert row(heard(state("online", 5, 10), state("lost", 4))).state == "online"
    assert row(heard(state("online", 5, 10), state("lost", 5))).state == "lost"
    assert row(heard(state("lost", 5), state("online", 6, 20))).state == "online"
    assert row(heard(state("offline", 5, 20), state("lost", 5))).state == "offline"


def test_counters_that_began_anew_are_believed() -> None:
    """A terminal whose counters were lost says `online` 1 at a later time."""
    assert row(heard(state("offline", 90, 10), state("online", 1, 20))).state == "online"


@given(st.permutations([state("online", 3, 1), state("lost", 3), state("online", 4, 2),
                        state("lost", 2)]))  # fmt: skip
def test_states_in_any_order(messages: list[tuple[str, bytes]]) -> None:
    """The newest connection decides, whatever comes late."""
    assert row(heard(*messages, *messages)).state == "online"


def test_silent_for_two_periods_is_stale() -> None:
    """Counted from when we began to listen: a broker's old message says nothing of today."""
    reader = Reader(heartbeat_s=900, started_ms=AT)
    reader.hear(TOPIC + "state", state("online", 1, 1)[1], AT, retained=True)
    assert row(reader, AT + 1_800_000).state == "online"
    assert row(reader, AT + 1_800_001).state == "stale"
    reader.hear(TOPIC + "health", health(1, a=1)[1], AT + 1_700_000)
    assert row(reader, AT + 1_900_000).state == "online"


def test_a_terminal_that_saves_bytes_may_be_silent_longer() -> None:
    """It says in `info` how long it is silent at most; after twice that it is stale."""
    reader = Reader(heartbeat_s=900, started_ms=AT)
    reader.hear(TOPIC + "state", state("online", 1, 1)[1], AT)
    reader.hear(TOPIC + "info", body(1, contract=1, heartbeat_s=3_600), AT)
    assert row(reader, AT + 7_200_000).state == "online"
    assert row(reader, AT + 7_200_001).state == "stale"
    for seq, lie in enumerate((0, -5, 10**9, "900", True, None, 9.5), 2):
        reader.hear(TOPIC + "info", body(seq, contract=1, heartbeat_s=lie), AT)
        assert reader.stale_after_ms(row(reader).one) == 1_800_000


HEALTHS = [
    health(1, full=True, a=1, b=1, c=1, alarms=["x.y"]),
    health(2, a=2),
    health(3, b=3, d=3),
    health(5, full=True, a=5, b=5, alarms=["p.q"]),
    health(6, b=None),
    health(8, a=8, c=8),
]


@given(st.permutations(HEALTHS), st.lists(st.sampled_from(HEALTHS), max_size=4))
def test_health_folds_to_the_same_in_any_order(
    messages: list[tuple[str, bytes]], repeats: list[tuple[str, bytes]]
) -> None:
    """Deltas on top of the newest full report, repeats and late ones make no difference."""
    reader = heard(*messages, *repeats)
    told = row(reader)
    assert told.one.readings(reader.packing) == {"a": 8, "b": None, "c": 8}
    assert set(told.alarms) == {"p.q"}
    assert reader.figures.repeats == len(repeats)


def test_history_stands_behind_what_is_live() -> None:
    """A late reading shows only where nothing younger is known."""
    entries = [{"ts": 50, "values": {"a": "old", "b": "old"}}, {"ts": 70, "values": {"c": "late"}}]
    told = heard(
        health(1, a="live", ts=60),
        ("hist", body(2, entries=entries)),
        health(3, d="live", ts=80),
    )
    assert row(told).one.readings(told.packing) == {
        "a": "live", "b": "old", "c": "late", "d": "live",
    }  # fmt: skip


@given(st.permutations([
    ("event", event(3, "a.b")), ("event", event(5, "a.b", active=False)),
    ("event", event(7, "a.b", since=1)), ("event", event(4, "c.d")),
    ("event", event(9, "c.d", active=False)), ("event", event(6, "e.f", suppressed_by="a.b")),
]))  # fmt: skip
def test_events_in_any_order(messages: list[tuple[str, bytes]]) -> None:
    """The newest word about a code counts; how often it came is counted once each."""
    alarms = row(heard(*messages, *messages)).alarms
    assert {code: alarm.times for code, alarm in alarms.items()} == {"a.b": 2}
    assert alarms["a.b"].since_ts == 1_795_000_000_000


def test_a_report_heals_alarms_that_were_never_cleared() -> None:
    """The list of open alarms in `health` is the whole list."""
    told = heard(("event", event(1, "a.b")), health(2, alarms=["c.d"]))
    assert set(row(told).alarms) == {"c.d"}


def test_a_new_outbox_counts_from_the_start() -> None:
    """Low numbers of a new outbox are news; what is late from the old one is not."""
    reader = heard(("backlog", backlog(900, 4, "host.down")))
    reader.hear(TOPIC + "backlog", backlog(1, 0, outbox_id="new"), AT)
    assert row(reader).count == 0
    reader.hear(TOPIC + "backlog", backlog(901, 7, "host.down"), AT)
    assert row(reader).count == 0
    assert reader.figures.repeats == 1


def test_unknown_is_not_zero() -> None:
    """Nothing told, nothing claimed."""
    told = row(heard(state("online", 1, 1)))
    assert told.count is None
    assert told.age_s is None
    assert "backlog" not in plain(told)


def test_ages_run_on() -> None:
    """The oldest payment grows older while nothing is heard."""
    reader = heard(("backlog", backlog(1, 2, "host.down", oldest_age_s=75)))
    assert row(reader, AT + 60_000).age_s == 135


@given(st.lists(st.integers(0, 60), max_size=80))
def test_a_number_is_new_once(seqs: list[int]) -> None:
    """Within what is remembered every number is news exactly once."""
    numbers, seen = Numbers(), set[int]()
    for seq in seqs:
        told = numbers.hear("box", seq)
        if len(numbers.runs) < 2 * MAX_RUNS:
            assert told is (Told.REPEAT if seq in seen else Told.NEW)
        seen.add(seq)
    assert list(numbers.runs) == sorted(numbers.runs)


@given(st.permutations(range(0, 200, 2)))
def test_what_is_remembered_of_numbers_is_bounded(seqs: list[int]) -> None:
    """Gaps without end cost no memory, and never turn news into a repeat."""
    numbers = Numbers()
    for seq in seqs:
        assert numbers.hear("box", seq) is Told.NEW
        assert len(numbers.runs) <= 2 * MAX_RUNS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
NAMES = st.sampled_from(
    ["state", "connects", "seq", "outbox_id", "ts", "full", "alarms", "count", "cause", "code",
     "active", "severity", "component", "since_ts", "entries", "contract", "status", "cmd_id", "op",
     "amount_minor_cny", "held_count", "oldest_age_s", "site", "x"]
)  # fmt: skip
PLAUSIBLE = st.fixed_dictionaries(
    {"seq": st.integers(0, 9) | JSON, "outbox_id": st.sampled_from(["a", "b"]) | JSON,
     "ts": st.integers(0, 99) | JSON, "full": st.booleans() | JSON},
) | st.just({})  # fmt: skip
TAILS = st.sampled_from(["state", "info", "health", "backlog", "event", "hist", "res/1", "cmd/1",
                         "", "x/y/z"])  # fmt: skip


@given(
    st.lists(
        st.tuples(
            TAILS,
            st.binary(max_size=40)
            | st.builds(
                lambda told, more: json.dumps(told | more).encode(),
                PLAUSIBLE,
                st.dictionaries(NAMES, JSON, max_size=8),
            ),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_garbage_is_counted_and_never_raised(messages: list[tuple[str, bytes, bool]]) -> None:
    """Whatever comes, the reader reads on and can be shown."""
    reader = Reader()
    for tail, payload, retained in messages:
        reader.hear(TOPIC + tail, payload, AT, retained=retained)
    assert reader.figures.messages == len(messages)
    for one in reader:
        json.dumps(story(Row(one, reader, AT), reader))


@given(st.text(max_size=60), st.binary(max_size=30))
def test_foreign_topics_are_counted(topic: str, payload: bytes) -> None:
    """Others may use the broker, too."""
    reader = Reader()
    reader.hear(topic, payload, AT)
    assert sum(reader.foreign.values()) == 1
    assert len(reader) == 0


def test_why_a_message_does_not_count_is_told() -> None:
    """By a stable word, with the topic of the last one as an example."""
    reader = heard(
        ("health", b"{"), ("health", b"[]"), ("health", b" " * (MAX_READ_BYTES + 1)),
        ("state", b'{"state":"happy","connects":1}'), ("nothing", b"{}"),
        ("event", body(1, code="a", active="yes")), ("backlog", backlog(1, 1, held_count="x")),
    )  # fmt: skip
    reader.hear("pos/2/acme/T-1/state", b"{}", AT)
    assert reader.foreign == {
        "no_json": 1, "no_object": 1, "too_large": 1, "state_word": 1, "kind": 1, "event": 1,
        "held_count": 1, "contract_version": 1,
    }  # fmt: skip
    assert reader.example == "pos/2/acme/T-1/state: contract_version"
    assert len(reader) == 0


def test_a_liar_costs_a_bounded_memory() -> None:
    """A terminal that invents names and codes for ever stays small."""
    reader = Reader()
    for seq in range(1, 400):
        told = {f"n{seq}_{n}": f"{n}" for n in range(40)}
        reader.hear(TOPIC + "health", health(3 * seq, **told)[1], AT)
        reader.hear(TOPIC + "event", event(3 * seq + 1, f"code.{seq}"), AT)
    told_now = row(reader)
    assert len(told_now.one.readings(reader.packing)) <= 600
    assert len(told_now.alarms) <= 64


def test_many_terminals_fit() -> None:
    """What is kept of one is a few kilobytes, so that a hundred thousand fit."""
    reader, drawn = Reader(), random.Random(6)
    names = [f"component{n % 16}_value_number_{n}" for n in range(128)]
    for device in range(200):
        start = f"pos/1/acme/T-{device}/"
        told = {name: drawn.randrange(100_000) for name in names}
        messages = [
            state("online", 7, 1),
            ("info", body(1, contract=1, site=f"shop {device}", model="A8", agent_version="1")),
            health(2, full=True, alarms=["host.down"], **told),
            ("backlog", backlog(3, 5, "host.down", oldest_age_s=9, amount_minor_cny=device)),
            ("event", event(4, "host.down")),
        ]
        for tail, payload in messages:
            assert reader.hear(start + tail, payload, AT)
    assert sum(_bytes(one) for one in reader) / len(reader) < 6_000


def _bytes(thing: object) -> int:
    """What it alone takes; names are shared and not counted."""
    if isinstance(thing, str):
        return 0
    size = sys.getsizeof(thing)
    if isinstance(thing, dict):
        return size + sum(_bytes(each) for each in thing.values())
    if isinstance(thing, tuple | list):
        return size + sum(_bytes(each) for each in thing)
    names = getattr(type(thing), "__slots__", ())
    return size + sum(_bytes(getattr(thing, name, None)) for name in names)


def test_every_kind_of_the_contract_is_read() -> None:
    """Nothing the contract may send is foreign."""
    tails = {kind: str(kind) for kind in Kind} | {Kind.RES: "res/1"}
    messages = {
        Kind.STATE: state("online", 1, 1)[1],
        Kind.INFO: body(1, contract=1, terminal_ids=["1"]),
        Kind.HEALTH: body(2, full=True, alarms=[]),
        Kind.BACKLOG: backlog(3, 0),
        Kind.EVENT: event(4, "a.b"),
        Kind.HIST: body(5, entries=[]),
        Kind.RES: body(6, cmd_id="1", op="report", status="ok", result={"a": [1]}),
    }
    assert messages.keys() == tails.keys()
    reader = heard(*((tails[kind], payload) for kind, payload in messages.items()))
    assert not reader.foreign
    assert reader.figures.repeats == 0


def test_money_a_broker_kept_is_known_at_once_and_as_old_as_it_is() -> None:
    """Whoever begins to read sees unsent money of a terminal that is lost, and since when."""
    reader = Reader(started_ms=AT)
    reader.hear(TOPIC + "state", state("lost", 3)[1], AT, retained=True)
    kept = backlog(7, 4, "host.down", ts=AT - 7_200_000, oldest_age_s=60)
    reader.hear(TOPIC + "backlog", kept, AT, retained=True)
    found = row(reader, AT + 60_000)
    assert (found.state, found.count, found.cause) == ("lost", 4, "host.down")
    assert (found.told_s, found.age_s) == (7_260, 7_320)
    told: Any = plain(found)["backlog"]
    assert (told["told_s"], told["told_ts"]) == (7_260, AT - 7_200_000)
    reader.hear(TOPIC + "backlog", backlog(8, 0), AT)
    assert row(reader).count == 0


def test_a_kept_word_under_a_clock_that_was_wrong_has_no_age() -> None:
    """Its own time says nothing, and when it was heard neither."""
    reader = Reader(started_ms=AT)
    kept = backlog(7, 4, ts=86_400_000, clock_suspect=True)
    reader.hear(TOPIC + "backlog", kept, AT, retained=True)
    found = row(reader)
    assert (found.count, found.told_s, found.age_s, found.silent_s) == (4, None, None, None)
    assert "told_ts" not in str(plain(found))


ACKNOWLEDGED = [
    ("event", event(2, "a.b")),
    health(3, alarms=["a.b", "c.d"], acknowledged=["a.b", "c.d"]),
    ("event", event(4, "c.d", active=False)),
    ("event", event(5, "c.d")),
    health(6, x=1),
]


@given(st.permutations(ACKNOWLEDGED))
def test_who_took_note_of_an_alarm_took_note_of_that_one(messages: list[tuple[str, bytes]]) -> None:
    """In any order; one that came back since is a new one, and a full report without is none."""
    reader = heard(*messages)
    assert {code: one.acknowledged for code, one in row(reader).alarms.items()} == {
        "a.b": True,
        "c.d": False,
    }
    told: Any = plain(row(reader))["alarms"]
    assert [each["acknowledged"] for each in told] == [True, False]
    reader.hear(TOPIC + "health", health(7, full=True, alarms=["a.b"])[1], AT)
    assert {code: one.acknowledged for code, one in row(reader).alarms.items()} == {"a.b": False}
