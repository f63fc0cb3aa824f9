"""Statements of the fleet, signed and real, against the part with its files."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.core.audit import Deed
from agent.core.fleet import DESIRED_FILE
from agent.core.fleet.commands import Key, Role
from agent.core.fleet.desired import SETTLED, Held, Me, State
from agent.core.fleet.keyring import RingError
from agent.crypt import public_of, sign
from agent.errors import StoreError
from agent.main.overlay import starting
from agent.settings import load
from agent.telemetry.desired import part as part_module
from agent.telemetry.desired.part import MAX_ENVELOPE_BYTES, Desired, Ports, View
from agent.wire import desired_file
from agent.wire.signed import Document, envelope, signed_bytes
from tests.fakes import FakeClock

SEED, OTHER = bytes(range(32)), bytes(range(1, 33))
ADMIN = Key(key_id="k1", public=public_of(SEED), roles=frozenset({Role.ADMINISTER}))
READER = Key(key_id="r1", public=public_of(OTHER), roles=frozenset({Role.OPERATE}))
MANIFEST = {"format": 1, "sequence": 3, "components": [{"component": "agent", "required": "2"}]}
WISH = {"connectivity": {"period_s": 120}}


class Threads:
    """Blocking calls, at once."""

    async def call(self, name: str, function: Callable[[], Any], deadline_s: float) -> Any:
        await asyncio.sleep(0)
        return function()


class Ring:
    def __init__(self) -> None:
        self.keys = {"k1": ADMIN, "r1": READER}
        self.calls: list[tuple[list[str], list[str], str]] = []
        self.error: Exception | None = None
        self.refused = 0

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(sorted(self.keys))

    def known(self, key_id: str) -> Key | None:
        return self.keys.get(key_id)

    async def replace(self, keys: Sequence[Key], revoked: Sequence[str], by: str) -> None:
        if self.error is not None:
            self.refused += 1
            raise self.error
        self.calls.append(([key.key_id for key in keys], list(revoked), by))


class Terminal:
    """One start after the other, over the same files."""

    def __init__(self, folder: Path, local: str = "") -> None:
        self.folder = folder
        self.config = folder / "posagent.toml"
        self.config.write_text(f'[agent]\nstate_dir = "{folder}"\nrun_dir = "{folder}"\n{local}')
        self.file = folder / DESIRED_FILE
        self.clock, self.ring = FakeClock(wall_ms=1_793_600_000_000), Ring()
        self.restarts: list[str] = []
        self.offered: list[tuple[bytes, str]] = []
        self.told: list[View] = []
        self.forged: list[str] = []
        self.deeds: list[Deed] = []
        self.connected = True
        self.spread_s = 0.0
        self.alarms: frozenset[str] = frozenset()

    def start(self) -> Any:
        """What `agent.main` does before anything runs: the configuration to run under."""
        self.running = starting(load(self.config).config, self.config)
        self.part = Desired(
            Me(tenant="acme", group="shop", device_id="d1"),
            self.file,
            Ports(
                clock=self.clock,
                blocking=Threads(),
                ring=self.ring,
                check=self._check,
                restart=self.restarts.append,
                offer=self._offer,
                connected=lambda: self.connected,
                alarms=lambda: self.alarms,
                told=self.told.append,
                forged=self.forged.append,
                note=self._note,
                spread_s=lambda: self.spread_s,
            ),
            check_s=0.001,
        )
        return self.running

    def _check(self, held: Held) -> tuple[str, str]:
        from agent.main.overlay import checker

        return checker(load(self.config).config, self.config)(held)

    async def _offer(self, manifest: bytes, by: str) -> None:
        self.offered.append((manifest, by))

    async def _note(self, deed: Deed) -> None:
        self.deeds.append(deed)

    def hear(self, given: bytes) -> View:
        asyncio.run(self.part.heard(given))
        return self.part.view()

    def run(self, until: Callable[[], bool]) -> None:
        """The part, until something is so."""

        async def go() -> None:
            stop = asyncio.Event()
            task = asyncio.create_task(self.part.run(stop))
            async with asyncio.timeout(10):
                while not until() and not task.done():
                    await asyncio.sleep(0.001)
            stop.set()
            await task

        asyncio.run(go())

    @property
    def period_s(self) -> float:
        return float(self.running.connectivity.period_s)


def said(version: int, key: str = "k1", seed: bytes = SEED, **more: Any) -> bytes:
    plain = {"tenant": "acme", "group": "shop", "version": version} | more
    payload = json.dumps(plain).encode()
    signature = sign(seed, signed_bytes(Document.DESIRED, payload))
    return envelope(Document.DESIRED, key, signature, payload)


def test_settings_are_tried_from_the_next_start_and_stay_when_all_is_well(tmp_path: Path) -> None:
    """Taken, on disk, restarted, watched, in force."""
    one = Terminal(tmp_path)
    assert one.start().connectivity.period_s == 60.0
    assert one.hear(said(7, config=WISH)).state is State.TRIAL
    assert one.restarts == ["desired version 7"]
    one.start()
    assert one.period_s == 120.0
    one.run(lambda: one.part.view().state is State.IN_FORCE)
    one.start()
    assert (one.period_s, one.part.view().in_force) == (120.0, 0)
    one.run(lambda: one.part.view().in_force == 7)
    assert one.restarts == ["desired version 7"]
    assert one.told[-1].rejected is False


def test_what_does_not_get_well_is_taken_back_and_never_tried_again(tmp_path: Path) -> None:
    """A new critical alarm; the old settings after one more start; the same content is refused."""
    one = Terminal(tmp_path)
    one.start()
    one.hear(said(7, config=WISH, trial={"failures": 2}))
    one.start()
    one.alarms = frozenset({"printer.fault"})
    one.run(lambda: len(one.restarts) == 2)
    assert one.restarts[-1] == "desired version 7 not_well"
    one.start()
    assert one.period_s == 60.0
    one.run(lambda: one.part.view().rejected)
    view = one.hear(said(8, config=WISH, trial={"failures": 9}))
    assert (view.state, view.code, view.what) == (State.REJECTED, "not_well", "printer.fault")
    assert len(one.restarts) == 2


def test_a_trial_that_no_start_survives_is_over_after_its_crashes(tmp_path: Path) -> None:
    """Whether the power failed or the agent: nobody has to come."""
    one = Terminal(tmp_path)
    one.start()
    one.hear(said(7, config=WISH, trial={"crashes": 2}))
    assert [one.start().connectivity.period_s for _ in range(4)] == [120.0, 120.0, 60.0, 60.0]
    one.run(lambda: one.part.view().code == "crashed")


def test_one_key_that_may_not_be_refuses_the_whole(tmp_path: Path) -> None:
    """It is named; of the rest only its number counts, and whose keys are revoked."""
    one = Terminal(tmp_path, "[store]\nretention_days = 90\n")
    one.start()
    view = one.hear(said(7, config={**WISH, "store": {"retention_days": 30}}, software=MANIFEST,
                         revoked=["r1"]))  # fmt: skip
    assert (view.state, view.code, view.what, view.version) == (
        State.REJECTED, "not_allowed", "store.retention_days", 7,
    )  # fmt: skip
    assert not one.restarts
    assert not one.offered
    one.run(lambda: bool(one.ring.calls))
    assert one.ring.calls == [(["k1"], ["r1"], "k1")], "a stolen key waits for no settings"
    assert one.start().connectivity.period_s == 60.0
    unfit = {"telemetry": {"reconnect_base_s": 50, "reconnect_cap_s": 30}}
    one.start()
    view = one.hear(said(8, config=unfit))
    assert (view.code, view.what) == ("config_invalid", "telemetry.reconnect_base_s")


def test_a_manifest_and_keys_need_no_restart(tmp_path: Path) -> None:
    """The manifest again after every start: only our own file vouches for it."""
    one = Terminal(tmp_path)
    one.start()
    new = {"id": "k2", "public_key": "ab" * 32, "roles": ["administer"]}
    assert one.hear(said(7, software=MANIFEST, keys=[new], revoked=["k0"])).state is State.IN_FORCE
    assert [by for _, by in one.offered] == ["k1"]
    assert json.loads(one.offered[0][0]) == MANIFEST
    one.run(lambda: bool(one.ring.calls))
    assert one.ring.calls == [(["k2"], ["k0"], "k1")]
    one.start()
    one.run(lambda: len(one.offered) == 3)
    assert not one.restarts
    assert len(one.ring.calls) == 1
    one.hear(said(8, revoked=["r1"]))
    one.run(lambda: len(one.ring.calls) == 2)
    assert one.ring.calls[-1] == (["k1"], ["r1"], "k1"), "the others stay"


def test_keys_wait_for_a_ring_that_cannot_be_written(tmp_path: Path) -> None:
    """And one that refuses them says so, once."""
    one = Terminal(tmp_path)
    one.start()
    one.ring.error = StoreError("store.full", "no space")
    one.hear(said(7, revoked=["k0"]))
    one.run(lambda: True)
    one.ring.error = None
    one.start()
    one.run(lambda: bool(one.ring.calls))
    one.ring.error = RingError("last_administrator")
    one.hear(said(8, revoked=["k1"]))
    one.run(lambda: one.part.view().refused == "last_administrator")
    assert not desired_file.decode(one.file.read_bytes()).handing_keys


def test_keys_are_revoked_while_a_trial_goes_on(tmp_path: Path) -> None:
    """A trial may take a day; a ring that could not be written is asked again meanwhile."""
    one = Terminal(tmp_path)
    one.start()
    one.hear(said(7, config=WISH, trial={"seconds": 86_400, "failures": 100}))
    one.start()
    one.connected = False
    one.hear(said(8, config={"store": {"retention_days": 1}}, revoked=["r1"]))
    one.ring.error = StoreError("store.full", "no space")

    def revoked() -> bool:
        if one.ring.refused:
            one.ring.error = None
        return bool(one.ring.calls)

    one.run(revoked)
    held = desired_file.decode(one.file.read_bytes())
    assert held.trial is not None
    assert not held.handing_keys


def test_the_trail_says_who_wanted_what_and_what_came_of_it(tmp_path: Path) -> None:
    """What was taken, what was refused, how a trial ended; a forger fills neither trail nor log."""
    one = Terminal(tmp_path)
    one.start()
    one.hear(said(7, config=WISH))
    one.start()
    one.run(lambda: one.part.view().state is State.IN_FORCE)
    one.hear(said(8, config={"api": {}, "store": {"retention_days": 1}}))
    one.hear(said(8, config={"api": {}, "store": {"retention_days": 1}}))
    told = [(deed.actor, deed.op, deed.target, deed.outcome) for deed in one.deeds]
    assert told == [
        ("fleet:k1", "desired", "7", "trial"),
        ("fleet:k1", "desired", "7", "in_force"),
        ("fleet:k1", "desired", "8", "rejected:not_allowed"),
    ]
    one.deeds.clear()
    for version in range(50):
        one.hear(said(version, seed=OTHER))
        one.hear(said(version, key="nobody"))
        one.hear(said(1))
    one.clock.advance(3_600)
    one.hear(said(9, seed=OTHER))
    told = [(deed.actor, deed.op, deed.target, deed.outcome) for deed in one.deeds]
    assert told == [
        ("unknown", "desired", "", "ignored:forged"),
        ("unknown", "desired", "", "ignored:unknown_key"),
        ("unknown", "desired", "", "ignored:older_version"),
        ("unknown", "desired", "", "ignored:forged"),
    ]
    assert len(one.forged) == 101


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (b"", "malformed"),
        (b"{}", "malformed"),
        (b"x" * (MAX_ENVELOPE_BYTES + 1), "too_large"),
        (said(1, key="nobody"), "unknown_key"),
        (said(1, key="r1", seed=OTHER), "not_allowed"),
        (said(1, seed=OTHER), "forged"),
        (said(1, nonsense=1), "malformed"),
        (said(0), "malformed"),
        (said(1, tenant="other"), "wrong_tenant"),
        (said(1, group="other"), "wrong_group"),
    ],
    ids=str,
)
def test_what_may_not_be_believed_leaves_nothing(tmp_path: Path, given: bytes, word: str) -> None:
    """No file, no number; who forges is told of."""
    one = Terminal(tmp_path)
    one.start()
    view = one.hear(given)
    assert (view.refused, view.state, view.version) == (word, State.NONE, 0)
    assert not one.file.exists()
    assert one.forged == ([word] if word in ("forged", "unknown_key", "not_allowed") else [])


def test_the_same_one_again_and_older_ones_change_nothing(tmp_path: Path) -> None:
    """A retained statement comes with every connection."""
    one = Terminal(tmp_path)
    one.start()
    given = said(7, config=WISH)
    one.hear(given)
    kept = one.file.read_bytes()
    assert one.hear(given).refused == ""
    assert one.hear(said(6, config={})).refused == "older_version"
    assert one.hear(said(7, config={})).refused == "same_version"
    assert one.file.read_bytes() == kept
    assert len(one.restarts) == 1


def test_a_halt_ends_the_trial_and_stops_those_who_wait(tmp_path: Path) -> None:
    """A later number with `halted`; the settings before are in force after one more start."""
    one = Terminal(tmp_path)
    one.start()
    one.hear(said(7, config=WISH, stage={"release": "r"}))
    one.start()
    view = one.hear(said(8, stage={"release": "r", "halted": True}))
    assert (view.state, view.code) == (State.HALTED, "halted")
    assert len(one.restarts) == 2
    assert one.start().connectivity.period_s == 60.0
    waiting = Terminal(tmp_path / "x") if (tmp_path / "x").mkdir() is None else one
    waiting.start()
    assert waiting.hear(said(7, config=WISH, stage={"percent": 0})).state is State.WAITING
    assert not waiting.restarts


def test_a_group_does_not_start_anew_all_at_once(tmp_path: Path) -> None:
    """Each waits its own share of the spread; a halt that comes meanwhile spares the restart."""
    one = Terminal(tmp_path)
    one.start()
    one.spread_s = 0.01

    async def both(halted: bool) -> int:
        one.restarts.clear()
        number = 20 if halted else 10
        mark = {"telemetry": {"window": 3 if halted else 4}}
        await one.part.heard(said(number, config=mark, stage={"release": "r"}))
        assert one.restarts == []
        if halted:
            halt = {"release": "r", "halted": True}
            await one.part.heard(said(number + 1, stage=halt))
        await asyncio.sleep(0.05)
        return len(one.restarts)

    assert asyncio.run(both(halted=True)) == 0
    (tmp_path / "y").mkdir()
    one = Terminal(tmp_path / "y")
    one.start()
    one.spread_s = 0.01
    assert asyncio.run(both(halted=False)) == 1


def test_files_edited_later_have_the_last_word(tmp_path: Path) -> None:
    """What the fleet set is out of force while they do not allow it, and back when they do."""
    one = Terminal(tmp_path, '[[limit]]\ncurrency = "CNY"\ncount = 50\n')
    one.start()
    one.hear(said(7, config={"limit": [{"currency": "CNY", "count": 40}]}))
    one.start()
    one.run(lambda: one.part.view().state is State.IN_FORCE)
    before = one.config.read_text()
    one.config.write_text(before.replace("count = 50", "count = 30"))
    assert one.start().limit[0].count == 30
    one.run(lambda: one.part.view().state is State.CONFLICT)
    assert one.part.view().what == "limit.CNY.any.count"
    one.config.write_text(before)
    assert one.start().limit[0].count == 40
    one.run(lambda: one.part.view().state is State.IN_FORCE)


def test_a_file_that_is_none_ends_in_the_terminals_own_settings(tmp_path: Path) -> None:
    """And the next statement is taken again."""
    one = Terminal(tmp_path)
    for garbage in (b"", b"{}", b"[" * 10_000, b'{"format": 2}'):
        one.file.write_bytes(garbage)
        assert one.start().connectivity.period_s == 60.0
        one.run(lambda: True)
    assert one.hear(said(7, config=WISH)).state is State.TRIAL


class Killed(BaseException):
    """The power is gone."""


@pytest.mark.parametrize("after", [False, True], ids=["before_the_write", "after_the_write"])
@pytest.mark.parametrize("step", range(5))
def test_killed_at_any_step_it_runs_under_the_new_or_the_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, *, after: bool
) -> None:
    """Never under neither, and it ends in force or taken back, never between."""
    one, writes = Terminal(tmp_path), 0
    real = part_module.replaced

    def dying(path: Path, content: bytes) -> None:
        nonlocal writes
        writes += 1
        if writes - 1 == step and not after:
            raise Killed
        real(path, content)
        if writes - 1 == step:
            raise Killed

    monkeypatch.setattr("agent.telemetry.desired.part.replaced", dying)
    monkeypatch.setattr("agent.main.overlay.replaced", dying)
    given = [said(7, config=WISH, revoked=["k0"]), said(8, config={}, software=MANIFEST)]
    for _ in range(12):  # every start hears the newest statement again, as a broker retains it
        try:
            assert one.start().connectivity.period_s in (120.0, 60.0)
            number = 1 if one.file.exists() and _held(one).version >= 7 else 0
            if number == 0 or _held(one).trial is None:
                one.hear(given[number])
            one.run(lambda: _held(one).trial is None or _held(one).trial.starts == 0)
        except Killed:
            continue
        if _held(one).good_version == 8:
            break
    held = _held(one)
    assert (held.state, held.good_version, held.good) == (State.IN_FORCE, 8, {})
    assert one.start().connectivity.period_s == 60.0
    assert one.ring.calls
    assert all(call == (["k1", "r1"], ["k0"], "k1") for call in one.ring.calls)
    assert writes > step, "the rig must have killed it"


def _held(one: Terminal) -> Held:
    return desired_file.decode(one.file.read_bytes()) if one.file.exists() else Held()


def test_a_full_disk_leaves_it_with_the_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is taken that is not on disk; it comes again."""
    one = Terminal(tmp_path)
    one.start()

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("agent.telemetry.desired.part.replaced", full)
        with pytest.raises(StoreError):
            one.hear(said(7, config=WISH))
    assert not one.restarts
    assert one.hear(said(7, config=WISH)).state is State.TRIAL


def test_an_uncounted_start_is_no_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the count cannot be written, a crash loop could go on for ever."""
    one = Terminal(tmp_path)
    one.start()
    one.hear(said(7, config=WISH))

    def full(path: Path, content: bytes) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr("agent.main.overlay.replaced", full)
        assert one.start().connectivity.period_s == 60.0
    assert one.start().connectivity.period_s == 120.0
    assert SETTLED > 1


#: By test: a start reads the files.
_THE_SAME: dict[Path, Terminal] = {}


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60) | st.dictionaries(st.text(max_size=8), st.text(max_size=8)))
def test_garbage_under_a_good_signature_is_refused(tmp_path: Path, junk: Any) -> None:
    """Whatever was signed by mistake."""
    one = _THE_SAME.get(tmp_path)
    if one is None:
        one = _THE_SAME[tmp_path] = Terminal(tmp_path)
        one.start()
    payload = junk if isinstance(junk, bytes) else json.dumps(junk).encode()
    signature = sign(SEED, signed_bytes(Document.DESIRED, payload))
    assert one.hear(envelope(Document.DESIRED, "k1", signature, payload)).refused == "malformed"
