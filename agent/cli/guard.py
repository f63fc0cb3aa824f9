"""`posagent guard`: is money unsent on this terminal? For package scripts and update hooks.

Asks the daemon, else the store it left; a journal that is not there holds no money, everything that
cannot be read counts as unsent. `--force` is written down before it is granted: into the trail by a
daemon that lives, else into a synced file beside the journal, which the daemon takes into the trail
at its next start. Exit codes 0, 10 and 11 are a promise to scripts.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.cli.deeds import person, written
from agent.cli.reason import reason as in_words
from agent.cli.screen import age, local_time
from agent.cli.session import Exit, Session
from agent.cli.source import LiveSource, Places, Source, places, readable
from agent.cli.status import money
from agent.clock import SystemClock
from agent.core.money import cards
from agent.core.money.guarding import FORCED_FILE, Purpose, Standing, forced
from agent.core.why.causes import CATALOGUE
from agent.errors import AgentError, OperatorError

#: Exit codes; 0 is clear.
UNSENT = 10
UNTOLD = 11
_CODES = {Standing.CLEAR: Exit.OK, Standing.UNSENT: UNSENT, Standing.UNKNOWN: UNTOLD}
JOURNAL = "journal.db"
QUARANTINE = "quarantine"
MOST_REASON = 100


def guard(session: Session) -> int:
    """Ask, say it, and write down what is forced."""
    args = session.args
    why = _given_reason(session) if args.force else ""
    where = places(session)
    source, told = asked(session, where, args.purpose)
    code = _CODES[Standing(told["standing"])]
    told["stepped_for"] = _stepped_for(where, source, told)
    if told["stepped_for"] is not None:
        code = Exit.OK
    told |= {"exit_code": int(code), "forced": False}
    recorded: Path | None = None
    if args.force and code:
        recorded = _force(session, where, source, told, why)
        told |= {"exit_code": 0, "forced": True}
    if session.json:
        session.print_json(told)
    else:
        _say(session, where, told)
        if told["forced"]:
            _say_forced(session, why, recorded)
    return int(told["exit_code"])


def asked(session: Session, where: Places, purpose: str) -> tuple[Source | None, dict[str, Any]]:
    """Who was asked, and the answer; whatever cannot be read is an answer as well."""
    source, told = _answer(session, where, purpose)
    if source is not None and source.as_of is None:
        return source, told  # a daemon that lives knows its store
    if told["standing"] != Standing.UNKNOWN and (why := _doubt(session, where, told["aside"])):
        told |= {"standing": str(Standing.UNKNOWN), "reason": why}
    return source, told


def _answer(session: Session, where: Places, purpose: str) -> tuple[Source | None, dict[str, Any]]:
    try:
        source = readable(session)
        told: dict[str, Any] = source.ask("guard", purpose=purpose)
    except (AgentError, OSError) as error:
        what = error.what if isinstance(error, AgentError) else error.strerror or str(error)
        return None, _untold(session, where, purpose, what)
    return source, told


def _doubt(session: Session, where: Places, listed: list[str]) -> str:
    """Why what was found is perhaps not all there is; "" where it is."""
    t = session.words
    if not where.certain:
        return t("guard.where_unknown")
    if lost := _uncounted(where, listed):
        return t("guard.lost_aside", name=lost)
    path = where.state_dir / JOURNAL
    try:
        return "" if path.stat().st_size else t("guard.journal_empty", path=path)
    except FileNotFoundError:
        # A link that leads nowhere: a file system that is not mounted.
        gone = where.state_dir.is_symlink()
        return t("guard.not_mounted", path=where.state_dir) if gone else ""
    except OSError as error:
        return error.strerror or str(error)


def _stepped_for(where: Places, source: Source | None, told: dict[str, Any]) -> int | None:
    """The schema the journal was brought to for an older version, where no agent worked with it
    since: that version takes every payment over. None: no downgrade, or not so."""
    if told["purpose"] != Purpose.DOWNGRADE or told["standing"] != Standing.UNSENT:
        return None
    # What lies aside is of the newer schema still; a daemon that lives takes payments.
    if source is None or source.as_of is None or told["quarantined"]:
        return None
    from agent.store import stepdown

    try:
        schema: int | None = stepdown.look(where.state_dir)["stepped_for"]
    except AgentError:
        return None
    return schema


def _untold(session: Session, where: Places, purpose: str, what: str) -> dict[str, Any]:
    """Nobody could be asked. Only a journal that is certainly not there is no money."""
    told: dict[str, Any] = {
        "at": SystemClock().now().at.isoformat(), "purpose": purpose, "standing": "unknown",
        "total": None, "in_doubt": None, "held": None, "quarantined": None, "oldest_at": None,
        "oldest_age_s": None, "cause": "", "reason": what, "aside": [],
    }  # fmt: skip
    try:
        names = sorted(os.listdir(where.state_dir))  # noqa: PTH208 - the names alone
    except FileNotFoundError:
        return told | {"standing": "clear", "reason": "no journal"}
    except OSError:
        return told
    if JOURNAL in names:
        return told
    left = [name for name in names if name.startswith(JOURNAL)]
    if _names_of(where.state_dir / QUARANTINE) or left:
        path = where.state_dir / (left[0] if left else QUARANTINE)
        return told | {"reason": session.words("guard.journal_gone", path=path)}
    return told | {"standing": "clear", "reason": "no journal"}


def _uncounted(where: Places, listed: list[str]) -> str:
    """A journal put aside that the newer one was not told of: the power went in between."""
    names = _names_of(where.state_dir / QUARANTINE)
    lost = [one for one in names if one.endswith(JOURNAL)]
    lost += [one for one in names if one.endswith(f"{JOURNAL}-wal") and one[:-4] not in names]
    return next((one for one in lost if one not in listed), "?" if names == ["?"] else "")


def _names_of(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError:
        return ["?"]


def _given_reason(session: Session) -> str:
    """The reason, on one line. Raises OperatorError without one."""
    args, t = session.args, session.words
    said = args.reason or ""
    if args.reason_file is not None:
        try:
            with args.reason_file.open("rb") as file:
                said = file.read(1_000).decode("utf-8", "replace")
        except OSError as error:
            why = f"{args.reason_file}: {error.strerror}"
            raise OperatorError("guard.reason", why, t("guard.no_reason.hint")) from None
    said = " ".join("".join(c if c.isprintable() else " " for c in said).split())[:MOST_REASON]
    if len(said) < 3 or cards.contains(said):
        raise OperatorError("guard.reason", t("guard.no_reason"), t("guard.no_reason.hint"))
    return said


def _force(
    session: Session, where: Places, source: Source | None, told: dict[str, Any], why: str
) -> Path | None:
    """Write it down: None into the trail, else the file. Raises OperatorError if it cannot be."""
    if isinstance(source, LiveSource):
        source.ask("guard_force", purpose=told["purpose"], reason=why)
        return None
    count = told["total"]["count"] if told["total"] else None
    deed = forced(person(), told["purpose"], why, count)
    file = where.state_dir / FORCED_FILE
    try:
        written(file, deed)
    except OSError as error:
        what = session.words("guard.not_kept", path=file, why=error.strerror or str(error))
        raise OperatorError("guard.not_kept", what) from None
    return file


def _say(session: Session, where: Places, told: dict[str, Any]) -> None:
    t, screen = session.words, session.screen
    purpose = t.word("purpose", told["purpose"])
    match told["standing"]:
        case Standing.CLEAR if told["total"] is None:
            screen.text(t("guard.no_store", path=where.state_dir, purpose=purpose), style="good")
            return
        case Standing.CLEAR:
            screen.text(t("guard.clear", purpose=purpose), style="good")
            return
        case Standing.UNSENT if told["stepped_for"] is not None:
            said = {**_amounts(told), "schema": told["stepped_for"]}
            screen.text(t("guard.stepped", purpose=purpose, **said), style="good")
            return
        case Standing.UNSENT:
            screen.text(t("guard.unsent", purpose=purpose, **_amounts(told)), style="bad")
        case _:
            screen.text(t("guard.unknown", purpose=purpose), style="bad")
    for line in _particulars(session, told):
        screen.text(line, indent="    ", first="  ")
    untold = told["standing"] == Standing.UNKNOWN
    screen.text(t("guard.next_unknown" if untold else "guard.next"), indent="    ", first="  ")
    if told["purpose"] == Purpose.DOWNGRADE and not untold:
        screen.text(t("guard.next_down"), indent="    ", first="  ")


def _particulars(session: Session, told: dict[str, Any]) -> list[str]:
    t, lines = session.words, []
    if told["reason"]:
        lines.append(t("guard.why", why=in_words(t, told["reason"])))
        if told["total"] and told["total"]["count"]:
            lines.append(t("guard.at_least", **_amounts(told)))
    if told["oldest_at"]:
        now, at = datetime.fromisoformat(told["at"]), datetime.fromisoformat(told["oldest_at"])
        lines.append(
            t("guard.oldest", at=local_time(at, now), age=age((now - at).total_seconds(), t.lang))
        )
    lines += [
        t(f"guard.{name}", count=told[name])
        for name in ("in_doubt", "held", "quarantined")
        if told[name]
    ]
    if (cause := CATALOGUE.get(told["cause"])) is not None:
        lines.append(t("guard.why", why=cause.title.render(t.lang)))
    return lines


def _amounts(told: dict[str, Any]) -> dict[str, Any]:
    return {"count": told["total"]["count"], "amount": money(told["total"]["by_currency"]) or "-"}


def _say_forced(session: Session, why: str, file: Path | None) -> None:
    t = session.words
    purpose = t.word("purpose", session.args.purpose)
    if file is None:
        session.screen.text(t("guard.forced", purpose=purpose, reason=why), style="warn")
    else:
        said = t("guard.forced_file", purpose=purpose, reason=why, path=file)
        session.screen.text(said, style="warn")
