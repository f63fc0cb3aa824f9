"""The house's `dataclass` is the standard library's in everything a caller can see."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest

from agent import record


def _classes(dataclass: Any) -> dict[str, Any]:
    """The same classes, made by either."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Fixed:
        one: int
        two: str = "b"
        three: list[int] = dataclasses.field(default_factory=list, compare=False, repr=False)

    @dataclass(slots=True)
    class Loose:
        one: int
        two: Any = None

    @dataclass(frozen=True, slots=True)
    class Single:
        """One field."""

        one: float

    @dataclass(frozen=True)
    class Empty:
        """None."""

    @dataclass(frozen=True, slots=True)
    class Own:
        """What a class defines stays."""

        one: int

        def __repr__(self) -> str:
            return "mine"

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 7

    @dataclass(eq=False)
    class Same:
        """Equal only to itself."""

        one: int

    @dataclass(order=True, slots=True)
    class Ordered:
        """Compared in full."""

        one: int

    @dataclass(frozen=True, slots=True)
    class Child(Single):
        """A field more than its parent."""

        two: int = dataclasses.field(default=2, hash=False)

    made = locals()
    return {name: made[name] for name in sorted(made) if name != "dataclass"}


OURS, THEIRS = _classes(record.dataclass), _classes(dataclasses.dataclass)


@dataclasses.dataclass(frozen=True, slots=True)
class _Seen:
    shown: str
    equal: bool
    other: bool
    hashed: object
    fields: tuple[str, ...]
    matched: object


def _seen(cls: Any) -> _Seen:
    names = tuple(one.name for one in dataclasses.fields(cls))
    first, second, third = (
        cls(**({"one": value} if "one" in names else {})) for value in (1, 1, 2)
    )
    try:
        hashed: object = hash(first) == hash(second)
    except TypeError:
        hashed = "unhashable"
    shown = repr(first).replace(str(id(first)), "")
    return _Seen(
        shown=shown, equal=first == second, other=first == third, hashed=hashed, fields=names,
        matched=cls.__match_args__,
    )  # fmt: skip


@pytest.mark.parametrize("name", sorted(OURS))
def test_seen_from_outside_it_is_the_same(name: str) -> None:
    """Shown, compared and hashed as by the standard library."""
    assert _seen(OURS[name]) == _seen(THEIRS[name])


@pytest.mark.parametrize("name", ["Child", "Empty", "Fixed", "Own", "Single"])
def test_what_is_frozen_stays(name: str) -> None:
    """Neither set nor deleted, by the same exception."""
    cls = OURS[name]
    names = [one.name for one in dataclasses.fields(cls)]
    it = cls(**({"one": 1} if names else {}))
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'one'"):
        it.one = 2
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'one'"):
        del it.one


def test_a_plain_child_of_a_frozen_one_has_fields_of_its_own() -> None:
    """Only what the parent froze is frozen."""

    class Child(OURS["Empty"]):  # type: ignore[misc]
        pass

    child = Child()
    child.free = 1
    del child.free
    assert child == Child()


def test_what_is_not_equal_says_so() -> None:
    """Another class is for it to decide."""
    fixed = OURS["Fixed"](one=1)
    assert fixed.__eq__(THEIRS["Fixed"](one=1)) is NotImplemented
    assert OURS["Single"](1.0) != OURS["Child"](1.0)


def test_one_that_holds_itself_can_be_shown() -> None:
    """It ends with dots instead of never."""
    loose = OURS["Loose"](1)
    loose.two = loose
    assert repr(loose).endswith("Loose(one=1, two=...)")


@record.dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """At the module's top, so that it can be pickled."""

    one: int
    two: tuple[int, ...] = ()


def test_it_is_copied_replaced_and_pickled() -> None:
    """As `dataclasses`, `copy` and `pickle` expect."""
    kept = Kept(one=1, two=(2,))
    assert copy.copy(kept) == copy.deepcopy(kept) == pickle.loads(pickle.dumps(kept)) == kept
    assert dataclasses.replace(kept, one=3) == Kept(one=3, two=(2,))
    assert dataclasses.asdict(kept) == {"one": 1, "two": (2,)}
