"""`posagent verify`, `posagent salvage FILE`, `posagent key show|rotate`: looking after the store.

Verifying works on a dead daemon's store too, and is then complete in one go; the others need the
daemon, which alone may write. Long work says how far it is on a terminal.
"""

from __future__ import annotations

import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.screen import pad, width
from agent.cli.session import Exit, Session
from agent.cli.source import changing, readable
from agent.cli.status import say_offline

if TYPE_CHECKING:
    from agent.exposure import Exposed

#: What is counted, in the order it is told.
KINDS = ("record", "payload", "history", "tombstone", "report")


def verify(session: Session) -> int:
    """Everything once. Exit code 0 also when there are findings: they are the answer."""
    source = readable(session)
    checked: Counter[str] = Counter()
    found: Counter[str] = Counter()
    findings: list[Any] = []
    structure, after = "", ""
    while True:
        part = source.ask("verify", after=after)
        checked.update(part["checked"])
        found.update(part["found"])
        findings += part["findings"]
        structure = part["structure"] or structure
        if part["after"] is None:
            break
        after = part["after"]
        _progress(session, session.words("verify.progress", percent=part["permille"] // 10))
    _progress(session, "")
    exposed = _exposed(session)
    if session.json:
        session.print_json(
            {"checked": checked, "found": found, "findings": findings, "structure": structure,
             "exposed": [
                 {"path": str(one.path), "what": one.what, "command": one.command,
                  "sentence": {lang: one.sentence(lang) for lang in ("en", "zh")}}
                 for one in exposed
             ]}
        )  # fmt: skip
        return Exit.OK
    say_offline(session, source, datetime.now().astimezone())
    _tell(session, checked, found, findings)
    if exposed:
        session.screen.text(session.words("verify.exposed", count=len(exposed)), style="bold")
    for one in exposed:
        session.screen.text(one.sentence(session.words.lang), indent="    ", first="  ")
    if structure == "long":
        session.screen.text(session.words("verify.long"))
    return Exit.OK


def _exposed(session: Session) -> tuple[Exposed, ...]:
    """Files in wrong hands, as far as whoever asks may look."""
    from agent import settings
    from agent.exposure import audit, places

    loaded = settings.load(session.config_file, references=False)
    return audit(places(loaded.config, loaded.files))


def _tell(
    session: Session, checked: Counter[str], found: Counter[str], findings: list[Any]
) -> None:
    t, screen = session.words, session.screen
    kinds = [what for what in KINDS if checked[what]]
    counts = ", ".join(f"{t.word('verified', what)} {checked[what]}" for what in kinds)
    if not found:
        screen.text(t("verify.ok", counts=counts or "0"))
        return
    screen.text(t("verify.bad", count=found.total(), counts=counts or "0"), style="bold")
    for one in findings:
        name = one["key"] or (str(one["number"]) if one["number"] else "")
        screen.text(f"{name} {one['detail']}".strip(), indent="    ", first="  ")
    if found.total() > len(findings):
        screen.line(t("verify.more", count=found.total() - len(findings)))
    if found["record"] or found["payload"]:
        screen.text(t("verify.aside"))


def salvage(session: Session) -> int:
    """One journal that was put aside, from its beginning."""
    source = changing(session)
    total: Counter[str] = Counter()
    amounts: Counter[str] = Counter()
    name = Path(session.args.file).name
    after: int | None = 0
    while after is not None:
        part = source.ask("salvage", file=name, after=after)
        after = part["after"]
        for count in ("held", "final", "known", "unproved"):
            total[count] += part[count]
        amounts.update(part["unproved_amounts"])
        if after is not None:
            _progress(session, session.words("salvage.progress", number=after))
    _progress(session, "")
    if session.json:
        session.print_json({**total, "unproved_amounts": amounts})
        return Exit.OK
    t = session.words
    session.screen.text(
        t(
            "salvage.done", held=total["held"], final=total["final"], known=total["known"],
            unproved=total["unproved"],
        )
    )  # fmt: skip
    if total["held"]:
        session.screen.text(t("salvage.next"))
    return Exit.OK


def key(session: Session) -> int:
    """Show the ring, or add a key to it."""
    if session.args.order == "rotate":
        return _rotate(session)
    keys = changing(session).ask("key_show")
    if session.json:
        session.print_json(keys)
        return Exit.OK
    t, screen = session.words, session.screen
    if not keys["sealing"]:
        screen.text(t("key.off"))
    rows = [
        ("key.in", keys["file"]),
        ("key.newest", str(keys["newest"] or "")),
        ("key.held", _numbers(keys["held"])),
        ("key.in_use", _numbers(keys["in_use"])),
        ("key.missing", _numbers(keys["missing"])),
    ]
    label_width = max(width(t(name)) for name, _ in rows) + 2
    for name, value in rows:
        if value:
            screen.text(value, indent=" " * label_width, first=pad(t(name), label_width))
    if keys["turning"]:
        screen.text(t("key.turning"))
    if keys["missing"]:
        screen.text(t("key.lost"))
    return Exit.OK


def _rotate(session: Session) -> int:
    keys = changing(session).ask("key_rotate")
    if session.json:
        session.print_json(keys)
    else:
        session.screen.text(session.words("key.rotated", number=keys["newest"]))
    return Exit.OK


def _numbers(numbers: list[int]) -> str:
    return ", ".join(str(number) for number in numbers)


def _progress(session: Session, text: str) -> None:
    """One line that is written over, where somebody watches."""
    if session.json or not sys.stderr.isatty():
        return
    sys.stderr.write(f"\r\x1b[K{text}")
    sys.stderr.flush()
