"""`posagent probe --discover`: what is attached, who uses it, and a configuration to paste.

Reads the kernel's description and nothing else: no device is opened and no byte is sent, unless
`--ask` allows the harmless queries of the drivers at devices nobody is seen to use. Works without a
daemon. Configured devices come first and are never proposed again.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from agent import settings
from agent.cli.session import Exit, Session
from agent.config import Config
from agent.core.health.reading import Outcome, Reading, Unknown
from agent.link.owners import Owner, owners
from agent.watch.discovery import sysfs
from agent.watch.discovery.survey import Finding, Survey, Unserved, survey
from agent.watch.discovery.watcher import absent, configured, resolved

#: Speeds tried at a line nobody knows, the most frequent first.
SPEEDS = (9600, 19200, 115200, 38400)
#: Where links that keep their names are made.
_LINKS = ("serial/by-id", "input/by-id", "input/by-path")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A finding with what this command adds."""

    finding: Finding
    owner: Owner | None = None
    stable: str = ""  #: a path that stays the same when ports change
    asked: Outcome | None = None
    took_ms: int = 0
    section: Mapping[str, Any] | None = None  #: what would be configured

    @property
    def table(self) -> str:
        return self.finding.table if not self.finding.component else ""


def discover(session: Session) -> int:
    """Look, and show what was seen."""
    loaded = settings.load(session.config_file, references=False)
    config = loaded.config
    session.speak(config.agent.language)
    attached = sysfs.attached(config.discovery.sysfs)
    devices = configured(config)
    told = survey(
        attached, resolved(devices), missing=absent(devices), ignored=config.discovery.ignore
    )
    findings = [*told.findings, *_given(session.args.printer or (), devices)]
    held = owners([one.device for one in findings if one.device.startswith("/dev/")])
    seen = [
        _with_section(Seen(finding=one, owner=held.get(one.device), stable=_stable(one, config)))
        for one in findings
    ]
    if session.args.ask:
        seen = asyncio.run(_ask_all(seen))
    seen.sort(key=lambda one: (not one.finding.component, not one.table, one.finding.kind))
    if session.json:
        session.print_json(_plain(attached, told, seen))
    else:
        _show(session, attached, told, seen, loaded)
    return Exit.OK


def _given(printers: Sequence[str], devices: Mapping[str, str]) -> Iterator[Finding]:
    for place in printers:
        device = place if place.startswith("tcp://") else f"tcp://{place}"
        if ":" not in device.removeprefix("tcp://").rpartition("]")[2]:
            device += ":9100"
        fitted = devices.get("printer") == device
        yield Finding(
            kind="printer",
            certainty="likely",
            name=device.removeprefix("tcp://"),
            device=device,
            interface="tcp",
            driver="",
            reasons=("given", "configured") if fitted else ("given",),
            component="printer" if fitted else "",
        )


def _stable(finding: Finding, config: Config) -> str:
    """A link to the node that udev keeps for this very device, if there is one."""
    for folder in _LINKS:
        place = Path(config.discovery.dev) / folder
        try:
            for link in sorted(place.iterdir()):
                if str(link.resolve()) == finding.device:
                    return str(link)
        except OSError:
            continue
    return ""


# -- what would be configured -------------------------------------------------------------------


def _with_section(seen: Seen) -> Seen:
    finding = seen.finding
    section: dict[str, Any] = {"device": seen.stable or finding.device}
    match finding.kind:
        case "printer" if finding.dialect:
            section["dialect"] = finding.dialect
        case "scanner" if finding.interface in ("hid_keyboard", "hid_pos"):
            section |= {"device": f"usb:{finding.usb_id}", "dialect": "hid"}
        case "scanner" if finding.dialect:
            section["dialect"] = finding.dialect
    return replace(seen, section=section)


def toml(seen: Sequence[Seen]) -> str:
    """Tables to paste: the surest of each kind, the others as comments."""
    lines: list[str] = []
    for table in ("printer", "scanner", "keypad"):
        fitting = [one for one in seen if one.table == table]
        if any(one.finding.component == table for one in seen):
            continue
        fitting.sort(key=lambda one: ("sure", "likely", "unsure").index(one.finding.certainty))
        for number, one in enumerate(fitting):
            comment = "# " if number else ""
            usb_id = f" ({one.finding.usb_id})" if one.finding.usb_id else ""
            lines.append(f"# {one.finding.name}{usb_id}, {one.finding.certainty}")
            lines.append(f"{comment}[{table}]")
            section = one.section or {}
            lines += [f"{comment}{key} = {_value(value)}" for key, value in section.items()]
            lines.append("")
    return "\n".join(lines)


def _value(value: object) -> str:
    if isinstance(value, bool | int):
        return str(value).lower()
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{"".join(one if one.isprintable() else "?" for one in text)}"'


# -- asking, where it was allowed ---------------------------------------------------------------


async def _ask_all(seen: Sequence[Seen]) -> list[Seen]:
    return [await _asked(one) if _may_ask(one) else one for one in seen]


def _may_ask(seen: Seen) -> bool:
    """Nobody's console, nobody's PIN pad, nothing anybody uses, nothing watched already."""
    finding = seen.finding
    if finding.component or seen.owner is not None or not finding.device:
        return False
    if finding.kind == "serial":
        return "console" not in finding.reasons
    return finding.kind in ("printer", "scanner") and "libusb" not in finding.reasons


async def _asked(seen: Seen) -> Seen:
    """As the kind it is; a line nobody knows is asked as a printer at the usual speeds."""
    if seen.finding.kind != "serial":
        return await _one(seen, seen.finding.kind, dict(seen.section or {}))
    answer = seen
    for baud in SPEEDS:
        section = {**(seen.section or {}), "baud": baud}
        answer = await _one(seen, "printer", section)
        if isinstance(answer.asked, Reading):
            found = replace(
                seen.finding,
                kind="printer",
                certainty="sure",
                reasons=(*seen.finding.reasons, "answered"),
            )
            return replace(answer, finding=found, section=section)
    return answer


async def _one(seen: Seen, table: str, section: Mapping[str, Any]) -> Seen:
    """One read by the watcher the daemon would run, told not to ask who it is."""
    from agent.clock import SystemClock
    from agent.supervise import DaemonThreads
    from agent.watch import watchers

    fields = dict(section)
    if table == "printer":
        fields["identify"] = False  # a printer that does not know the question may print it
    config = msgspec.convert({table: fields}, Config)
    known = watchers(config, clock=SystemClock(), blocking=DaemonThreads())
    watcher = next(one for one in known if one.component == table)
    began = time.monotonic()
    try:
        async with asyncio.timeout(watcher.deadline_s):
            outcome = await watcher.read()
    except TimeoutError:
        outcome = Unknown(f"no answer within {watcher.deadline_s:g} s")
    finally:
        close = getattr(watcher, "close", None)
        if close is not None:
            await close()
    took_ms = round((time.monotonic() - began) * 1000)
    finding = seen.finding
    if isinstance(outcome, Reading):
        finding = replace(finding, certainty="sure", reasons=(*finding.reasons, "answered"))
    return replace(seen, asked=outcome, took_ms=took_ms, finding=finding)


# -- showing ------------------------------------------------------------------------------------


def _show(
    session: Session,
    attached: sysfs.Attached,
    told: Survey,
    seen: Sequence[Seen],
    loaded: settings.Loaded,
) -> None:
    t, screen = session.words, session.screen
    if not attached.readable:
        screen.text(t("discover.no_sysfs", path=loaded.config.discovery.sysfs), style="warn")
    elif not seen and not told.unserved:
        screen.line(t("discover.none"))
    if seen:
        screen.line(t("discover.head", count=len(seen), kernel=attached.kernel), "bold")
    for one in seen:
        _show_one(session, one)
    for table, device in told.missing.items():
        screen.text(t("discover.missing", table=table, device=device), style="warn")
    if told.unserved:
        screen.line(t("discover.unserved"), "bold")
    for left in told.unserved:
        _show_unserved(session, left, attached.kernel, left in told.not_recognised)
    if os.geteuid() != 0:
        screen.text(t("discover.not_seen"), style="dim")
    proposal = toml(seen)
    if not proposal:
        screen.text(t("discover.nothing"))
        return
    screen.line()
    screen.text(t("discover.proposal", file=loaded.looked_for))
    screen.line()
    print(proposal)
    if not session.args.ask and any(one.finding.certainty == "unsure" for one in seen):
        screen.text(t("discover.ask_hint"), style="dim")


def _show_one(session: Session, seen: Seen) -> None:
    t, screen, finding = session.words, session.screen, seen.finding
    said = t(
        "discover.certainty",
        kind=t.word("found", finding.kind),
        certainty=t.word("certainty", finding.certainty),
        name=finding.name,
    )
    style = {"sure": "good", "likely": "", "unsure": "warn"}[finding.certainty]
    screen.text(said, indent="    ", first="- ", style=style)
    place = [finding.device, finding.usb_id, finding.driver]
    screen.items([one for one in place if one], indent="    ", first="    ")
    screen.items([t.word("reason", one) for one in finding.reasons], indent="    ", first="    ")
    if seen.owner is not None:
        screen.text(t("discover.held", owner=seen.owner), indent="    ", first="    ", style="warn")
    match seen.asked:
        case Reading():
            text = t("discover.asked", ms=seen.took_ms)
            screen.text(text, indent="    ", first="    ", style="good")
        case Unknown(reason=reason):
            screen.text(t("discover.silent", reason=reason), indent="    ", first="    ")


def _show_unserved(session: Session, left: Unserved, kernel: str, alarm: bool) -> None:
    t, screen = session.words, session.screen
    first = "- device.not_recognised " if alarm else "- "
    screen.items([left.name, left.usb_id, left.port], indent="    ", first=first, style="warn")
    text = (
        t("discover.needs", driver=left.needs)
        if left.needs
        else t("discover.unknown_driver", kernel=kernel)
    )
    screen.text(text, indent="    ", first="    ")


def _plain(attached: sysfs.Attached, told: Survey, seen: Sequence[Seen]) -> dict[str, Any]:
    return {
        "kernel": attached.kernel,
        "readable": attached.readable,
        "found": [_plain_one(one) for one in seen],
        "missing": dict(told.missing),
        "unserved": [msgspec.to_builtins(one) for one in told.unserved],
        "not_recognised": [one.usb_id for one in told.not_recognised],
        "toml": toml(seen),
    }


def _plain_one(seen: Seen) -> dict[str, Any]:
    asked: dict[str, Any] | None = None
    match seen.asked:
        case Reading(values=values):
            asked = {"outcome": "reading", "values": dict(values)}
        case Unknown(reason=reason, code=code):
            asked = {"outcome": "unknown", "reason": reason, "code": code}
    return {
        **msgspec.to_builtins(seen.finding),
        "table": seen.table,
        "stable": seen.stable,
        "in_use_by": None if seen.owner is None else msgspec.to_builtins(seen.owner),
        "asked": asked,
    }
