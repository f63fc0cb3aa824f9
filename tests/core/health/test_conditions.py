"""The catalogue's own rules, and the small judges it is made of."""

from __future__ import annotations

import pytest

from agent.core.health.conditions import (
    Catalogue,
    Condition,
    Judge,
    Override,
    Severity,
    Sign,
    at_least,
    either,
    falls_to,
    holds,
    reaches,
    says,
    unless,
)
from agent.core.health.reading import Value


def condition(code: str, *depends_on: str, silence_of: str = "") -> Condition:
    return Condition(
        code=code,
        severity=Severity.MINOR,
        signs=(Sign(component="x", judge=holds(code)),),
        depends_on=depends_on,
        visible_after_s=7,
        clear_after_s=8,
        silence_of=silence_of,
    )


def test_a_code_declared_twice_is_refused() -> None:
    """Two meanings for one code cannot pass the first import."""
    with pytest.raises(ValueError, match=r"a\.b is declared twice"):
        Catalogue([condition("a.b"), condition("a.b")])


def test_a_dependency_nobody_declared_is_refused() -> None:
    """A misspelt root would never suppress anything."""
    with pytest.raises(ValueError, match=r"a\.b depends on c\.d, which is not declared"):
        Catalogue([condition("a.b", "c.d")])


def test_a_circle_of_dependencies_is_refused() -> None:
    """In a circle everything is a consequence and nothing would be shown."""
    with pytest.raises(ValueError, match=r"a\.a -> b\.b -> c\.c"):
        Catalogue([condition("a.a", "b.b"), condition("b.b", "c.c"), condition("c.c", "a.a")])


def test_lookups_know_what_is_declared() -> None:
    """By code, by component, in order of declaration."""
    catalogue = Catalogue([condition("a.a"), condition("b.b", "a.a")])
    assert [one.code for one in catalogue] == ["a.a", "b.b"]
    assert "a.a" in catalogue
    assert "z.z" not in catalogue
    assert catalogue["b.b"].depends_on == ("a.a",)
    assert [one.code for one, _ in catalogue.judged_by("x")] == ["a.a", "b.b"]
    assert list(catalogue.judged_by("y")) == []


def test_silence_has_a_code_its_own_condition_or_the_common_one() -> None:
    """A named cause wins, then the component's own condition, then the catalogue's."""
    catalogue = Catalogue(
        [condition("a.a"), condition("p.silent", silence_of="p"), condition("z.z")], silent="z.z"
    )

    def raised(component: str, code: str) -> str | None:
        found = catalogue.silence(component, code)
        return found.code if found else None

    assert raised("p", "a.a") == "a.a"
    assert raised("p", "") == "p.silent"
    assert raised("p", "never.heard") == "p.silent"
    assert raised("q", "") == "z.z"
    assert Catalogue([condition("a.a")]).silence("q", "") is None


def test_the_component_of_a_condition_is_who_tells_it() -> None:
    """The first sign, or whose silence it is, or nobody in particular."""
    assert condition("a.a").component == "x"
    assert Condition(code="a.a", severity=Severity.MINOR, silence_of="p").component == "p"
    assert Condition(code="a.a", severity=Severity.MINOR).component == ""


def test_overrides_change_delays_and_nothing_else() -> None:
    """What is not given keeps the catalogue's value, zero included."""
    catalogue = Catalogue([condition("a.a"), condition("b.b"), condition("c.c")], silent="c.c")
    changed = catalogue.overridden(
        {"a.a": Override(visible_after_s=0), "b.b": Override(clear_after_s=60)}
    )
    assert [(one.visible_after_s, one.clear_after_s) for one in changed] == [
        (0, 8),
        (7, 60),
        (7, 8),
    ]
    assert changed.silence("q", "") == changed["c.c"]


def test_a_switched_off_condition_is_gone_also_as_a_root() -> None:
    """Nothing waits for a root that can never be raised."""
    catalogue = Catalogue([condition("a.a"), condition("b.b", "a.a")])
    changed = catalogue.overridden({"a.a": Override(enabled=False)})
    assert [(one.code, one.depends_on) for one in changed] == [("b.b", ())]


def test_the_chain_of_causes_survives_a_link_switched_off() -> None:
    """What followed from the switched-off one follows from that one's own root."""
    catalogue = Catalogue([condition("a.a"), condition("b.b", "a.a"), condition("c.c", "b.b")])
    changed = catalogue.overridden({"b.b": Override(enabled=False)})
    assert changed["c.c"].depends_on == ("a.a",)


def test_an_override_for_nothing_is_refused() -> None:
    """A delay for a code nobody declared would do nothing, silently."""
    with pytest.raises(KeyError, match=r"z\.z"):
        Catalogue([condition("a.a")]).overridden({"z.z": Override()})


@pytest.mark.parametrize(
    ("judge", "values", "expected"),
    [
        (holds("on"), {"on": True}, True),
        (holds("on"), {"on": False}, False),
        (holds("on", False), {"on": False}, True),
        (holds("on"), {"on": "yes"}, None),
        (holds("on"), {}, None),
        (says("paper", "out", "low"), {"paper": "low"}, True),
        (says("paper", "out"), {"paper": "ok"}, False),
        (says("paper", "out"), {"paper": 3}, None),
        (at_least("n", 2), {"n": 2}, True),
        (at_least("n", 2), {"n": 1.9}, False),
        (at_least("n", 2), {"n": True}, None),
        (at_least("n", 2), {"n": None}, None),
        (reaches("c", "max"), {"c": 75, "max": 75.0}, True),
        (reaches("c", "max"), {"c": 74, "max": 75}, False),
        (reaches("c", "max"), {"c": 74}, None),
        (falls_to("mb", "min"), {"mb": 100, "min": 100}, True),
        (falls_to("mb", "min"), {"mb": 101, "min": 100}, False),
        (falls_to("mb", "min"), {"min": 100}, None),
        (either(holds("a"), holds("b")), {"a": None, "b": True}, True),
        (either(holds("a"), holds("b")), {"a": False}, None),
        (either(holds("a"), holds("b")), {"a": False, "b": False}, False),
        (unless(holds("open"), holds("out")), {"open": True, "out": True}, None),
        (unless(holds("open"), holds("out")), {"open": False, "out": True}, True),
        (unless(holds("open"), holds("out")), {"out": False}, False),
    ],
)
def test_judges_say_true_false_or_cannot_tell(
    judge: Judge, values: dict[str, Value], expected: bool | None
) -> None:
    """A missing or strange value is never taken for fine, nor for a fault."""
    assert judge(values) is expected


def test_arguments_are_what_the_reading_has() -> None:
    """Values that are missing or null are left to the texts' neutral words."""
    sign = Sign(component="x", judge=holds("on"), args=("host", "ms", "gone"))
    assert sign.shown({"host": "h", "ms": None, "other": 1}) == {"host": "h"}
