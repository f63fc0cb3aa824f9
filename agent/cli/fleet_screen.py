"""The live screen of `posagent fleet watch`: keys in, pictures out.

Draws over the whole terminal, on its alternate screen, and gives it back as it was. Knows no
message: what is shown is `fleet_table`, what is known `agent.fleet.reader`.
"""

from __future__ import annotations

import os
import select
import shutil
import sys
import termios
import time
import tty
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from agent.cli import fleet_watch
from agent.cli.fleet_result import one_language
from agent.cli.fleet_table import Line as Text
from agent.cli.fleet_table import Picture, Seen, cause_name, draw, look, money, short_age
from agent.cli.reason import reason
from agent.cli.session import Exit, Session
from agent.cli.texts import Words
from agent.core.columns import clean, cut, pad, wrap
from agent.fleet import filters, groups
from agent.fleet.line import Line
from agent.fleet.reader import Reader
from agent.fleet.view import Row, rows, story

if TYPE_CHECKING:
    from agent.fleet.keys import Signer

#: A picture of a large fleet takes a moment: it is drawn for a quarter of the time at most.
SHARE = 3.0
MOVES = frozenset({"up", "down", "page_up", "page_down"})
_KEYS = {"\x1b[A": "up", "\x1b[B": "down", "\x1bOA": "up", "\x1bOB": "down",
         "\x1b[5~": "page_up", "\x1b[6~": "page_down", "\r": "enter", "\n": "enter",
         "\x03": "q", "\x1b": "escape"}  # fmt: skip
#: Moves, but not while a filter is typed.
_LETTERS = {"k": "up", "j": "down"}


@dataclass(slots=True)
class Stage:
    """What the screen shows and acts on."""

    line: Line
    reader: Reader
    picture: Picture
    signer: Signer | None
    asking: str | None = None  #: a filter that is being typed
    open: tuple[str, str] | None = None  #: the terminal whose story is shown
    scroll: int = 0
    seen: Seen | None = None


def run(session: Session, stage: Stage) -> int:
    """Until `q`. Raises RemoteError if the broker never lets us in."""
    kept = termios.tcgetattr(sys.stdin.fileno())
    sys.stdout.write("\x1b[?1049h\x1b[?25l")
    try:
        tty.setcbreak(sys.stdin.fileno())
        _loop(session, stage)
    finally:
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, kept)
        sys.stdout.write("\x1b[?25h\x1b[?1049l")
        sys.stdout.flush()
    return Exit.OK


def _loop(session: Session, stage: Stage) -> None:
    due_s, size = 0.0, (0, 0)
    while True:
        if stage.line.final:
            stage.line.until_online(0)
        changed = bool(fleet_watch.swallow(stage.line, stage.reader))
        pressed = _keys(0.0 if stage.line.inbox else fleet_watch.DRAW_S / 2)
        for key in pressed:
            if not press(session, stage, key):
                return
            changed, due_s = True, 0.0
        # Moving in a large fleet must not wait for it to be worked out anew.
        fresh = not pressed or not MOVES.issuperset(pressed)
        now_s = time.monotonic()
        here = tuple(shutil.get_terminal_size((80, 24)))
        # Ages run on although nothing comes in.
        if here == size and (now_s < due_s or (not changed and now_s < due_s + 1.0)):
            continue
        size = (here[0], here[1])
        _show(session, stage, *size, fresh=fresh)
        took_s = time.monotonic() - now_s
        due_s = time.monotonic() + max(fleet_watch.DRAW_S, SHARE * took_s)


def _keys(wait_s: float) -> list[str]:
    fd = sys.stdin.fileno()
    if not select.select([fd], [], [], wait_s)[0]:
        return []
    told = os.read(fd, 1024).decode("utf-8", "replace")
    if not told:
        return ["q"]
    found: list[str] = []
    while told:
        known = next((each for each in _KEYS if len(each) > 1 and told.startswith(each)), told[0])
        found.append(_KEYS.get(known, known))
        told = told[len(known) :]
    return found


def press(session: Session, stage: Stage, key: str) -> bool:
    """What a key does; False: the end."""
    if stage.asking is not None:
        _type(session, stage, key)
        return True
    key = _LETTERS.get(key, key)
    if stage.open is not None:
        if key in ("up", "down", "page_up", "page_down"):
            step = {"up": -1, "down": 1, "page_up": -15, "page_down": 15}[key]
            stage.scroll = max(0, stage.scroll + step)
        elif key == "a":
            _acknowledge(session, stage)
        else:
            stage.open, stage.scroll = None, 0
        return True
    picture = stage.picture
    picture.note = ""
    match key:
        case "q":
            return False
        case "up" | "down" | "page_up" | "page_down":
            step = {"up": -1, "down": 1, "page_up": -15, "page_down": 15}[key]
            most = len(stage.seen.groups) + len(stage.seen.rows) - 1 if stage.seen else 0
            picture.selected = max(0, min(most, picture.selected + step))
        case "enter":
            _enter(stage)
        case "escape":
            picture.into = ""
        case "g":
            picture.group = _next(tuple(groups.BY), picture.group)
            picture.into, picture.selected = "", 0
            picture.note = session.words(
                "fleet.grouped", name=session.words.word("fleetgroup", picture.group)
            )
        case "s":
            picture.sort = _next(filters.SORTS, picture.sort)
            name = session.words.word("fleet.col", picture.sort)
            picture.note = session.words("fleet.sorted", name=name)
        case "/":
            stage.asking = picture.chosen.text
        case "a":
            _acknowledge(session, stage)
    return True


def _next(choices: tuple[str, ...], now: str) -> str:
    at = choices.index(now) + 1 if now in choices else 0
    return choices[at % len(choices)]


def _enter(stage: Stage) -> None:
    picked = stage.seen.pick(stage.picture.selected) if stage.seen else None
    if isinstance(picked, str):
        stage.picture.into = "" if stage.picture.into == picked else picked
    elif picked is not None:
        stage.open = (picked.one.tenant, picked.one.device)


def _type(session: Session, stage: Stage, key: str) -> None:
    asking = stage.asking or ""
    if key == "enter":
        try:
            stage.picture.chosen = filters.read([asking])
            stage.reader.keep(stage.picture.chosen.fields)
            stage.picture.selected, stage.asking = 0, None
        except filters.FilterError as error:
            stage.picture.note = reason(session.words, error.what)
            stage.asking = None
    elif key == "escape":
        stage.asking = None
    elif key in ("\x7f", "\b"):
        stage.asking = asking[:-1]
    elif len(key) == 1 and key.isprintable():
        stage.asking = asking + key


def _acknowledge(session: Session, stage: Stage) -> None:
    t, picture = session.words, stage.picture
    picked: str | Row | None = None
    if stage.open is not None:
        one = stage.reader.get(*stage.open)
        picked = Row(one, stage.reader, fleet_watch.now_ms()) if one else None
    elif stage.seen is not None:
        picked = stage.seen.pick(picture.selected)
    if stage.signer is None:
        picture.note = t("fleet.ack.no_key")
    elif not isinstance(picked, Row) or not picked.alarms:
        picture.note = t("fleet.ack.none")
    else:
        from agent.fleet import sending

        alarms = picked.alarms
        code = min(alarms, key=lambda n: (alarms[n].acknowledged, alarms[n].seq == 0, n))
        order = sending.Order(op="acknowledge_alarm", args={"code": code})
        signed = sending.signed(
            order, picked.one.tenant, picked.one.device, stage.signer, fleet_watch.now_ms()
        )
        gone = sending.publish(stage.line, signed, fleet_watch.now_ms())
        told = t("fleet.ack.sent", code=code, device=picked.one.device)
        picture.note = told if gone else t("fleet.ack.not_sent")


def _show(session: Session, stage: Stage, columns: int, height: int, *, fresh: bool) -> None:
    now = fleet_watch.now_ms()
    if stage.open is not None:
        text = _story(session, stage, now, columns, height)
    else:
        if fresh or stage.seen is None:
            stage.seen = look(rows(stage.reader, now), stage.picture)
        title = str(session.args.tenant)
        if not stage.line.online:
            title = reason(session.words, stage.line.status)
        text = draw(
            stage.seen,
            _noted(session, stage),
            session.words,
            columns=columns,
            lines=height,
            title="" if title == "+" else title,
            now=datetime.fromtimestamp(now / 1000, UTC),
        )
    out = ["\x1b[H"]
    for line in text[:height]:
        if line.style == "selected":
            out.append(f"\x1b[7m{pad(line.text, columns)}\x1b[0m\x1b[K")
        else:
            out.append(session.screen.styled(line.text, line.style) + "\x1b[K")
        out.append("\r\n")
    sys.stdout.write("".join(out).removesuffix("\r\n") + "\x1b[J")
    sys.stdout.flush()


def _noted(session: Session, stage: Stage) -> Picture:
    picture, t = stage.picture, session.words
    if stage.asking is not None:
        picture.note = t("fleet.asking", text=f"{stage.asking}▏")
    elif not picture.note and picture.chosen.text:
        picture.note = t("fleet.filtered", text=picture.chosen.text, keys=t("fleet.keys"))
        shown, picture.note = picture.note, ""
        return Picture(
            picture.chosen, picture.group, picture.sort, picture.into, picture.selected, shown
        )
    return picture


def _story(session: Session, stage: Stage, now: int, columns: int, height: int) -> list[Text]:
    """One terminal in full: its money, its alarms, itself, its readings."""
    assert stage.open is not None
    t = session.words
    one = stage.reader.get(*stage.open)
    if one is None:
        return []
    row = Row(one, stage.reader, now)
    told = story(row, stage.reader)
    lines = [Text(f"{one.device}  {t.word('fleetstate', row.state)}", "bold")]
    if row.cause:
        lines.append(Text(f"  {cause_name(row.cause, t)}  ({row.cause})", "bad"))
    lines += [
        Text(f"  {cause_name(code, t)}  ({code})", "warn")
        for code in sorted(row.alarms)
        if code != row.cause
    ]
    for name, value in one_language(told, t.lang).items():
        if not isinstance(value, dict | list):
            value = {name: value}
            name = ""
        if name and value:
            lines += [Text(""), Text(field_name(name, t), "dim")]
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        for field, each in entries:
            if each is None or each == "":
                continue
            if each == 0 and name == "backlog":
                continue
            shown = _told(str(field), each, t)
            label = f"  {field_name(field, t)}" if isinstance(field, str) else " "
            first = f"{pad(clean(label), 34)} "
            lines += [Text(text) for text in wrap(clean(str(shown)), columns, " " * 35, first)]
    room = max(1, height - 1)
    stage.scroll = max(0, min(stage.scroll, len(lines) - room))
    visible = lines[stage.scroll : stage.scroll + room]
    note = stage.picture.note or t("fleet.back")
    return [*(Text(cut(each.text, columns), each.style) for each in visible), Text(note, "dim")]


def _told(name: str, value: object, t: Words) -> str:
    """A field as a person reads it; what is only for programs as it is."""
    if isinstance(value, dict):
        filled = {each: one for each, one in value.items() if one not in (None, "", 0, [], {})}
        parts = (f"{field_name(each, t)} {_told(each, one, t)}" for each, one in filled.items())
        return " · ".join(parts)
    if isinstance(value, list):
        return ", ".join(_told("", one, t) for one in value)
    if type(value) is int and name.endswith("_ts") and 0 < value < 253_402_300_800_000:
        return f"{datetime.fromtimestamp(value / 1000, UTC).astimezone():%Y-%m-%d %H:%M:%S}"
    if type(value) is int and "amount_minor_" in name:
        return money({name.rpartition("_")[2].upper(): value})
    if type(value) is int and name.endswith("_s") and value >= 60:
        return short_age(value, t)
    if name in ("state", "status", "severity", "cause", "code") and isinstance(value, str):
        groups = {"state": "fleetstate", "status": "fleetcmd", "severity": "severity"}
        return (
            t.word(groups[name], value) if name in groups else f"{cause_name(value, t)} ({value})"
        )
    return str(value)


def field_name(name: str, t: Words) -> str:
    """A field of the contract as a person calls it, where it is one of the frequent ones."""
    if "amount_minor_" in name:
        return t("fleetfield.amount")
    return t.word("fleetfield", name)
