"""`posagent fleet watch`: a whole fleet on one screen, or as JSON, CSV and lines for programs.

Reads by the public contract and with credentials of its own. Decides when to draw: at most four
times a second, and never longer than it listens. Subscribes with QoS 0: brokers keep about a
thousand QoS 1 messages for a subscriber and drop the rest of what they retained without a word.
"""

from __future__ import annotations

import csv
import io
import json
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from agent.cli import fleet_screen
from agent.cli.fleet import CONNECT_S, access
from agent.cli.fleet_table import Picture, draw, look, terminals
from agent.cli.session import Exit, Session
from agent.fleet import filters, groups
from agent.fleet.groups import grouped, totals
from agent.fleet.line import Line
from agent.fleet.reader import Reader
from agent.fleet.reader import filters as topics
from agent.fleet.terminal import Terminal
from agent.fleet.view import Row, flat, plain, ready, rows

DRAW_S = 0.25
#: Of the time between two pictures at most this much is spent on messages at a stretch.
SWALLOW_S = 0.15


def watch(session: Session) -> int:
    """Until asked to end, or once."""
    args = session.args
    picture = Picture(chosen=filters.read(args.filter), group=args.group, sort=args.sort)
    reader = Reader(heartbeat_s=args.heartbeat, started_ms=now_ms())
    reader.keep(_looked_at(picture))
    line = Line(access(session), topics(args.tenant, args.share))
    line.start()
    try:
        if args.once or args.csv or (session.json and not args.follow):
            return _once(session, line, reader, picture)
        if session.json or not session.screen.tty or not sys.stdin.isatty():
            return _follow(session, line, reader, picture)
        signer = None
        if args.sign_key is not None:
            from agent.cli.fleet_key import signer as opened

            signer = opened(session)
        return fleet_screen.run(session, fleet_screen.Stage(line, reader, picture, signer))
    finally:
        line.close()


def now_ms() -> int:
    """UTC by this machine's clock."""
    return time.time_ns() // 1_000_000


def swallow(line: Line, reader: Reader, within_s: float = SWALLOW_S) -> set[Terminal]:
    """Take in what has arrived, at most for so long; the terminals it was news of."""
    until_s = time.monotonic() + within_s
    return set(news(line, reader, lambda: time.monotonic() < until_s))


def news(
    line: Line, reader: Reader, going_on: Callable[[], bool] = lambda: True
) -> Iterator[Terminal]:
    """Take in what has arrived, message by message: the terminal of each that was news."""
    while line.inbox and going_on():
        heard = line.inbox.popleft()
        if reader.hear(heard.topic, heard.payload, heard.at_ms, retained=heard.retained):
            tenant, device = heard.topic.split("/", 4)[2:4]
            one = reader.get(tenant, device)
            if one is not None:
                yield one


def listen(line: Line, reader: Reader, for_s: float) -> None:
    """Connect, then take in everything for so long. Raises RemoteError without a broker."""
    line.until_online(CONNECT_S)
    reader.listening_ms = now_ms()
    until_s = time.monotonic() + for_s
    while time.monotonic() < until_s or line.inbox:
        line.wait(max(0.0, min(DRAW_S, until_s - time.monotonic())))
        swallow(line, reader)


def _looked_at(picture: Picture) -> frozenset[str]:
    name = picture.sort.partition(".")[0]
    sorted_by = frozenset() if ready(name) or name in filters.SORTS else frozenset({name})
    return picture.chosen.fields | sorted_by


def _once(session: Session, line: Line, reader: Reader, picture: Picture) -> int:
    listen(line, reader, session.args.wait)
    now = now_ms()
    seen = look(rows(reader, now), picture)
    if session.args.csv:
        sys.stdout.write(table(seen.rows))
        return Exit.OK
    if session.json:
        session.print_json(document(reader, seen.rows, now))
        return Exit.OK
    at = datetime.fromtimestamp(now / 1000, UTC)
    columns = session.screen.columns if session.screen.tty else 120
    picture.selected = -1
    for text, style in draw(
        seen, picture, session.words, columns=columns, lines=0, title=_title(session), now=at
    ):
        session.screen.line(text, "" if style == "selected" else style)
    if reader.foreign:
        said = session.words(
            "fleet.foreign", count=sum(reader.foreign.values()), example=reader.example
        )
        session.screen.text(said, style="warn")
    return Exit.OK


def _title(session: Session) -> str:
    return "" if session.args.tenant == "+" else str(session.args.tenant)


def document(reader: Reader, shown: list[Row], now: int) -> dict[str, object]:
    """The whole fleet for programs."""
    whole = totals(shown)
    return {
        "ts": now,
        "listening_since_ts": reader.listening_ms,
        "fleet": whole.sums.plain()
        | {
            "states": dict(sorted(whole.states.items())),
            "with_unsent": whole.stuck,
            "backlog_told": whole.told,
            "with_alarms": whole.alarmed,
        },
        "groups": {
            by: {name: sums.plain() for name, sums in grouped(shown, by).items()}
            for by in groups.BY
        },
        "terminals": [plain(row) for row in shown],
        "messages": reader.figures.messages,
        "repeats": reader.figures.repeats,
        "not_of_the_contract": dict(reader.foreign),
    }


def table(shown: list[Row]) -> str:
    """One line per terminal. A text that a spreadsheet would run is made harmless."""
    told = [flat(row) for row in shown]
    heads = list(dict.fromkeys(name for row in told for name in row))
    file = io.StringIO()
    writer = csv.DictWriter(file, heads, restval="", lineterminator="\n")
    writer.writeheader()
    for row in told:
        writer.writerow({name: _harmless(value) for name, value in row.items()})
    return file.getvalue()


def _harmless(value: object) -> object:
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value


def _follow(session: Session, line: Line, reader: Reader, picture: Picture) -> int:
    """A line for every terminal that changed, at most four times a second each."""
    line.until_online(CONNECT_S)
    reader.listening_ms = now_ms()
    first = True
    while True:
        line.wait(1.0)
        time.sleep(DRAW_S)  # what comes together is told together
        touched = swallow(line, reader, 1.0)
        now = now_ms()
        shown = picture.chosen.chosen(Row(one, reader, now) for one in touched)
        for row in filters.ordered(shown, picture.sort):
            if session.json:
                print(json.dumps({"ts": now} | plain(row), ensure_ascii=False), flush=True)
        if shown and not session.json:
            for text, _ in terminals(shown, session.words, 120, heads=first):
                print(text, flush=True)
            first = False
