"""The part that installs: beginning, holding, keeping every step, and what it tells of itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

from agent.config import Component, Software
from agent.core.health.reading import Reading
from agent.core.software.carried import Carried, Found
from agent.core.software.update import Phase, Update, Verb
from agent.store.opening import open_state
from agent.store.software import SoftwareRows
from agent.watch.software import build, ledger
from agent.watch.software.gathering import Ports
from agent.watch.software.history import History
from agent.watch.software.updates import Updates
from agent.wire.hooks import ActionDone, ActionFailed, ActionRefused
from agent.wire.problem import RequestError
from tests.fakes import FakeClock, Straight

T = TypeVar("T")
NOTHING = SimpleNamespace(count=0)


class Scene:
    """A terminal with one payment app and hooks that answer as told."""

    def __init__(self, home: Path, **config: Any) -> None:
        self.home = home
        self.version = home / "V"
        self.version.write_text("1.0")
        (home / "update.bin").write_bytes(b"new")
        self.unsent = self.lost = 0
        self.asked: list[str] = []
        self.answers: dict[str, Any] = {}
        self.clock = FakeClock(wall_ms=1_800_000_000_000)
        self.values: dict[str, Any] = {}
        self.signed = False
        wanted = {
            "format": 1, "sequence": 1,
            "components": [{"component": "app", "required": "2.0", "update": {
                "update": "u1", "file": str(home / "update.bin"), "sha256": "a" * 64,
                "size_bytes": 3}}],
        }  # fmt: skip
        (home / "m.json").write_text(json.dumps(wanted))
        self.config = Software(
            **({"manifest": str(home / "m.json"), "commit_after_s": 0.0} | config)
        )
        self.build()

    def build(self) -> None:
        """As after a start."""
        app = Component(name="app", installed_by="file", path=str(self.version))
        self.watcher = build(
            self.config, [app], blocking=Straight(), clock=self.clock, state_dir=self.home
        )
        self.updates = Updates(
            self.config,
            self.home,
            Ports(
                act=self.act,
                backlog=self.backlog,  # type: ignore[arg-type]
                money=SimpleNamespace(unsent=self.money, found=self.found),  # type: ignore[arg-type]
                keep_ms=180 * 86_400_000,
                health=self,  # type: ignore[arg-type]
                versions=self.watcher,
                clock=self.clock,
                blocking=Straight(),
            ),
            signed=self.signed,
        )
        self.watcher.updates = self.updates

    async def act(self, name: str, *, deadline_s: float, **fields: object) -> Any:
        self.asked.append(name)
        kept = ledger.load(self.home)[-1]
        assert kept.phase in (
            Phase.PREPARING, Phase.APPLYING, Phase.COMMITTING, Phase.ROLLING_BACK,
        ), "asked for before it was on disk"  # fmt: skip
        if name == "update.apply":
            self.version.write_text("2.0")
        return self.answers.get(name, ActionDone(contract=1))

    async def backlog(self) -> Any:
        return SimpleNamespace(
            total=SimpleNamespace(count=self.unsent), in_doubt=NOTHING, quarantined=NOTHING,
            oldest_at=None,
        )  # fmt: skip

    async def money(self) -> Carried:
        return Carried(ranges=((1, self.unsent),) if self.unsent else (), amounts={})

    async def found(self, before: Carried) -> Found:
        return Found(count=before.count - self.lost, amounts={})

    def alarms(self) -> list[Any]:
        return []

    def components(self) -> list[Any]:
        return [SimpleNamespace(component="system", outcome=Reading(self.values))]

    async def until(self, reached: Callable[[], Any]) -> None:
        """Run the part until something is so."""
        stop = asyncio.Event()
        running = asyncio.create_task(self.updates.run(stop))
        try:
            async with asyncio.timeout(10):
                while not reached():
                    await asyncio.sleep(0.002)
        finally:
            stop.set()
            await running

    def phase(self) -> str:
        return next((one.phase for one in self.updates.history()), "none")


def request(**more: Any) -> Any:
    given = {"update": "", "file": "", "sha256": "", "size_bytes": 0, "component": "",
             "version": "", "any_time": False}  # fmt: skip
    return SimpleNamespace(**(given | more))


def begin(scene: Scene, reached: Callable[[], Any], **more: Any) -> None:
    """In a run of its own, as after a start."""
    scene.build()

    async def run() -> None:
        await scene.until(lambda: scene.updates._all is not None)
        await scene.watcher.read()
        await scene.updates.begin(request(**more), "tester")
        await scene.until(reached)

    asyncio.run(run())


def test_an_offer_goes_through(tmp_path: Path) -> None:
    """Every step on disk before its hook is asked; told in the reading while it lasts."""
    scene = Scene(tmp_path)
    begin(scene, lambda: scene.phase() == "committed", update="u1")
    assert scene.asked == ["update.prepare", "update.apply", "update.commit"]
    assert ledger.load(tmp_path)[0].before == "1.0"
    outcome = asyncio.run(scene.watcher.read())
    assert isinstance(outcome, Reading)
    assert (outcome.values["update_state"], outcome.values["behind"]) == ("none", 0)


def test_the_manifest_begins_it_where_that_is_allowed(tmp_path: Path) -> None:
    """auto_update: without anybody; and only once, also after a restart."""
    scene = Scene(tmp_path, auto_update=True)

    async def alone() -> None:
        await scene.until(lambda: scene.updates._all is not None)
        await scene.watcher.read()
        await scene.until(lambda: scene.phase() == "committed")

    asyncio.run(alone())
    scene.version.write_text("1.0")  # somebody put the old one back
    scene.build()
    asyncio.run(alone())
    assert scene.asked.count("update.apply") == 1
    assert scene.updates.history()[0].started_by == "manifest 1"


def test_without_leave_it_is_only_offered(tmp_path: Path) -> None:
    """software.update_pending, until somebody begins it."""
    scene = Scene(tmp_path)

    async def run() -> Any:
        await scene.until(lambda: scene.updates._all is not None)
        await scene.watcher.read()
        return await scene.watcher.read()

    values = asyncio.run(run()).values
    assert (values["update_waiting"], values["version"], values["behind"]) == ("offered", "2.0", 1)
    assert scene.asked == []


def test_money_that_is_missing_takes_the_new_version_back(tmp_path: Path) -> None:
    """What was unsent before it is counted after it; one payment short is no good version."""
    scene = Scene(tmp_path, update_unsent="allow", commit_after_s=3600.0)
    scene.unsent, scene.lost = 5, 2
    begin(scene, lambda: scene.phase() == "rolled_back", update="u1")
    last = ledger.load(tmp_path)[0]
    assert (last.carried, last.failed_step) == ("1-5|", "health")
    assert last.reason == "2 of 5 unsent payments are missing"
    assert scene.asked == ["update.prepare", "update.apply", "update.rollback"]


@pytest.mark.parametrize("policy", [{"update_unsent": "refuse"}, {"update_unsent_wait_s": 5.0}])
def test_money_ends_an_update_where_it_shall(tmp_path: Path, policy: dict[str, Any]) -> None:
    """Refused at once, or after its time: no hook was asked, and the reason names money."""
    scene = Scene(tmp_path, **policy)
    scene.unsent = 3

    def over() -> bool:
        scene.clock.advance(1)
        return scene.phase() == "failed"

    begin(scene, over, update="u1")
    last = scene.updates.history()[0]
    assert (last.rollback, scene.asked) == ("not_needed", [])
    assert "payments not yet sent: 3" in last.reason


def test_a_person_ends_it(tmp_path: Path) -> None:
    """Called off before it begins; kept, or taken back, while it proves itself."""
    scene = Scene(tmp_path, commit_after_s=3600.0)
    scene.unsent = 1

    async def story() -> None:
        await scene.until(lambda: scene.updates._all is not None)
        await scene.watcher.read()
        with pytest.raises(RequestError) as refused:
            await scene.updates.end("", Verb.ROLLBACK, "anna")
        assert refused.value.code == "update.unknown"
        await scene.updates.begin(request(update="u1"), "anna")
        await scene.until(lambda: scene.updates.history()[0].held)
        with pytest.raises(RequestError) as refused:
            await scene.updates.end("u1", Verb.COMMIT, "anna")
        assert refused.value.code == "update.not_now"
        off = await scene.updates.end("u1", Verb.ROLLBACK, "anna")
        assert (off.phase, off.reason, scene.asked) == (Phase.FAILED, "called off by anna", [])
        scene.unsent = 0
        for word, ends in ((Verb.ROLLBACK, "rolled_back"), (Verb.COMMIT, "committed")):
            scene.version.write_text("1.0")
            offered = request(
                file=str(scene.home / "update.bin"), sha256=word.value[0] * 64, size_bytes=3,
                component="app", version="2.0", update=f"by-{word}",
            )  # fmt: skip
            scene.asked.clear()
            await scene.updates.begin(offered, "anna")
            await scene.until(lambda: scene.phase() == "waiting")
            await scene.updates.end("", word, "anna")
            await scene.until(lambda ends=ends: scene.phase() == ends)  # type: ignore[misc]
            assert scene.asked[-1] == f"update.{word}"

    asyncio.run(story())


@pytest.mark.parametrize(
    ("unsent", "values", "sentence"),
    [
        (3, {}, "payments not yet sent: 3"),
        (0, {"battery_percent": 5, "battery_charging": False},
         "the battery is at 5 % and not charging"),
    ],
)  # fmt: skip
def test_it_waits_for_money_and_battery(
    tmp_path: Path, unsent: int, values: dict[str, Any], sentence: str
) -> None:
    """Nothing is asked of a hook; the last payment that goes out wakes it."""
    scene = Scene(tmp_path)
    scene.unsent, scene.values = unsent, values
    begin(scene, lambda: scene.updates.history() and scene.updates.history()[0].held, update="u1")
    scene.build()

    async def run() -> Reading:
        stop = asyncio.Event()
        running = asyncio.create_task(scene.updates.run(stop))
        async with asyncio.timeout(10):
            while not (held := scene.updates.history() and scene.updates.history()[0].held):
                await asyncio.sleep(0.002)
            assert [one.sentence("en") for one in held] == [sentence]
            outcome = await scene.watcher.read()
            assert scene.asked == []
            scene.unsent, scene.values = 0, {}
            scene.updates.heed(SimpleNamespace(final=True))  # type: ignore[arg-type]
            while scene.phase() != "committed":
                await asyncio.sleep(0.002)
        stop.set()
        await running
        assert isinstance(outcome, Reading)
        return outcome

    values = dict(asyncio.run(run()).values)
    assert values["update_waiting"] == "held"
    assert values.get("count") == (unsent or None)


@pytest.mark.parametrize(
    ("verb", "answer", "phase", "rollback"),
    [
        ("prepare", ActionRefused(contract=1, reason="no hook"), "failed", "not_needed"),
        ("prepare", ActionFailed(contract=1, reason="bad file", changed=False), "failed",
         "not_needed"),
        ("apply", ActionFailed(contract=1, reason="half", changed=True), "rolled_back", "done"),
    ],
)  # fmt: skip
def test_what_fails_is_told(
    tmp_path: Path, verb: str, answer: Any, phase: str, rollback: str
) -> None:
    """With step, reason and what became of it; what changed nothing may be begun again."""
    scene = Scene(tmp_path)
    scene.answers[f"update.{verb}"] = answer
    begin(scene, lambda: scene.phase() == phase, update="u1")
    scene.version.write_text("1.0")
    outcome = asyncio.run(scene.watcher.read())
    assert isinstance(outcome, Reading)
    assert (outcome.values["update_state"], outcome.values["failed_step"]) == (phase, verb)
    assert outcome.values["rollback"] == rollback
    assert scene.updates.history()[0].reason == answer.reason
    scene.answers.clear()
    if rollback == "not_needed":
        begin(scene, lambda: scene.phase() == "committed", update="u1")
        assert len(scene.updates.history()) == 1
    else:
        with pytest.raises(RequestError, match="begun before"):
            begin(scene, lambda: True, update="u1")


def test_a_file_without_a_manifest_must_say_what_it_is(tmp_path: Path) -> None:
    """And is installed only where no signature is asked for."""
    scene = Scene(tmp_path)
    brought = {"file": "/usb/app.bin", "sha256": "b" * 64, "size_bytes": 9}
    for more, code in ((brought, "update.unnamed"), ({"update": "ghost"}, "update.unknown")):
        with pytest.raises(RequestError) as caught:
            begin(scene, lambda: True, **more)
        assert caught.value.code == code
    begin(scene, lambda: scene.phase() == "committed", component="app", version="2.0", **brought)
    assert scene.updates.history()[0].update == "b" * 32
    strict = Scene(tmp_path)
    other = brought | {"sha256": "c" * 64, "component": "app", "version": "2.0"}
    strict.signed = True
    with pytest.raises(RequestError) as caught:
        begin(strict, lambda: True, **other)
    assert caught.value.code == "update.unknown"


def test_the_file_of_an_offer_may_come_from_elsewhere(tmp_path: Path) -> None:
    """A technician's stick: known by its hash."""
    scene = Scene(tmp_path)
    begin(scene, lambda: scene.phase() == "committed", file="/usb/x", sha256="a" * 64)
    assert (scene.updates.history()[0].update, scene.updates.history()[0].file) == ("u1", "/usb/x")


def test_an_offer_may_be_named_by_its_hash_alone(tmp_path: Path) -> None:
    """Its file is then the one the manifest names."""
    scene = Scene(tmp_path)
    begin(scene, lambda: scene.phase() == "committed", sha256="a" * 64)
    assert scene.updates.history()[0].file == str(tmp_path / "update.bin")


@pytest.mark.parametrize("lacks", ["sha256", "size_bytes"])
def test_a_file_nobody_can_check_is_not_begun(tmp_path: Path, lacks: str) -> None:
    """Without its hash and size no hook could tell it from another."""
    scene = Scene(tmp_path)
    named = {"file": "/usb/a", "sha256": "b" * 64, "size_bytes": 9, "component": "app",
             "version": "2.0"}  # fmt: skip
    del named[lacks]
    with pytest.raises(RequestError) as caught:
        begin(scene, lambda: True, **named)
    assert (caught.value.code, caught.value.field) == ("update.unnamed", lacks)
    assert scene.updates.history() == []


def test_two_begun_at_once_are_one(tmp_path: Path) -> None:
    """Whoever asks while the other's request is being looked into is told that one is under way."""
    scene = Scene(tmp_path)
    look, met = scene.watcher.look, asyncio.Barrier(2)

    async def slow() -> Any:
        await met.wait()
        return await look()

    async def run() -> list[Any]:
        scene.updates._all = []
        scene.watcher.look = slow  # type: ignore[method-assign]
        about = {"component": "app", "version": "2.0", "size_bytes": 9}
        return await asyncio.gather(
            scene.updates.begin(request(file="/usb/a", sha256="b" * 64, **about), "one"),
            scene.updates.begin(request(file="/usb/b", sha256="c" * 64, **about), "two"),
            return_exceptions=True,
        )

    begun, refused = sorted(asyncio.run(run()), key=lambda one: isinstance(one, RequestError))
    assert refused.code == "update.busy"
    assert [one.update for one in scene.updates.history()] == [begun.update]
    assert [one.update for one in ledger.load(tmp_path)] == [begun.update]


def test_what_cannot_be_written_down_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full flash: nobody asks a hook for anything."""
    scene = Scene(tmp_path)

    def full(folder: Path, updates: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ledger, "save", full)
    with pytest.raises(RequestError, match="written down"):
        begin(scene, lambda: True, update="u1")
    assert scene.asked == []


def test_the_ledger_holds_everything_and_survives_garbage(tmp_path: Path) -> None:
    """What is not a ledger is put aside, and only the daemon does that."""
    scene = Scene(tmp_path)
    scene.unsent = 2
    begin(scene, lambda: scene.updates.history() and scene.updates.history()[0].held, update="u1")
    kept = scene.updates.history()
    ledger.save(tmp_path, kept)
    assert ledger.load(tmp_path) == kept
    path = tmp_path / ledger.FILE
    good = json.loads(path.read_text())
    wrong = ({"tries": "x"}, {"any_time": 1}, {"held": 7}, {"phase": "odd"}, {"held": [1]})
    for bad in ("", "{}x", "[1]", *(json.dumps([good[0] | one]) for one in wrong)):
        path.write_text(bad)
        assert ledger.load(tmp_path, look_only=True) == []
        assert path.exists()
        assert ledger.load(tmp_path) == []
        assert not path.exists()


class Rows:
    """A real state.db."""

    def __init__(self, home: Path, clock: FakeClock) -> None:
        self.db = open_state(home, clock.now())

    async def state(self, work: Callable[[Any], T]) -> T:
        with self.db:
            return work(self.db)


def test_a_change_is_kept_with_before_and_after(tmp_path: Path) -> None:
    """Noticed over a restart, told once, and since when is the time it was put there."""
    scene = Scene(tmp_path)
    db = Rows(tmp_path, scene.clock)
    told: list[Any] = []

    async def looks(count: int) -> list[Any]:
        scene.watcher.history = History(SoftwareRows(db), scene.clock)
        scene.watcher.history.subscribe(told.extend)
        for _ in range(count):
            await scene.watcher.look()
        return list(await scene.watcher.history.changes(10))

    try:
        assert asyncio.run(looks(2)) == []
        scene.version.write_text("2.0")
        scene.clock.advance(5)
        scene.build()
        changes = asyncio.run(looks(2))
    finally:
        db.db.close()
    assert [one.what for one in changes] == ["app 1.0 → 2.0"]
    assert changes == told


def test_updates_are_what_they_were() -> None:
    """A field that is added has a default, so that older ledgers stay readable."""
    given = Update(update="u", component="c", package="p", version="1", file="/f",
                   sha256="0" * 64, size_bytes=1)  # fmt: skip
    assert not given.final
