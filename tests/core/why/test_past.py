"""What was wrong at a payment's attempts, from the history of health."""

from __future__ import annotations

from datetime import datetime, timedelta

from agent.core.health.tracker import HistoryLine
from agent.core.money.journal import Event, State
from agent.core.why.case import Payment, Stretch
from agent.core.why.past import MOST, lines, stretches
from tests.core.why.cases import AT, EARLIER, case, codes, condition, record, step, verdict

LINK = "network.no_link"


def at(minutes: float) -> datetime:
    return EARLIER + timedelta(minutes=minutes)


def line(code: str, what: str, minutes: float) -> HistoryLine:
    return HistoryLine(code=code, what=what, at=at(minutes), args={})


def stretch(code: str, first: float | None, last: float | None) -> Stretch:
    return Stretch(
        code=code,
        from_at=None if first is None else at(first),
        until_at=None if last is None else at(last),
    )


def told(past: list[Stretch], *steps: object) -> list[str]:
    one = record(State.WAITING)
    payment = Payment(key=one.key, record=one, steps=steps)  # type: ignore[arg-type]
    return [f"{code}: {sentence.render('en')}" for code, sentence in lines(payment, past)]


def test_stretches_from_began_to_ended() -> None:
    """A condition held from its beginning to its first end, or still does; other words say
    nothing."""
    found = stretches(
        [
            line("printer.paper_out", "ended", -5),
            line(LINK, "began", 0),
            line(LINK, "shown", 1),
            line(LINK, "noted", 2),
            line(LINK, "cleared", 3),
            line(LINK, "ended", 3),
            line("clock.wrong", "began", 4),
        ]
    )
    assert found == (
        stretch("printer.paper_out", None, -5),
        stretch(LINK, 0, 3),
        stretch("clock.wrong", 4, None),
    )


def test_nothing_is_claimed_beyond_a_cut() -> None:
    """Where the history was cut off, stretches end at the cut."""
    found = stretches(
        [line(LINK, "ended", 1), line("clock.wrong", "began", 2)], since_at=at(0), until_at=at(5)
    )
    assert found == (stretch(LINK, 0, 1), stretch("clock.wrong", 2, 5))


def test_which_attempts_it_stood_during() -> None:
    """Only attempts that lie in it for certain are named."""
    steps = (
        step(Event.NOT_SENT, LINK, count=3, first_at=at(1), last_at=at(5)),
        step(Event.ASKED, "", first_at=at(6), last_at=at(6)),
        step(Event.NO_ANSWER, "host.no_reply", count=2, first_at=at(8), last_at=at(12)),
    )
    assert "during attempts 1–3" in told([stretch(LINK, 0.5, 6)], *steps)[0]
    assert told([stretch(LINK, 0.5, 2)], *steps)[0].endswith("during attempts 1")
    assert told([stretch(LINK, 11, None)], *steps)[0].endswith("during attempts 5")
    assert told([stretch(LINK, 6, 7)], *steps) == []
    assert "when it was taken" in told([stretch(LINK, None, 0.5)], *steps)[0]


def test_only_roots_that_could_matter() -> None:
    """What followed from another and what moves no money is left out; the newest few are told."""
    past = [
        stretch(LINK, -1, 2),
        stretch("network.dns_failed", 0, 2),
        stretch("network.no_gateway", None, 2),
        stretch("printer.paper_out", -1, 2),
        stretch("of.another.version", -1, 2),
    ]
    assert [words.partition(":")[0] for words in told(past)] == [LINK]
    late = [stretch("network.dns_failed", -3, 1), stretch(LINK, -1, 2)]
    assert len(told(late)) == 2, "the first stood before the other began"
    many = [stretch("host.down", -9 + n / 10, 1) for n in range(9)]
    assert len(told(many)) == MOST
    assert lines(Payment(key="x", record=None), past) == []


def test_past_in_the_verdict() -> None:
    """What is over is a fact; what still stands gets it as evidence; unreadable is unknown."""
    one = record(State.WAITING, tried=1)
    tries = step(Event.NOT_SENT, "", first_at=at(1), last_at=at(1))
    over = verdict(one, tries, past=(stretch(LINK, -1, 2),))
    assert codes(over) == []
    assert any("during attempts 1" in fact.render("en") for fact in over.facts)
    stands = verdict(one, tries, past=(stretch(LINK, -1, None),), conditions=(condition(LINK),))
    assert codes(stands) == [LINK]
    assert any("stood from" in line_.render("en") for line_ in stands.findings[0].evidence)
    unread = verdict(one, past=None)
    assert any("history could not be read" in line_.render("en") for line_ in unread.unknowns)
    assert case(one).past == ()
    assert AT
