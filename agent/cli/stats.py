"""`posagent stats`: how long payments took to be confirmed, and what goes with being late.

Bars of text as wide as the screen allows. Every share is shown with its counts and its interval;
where there is too little to say, that is said and no figure.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from agent.cli.screen import pad, width
from agent.cli.session import Exit, Session
from agent.cli.source import readable
from agent.cli.status import say_offline
from agent.errors import OperatorError

BAR = "#"
_VERDICT_STYLES = {"more": "warn", "less": "good", "too_few": "dim"}


def stats(session: Session) -> int:
    """Ask and draw."""
    args = session.args
    asked: dict[str, Any] = {
        "since": _time(session, args.since),
        "until": _time(session, args.until),
    }
    asked |= {"by": args.by, "late_after_s": _seconds(session, args.late_after)}
    source = readable(session)
    told = source.ask("stats", **{name: one for name, one in asked.items() if one is not None})
    if session.json:
        session.print_json(told)
        return Exit.OK
    t, screen = session.words, session.screen
    say_offline(session, source, datetime.now().astimezone())
    if not told["payments"]:
        screen.line(t("stats.none"))
        return Exit.OK
    counts = {name: told[name] for name in ("payments", "confirmed", "waiting", "ended")}
    screen.text(t("stats.headline", **counts), style="bold")
    if told["read"] is not None:
        screen.text(t("stats.read", part=_percent(told["read"])), style="warn")
    if told["clock"]:
        screen.text(t("stats.clock", count=told["clock"]))
    _times(session, told)
    _late(session, told)
    _causes(session, told)
    _factors(session, told)
    return Exit.OK


def _times(session: Session, told: dict[str, Any]) -> None:
    t, screen, times = session.words, session.screen, told["times"]
    if times is None:
        return
    spans = {name: _span(times[f"{name}_s"], t.lang) for name in ("p50", "p90", "p99", "longest")}
    screen.text(t("stats.times", **spans))
    rows = [(_range(bar, t.lang), bar["count"]) for bar in told["histogram"]]
    _bars(session, rows)


def _bars(session: Session, rows: list[tuple[str, int]]) -> None:
    """One bar a row, its count behind it; nothing reaches beyond the screen."""
    names = max(width(name) for name, _ in rows)
    most = max(count for _, count in rows)
    digits = len(str(most))
    room = max(1, session.screen.columns - names - digits - 5)
    for name, count in rows:
        bar = BAR * math.ceil(room * count / most) if most else ""
        session.screen.line(f"  {pad(name, names)}  {count:>{digits}} {bar}".rstrip())


def _late(session: Session, told: dict[str, Any]) -> None:
    t, late = session.words, told["late"]
    if late["rate"] is None:
        session.screen.text(t("stats.late_none"))
        return
    shares = {name: _percent(late[name]) for name in ("rate", "low", "high")}
    after = _span(told["late_after_s"], t.lang)
    session.screen.text(
        t("stats.late", after=after, count=late["count"], of=late["of"], **shares), style="bold"
    )


def _causes(session: Session, told: dict[str, Any]) -> None:
    t, screen = session.words, session.screen
    if not told["causes"]:
        return
    screen.text(t("stats.causes", count=told["late_looked_at"]), style="bold")
    for one in told["causes"]:
        code = f" ({one['code']})" if one["code"] else ""
        screen.text(f"{one['title'][t.lang]}{code}  {one['share']['count']}", "    ", "  ")


def _factors(session: Session, told: dict[str, Any]) -> None:
    t, screen = session.words, session.screen
    screen.text(t("stats.factors", count=told["comparisons"]), style="bold")
    for factor in told["factors"]:
        title = factor["title"][t.lang]
        if factor["verdict"] == "too_few":
            screen.text(t("pair", name=title, value=t("stats.too_few")), "    ", "  ", style="dim")
            continue
        screen.line(f"  {title}")
        for group in factor["groups"]:
            share = group["share"]
            counted = t("stats.of", count=share["count"], of=share["of"])
            said = t(f"stats.{group['verdict']}")
            if group["verdict"] != "too_few":
                between = f"{_percent(share['low'])}-{_percent(share['high'])}"
                counted = f"{counted}, {_percent(share['rate'])} ({between})"
            text = f"{group['label'][t.lang]}: {counted}; {said}"
            screen.text(text, "      ", "    ", style=_VERDICT_STYLES.get(group["verdict"], ""))


def _range(bar: dict[str, Any], lang: str) -> str:
    low, high = bar["from_s"], bar["below_s"]
    if high is None:
        return f">= {_span(low, lang)}"
    return f"< {_span(high, lang)}"


def _span(seconds: float, lang: str) -> str:
    units = (("天", "d", 86_400), ("小时", "h", 3_600), ("分", "min", 60))
    for zh, en, size in units:
        if seconds >= size:
            return f"{seconds / size:.3g} {zh if lang == 'zh' else en}"
    return f"{seconds:.3g} {'秒' if lang == 'zh' else 's'}"


def _percent(rate: float) -> str:
    return f"{rate * 100:.3g} %" if rate < 0.9995 else f"{rate * 100:.4g} %"


def _time(session: Session, text: str | None) -> str | None:
    """A time as the API takes it; without a zone it is this terminal's."""
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone().isoformat()
    except (ValueError, OverflowError):
        raise OperatorError("stats.time", session.words("error.stats_time", time=text)) from None


def _seconds(session: Session, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= 31_536_000:
        raise OperatorError("stats.seconds", session.words("error.stats_seconds", text=text))
    return seconds
