"""The picture of a fleet: what a manager sees first, in any width, in both languages.

Takes rows and gives lines; knows no broker and no keyboard. On top the fleet in three lines, then
why money is stuck by cause, then the alarms, then terminals, the worst first. What has not been
told is shown as `?`, never as zero. Called by `fleet_watch`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from agent.cli.screen import wrap_items
from agent.cli.texts import Words
from agent.core.columns import clean, cut, pad, width
from agent.core.money.currencies import EXPONENT
from agent.core.why.causes import CATALOGUE
from agent.fleet import groups
from agent.fleet.filters import Filter, ordered
from agent.fleet.groups import Sums, Totals
from agent.fleet.view import SEVERITIES, SILENT, Row

#: Of a picture without an end; `--csv` and `--json` have them all.
LONG = 1_000
GROUPS_SHOWN = 6
ALARMS_SHOWN = 4
NARROW, NOT_NARROW, WIDE, WIDEST = 60, 100, 110, 160
_BAD = frozenset({"lost", "stale"})


class Line(NamedTuple):
    """One line and how it looks: a style of `screen`, or `selected`."""

    text: str
    style: str = ""


class Column(NamedTuple):
    """One column of the terminals. `least`: shown from that many columns of screen on."""

    name: str
    most: int
    least: int
    right: bool
    cell: Callable[[Row, Words], str]


@dataclass(slots=True)
class Picture:
    """What is looked at."""

    chosen: Filter = field(default_factory=Filter)
    group: str = "cause"
    sort: str = "age"
    into: str = ""  #: the one group that is looked into
    selected: int = 0  #: groups first, then terminals
    note: str = ""


@dataclass(slots=True)
class Seen:
    """A picture worked out: what the keys act on, too."""

    totals: Totals
    groups: list[tuple[str, Sums]]
    alarms: list[tuple[str, Sums]]
    rows: list[Row]

    def pick(self, at: int) -> str | Row | None:
        """What stands under the selection: a group's name, a terminal, nothing."""
        if at < len(self.groups):
            return self.groups[at][0]
        at -= len(self.groups)
        return self.rows[at] if at < len(self.rows) else None


def look(rows: Sequence[Row], picture: Picture) -> Seen:
    """Filter, group and sort."""
    fitting = picture.chosen.chosen(rows)
    by = groups.grouped(fitting, picture.group)
    alarms = {} if picture.group == "alarm" else groups.grouped(fitting, "alarm")
    shown = fitting
    if picture.into:
        shown = list(groups.members(fitting, picture.group, picture.into))
    return Seen(
        totals=groups.totals(fitting),
        groups=list(by.items())[:GROUPS_SHOWN],
        alarms=list(alarms.items())[:ALARMS_SHOWN],
        rows=ordered(shown, picture.sort),
    )


def draw(
    seen: Seen, picture: Picture, t: Words, *, columns: int, lines: int, title: str, now: datetime
) -> list[Line]:
    """The whole screen; `lines` 0: as many as there are."""
    top = _head(seen.totals, t, columns, title, now, empty=_empty(picture))
    top += _groups(seen, picture, t, columns)
    top += _alarms(seen, t, columns)
    foot = [Line(cut(picture.note or t("fleet.keys"), columns), "dim")] if lines else []
    room = max(1, lines - len(top) - len(foot) - 2) if lines else LONG
    at = picture.selected - len(seen.groups)
    first = max(0, min(at - room // 2, len(seen.rows) - room)) if at >= 0 else 0
    table = terminals(seen.rows[first : first + room], t, columns, selected=at - first)
    more = len(seen.rows) - first - room
    text = t("fleet.more", count=number(more)) if more > 0 else ""
    body = [*top, Line(""), *table][: (lines - len(foot) - bool(text)) or None]
    if text:
        body.append(Line(cut(text, columns), "dim"))
    return [*body, *foot]


def _empty(picture: Picture) -> str:
    """Why there is nothing to show: nobody was heard, or nobody fits."""
    return "fleet.no_fit" if picture.chosen.text else "fleet.nobody_heard"


def _head(
    totals: Totals, t: Words, columns: int, title: str, now: datetime, *, empty: str
) -> list[Line]:
    clock = f"{now.astimezone():%H:%M:%S}"
    name = t("fleet.title", title=f" {title}" if title else "", count=number(totals.sums.terminals))
    room = columns - width(clock) - 1
    lines = [Line(pad(cut(name, room), room) + " " + clock, "bold")]
    states = [
        f"{t.word('fleetstate', state)} {number(totals.states[state])}"
        for state in ("online", "lost", "stale", "offline", "sleep", "unknown")
        if totals.states[state]
    ]
    said = " · ".join(states) or t(empty)
    lines.append(Line(cut(f"  {said}", columns)))
    sums = totals.sums
    if totals.stuck:
        said = t("fleet.unsent", terminals=number(totals.stuck), count=number(sums.payments))
        parts = [said, money(sums.by_currency)]
        if sums.oldest_age_s is not None:
            parts.append(t("fleet.oldest", age=short_age(sums.oldest_age_s, t)))
        if sums.in_doubt:
            parts.append(t("fleet.in_doubt", count=number(sums.in_doubt)))
        if sums.held:
            parts.append(t("fleet.held", count=number(sums.held)))
        told = [each for each in parts if each]
        lines += [
            Line(cut(text, columns), "bad") for text in wrap_items(told, columns, "    ", "  ")
        ]
    elif totals.told:
        lines.append(Line(cut("  " + t("fleet.nothing_unsent"), columns), "good"))
    if totals.told < sums.terminals:
        untold = number(sums.terminals - totals.told)
        lines.append(Line(cut("  " + t("fleet.untold", count=untold), columns), "dim"))
    return lines


def _groups(seen: Seen, picture: Picture, t: Words, columns: int) -> list[Line]:
    if not seen.groups:
        return []
    by = picture.group
    #: title, right, most columns, cell
    table: list[tuple[str, bool, int, Callable[[str, Sums], str]]] = [
        (t.word("fleetgroup", by), False, max(18, columns - 55), lambda n, _: group_name(by, n, t)),
        (t("fleet.col.terminals"), True, 10, lambda _, sums: number(sums.terminals)),
        (t("fleet.col.count"), True, 10, lambda _, sums: _some(sums.payments)),
        (t("fleet.col.age"), True, 8, lambda _, sums: _known_age(sums.oldest_age_s, t)),
    ]
    if columns >= NOT_NARROW:  # else who does not talk stands in the state line only
        table.insert(2, (t("fleet.col.silent"), True, 8, lambda _, sums: _some(sums.silent)))
        if by in ("cause", "alarm"):
            owner = t("fleet.col.owner"), False, 14, lambda n, _: owner_name(n, t)
            table.append(owner)
        table.append((t("fleet.col.amount"), False, columns, lambda _, s: money(s.by_currency)))
    else:
        amount = t("fleet.col.amount"), False, columns, lambda _, s: short_money(s.by_currency, t)
        table.append(amount)
    heads = [title for title, _, _, _ in table]
    cells = [[cell(name, sums) for _, _, _, cell in table] for name, sums in seen.groups]
    right, most = [each[1] for each in table], [each[2] for each in table]
    lines = _aligned([heads, *cells], right, most, columns)
    styled = [Line(lines[0], "dim")]
    for at, text in enumerate(lines[1:]):
        mark = "▸" if seen.groups[at][0] == picture.into else " "
        style = "selected" if at == picture.selected else ""
        styled.append(Line(cut(mark + text[1:], columns), style))
    return [Line(""), *styled]


def _some(count: int) -> str:
    return number(count) if count else ""


def _known_age(age_s: int | None, t: Words) -> str:
    return "" if age_s is None else short_age(age_s, t)


def _alarms(seen: Seen, t: Words, columns: int) -> list[Line]:
    if not seen.alarms:
        return []
    heads = [t("fleetgroup.alarm"), t("fleet.col.terminals")]
    cells = [[group_name("alarm", n, t), number(sums.terminals)] for n, sums in seen.alarms]
    lines = _aligned([heads, *cells], [False, True], [max(18, columns - 55), 10], columns)
    return [Line(""), Line(lines[0], "dim"), *(Line(text, "warn") for text in lines[1:])]


def terminals(
    rows: Sequence[Row], t: Words, columns: int, *, selected: int = -1, heads: bool = True
) -> list[Line]:
    """The table of terminals."""
    shown = [each for each in COLUMNS if columns >= each.least]
    cells = [[clean(each.cell(row, t)) for each in shown] for row in rows]
    titles = [t(f"fleet.col.{each.name}") for each in shown]
    most = [each.most for each in shown]
    lines = _aligned([titles, *cells], [each.right for each in shown], most, columns)
    found = [Line(lines[0], "dim")] if heads else []
    for at, (row, text) in enumerate(zip(rows, lines[1:], strict=True)):
        found.append(Line(text, "selected" if at == selected else _style(row)))
    return found


def _style(row: Row) -> str:
    if row.state in _BAD or row.severity == "critical":
        return "bad"
    return "warn" if row.alarms or row.count else ""


def _aligned(
    table: Sequence[Sequence[str]], right: Sequence[bool], most: Sequence[int], columns: int
) -> list[str]:
    """Columns as wide as they must be; the last takes the rest of the line."""
    last = len(right) - 1
    sizes = [min(most[n], max(width(row[n]) for row in table)) for n in range(last + (right[last]))]
    lines: list[str] = []
    for row in table:
        cells: list[str] = []
        for n, text in enumerate(row):
            if n >= len(sizes):
                cells.append(text)
            else:
                told = cut(text, sizes[n])
                space = " " * (sizes[n] - width(told))
                cells.append(space + told if right[n] else told + space)
        lines.append(cut("  " + "  ".join(cells), columns).rstrip())
    return lines


def group_name(by: str, name: str, t: Words) -> str:
    """A group as people call it."""
    if by in ("cause", "alarm"):
        return cause_name(name, t)
    if by == "state":
        return t.word("fleetstate", name)
    return clean(name) or t("fleet.not_told")


def cause_name(code: str, t: Words) -> str:
    """A cause in words, where this version knows it."""
    if code == "unknown":
        return t("fleet.no_cause")
    known = CATALOGUE.get(code)
    return known.title.render(t.lang) if known else clean(code)


def owner_name(code: str, t: Words) -> str:
    """Who must act on a cause."""
    known = CATALOGUE.get(code)
    return t.word("owner", known.owner) if known else ""


def money(by_currency: Mapping[str, int]) -> str:
    """`CNY 1,234.50 + EUR 12.00`."""
    told: list[str] = []
    for currency, minor in sorted(by_currency.items()):
        digits = EXPONENT.get(currency, 0)
        sign, whole = ("-" if minor < 0 else ""), str(abs(minor)).rjust(digits + 1, "0")
        units, rest = (whole[:-digits], "." + whole[-digits:]) if digits else (whole, "")
        # An unknown currency's minor units are told as they came.
        told.append(f"{clean(currency)[:3]} {sign}{int(units):,}{rest}")
    return " + ".join(told)


def short_money(by_currency: Mapping[str, int], t: Words) -> str:
    """`CNY 12.3M + EUR 408,372`: rounded down to whole units or less, for narrow screens."""
    told: list[str] = []
    for currency, minor in sorted(by_currency.items()):
        units = int(minor / 10 ** EXPONENT.get(currency, 0))
        name = clean(currency)[:3]
        if t.lang == "zh" and abs(units) >= 1_000_000:
            told.append(f"{name} {int(units / 10_000):,}万")
        elif abs(units) >= 10_000_000:
            told.append(f"{name} {int(units / 100_000) / 10:,}M")
        else:
            told.append(f"{name} {units:,}")
    return " + ".join(told)


def number(count: int) -> str:
    """With separators, as a person reads it."""
    return f"{count:,}"


def short_age(seconds: int, t: Words) -> str:
    """`1h35`, to fit a column."""
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return t("fleet.age.days", days=days, hours=hours)
    if hours:
        return t("fleet.age.hours", hours=hours, minutes=f"{minutes:02d}")
    return t("fleet.age.minutes", minutes=minutes) if minutes else t("fleet.age.now", s=seconds)


# Cells of the table


def _why(row: Row, t: Words) -> str:
    """The cause of stuck money, then its alarms, the worst first.

    Before it how old the word about money is, where no newer one is to be expected.
    """
    parts = []
    if row.count and row.state in SILENT and row.told_s is not None:
        parts.append(t("fleet.told_ago", age=short_age(row.told_s, t)))
    parts += [cause_name(row.cause, t)] if row.cause else []
    order = {word: rank for rank, word in enumerate(SEVERITIES)}
    alarms = sorted(row.alarms.items(), key=lambda each: (order.get(each[1].severity, 9), each[0]))
    parts += [
        t("fleet.noted", name=cause_name(code, t)) if alarm.acknowledged else cause_name(code, t)
        for code, alarm in alarms
        if code != row.cause
    ]
    return " · ".join(parts)


def _count(row: Row, t: Words) -> str:
    return "?" if row.count is None else number(row.count) if row.count else ""


def _money(row: Row, t: Words) -> str:
    return money(row.sums()) if row.count else ""


def _age(row: Row, t: Words) -> str:
    if row.age_s is not None:
        return short_age(row.age_s, t)
    return "?" if row.count else ""


def _seen(row: Row, t: Words) -> str:
    return "?" if row.silent_s is None else short_age(row.silent_s, t)


def _part(name: str) -> Callable[[Row, Words], str]:
    def cell(row: Row, t: Words) -> str:
        value = row.value(name)
        return "" if value in (None, 0) else str(value)

    return cell


COLUMNS = (
    Column("device", 24, 0, right=False, cell=lambda row, t: row.one.device),
    Column("state", 10, 0, right=False, cell=lambda row, t: t.word("fleetstate", row.state)),
    Column("count", 7, 0, right=True, cell=_count),
    Column("amount", 24, NARROW, right=True, cell=_money),
    Column("age", 8, 0, right=True, cell=_age),
    Column("doubt", 7, WIDEST, right=True, cell=_part("in_doubt_count")),
    Column("heldcount", 7, WIDEST, right=True, cell=_part("held_count")),
    Column("seen", 8, WIDE, right=True, cell=_seen),
    Column("version", 12, WIDE, right=False, cell=_part("agent_version")),
    Column("site", 20, WIDE, right=False, cell=_part("site")),
    Column("model", 14, WIDEST, right=False, cell=_part("model")),
    Column("firmware", 12, WIDEST, right=False, cell=_part("firmware")),
    Column("why", 400, 0, right=False, cell=_why),
)  # fmt: skip
