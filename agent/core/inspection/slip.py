"""A self-inspection on receipt paper: lines of at most so many columns, in Chinese or English.

Only text: fonts, cutting and the printer's own bytes are somebody else's. Every line fits, Chinese
characters counted as two columns, so that what stands at the right edge stands in one column.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from agent.core.columns import clean, columns_of, cut, pad, width, wrap
from agent.core.inspection import words
from agent.core.inspection.report import Check, Report, Verdict
from agent.core.moment import at_ms
from agent.core.why.causes import CATALOGUE
from agent.core.why.reasons import in_chinese
from agent.core.why.text import Language

#: Receipt paper is 32 columns wide (58 mm) or 48 (80 mm).
NARROW, WIDE = 32, 48
_TROUBLE = (Verdict.FAIL, Verdict.WARN, Verdict.UNKNOWN)


def lines(report: Report, who: str, lang: Language, columns: int, offset: timedelta) -> list[str]:
    """The whole report; `who` names the terminal, `offset` is its time zone's."""
    rule = "-" * columns
    written = [
        _centred(words.TITLE.render(lang), columns),
        *_fitted(
            _edges(who, words.NUMBER.render(lang, {"number": report.number}), columns), columns
        ),
        *_fitted(_when(report, lang, columns, offset), columns),
        rule,
    ]
    troubled = False
    for check in report.shown():
        written += _check(check, lang, columns, offset)
        troubled = troubled or check.verdict in _TROUBLE
    written.append(rule)
    totals = report.totals
    counted = [
        f"{words.VERDICTS[verdict].render(lang)} {totals[verdict]}"
        for verdict in Verdict
        if totals[verdict]
    ]
    written += wrap("  ".join(counted), columns) if counted else []
    if report.ended_ms is None:
        written.append(words.RUNNING.render(lang))
    elif not troubled:
        written.append(words.NOTHING_DONE.render(lang))
    return written


def _when(report: Report, lang: Language, columns: int, offset: timedelta) -> str:
    began = (at_ms(report.started_ms) + offset).strftime("%Y-%m-%d %H:%M:%S")
    if report.ended_ms is None:
        return began
    seconds = f"{max(0, report.ended_ms - report.started_ms) / 1000:.1f}"
    return _edges(began, words.TOOK.render(lang, {"seconds": seconds}), columns)


def _check(check: Check, lang: Language, columns: int, offset: timedelta) -> Iterator[str]:
    verdict = words.VERDICTS[check.verdict].render(lang)
    name = cut(words.title(check.name).render(lang), columns - width(verdict) - 1)
    yield from _fitted(_edges(name, verdict, columns), columns)
    if check.verdict not in _TROUBLE:
        return
    cause = CATALOGUE.get(check.code)
    if check.reason:
        reason = in_chinese(check.reason) if lang == "zh" else check.reason
        said = [reason] if cause is None else [cause.title.render(lang), reason]
    elif cause is None:
        said = [check.code]
    else:
        said = [cause.reason.render(lang, check.args, offset)]
    for text in said:
        yield from _paragraph(text, columns, "  ")
    if check.follows:
        root = CATALOGUE.get(check.follows)
        about = root.title.render(lang) if root else check.follows
        yield from _paragraph(words.FOLLOWS.render(lang, {"title": about}), columns, "  ")
    elif cause is not None:
        owner = words.OWNERS[cause.owner].render(lang)
        step = cause.step.render(lang, check.args, offset)
        colon = "：" if lang == "zh" else ": "
        yield from _paragraph(f"{owner}{colon}{step}", columns, "     ", "  -> ")


def _paragraph(text: str, columns: int, indent: str, first: str | None = None) -> Iterator[str]:
    for line in wrap(clean(text), columns, indent, first):
        yield from _fitted(line, columns)


def _edges(left: str, right: str, columns: int) -> str:
    """One text at each edge; on two lines where they do not fit one."""
    room = columns - width(right) - 1
    if width(left) > room:
        return f"{left}\n{right}"
    return pad(left, columns - width(right)) + right


def _centred(text: str, columns: int) -> str:
    return " " * max(0, (columns - width(text)) // 2) + text


def _fitted(text: str, columns: int) -> Iterator[str]:
    """What cannot be broken nicely is broken anywhere: paper has an edge."""
    for line in map(clean, text.split("\n")):
        kept, used = "", 0
        for char in line:
            wide = columns_of(char)
            if used + wide > columns:
                yield kept
                kept, used = "", 0
            kept += char
            used += wide
        yield kept
