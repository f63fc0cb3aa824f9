"""The exactly-once rig in little: a few hundred payments each way, and every control speaks up.

`make exactly-once` is the real thing (100,000 payments).
"""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.exactly_once.checker import Claim, Effect, compared
from tests.exactly_once.proxy import CUTS, _cut, _names, frame_sizes, http_sizes
from tests.exactly_once.rig import Way, careless, deliver


@pytest.mark.parametrize("way", Way)
def test_every_payment_is_posted_once(way: Way) -> None:
    """Whatever the line does, the host's ledger and the journal agree, payment by payment."""
    outcome = asyncio.run(deliver(way, 300, seed=7))
    assert outcome.found.well, outcome.found.examples()
    assert outcome.found.acknowledged == 300
    assert outcome.found.effects + outcome.found.taken_back == 300
    assert way.iso or not outcome.found.taken_back
    assert outcome.hurt > 5
    assert outcome.in_doubt > 0


@pytest.mark.parametrize("way", [Way.HTTP, Way.ISO])
def test_a_host_that_ignores_repeats_is_noticed(way: Way) -> None:
    """The first control: without the host's half of the promise the checker reports duplicates."""
    outcome = asyncio.run(deliver(way, 400, seed=7, ignores=True))
    assert outcome.found.duplicates


@pytest.mark.parametrize("way", [Way.HTTP, Way.ISO])
def test_a_client_that_forgets_is_noticed(way: Way) -> None:
    """The second control: without a journal the checker reports losses."""
    outcome = asyncio.run(careless(way, 400, seed=7))
    assert outcome.found.lost


def claim(key: str, state: str = "posted", amount: int = 5, reference: str = "r") -> Claim:
    return Claim(key=key, amount_minor=amount, state=state, reference=reference)


def effect(key: str, amount: int = 5, reference: str = "r") -> Effect:
    return Effect(key=key, amount_minor=amount, reference=reference)


@pytest.mark.parametrize(
    ("claims", "effects", "named"),
    [
        ([claim("a")], [effect("a"), effect("a")], "duplicates"),
        ([claim("a"), claim("b", "waiting")], [effect("a")], "lost"),
        ([claim("a")], [], "believed"),
        ([claim("a", "declined")], [effect("a")], "denied"),
        ([claim("a", "held")], [effect("a")], "unfinished"),
        ([claim("a")], [effect("a"), effect("b")], "strangers"),
        ([claim("a", "reversed")], [effect("a")], "denied"),
        ([claim("a")], [effect("a", amount=6)], "amounts"),
        ([claim("a")], [effect("a", reference="s")], "references"),
    ],
)
def test_the_checker_names_what_is_wrong(
    claims: list[Claim], effects: list[Effect], named: str
) -> None:
    """Each way of being wrong has its own name, and none of them is well."""
    found = compared(claims, effects)
    assert getattr(found, named)
    assert not found.well
    assert found.examples()


def test_the_checker_says_when_all_is_well() -> None:
    """Same keys, same amounts, same proof: nothing to say."""
    claims = [claim("a"), claim("b"), claim("c", "reversed")]
    found = compared(claims, [effect("b"), effect("a")])
    assert found.well
    assert found.line() == "3 posts, 2 effects, 1 taken back: 0 duplicate effects, 0 lost"


def test_every_kind_of_place_is_cut() -> None:
    """Each boundary class is another place in the message, for HTTP and for frames."""
    draw = random.Random(1)
    message = b"POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\n0123456789"
    assert http_sizes(message) == (39, 49)
    assert http_sizes(message[:20]) is None
    assert frame_sizes(b"\x00\x05abcde") == (2, 7)
    places = {where: _cut(where, 39, 49, draw) for where in CUTS}
    assert places["before the first byte"] == 0
    assert places["after the first byte"] == 1
    assert 0 < places["within the head"] < 39
    assert places["between head and body"] == 39
    assert 39 <= places["within the body"] < 49
    assert places["before the last byte"] == 48
    assert len(set(_names(http=True))) == len(_names(http=True)) == 31
