"""Whose signature counts, and that a revocation is for ever."""

from __future__ import annotations

import pytest

from agent.core.fleet.commands import Key, Role
from agent.core.fleet.keyring import MOST_KEYS, Ring, RingError, Taught


def key(name: str, *roles: Role, seed: str = "") -> Key:
    return Key(key_id=name, public=(seed or name).encode().ljust(32, b"."), roles=frozenset(roles))


BOSS, HAND = key("boss", Role.ADMINISTER), key("hand", Role.OPERATE)
RING = Ring(configured=(BOSS, HAND))


def test_configured_and_taught_keys_count_together() -> None:
    """What the fleet taught goes before what is configured under the same id."""
    new = key("hand", Role.OPERATE, seed="new")
    ring = RING.replaced([new], [], "boss")
    assert ring.known("hand") == new
    assert ring.known("boss") == BOSS
    assert ring.known("nobody") is None


def test_a_revoked_key_never_comes_back() -> None:
    """Neither its id with other bytes, nor its bytes under another id, nor by configuration."""
    ring = RING.replaced([], ["hand"], "boss")
    assert ring.known("hand") is None
    assert ring.revoked("hand")
    again = Ring(configured=(BOSS, HAND, key("else", seed="hand")), taught=ring.taught)
    assert sorted(again.keys) == ["boss"]
    for back in (key("hand", seed="x"), key("else", seed="hand")):
        with pytest.raises(RingError, match="key_revoked"):
            ring.replaced([back], [], "boss")
    later = ring.replaced([key("new", Role.READ)], ["unheard_of"], "boss")
    assert later.taught.revoked == {"hand", "unheard_of"}


def test_only_an_administrator_teaches_and_the_last_one_stays() -> None:
    """Nobody can lock the fleet out, not even the fleet."""
    with pytest.raises(RingError, match="not_allowed"):
        RING.replaced([], [], "hand")
    with pytest.raises(RingError, match="not_allowed"):
        RING.replaced([], [], "nobody")
    with pytest.raises(RingError, match="last_administrator"):
        RING.replaced([], ["boss"], "boss")
    after = RING.replaced([key("boss2", Role.ADMINISTER)], ["boss"], "boss")
    assert sorted(after.keys) == ["boss2", "hand"]


def test_one_key_has_one_id() -> None:
    """Else one signature would be good under each of them."""
    twin = key("twin", Role.READ, seed="hand")
    assert sorted(Ring(configured=(BOSS, HAND, twin)).keys) == ["boss", "hand"]
    for wrong in ([twin, HAND], [HAND, HAND]):
        with pytest.raises(RingError, match="key_twice"):
            RING.replaced(wrong, [], "boss")


def test_a_ring_is_bounded() -> None:
    """Eight keys have their numbers in the counters file; no more are believed."""
    many = [key(f"k{number}", Role.READ) for number in range(MOST_KEYS + 1)]
    assert len(Ring(configured=tuple(many)).keys) == MOST_KEYS
    with pytest.raises(RingError, match="too_many_keys"):
        RING.replaced(many, [], "boss")
    with pytest.raises(RingError, match="too_many_keys"):
        RING.replaced([], [f"r{number}" for number in range(300)], "boss")
    assert Taught().keys == ()
