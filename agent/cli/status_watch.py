"""`posagent status --watch`: the same screen again and again, and what changed since.

On a terminal the picture stands still and only figures move; the newest changes stay below it, and
the screen is as before when it ends. Elsewhere (a file, a pipe) the picture comes once and then a
line for each change; with --json one document a line. A daemon that stops is one more thing to
show, not the end. Nothing is judged here: changes are differences of two status documents.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from agent.cli.reason import reason
from agent.cli.screen import Screen, local_time, wrap
from agent.cli.session import Exit, Session
from agent.cli.status import Page, look, money
from agent.cli.texts import Words
from agent.errors import AgentError

EVERY_S = 2.0
KEPT = 6
Told = Mapping[str, Any]

_ENTER = "\x1b[?1049h\x1b[?25l"
_LEAVE = "\x1b[?25h\x1b[?1049l"


def watch(session: Session) -> int:
    """Until Ctrl-C or a signal; exit code 0."""
    signal.signal(signal.SIGTERM, _interrupt)
    with suppress(KeyboardInterrupt):  # this is how one leaves it
        if session.json:
            _documents(session)
        elif session.screen.tty:
            with _own_screen():
                _pictures(session)
        else:
            _lines(session)
    return Exit.OK


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _documents(session: Session) -> None:
    while True:
        _, told = look(session)
        print(json.dumps(told, ensure_ascii=False), flush=True)
        time.sleep(EVERY_S)


def _lines(session: Session) -> None:
    before, silent = None, ""
    while True:
        now = datetime.now().astimezone()
        try:
            source, told = look(session)
        except AgentError as error:
            if before is None:
                raise
            if error.what != silent:
                silent = error.what
                said = session.words("watch.silent", what=reason(session.words, silent))
                print(f"{now:%H:%M:%S}  {said}")
        else:
            silent = ""
            if before is None:
                Page(session, told).show(source)
            else:
                for change in changes(before, told, session.words):
                    print(f"{now:%H:%M:%S}  {change}")
            before = told
        sys.stdout.flush()
        time.sleep(EVERY_S)


def _pictures(session: Session) -> None:
    before: Told | None = None
    since = datetime.now().astimezone()
    kept: deque[str] = deque(maxlen=KEPT)
    while True:
        now = datetime.now().astimezone()
        # A window may have been made wider or narrower meanwhile.
        session = replace(session, screen=Screen())
        drawn = io.StringIO()
        with redirect_stdout(drawn):
            try:
                source, told = look(session)
            except AgentError as error:
                what = reason(session.words, error.what)
                session.screen.text(session.words("watch.silent", what=what), style="bad")
            else:
                if before is not None:
                    news = changes(before, told, session.words)
                    kept.extend(f"{now:%H:%M:%S}  {one}" for one in news)
                before = told
                Page(session, told).show(source)
        below = [session.words("watch.changes")]
        below += kept or [session.words("watch.nothing", at=local_time(since, now))]
        _paint(session, drawn.getvalue().splitlines(), below)
        time.sleep(EVERY_S)


def _paint(session: Session, picture: list[str], below: list[str]) -> None:
    """Over the last picture, line by line: nothing flickers, nothing scrolls."""
    t, screen = session.words, session.screen
    lines = [part for one in below for part in wrap(one, screen.columns, "          ")]
    lines.append(screen.styled(t("watch.head", every=f"{EVERY_S:g}"), "dim"))
    room = max(3, os.get_terminal_size(sys.stdout.fileno()).lines - len(lines) - 2)
    if len(picture) > room:
        hidden = len(picture) - room + 1
        picture = [*picture[: room - 1], t("watch.rest", count=hidden)]
    text = "".join(f"{line}\x1b[K\n" for line in (*picture, "", *lines))
    sys.stdout.write(f"\x1b[H{text.rstrip(chr(10))}\x1b[J")
    sys.stdout.flush()


@contextmanager
def _own_screen() -> Iterator[None]:
    """The other page of the terminal, without its cursor; both come back however this ends."""
    sys.stdout.write(_ENTER)
    try:
        yield
    finally:
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()


def changes(before: Told, now: Told, t: Words) -> list[str]:
    """What is different in the second of two status documents, one sentence each."""
    found: list[str] = []
    if before["daemon_alive"] != now["daemon_alive"]:
        found.append(t("watch.up" if now["daemon_alive"] else "watch.down"))
    found += _money(before["backlog"], now["backlog"], t)
    found += _alarms(before, now, t)
    found += _moved(before, now, t)
    return found


def _money(before: Told | None, now: Told | None, t: Words) -> Iterator[str]:
    if before is None or now is None:
        return
    for name, field in (("unsent", "total"), ("in_doubt", "in_doubt"), ("held", "held")):
        if before[field] != now[field]:
            yield t(f"watch.{name}", before=_sum(before[field]), after=_sum(now[field]))


def _sum(amounts: Told) -> str:
    said = money(amounts["by_currency"])
    return f"{amounts['count']} ({said})" if said else str(amounts["count"])


def _alarms(before: Told, now: Told, t: Words) -> Iterator[str]:
    were = {alarm["code"]: alarm for alarm in before["alarms"]}
    are = {alarm["code"]: alarm for alarm in now["alarms"]}
    for code, alarm in are.items():
        title = alarm["title"][t.lang]
        if code not in were:
            yield t("watch.alarm", title=title, code=code)
        by = alarm.get("acknowledged_by")
        if by and by != were.get(code, {}).get("acknowledged_by"):
            yield t("watch.noted", title=title, by=by)
    for code, alarm in were.items():
        if code not in are:
            yield t("watch.over", title=alarm["title"][t.lang], code=code)


def _moved(before: Told, now: Told, t: Words) -> Iterator[str]:
    were = {channel["name"]: channel["state"] for channel in before["channels"]}
    for channel in now["channels"]:
        name, after = channel["name"], channel["state"]
        if were.get(name, after) != after:
            words = t.word("channel", were[name]), t.word("channel", after)
            yield t("watch.channel", name=name, before=words[0], after=words[1])
    fleet = [one["telemetry"]["connected"] if one["telemetry"] else None for one in (before, now)]
    if None not in fleet and fleet[0] != fleet[1]:
        yield t("watch.fleet_on" if fleet[1] else "watch.fleet_off")
    told = {one["component"]: one["outcome"] for one in before.get("components", ())}
    for one in now.get("components", ()):
        name, after = one["component"], one["outcome"]
        if told.get(name, after) != after:
            words = _outcome(t, told[name]), _outcome(t, after)
            yield t("watch.component", name=t.word("component", name), before=words[0],
                    after=words[1])  # fmt: skip
    stood = {one["address"] for one in before.get("listeners", ()) if one["closes_in_s"]}
    stand = {one["address"] for one in now.get("listeners", ()) if one["closes_in_s"]}
    for address in sorted(stand - stood):
        yield t("watch.page_open", address=address)
    for address in sorted(stood - stand):
        yield t("watch.page_shut", address=address)


def _outcome(t: Words, outcome: str) -> str:
    return t("word.ok") if outcome == "reading" else t.word("word", outcome)
