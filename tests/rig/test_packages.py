"""What makes the packages' course green, and the guest's fstab, without the virtual machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.rig.image import FSTAB, PAYLOAD
from tests.rig.packages import read_keys
from tests.rig.packages_boot import Boot, kept, read_boots
from tests.rig.packages_report import Course, table, written

UPGRADE, PLAIN, ROOT = "newer version over 1,000 unsent", "no sandbox", "root read-only"
WHOLE_HAS, SMALL_HAS = [UPGRADE, f"control: {PLAIN}"], [ROOT]


def scene(**changes: Any) -> dict[str, Any]:
    """A scene that went as it must."""
    return {
        "kind": "scene",
        "part": "c",
        "name": UPGRADE,
        "control": False,
        "well": True,
        "found": "1000 unsent",
        "took_s": 61.0,
        "at_s": 300.0,
    } | changes


CONTROL = scene(name=PLAIN, control=True, part="a")
ALL = [f"offline-{number:04d}" for number in range(1000)]


def boot(
    *results: dict[str, Any],
    name: str = "whole",
    prefix: str = "offline",
    keys: list[str] | None = None,
    ended: bool = True,
    due: bool = True,
    wanted: list[str] | None = None,
    began: str = "2026-01-01T10:00:00Z",
) -> Boot:
    """One boot that handed over 1,000 payments."""
    every = WHOLE_HAS if name == "whole" else SMALL_HAS
    return Boot(
        name,
        "768 MB, / rw",
        began,
        results=[
            {"kind": "kernel", "release": "6.1", "python": "3.11.2"},
            {"kind": "scenes", "names": every if wanted is None else wanted, "every": every},
            {"kind": "paid", "prefix": prefix, "count": 1000},
            *results,
            *([{"kind": "due", "prefix": prefix}] if due else []),
            *([{"kind": "end"}] if ended else []),
        ],
        keys=[key.replace("offline", prefix) for key in ALL] if keys is None else keys,
        ended_early="" if ended else "the rig was stopped by a signal",
    )


SMALL = boot(scene(name=ROOT, part="f"), name="small", prefix="small")


def course(*results: dict[str, Any], **how: Any) -> Course:
    return Course([boot(*results, **how), SMALL])


def test_every_scene_held_and_the_ledger_has_each_payment_once_is_green() -> None:
    """The one way to be green."""
    whole = course(scene(), CONTROL)
    assert whole.problems() == []
    assert "**Green**: 3 scenes, 3 ok" in written(whole)
    assert "| 1 | offline | 1000 | 1000 | 0 | 0 |" in written(whole)
    assert "1000 handed over, 1000 with the host, lost 0, twice 0" in table(whole)


@pytest.mark.parametrize(
    ("course", "complaint"),
    [
        (course(scene(well=False, found="999 are unsent"), CONTROL), "999 are unsent"),
        (course(scene(), CONTROL | {"well": False, "found": "went on"}), "control: "),
        (course(scene(), scene(name=PLAIN)), "no control was run"),
        (course(scene(), CONTROL, keys=ALL[1:]), "ledger of boot 1, offline: 1 lost, 0 twice"),
        (course(scene(), CONTROL, keys=[*ALL, ALL[0]]), "boot 1, offline: 0 lost, 1 twice"),
        (course(scene(), CONTROL, keys=[*ALL, "stray"]), "nobody handed over, such as stray"),
        (course(scene(), CONTROL, ended=False), "boot 1 (whole) did not come to its end"),
        (course(CONTROL), f"never run in the boot whole: {UPGRADE}"),
        (course(scene(), CONTROL, due=False), "no boot whole has handed 1,000 payments over"),
        (Course([boot(scene(), CONTROL)]), "the boot small was never run"),
        (Course([]), "the boot whole was never run"),
    ],
)
def test_everything_else_is_not_green_and_says_why(course: Course, complaint: str) -> None:
    """A scene that failed, a control that noticed nothing, a ledger that is not exact."""
    assert [each for each in course.problems() if complaint in each]
    assert "**Not green**" in written(course)
    assert complaint in table(course)


def test_a_boot_that_ended_before_the_host_was_back_has_lost_nothing() -> None:
    """Payments that were not to be with the host yet are "not due", and green it is not either."""
    cut = Course([boot(scene(), CONTROL, keys=[], ended=False, due=False), SMALL])
    assert "| 1 | offline | 1000 | 0 | not due | 0 |" in written(cut)
    assert not [each for each in cut.problems() if " lost" in each]
    assert cut.problems()


def test_boots_of_several_runs_are_added_up(tmp_path: Path) -> None:
    """Of a scene played twice the last one counts; what one boot left, another may have played."""
    first = boot(
        scene(well=False, found="999 are unsent"), keys=[], ended=False, due=False,
        began="2026-01-01T09:00:00Z",
    )  # fmt: skip
    second = boot(scene(), wanted=[UPGRADE])
    kept(second, tmp_path)
    kept(first, tmp_path)
    kept(SMALL, tmp_path)
    assert Course([first, second, SMALL]).missing() == [
        f"never run in the boot whole: control: {PLAIN}"
    ]
    kept(boot(CONTROL, wanted=[], due=False, began="2026-01-01T11:00:00Z"), tmp_path)
    added = Course(read_boots(tmp_path))
    assert [each.began[11:13] for each in added.boots] == ["09", "10", "10", "11"]
    assert added.problems() == []
    assert [number for number, _ in added.scenes()].count(1) == 0
    assert f"boot 1, {UPGRADE}: 999 are unsent (boot 3: ok)" in written(added)


def test_a_scene_that_failed_later_is_a_failure() -> None:
    """Adding up never makes a run better than its last."""
    again = boot(scene(well=False, found="999 are unsent"), began="2026-01-01T12:00:00Z")
    assert f"{UPGRADE}: 999 are unsent" in Course([boot(scene(), CONTROL), SMALL, again]).problems()


def test_payments_purged_on_purpose_are_not_missed_but_must_not_arrive() -> None:
    """What the control throws away is not lost by the agent; the host was down for it."""
    told = {"kind": "paid", "prefix": "unguarded", "count": 3}
    assert course(scene(), CONTROL, told).problems() == []
    arrived = course(scene(), CONTROL, told, keys=[*ALL, "unguarded-0001"])
    assert arrived.problems() == ["1 of unguarded reached a host that was down"]


def test_the_ledger_is_read_from_its_file(tmp_path: Path) -> None:
    """The judgement is made from the host's file, in the order of posting; no file: nothing."""
    assert read_keys(tmp_path / "none") == []
    file = tmp_path / "ledger.jsonl"
    file.write_text("".join(json.dumps({"key": key}) + "\n" for key in ("b", "a", "b")), "utf-8")
    assert read_keys(file) == ["b", "a", "b"]


def test_the_guests_fstab_is_six_words_a_line() -> None:
    """A line of fewer words makes systemd complain at every boot of the guest."""
    lines = [line.split() for line in FSTAB.splitlines()]
    assert [len(words) for words in lines] == [6, 6]
    assert [words[1] for words in lines] == ["/", PAYLOAD]
    assert FSTAB.endswith("\n")
