"""`posagent status`: what a technician wants to know at two in the morning, on one screen.

One sentence first; then unsent money, channels, alarms with next step and who, components. Every
figure comes from the status and health documents of the API; nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from agent.cli.alarm import noted
from agent.cli.reason import reason
from agent.cli.screen import age, local_time, pad, width
from agent.cli.session import Exit, Session
from agent.cli.source import Source, readable
from agent.cli.ways import ways
from agent.core.why.causes import CATALOGUE
from agent.core.why.text import Money, format_money

#: What the agent reports of itself; "uplink: ok" beside a channel in trouble would confuse.
_ITSELF = frozenset({"agent", "queue", "uplink", "page"})
_LABELS = (
    "status.unsent",
    "status.channels",
    "status.fleet",
    "status.alarms",
    "status.components",
    "status.devices",
    "status.page",
)


def status(session: Session) -> int:
    """Once, or again and again with --watch."""
    if session.args.watch:
        from agent.cli.status_watch import watch

        return watch(session)
    source, told = look(session)
    if session.json:
        session.print_json(told)
    else:
        Page(session, told).show(source)
    return Exit.OK


def look(session: Session) -> tuple[Source, dict[str, Any]]:
    """The documents behind one picture, and whose they are."""
    source = readable(session)
    told = source.ask("status")
    told["components"] = source.ask("health")["components"]
    told["source"] = "daemon" if source.as_of is None else "store"
    told["as_of"] = source.as_of.isoformat() if source.as_of else told["at"]
    return source, told


def say_offline(session: Session, source: Source, now: datetime) -> None:
    """The first line of everything that was read from a dead daemon's store."""
    if source.as_of is not None:
        at = local_time(source.as_of, now)
        session.screen.text(session.words("offline.headline", at=at), style="warn")


class Page:
    """One picture of the terminal."""

    def __init__(self, session: Session, told: Mapping[str, Any]) -> None:
        self._words = session.words
        self._session = session
        self._screen = session.screen
        self._told = told
        self._now = datetime.fromisoformat(told["at"])
        self._label_width = max(width(session.words(label)) for label in _LABELS) + 2

    def show(self, source: Source) -> None:
        """Print it."""
        say_offline(self._session, source, self._now)
        self.body()

    def body(self) -> None:
        """What the terminal says of itself, from wherever it came."""
        sentence, style = self._headline()
        self._screen.text(sentence, style=f"{style}")
        self._screen.text(self._identity(), style="dim")
        self._unsent()
        self._channels()
        self._fleet()
        self._alarms()
        self._listeners()
        if "components" in self._told:
            self._components()
        self._devices()

    def _headline(self) -> tuple[str, str]:
        t, told = self._words, self._told
        backlog = told["backlog"]
        if backlog is None:
            return t("status.no_store", problem=told["store_problem"]), "bad"
        roots = [alarm for alarm in told["alarms"] if not alarm["suppressed_by"]]
        if not backlog["total"]["count"]:
            if not told["daemon_alive"]:
                return t("status.dead_well"), "bad"
            if roots:
                return t("status.sent_but", count=len(roots), first=self._title(roots[0])), "warn"
            return t("status.all_well"), "good"
        amounts = {
            "count": backlog["total"]["count"],
            "amount": money(backlog["total"]["by_currency"]) or "-",
            "age": self._age(backlog["oldest_at"]),
        }
        if not told["daemon_alive"]:
            return t("status.dead_unsent", **amounts), "bad"
        cause = CATALOGUE.get(backlog["blocking_cause"])
        if cause is not None:
            return t("status.unsent_because", cause=cause.title.render(t.lang), **amounts), "bad"
        return t("status.unsent_moving", **amounts), "warn"

    def _identity(self) -> str:
        told = self._told
        names = [told["device_id"], told["site"], f"posagent {told['version']}"]
        names.append(datetime.fromisoformat(told["at"]).astimezone().strftime("%Y-%m-%d %H:%M:%S"))
        if not told["clock_trusted"]:
            names.append(self._words("status.clock"))
        return " · ".join(name for name in names if name)

    def _unsent(self) -> None:
        t, backlog = self._words, self._told["backlog"]
        if backlog is None:
            self._row("status.unsent", [[t("word.unknown")]])
            return
        total = backlog["total"]
        if not total["count"]:
            lines = [[t("status.none")]]
        else:
            sums = [t("status.payments", count=total["count"]), money(total["by_currency"])]
            sums.append(t("status.oldest", age=self._age(backlog["oldest_at"])))
            states = [
                f"{t.word('state', state)} {amounts['count']}"
                for state, amounts in backlog["by_state"].items()
            ]
            lines = [[part for part in sums if part], states]
        if backlog["in_doubt"]["count"]:
            lines.append([t("status.in_doubt", count=backlog["in_doubt"]["count"])])
        aside = backlog["quarantined"]
        if aside is None:
            lines.append([t("status.aside_unknown")])
        elif aside["count"]:
            amount = money(aside["by_currency"])
            lines.append([t("status.aside", count=aside["count"], amount=amount or "-")])
        self._row("status.unsent", lines)

    def _channels(self) -> None:
        t = self._words
        if not self._told["daemon_alive"]:
            self._row("status.channels", [[t("status.channels_unknown")]])
            return
        lines = []
        for channel in self._told["channels"]:
            state = t.word("channel", channel["state"])
            parts = [t("pair", name=channel["name"], value=state)]
            if channel["cause"]:
                cause = CATALOGUE.get(channel["cause"])
                parts.append(cause.title.render(t.lang) if cause else channel["cause"])
            if channel["next_attempt_at"]:
                parts.append(t("status.next", at=self._at(channel["next_attempt_at"])))
            if channel["last_success_at"]:
                parts.append(t("status.last", at=self._at(channel["last_success_at"])))
            lines.append(parts)
        self._row("status.channels", lines or [[t("status.no_channels")]])

    def _fleet(self) -> None:
        t, fleet = self._words, self._told["telemetry"]
        if fleet is None:
            return
        if not fleet["configured"]:
            self._row("status.fleet", [[t("status.no_broker")]])
            return
        parts = [t("status.connected" if fleet["connected"] else "status.disconnected")]
        parts.append(f"{fleet['endpoint']} (MQTT {fleet['protocol']})" if fleet["endpoint"] else "")
        if fleet["queued"]:
            parts.append(t("status.kept", count=fleet["queued"]))
        lines = [[part for part in parts if part]]
        if spent := self._spent(fleet):
            lines.append(spent)
        if not fleet["connected"] and fleet["error"]:
            lines.append([t("pair", name=fleet["error"], value=fleet["reason"])])
        self._row("status.fleet", lines)

    def _spent(self, fleet: Mapping[str, Any]) -> list[str]:
        """What the line costs today, and what was given up for it; nothing before it costs."""
        t, parts = self._words, []
        if fleet.get("spent_today_bytes"):
            name = "status.spent_about" if fleet["spent_is_estimate"] else "status.spent"
            parts.append(t(name, kb=round(fleet["spent_today_bytes"] / 1000)))
            if fleet["budget_kb"]:
                parts.append(t("status.spent_of", kb=fleet["budget_kb"]))
        if fleet.get("budget_step", "full") not in ("", "full"):
            parts.append(t.word("budget", fleet["budget_step"]))
        for name, count in (
            ("status.thinned", fleet.get("thinned")),
            ("status.withheld", fleet.get("withheld")),
            ("status.lost_messages", fleet["lost"]),
        ):
            if count:
                parts.append(t(name, count=count))
        return parts

    def _alarms(self) -> None:
        t = self._words
        if not self._told["alarms"]:
            self._row("status.alarms", [[t("status.none")]])
        label = self._label("status.alarms")
        blank = " " * self._label_width
        for alarm in self._told["alarms"]:
            title = f"{self._title(alarm)} ({alarm['code']})"
            if alarm.get("acknowledged_by"):
                title += t("status.noted", by=noted(t, alarm, self._now))
            if alarm["suppressed_by"]:
                said = t("status.follows", title=title, root=alarm["suppressed_by"])
                self._screen.text(said, indent=f"{blank}  ", first=label, style="dim")
            else:
                self._root_alarm(alarm, title, label)
            label = blank

    def _root_alarm(self, alarm: Mapping[str, Any], title: str, label: str) -> None:
        t = self._words
        blank = " " * self._label_width
        severity = t.word("severity", alarm["severity"])
        said = t("status.alarm", severity=severity, title=title, since=self._at(alarm["since_at"]))
        if not alarm["known"]:
            said += t("status.alarm_unknown")
        style = "bad" if alarm["severity"] in {"critical", "major"} else "warn"
        self._screen.text(said, indent=f"{blank}  ", first=label, style=style)
        step = alarm["step"][t.lang]
        if step:
            who = t("pair", name=t.word("owner", alarm["owner"]), value=step)
            self._screen.text(who, indent=f"{blank}     ", first=f"{blank}  -> ")

    def _components(self) -> None:
        t = self._words
        troubled = {alarm["component"] for alarm in self._told["alarms"]}
        lines: list[list[str]] = []
        well = []
        for component in self._told["components"]:
            name = t.word("component", component["component"])
            match component["outcome"]:
                case "reading" if component["component"] == "channels":
                    told = ways(t, component["values"])
                    lines.append([t("pair", name=name, value=told[0]), *told[1:]])
                case "reading" if component["component"] in troubled:
                    lines.append([t("pair", name=name, value=t("word.fault"))])
                case "reading" if component["component"] in _ITSELF:
                    pass  # told above, where it belongs: unsent money, channels, headline
                case "reading" if component["component"] == "android":
                    lines.append(self._android(name, component["values"]))
                case "reading":
                    well.append(t("pair", name=name, value=t("word.ok")))
                case "unknown":
                    said = f"{t('word.unknown')} - {reason(t, component['reason'])}"
                    lines.append([t("pair", name=name, value=said)])
                case outcome:
                    well.append(t("pair", name=name, value=t.word("word", outcome)))
        if well:
            lines.append(well)
        self._row("status.components", lines or [[t("status.nothing_heard")]])

    def _android(self, name: str, told: Mapping[str, Any]) -> list[str]:
        """What only Android tells of radios, battery and apps: more than "ok"."""
        t = self._words
        parts = [t("pair", name=name, value=str(told.get("android", t("word.unknown"))))]
        for what, figure in (
            ("network", ""),
            ("wifi", "wifi_dbm"),
            ("cellular", "cellular_rsrp_dbm"),
        ):
            if what in told:
                state = t.word("android_state", str(told[what]))
                dbm = f" {told[figure]} dBm" if figure in told else ""
                parts.append(f"{t.word('android_part', what)} {state}{dbm}")
        if "battery_percent" in told:
            parts.append(f"{t.word('android_part', 'battery')} {told['battery_percent']}%")
        elif "battery" in told:
            state = t.word("android_state", str(told["battery"]))
            parts.append(f"{t.word('android_part', 'battery')} {state}")
        for key, version in told.items():
            if key.startswith("version_"):
                parts.append(f"{key.removeprefix('version_').replace('_', '.')} {version}")
        if "needs" in told:
            parts.append(t("status.needs", right=told["needs"]))
        return parts

    def _devices(self) -> None:
        """What hangs on the terminal; nothing where nothing is known."""
        lines = []
        for device in self._told["devices"]:
            name = self._words.word("component", device["component"])
            facts = [device[fact] for fact in ("make", "model", "firmware", "serial")]
            known = " ".join(fact for fact in facts if fact) or device["interface"]
            lines.append([self._words("pair", name=name, value=known)])
        self._row("status.devices", lines)

    def _listeners(self) -> None:
        """Where the page is served; nothing where it is not."""
        t, lines = self._words, []
        for one in self._told.get("listeners", ()):
            parts = [one["address"], t("status.page_in", count=one["sessions"])]
            if one["closes_in_s"]:
                span = age(one["closes_in_s"], t.lang)
                parts.append(t("status.page_closes", span=span, by=one["opened_by"]))
            lines.append(parts)
        if lines:
            self._row("status.page", lines)

    def _row(self, label: str, lines: Sequence[Sequence[str]]) -> None:
        first = self._label(label)
        blank = " " * self._label_width
        for items in lines:
            self._screen.items(items, indent=blank, first=first)
            first = blank

    def _label(self, name: str) -> str:
        return pad(self._words(name), self._label_width)

    def _title(self, alarm: Mapping[str, Any]) -> str:
        title: str = alarm["title"][self._words.lang]
        return title

    def _age(self, at: str | None) -> str:
        if at is None:
            return self._words("word.unknown")
        seconds = (self._now - datetime.fromisoformat(at)).total_seconds()
        return age(seconds, self._words.lang)

    def _at(self, at: str) -> str:
        return local_time(datetime.fromisoformat(at), self._now)


def money(by_currency: Mapping[str, int]) -> str:
    """`CNY 37.50 + EUR 12.00`: currencies are never added up."""
    return " + ".join(
        format_money(Money(amount, currency)) for currency, amount in sorted(by_currency.items())
    )
