"""`dataclass` as the standard library's, for a third of the memory.

The library writes six methods anew for every class, and a daemon has some 270 classes: 2 MB. Only
`__init__` has to be; showing, comparing, hashing and refusing changes are the same for all of them
and stand here once. What a class defines itself stays its own; `order` is the library's in full.
Called by every module the daemon loads.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

_COMPARED: dict[type, Callable[[object], tuple[object, ...]]] = {}
_HASHED: dict[type, Callable[[object], tuple[object, ...]]] = {}

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls=None, /, *, eq=True, order=False, frozen=False, slots=False, kw_only=False):
        """As `dataclasses.dataclass`."""
        if order:
            rest = {"eq": eq, "frozen": frozen, "slots": slots, "kw_only": kw_only}
            return dataclasses.dataclass(cls, order=True, **rest)

        def made(cls):
            # Else one is made of the signature, annotations and all.
            cls.__doc__ = cls.__doc__ or cls.__name__
            return _made(cls, eq=eq, frozen=frozen, slots=slots, kw_only=kw_only)

        return made if cls is None else made(cls)


def _made(cls: type, *, eq: bool, frozen: bool, slots: bool, kw_only: bool) -> type:
    own = cls.__dict__
    set_here: dict[str, object] = {}
    if "__repr__" not in own:
        set_here["__repr__"] = _shown
    if eq and "__eq__" not in own:
        set_here["__eq__"] = _equal
    if eq and (own.get("__hash__") is None):
        set_here["__hash__"] = _hashed if frozen else None
    if frozen:
        set_here |= {"__setattr__": _unset, "__delattr__": _undeleted}
    found: type = dataclasses.dataclass(
        cls, repr=False, eq=False, frozen=frozen, slots=slots, kw_only=kw_only
    )
    for name, value in set_here.items():
        setattr(found, name, value)
    return found


@recursive_repr()
def _shown(self: Any) -> str:
    told = ", ".join(
        f"{one.name}={getattr(self, one.name)!r}" for one in dataclasses.fields(self) if one.repr
    )
    return f"{self.__class__.__qualname__}({told})"


def _equal(self: object, other: object) -> Any:  # bool or NotImplemented
    cls = self.__class__
    if other.__class__ is not cls:
        return NotImplemented
    values = _COMPARED.get(cls) or _getter(cls, _COMPARED, lambda one: one.compare)
    return values(self) == values(other)


def _hashed(self: object) -> int:
    cls = self.__class__
    values = _HASHED.get(cls) or _getter(
        cls, _HASHED, lambda one: one.compare if one.hash is None else one.hash
    )
    return hash(values(self))


def _getter(
    cls: Any,
    kept: dict[type, Callable[[object], tuple[object, ...]]],
    counts: Callable[[dataclasses.Field[Any]], bool],
) -> Callable[[object], tuple[object, ...]]:
    names = [one.name for one in dataclasses.fields(cls) if counts(one)]
    if len(names) > 1:
        kept[cls] = attrgetter(*names)
    else:
        kept[cls] = lambda self: tuple(getattr(self, name) for name in names)
    return kept[cls]


def _fixed(self: Any, name: str) -> bool:
    cls = type(self)
    return "__dataclass_fields__" in cls.__dict__ or name in cls.__dataclass_fields__


def _unset(self: object, name: str, value: object) -> None:
    if _fixed(self, name):
        raise FrozenInstanceError(f"cannot assign to field {name!r}")
    object.__setattr__(self, name, value)


def _undeleted(self: object, name: str) -> None:
    if _fixed(self, name):
        raise FrozenInstanceError(f"cannot delete field {name!r}")
    object.__delattr__(self, name)


__all__ = ["dataclass", "replace"]
