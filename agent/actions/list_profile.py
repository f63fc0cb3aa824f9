"""From a [[reconcile]] table to the profile a list is read by, holidays and all."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from agent.core.why.reconcile.profile import Profile
from agent.errors import OperatorError
from agent.wire.problem import RequestError

if TYPE_CHECKING:
    from agent.config.reconcile import Reconcile

#: What a holiday file may have: ten years of them.
_MOST_DAYS = 4_000
_MOST_BYTES = 262_144


def chosen(tables: Sequence[Reconcile], name: str) -> Reconcile | None:
    """The table of that name; without a name the only one, or None: the built-in one.

    Raises RequestError where it is not clear which.
    """
    if name:
        for one in tables:
            if one.name == name:
                return one
        raise RequestError("reconcile.profile", f"no [[reconcile]] is named {name}")
    if len(tables) > 1:
        names = ", ".join(one.name for one in tables)
        raise RequestError("reconcile.profile", f"there are several [[reconcile]]: {names}")
    return tables[0] if tables else None


def profile_of(table: Reconcile | None, settled_on: str | None) -> Profile:
    """What the reading program is told. Raises OperatorError for a bad holiday file."""
    day = 0 if settled_on is None else _day(settled_on)
    if table is None:
        return Profile(settled_on=day)
    holidays, workdays = _holidays(table.holiday_file)
    return Profile(
        name=table.name,
        merchant_ids=table.merchant_ids,
        terminal_ids=table.terminal_ids,
        format=table.format,
        encoding=table.encoding,
        delimiter=table.delimiter,
        columns={str(role): heading for role, heading in table.columns.items()},
        kinds={word: str(kind) for word, kind in table.kinds.items()},
        statuses={word: str(status) for word, status in table.statuses.items()},
        comment=table.comment,
        amounts=table.amounts,
        signs=table.signs,
        currency=table.currency,
        time_formats=table.time_formats,
        date_formats=table.date_formats,
        utc_offset_minutes=_offset(table.utc_offset),
        footer=table.footer,
        footer_count=table.footer_count,
        footer_sum=table.footer_sum,
        cycle=table.cycle,
        cut_off_minute=_minute(table.cut_off),
        weekends=table.weekends,
        holidays=holidays,
        workdays=workdays,
        realtime=table.realtime,
        realtime_from=_minute(table.realtime_from),
        realtime_to=_minute(table.realtime_to),
        realtime_limit_minor=table.realtime_limit_minor,
        time_tolerance_s=table.time_tolerance_s,
        fee_percent=table.fee_percent,
        settled_on=day,
        max_lines=table.max_lines,
    )


def _holidays(file: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if not file:
        return (), ()
    path = Path(file)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _bad(file, "it is too large")
        text = path.read_text("utf-8-sig")
        found = _toml(text) if path.suffix == ".toml" else _csv(text)
    except OSError as error:
        raise _bad(file, error.strerror or "it cannot be read") from error
    except ValueError as error:
        raise _bad(file, str(error)[:100]) from error
    if sum(map(len, found)) > _MOST_DAYS:
        raise _bad(file, "it has too many days")
    return found


def _toml(text: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    table = tomllib.loads(text)
    strange = table.keys() - {"holidays", "workdays"}
    if strange:
        raise ValueError(f"unknown key {min(strange)[:32]}")
    return _days(table.get("holidays", [])), _days(table.get("workdays", []))


def _csv(text: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    days: dict[str, list[int]] = {"holiday": [], "workday": []}
    for number, row in enumerate(csv.reader(text.splitlines()), 1):
        if not row or not row[0].strip() or row[0].startswith("#"):
            continue
        kind = row[1].strip().lower() if len(row) > 1 else "holiday"
        if kind not in days:
            raise ValueError(f"line {number}: neither holiday nor workday")
        try:
            days[kind].append(date.fromisoformat(row[0].strip()).toordinal())
        except ValueError:
            raise ValueError(f"line {number}: not a date (YYYY-MM-DD)") from None
    return tuple(days["holiday"]), tuple(days["workday"])


def _days(found: object) -> tuple[int, ...]:
    if not isinstance(found, list):
        raise ValueError("holidays and workdays are lists of dates")  # noqa: TRY004
    days = []
    for one in found:
        if isinstance(one, str):
            days.append(date.fromisoformat(one).toordinal())
        elif isinstance(one, date) and not isinstance(one, datetime):
            days.append(one.toordinal())
        else:
            raise ValueError("holidays and workdays are lists of dates")  # noqa: TRY004
    return tuple(days)


def _bad(file: str, why: str) -> OperatorError:
    return OperatorError(
        "reconcile.holidays", f"the holiday file {file}: {why}", "see docs/reconcile.md"
    )


def _day(text: str) -> int:
    try:
        return date.fromisoformat(text).toordinal()
    except ValueError:
        raise RequestError(
            "request.bad_field",
            "settled_on is not a day",
            field="settled_on",
            hint="Give it as YYYY-MM-DD, such as 2026-11-22.",
        ) from None


def _minute(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def _offset(text: str) -> int:
    minutes = int(text[1:3]) * 60 + int(text[4:])
    return -minutes if text[0] == "-" else minutes
