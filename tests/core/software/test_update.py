"""An update survives losing power between any two lines, and is never applied twice."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from agent.core.software.guard import Hold
from agent.core.software.update import (
    BUSY_TRIES,
    FINAL,
    STARTS_MAX,
    TRIES,
    Alarmed,
    Facts,
    Phase,
    Said,
    Update,
    Verb,
    active,
    after,
    decide,
    ended,
    resumed,
    unwell,
)

FACTS = Facts(now_ms=1_000, commit_after_s=60.0, rollback_after_s=600.0)
NEW = Update(
    update="u1", component="app", package="app", version="2.0", before="1.0", file="/u",
    sha256="0" * 64, size_bytes=1,
)  # fmt: skip


class PowerLostError(Exception):
    """The plug."""


@dataclass
class Terminal:
    """A terminal with its hooks: what is installed, what was asked, and where the plug is pulled.

    Every line that touches something counts one; at `cut` the power goes."""

    cut: int = -1
    readable: bool = True
    healthy: bool = True
    breaks: dict[Verb, Said] = field(default_factory=dict)
    disk: Update = NEW
    installed: str = "1.0"
    asked: list[Verb] = field(default_factory=list)
    applied: int = 0
    lines: int = 0

    def line(self) -> None:
        self.lines += 1
        if self.lines == self.cut:
            raise PowerLostError

    def ask(self, verb: Verb) -> Said:
        self.line()  # before the hook began
        self.asked.append(verb)
        said = self.breaks.get(verb, Said.DONE)
        if said is Said.DONE:
            if verb is Verb.APPLY:
                self.installed, self.applied = "2.0", self.applied + 1
            elif verb is Verb.ROLLBACK:
                self.installed = "1.0"
        self.line()  # it did its work, and nobody heard of it
        return said

    def run(self) -> Update:
        """As `agent.watch.software.updates` does it, until it is over or nothing moves."""
        update = self.keep(resumed(self.disk))
        for _ in range(400):
            waited = replace(
                FACTS,
                installed=self.installed if self.readable else None,
                unwell="" if self.healthy else "software.app_stopped",
                well_s=1e6 if self.healthy else 0.0,
                waited_s=1e6,
            )
            move = decide(update, waited)
            update = self.keep(move.update)
            if update.final:
                return update
            if move.verb is not None:
                said = self.ask(move.verb)
                update = self.keep(after(update, move.verb, said, f"said {said}", waited))
        raise AssertionError(update)

    def keep(self, update: Update) -> Update:
        self.line()
        self.disk = update
        self.line()
        return update


def through(terminal: Terminal) -> Update:
    """Run it, start again after the power went, to the end."""
    try:
        return terminal.run()
    except PowerLostError:
        return terminal.run()


def lines(**more: object) -> int:
    whole = Terminal(**more)  # type: ignore[arg-type]
    whole.run()
    return whole.lines


def test_all_steps_in_their_order() -> None:
    """Prepared, applied, proved, committed; each asked for once."""
    terminal = Terminal()
    assert terminal.run().phase is Phase.COMMITTED
    assert terminal.asked == [Verb.PREPARE, Verb.APPLY, Verb.COMMIT]


def test_power_lost_at_every_line() -> None:
    """Wherever the plug is pulled: it ends committed, and it was applied exactly once."""
    for cut in range(1, lines() + 1):
        terminal = Terminal(cut=cut)
        assert through(terminal).phase is Phase.COMMITTED, cut
        assert (terminal.applied, terminal.installed) == (1, "2.0"), cut


def test_power_lost_at_every_line_of_a_terminal_that_tells_no_version() -> None:
    """Cut short while applying it is taken back rather than applied a second time."""
    for cut in range(1, lines(readable=False) + 1):
        terminal = Terminal(cut=cut, readable=False)
        ended = through(terminal)
        assert terminal.applied <= 1, cut
        if ended.phase is Phase.ROLLED_BACK:
            assert (terminal.installed, ended.failed_step) == ("1.0", "apply"), cut
        else:
            assert (ended.phase, terminal.installed) == (Phase.COMMITTED, "2.0"), cut


@pytest.mark.parametrize("verb", sorted(Verb))
@pytest.mark.parametrize("said", sorted(Said))
def test_every_answer_of_every_step_comes_to_an_end(
    verb: Verb, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With power and with it lost at any line; what failed is named, and nothing half is kept."""
    monkeypatch.setattr("agent.core.software.update.BUSY_TRIES", 4)
    more = {"breaks": {verb: said}, "healthy": verb is not Verb.ROLLBACK}
    for cut in range(lines(**more) + 1):
        ended = through(terminal := Terminal(cut=cut, **more))  # type: ignore[arg-type]
        assert ended.final
        assert terminal.applied <= 1
        if said is not Said.DONE:
            expected = {Verb.ROLLBACK: "health"}.get(verb, verb.value)
            assert (ended.phase, ended.failed_step) in (
                (Phase.FAILED, expected),
                (Phase.ROLLED_BACK, expected),
                (Phase.FAILED, "apply"),  # cut while applying, and not taken back
            ), (cut, ended)
            assert ended.reason


def test_a_refused_step_changed_nothing() -> None:
    """No rollback for what was not begun; a hook that is not there says so at once."""
    for verb in (Verb.PREPARE, Verb.APPLY):
        terminal = Terminal(breaks={verb: Said.REFUSED})
        ended = terminal.run()
        assert (ended.phase, ended.rollback, ended.failed_step) == ("failed", "not_needed", verb)
        assert Verb.ROLLBACK not in terminal.asked
    terminal = Terminal(breaks={Verb.APPLY: Said.FAILED})
    assert terminal.run().rollback == "not_needed"


def test_a_cut_short_apply_is_not_repeated_while_money_is_unsent() -> None:
    """The power came back, and with it payments and an empty battery: they count again."""
    cut = replace(NEW, phase=Phase.APPLYING, tries=1)
    holds = (Hold(word="unsent", found="2"), Hold(word="battery", found="5"))
    facts = replace(FACTS, installed="1.0", holds=holds)
    held = decide(cut, facts)
    assert (held.verb, held.update) == (None, replace(cut, held=holds))
    free = decide(held.update, replace(facts, holds=()))
    assert (free.verb, free.update.held, free.update.tries) == (Verb.APPLY, (), 2)
    done = decide(held.update, replace(facts, installed="2.0"))
    assert (done.update.phase, done.update.held) == (Phase.WAITING, ())
    back = decide(held.update, replace(facts, installed="1.5"))
    assert (back.update.phase, back.update.held) == (Phase.ROLLING_BACK, ())


def test_a_broken_apply_is_taken_back() -> None:
    """And what could not be taken back is said to be in between."""
    terminal = Terminal(breaks={Verb.APPLY: Said.BROKEN})
    ended = terminal.run()
    assert (ended.phase, ended.rollback, ended.failed_step) == ("rolled_back", "done", "apply")
    terminal = Terminal(breaks={Verb.APPLY: Said.BROKEN, Verb.ROLLBACK: Said.BROKEN})
    ended = terminal.run()
    assert (ended.phase, ended.rollback, ended.failed_step) == ("failed", "failed", "apply")
    assert terminal.asked.count(Verb.ROLLBACK) == TRIES


def test_a_silent_service_is_not_believed_to_have_failed() -> None:
    """The terminal may just be restarting into the new version: that is looked for first."""
    waiting = replace(NEW, phase=Phase.APPLYING, tries=1)
    kept = after(waiting, Verb.APPLY, Said.SILENT, "hung up", FACTS)
    assert kept.phase is Phase.APPLYING
    assert decide(kept, replace(FACTS, installed="2.0")).update.phase is Phase.WAITING


def test_the_version_from_before_means_it_may_be_applied() -> None:
    """Three times at most; then it is taken back."""
    cut = replace(NEW, phase=Phase.APPLYING, tries=1)
    facts = replace(FACTS, installed="1.0")
    move = decide(cut, facts)
    assert (move.verb, move.update.tries) == (Verb.APPLY, 2)
    assert decide(replace(cut, tries=TRIES), facts).update.phase is Phase.ROLLING_BACK
    other = decide(cut, replace(FACTS, installed="1.5")).update
    assert (other.phase, other.reason) == (Phase.ROLLING_BACK, "cut short; installed is 1.5")


def test_a_step_still_under_way_is_waited_for() -> None:
    """Being told so is not a try, but it is not for ever either."""
    cut = replace(NEW, phase=Phase.APPLYING, tries=2)
    kept = after(cut, Verb.APPLY, Said.REFUSED, "still under way", FACTS)
    assert (kept.phase, kept.tries, kept.busy) == (Phase.APPLYING, 1, 1)
    facts = replace(FACTS, installed="1.0")
    assert decide(replace(kept, busy=BUSY_TRIES), facts).update.phase is Phase.ROLLING_BACK


@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.PREPARED])
def test_held_before_anything_changes(phase: Phase) -> None:
    """Also between preparing and applying: a payment may have come meanwhile."""
    hold = Hold(word="unsent", found="2")
    move = decide(replace(NEW, phase=phase), replace(FACTS, holds=(hold,)))
    assert (move.verb, move.update.phase, move.update.held) == (None, phase, (hold,))
    go = decide(move.update, FACTS)
    assert go.verb in (Verb.PREPARE, Verb.APPLY)
    assert go.update.held == ()


def test_the_new_version_proves_itself() -> None:
    """Long enough, or it is taken back; a terminal that keeps dying is, too."""
    waiting = replace(NEW, phase=Phase.WAITING)
    assert decide(waiting, replace(FACTS, well_s=59.0)).verb is None
    assert decide(waiting, replace(FACTS, well_s=60.0)).verb is Verb.COMMIT
    ill = replace(FACTS, unwell="software.app_crashing")
    assert decide(waiting, replace(ill, waited_s=599.0)).update.phase is Phase.WAITING
    back = decide(waiting, replace(ill, waited_s=600.0)).update
    assert (back.phase, back.failed_step) == (Phase.ROLLING_BACK, "health")
    assert back.reason == "software.app_crashing"
    for _ in range(STARTS_MAX + 1):
        waiting = resumed(waiting)
    assert decide(waiting, FACTS).update.phase is Phase.ROLLING_BACK


def test_what_speaks_against_it() -> None:
    """Another version, and what began since: critical, or the payment app and the agent."""
    one = replace(NEW, phase=Phase.WAITING, phase_ms=100)
    assert unwell(one, "2.0", ()) == ""
    assert unwell(one, None, ()) == ""
    assert unwell(one, "1.0", ()) == "installed is 1.0"
    assert unwell(one, "", ()) == "installed is nothing"
    alarms = [
        Alarmed(code="queue.store_full", since_ms=100, critical=True),
        Alarmed(code="software.app_stopped", since_ms=150, critical=False),
        Alarmed(code="software.app_crashing", since_ms=99, critical=False),
        Alarmed(code="printer.paper_out", since_ms=150, critical=False),
    ]
    assert unwell(one, "2.0", alarms) == "queue.store_full, software.app_stopped"


@pytest.mark.parametrize("phase", sorted(FINAL))
def test_what_is_over_stays_over(phase: Phase) -> None:
    """Nothing is ever asked for again."""
    over = replace(NEW, phase=phase)
    assert decide(over, replace(FACTS, installed="1.0")).verb is None
    assert decide(over, FACTS).update is over
    assert active([over]) is None
    assert active([over, NEW]) is NEW


def test_a_boot_loader_that_went_back_by_itself_is_believed_at_once() -> None:
    """Another boot with the version from before: taken back, without waiting for its health."""
    waiting = replace(NEW, phase=Phase.WAITING, boot="b1")
    fallen = replace(FACTS, installed="1.0", boot="b2", unwell="installed is 1.0")
    moved = decide(waiting, fallen).update
    assert (moved.phase, moved.failed_step) == (Phase.ROLLING_BACK, "health")
    assert moved.reason == "the terminal came back with 1.0 by itself"
    for still in (
        replace(fallen, boot="b1"),  # the boot it was applied in
        replace(fallen, boot=""),
        replace(fallen, installed="2.0", unwell=""),
    ):
        assert decide(waiting, still).update.phase is Phase.WAITING
    assert decide(replace(waiting, boot=""), fallen).update.phase is Phase.WAITING


def test_a_persons_word_counts_where_it_can() -> None:
    """Each phase and each word: what it becomes, or None."""
    becomes = {
        (Phase.WAITING, Verb.COMMIT): Phase.COMMITTING,
        (Phase.WAITING, Verb.ROLLBACK): Phase.ROLLING_BACK,
        (Phase.PENDING, Verb.ROLLBACK): Phase.FAILED,
        (Phase.PREPARED, Verb.ROLLBACK): Phase.FAILED,
    }
    for phase in Phase:
        for verb in (Verb.COMMIT, Verb.ROLLBACK):
            word = ended(replace(NEW, phase=phase), verb, "anna", FACTS)
            assert (word and word.phase) == becomes.get((phase, verb))


def test_held_by_money_for_too_long_is_over() -> None:
    """Nothing was changed, and the reason is told."""
    held = replace(FACTS, holds=(Hold(word="unsent", found="3"),), given_up="refused: money")
    moved = decide(NEW, held)
    assert (moved.verb, moved.update.phase, moved.update.rollback) == (
        None, Phase.FAILED, "not_needed",
    )  # fmt: skip
    assert moved.update.reason == "refused: money"
