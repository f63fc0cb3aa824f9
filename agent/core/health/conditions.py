"""What a condition is: static knowledge, apart from whether it holds right now.

A condition is a cause code with a severity, delays, dependencies and *signs*: for each component
that can tell, a pure function from that component's values to true, false or "cannot tell". The
tracker keeps the values; the conditions this product ships with are in `standard`. Titles, owners
and next steps are not here: they belong to the same code in the cause catalogue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from enum import StrEnum

from agent.core.health.reading import Value
from agent.record import dataclass

Values = Mapping[str, Value]
#: True: it holds. False: it does not. None: these values cannot tell.
Judge = Callable[[Values], bool | None]


class Severity(StrEnum):
    """How bad it is for taking payments and moving money. Declared in order, worst first."""

    CRITICAL = "critical"  #: money cannot be taken or kept safely
    MAJOR = "major"  #: money does not move, or a whole device is out
    MINOR = "minor"  #: works, with a limp
    WARNING = "warning"  #: will become one of the above if nobody acts


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """How one component tells that a condition holds."""

    component: str
    judge: Judge
    args: tuple[str, ...] = ()  #: values of the reading that the texts may show
    prefix: str = ""  #: before the names of those values, where one component tells several

    def shown(self, values: Values) -> Mapping[str, Value]:
        """The arguments of the texts, as far as the reading has them."""
        told = ((name, values.get(self.prefix + name)) for name in self.args)
        return {name: value for name, value in told if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One entry of the catalogue."""

    code: str
    severity: Severity
    #: Several components may tell the same: it holds while any of them says so.
    signs: tuple[Sign, ...] = ()
    #: While one of these is open, this one is a consequence and is not shown by itself.
    depends_on: tuple[str, ...] = ()
    visible_after_s: float = 0.0
    clear_after_s: float = 0.0
    #: The component whose silence without a code of its own raises this; "" = none.
    silence_of: str = ""

    @property
    def component(self) -> str:
        """Whose trouble it is, unless the one who raised it is known."""
        return self.signs[0].component if self.signs else self.silence_of

    def sign_of(self, component: str) -> Sign | None:
        """How `component` tells this condition, if it can."""
        return next((sign for sign in self.signs if sign.component == component), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What the configuration may change about a condition. None keeps the catalogue's value."""

    visible_after_s: float | None = None
    clear_after_s: float | None = None
    enabled: bool = True


class Catalogue:
    """All conditions by code, in the order they were declared.

    Raises ValueError for a code declared twice, a dependency nobody declared and a circle of
    dependencies: each would make an alarm silently wrong, so none may pass the first import.
    """

    def __init__(self, conditions: Iterable[Condition], silent: str = "") -> None:
        """`silent` is raised by a component that has no condition for its own silence."""
        self._by_code: dict[str, Condition] = {}
        for condition in conditions:
            if condition.code in self._by_code:
                raise ValueError(f"condition {condition.code} is declared twice")
            self._by_code[condition.code] = condition
        self._silent = silent
        for condition in self:
            self._check(condition, ())

    def __iter__(self) -> Iterator[Condition]:
        return iter(self._by_code.values())

    def __contains__(self, code: object) -> bool:
        return code in self._by_code

    def __getitem__(self, code: str) -> Condition:
        return self._by_code[code]

    def judged_by(self, component: str) -> Iterator[tuple[Condition, Sign]]:
        """The conditions `component` can tell, each with how."""
        for condition in self:
            sign = condition.sign_of(component)
            if sign is not None:
                yield condition, sign

    def silence(self, component: str, code: str) -> Condition | None:
        """What is raised when `component` does not answer and gives `code` as the cause."""
        if code in self._by_code:
            return self._by_code[code]
        own = next((one for one in self if one.silence_of == component), None)
        return own or self._by_code.get(self._silent)

    def overridden(self, overrides: Mapping[str, Override]) -> Catalogue:
        """A copy with the configured delays. Raises KeyError naming a code nobody declared."""
        for code in overrides:
            if code not in self._by_code:
                raise KeyError(code)
        off = {code for code, override in overrides.items() if not override.enabled}
        return Catalogue(
            (
                replace(
                    _changed(one, overrides.get(one.code, Override())),
                    depends_on=tuple(self._roots_left(one, off)),
                )
                for one in self
                if one.code not in off
            ),
            silent=self._silent,
        )

    def _roots_left(self, condition: Condition, off: set[str]) -> Iterator[str]:
        """What it depends on; in place of what is switched off, what that depended on."""
        for code in condition.depends_on:
            if code in off:
                yield from self._roots_left(self._by_code[code], off)
            else:
                yield code

    def _check(self, condition: Condition, path: tuple[str, ...]) -> None:
        if condition.code in path:
            raise ValueError(f"conditions depend in a circle: {' -> '.join(path)}")
        for code in condition.depends_on:
            if code not in self._by_code:
                raise ValueError(f"{condition.code} depends on {code}, which is not declared")
            self._check(self._by_code[code], (*path, condition.code))


def _changed(condition: Condition, override: Override) -> Condition:
    visible, clear = override.visible_after_s, override.clear_after_s
    return replace(
        condition,
        visible_after_s=condition.visible_after_s if visible is None else visible,
        clear_after_s=condition.clear_after_s if clear is None else clear,
    )


def flag(values: Values, name: str) -> bool | None:
    """A value that must be true or false; anything else cannot tell."""
    value = values.get(name)
    return value if isinstance(value, bool) else None


def word(values: Values, name: str) -> str | None:
    """A value that must be a word."""
    value = values.get(name)
    return value if isinstance(value, str) else None


def number(values: Values, name: str) -> float | None:
    """A value that must be a number. True and False are not numbers here."""
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value


def holds(name: str, when: bool = True) -> Judge:
    """The condition holds while flag `name` is `when`."""

    def judge(values: Values) -> bool | None:
        value = flag(values, name)
        return None if value is None else value is when

    return judge


def says(name: str, *words: str) -> Judge:
    """The condition holds while `name` is one of `words`."""

    def judge(values: Values) -> bool | None:
        value = word(values, name)
        return None if value is None else value in words

    return judge


def at_least(name: str, limit: float) -> Judge:
    """The condition holds while the number `name` is `limit` or more."""

    def judge(values: Values) -> bool | None:
        value = number(values, name)
        return None if value is None else value >= limit

    return judge


def reaches(name: str, limit: str) -> Judge:
    """The condition holds while the number `name` is not below the number called `limit`."""

    def judge(values: Values) -> bool | None:
        value, bound = number(values, name), number(values, limit)
        return None if value is None or bound is None else value >= bound

    return judge


def falls_to(name: str, limit: str) -> Judge:
    """The condition holds while the number `name` is not above the number called `limit`."""

    def judge(values: Values) -> bool | None:
        value, bound = number(values, name), number(values, limit)
        return None if value is None or bound is None else value <= bound

    return judge


def either(*judges: Judge) -> Judge:
    """True if any is true, false only if all are false."""

    def judge(values: Values) -> bool | None:
        told = [one(values) for one in judges]
        if True in told:
            return True
        return None if None in told else False

    return judge


def unless(excuse: Judge, judge: Judge) -> Judge:
    """`judge`, but these values cannot tell while `excuse` holds."""

    def excused(values: Values) -> bool | None:
        return None if excuse(values) is True else judge(values)

    return excused
