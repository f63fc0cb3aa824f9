"""The component `configuration`: the terminal's settings against the profile it was issued.

Settings are told by exported files, by a hook or a push, by the agent's own configuration, and by
the payments themselves, which name their merchant and terminal. Beside the comparison it looks at
credentials and at rights. Every difference is a finding under the cause it belongs to; the first of
each is told with expected and found, all of them are evidence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from agent.blocking import Blocking
from agent.clock import Clock
from agent.config import Config
from agent.core.configuration.causes import GROUPS
from agent.core.configuration.compare import Compared, Finding, Told, compare
from agent.core.configuration.profile import Standing
from agent.core.health.reading import Outcome, Reading, Unknown, Value
from agent.core.health.standard import STANDARD
from agent.core.moment import Moment
from agent.record import dataclass
from agent.watch.configuration import access, credentials
from agent.watch.configuration.files import Export, State, export
from agent.watch.configuration.issued import Issue, Read
from agent.watch.configuration.masking import Masking

DEADLINE_S = 20.0
#: Lines of evidence; the rest is counted.
MOST_LINES = 48

_WHY_NOT = {
    Standing.MISSING: "the issued profile is missing",
    Standing.OTHER_TERMINAL: "the issued profile is for another terminal",
    Standing.EXPIRED: "the issued profile has expired",
}
_WAITS = (Standing.NONE, Standing.IN_FORCE, Standing.NOT_YET_VALID, Standing.OLDER)


class Payments(Protocol):
    """What the payments of this terminal were handed over with."""

    @property
    def merchant_id(self) -> str: ...
    @property
    def terminal_id(self) -> str: ...


class ConfigurationWatcher:
    """One reading of everything that can be set wrongly."""

    component = "configuration"
    deadline_s = DEADLINE_S

    def __init__(
        self,
        config: Config,
        device_id: str,
        *,
        clock: Clock,
        blocking: Blocking,
        payments: Payments | None,
    ) -> None:
        self.period_s = config.configuration.period_s
        self._config = config
        self._clock = clock
        self._blocking = blocking
        self._payments = payments
        state_dir = Path(config.agent.state_dir)
        # Only a daemon keeps: whoever looks by hand may be another user.
        kept = None if payments is None else state_dir
        self._issue = Issue(config.configuration, device_id, kept)
        self._digest = Masking(state_dir)
        self._heard: Outcome | None = None

    def feed(self, outcome: Outcome) -> None:
        """What a hook or a push tells of settings."""
        self._heard = outcome

    async def read(self) -> Outcome:
        """Settings, credentials and rights as they are now."""
        now, heard = self._clock.now(), self._heard
        told = [*_of_hook(heard), *_of_payments(self._payments), *_of_agent(self._config)]
        look = await self._blocking.call(
            "configuration", lambda: self._look(now, told), DEADLINE_S - 1.0
        )
        return look.outcome(heard)

    def _look(self, now: Moment, told: Sequence[Told]) -> _Look:
        read = self._issue.read(now)
        issued = read.profile.issued if read.profile else ()
        names = frozenset(one.name for one in issued)
        exports = [export(one, names) for one in self._config.settings_file]
        words = [*told, *(word for one in exports for word in one.told)]
        compared = compare(issued, words, digest=self._digest, sha256=_sha256)
        shown = credentials.look(
            credentials.files(self._config, read.profile.credentials if read.profile else {}),
            now,
            self._config.configuration.expiry_warn_days,
            self._digest,
            credentials.authorities(self._config),
        )
        allowed = access.look(access.needs(self._config))
        return _Look(
            path=self._config.configuration.profile,
            read=read,
            exports=exports,
            compared=compared,
            credentials=shown,
            access=allowed,
            told=words,
        )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """Everything one look found."""

    path: str
    read: Read
    exports: Sequence[Export]
    compared: Compared
    credentials: credentials.Credentials
    access: access.Access
    told: Sequence[Told]

    def outcome(self, heard: Outcome | None) -> Outcome:
        """As a reading; unknown where there is a profile, it is of no use and nothing is wrong."""
        findings = sorted(self._findings(), key=lambda one: one.rank)
        evidence = self._evidence(findings, heard)
        if not findings and self.read.profile is None and self.read.standing not in _WAITS:
            reason = f"the issued profile cannot be used ({self.read.standing}): {self.read.what}"
            return Unknown(reason.rstrip(": "), "", {"profile": self.path})
        values: dict[str, Value] = {
            "profile": str(self.read.standing),
            "findings": len(findings),
            "compared": self.compared.same + len(self.compared.findings),
            "not_told": len(self.compared.not_told),
            "unclear": len(self.compared.unclear),
            "not_issued": self.compared.not_issued,
            "credentials": self.credentials.checked,
            "access": self.access.checked,
        }
        if self.read.profile is not None:
            values["profile_id"] = self.read.profile.profile
        if self.credentials.soonest_days is not None:
            values["credential_days"] = self.credentials.soonest_days
        values |= self._groups(findings, self._troubled(heard))
        return Reading(values, evidence)

    def _findings(self) -> Iterator[Finding]:
        yield from self.compared.findings
        yield from self.credentials.findings
        yield from self.access.findings
        for one in self.exports:
            if one.state is State.DENIED:
                yield access.denied(one.path, "settings file")
        if self.read.standing is Standing.DENIED:
            yield access.denied(self.path, "issued profile")
        if self.read.profile is None and (why := _WHY_NOT.get(self.read.standing)):
            line = f"{why}: {self.path}"
            yield Finding(
                code="config.not_activated", setting="profile", line=line, args={"gap": line}
            )

    def _troubled(self, heard: Outcome | None) -> bool:
        """Whether a source that may tell more cannot be heard now."""
        silent = any(one.state is not State.READ for one in self.exports)
        unusable = self.read.profile is None and self.read.standing is not Standing.NONE
        return silent or unusable or isinstance(heard, Unknown)

    def _groups(self, findings: Sequence[Finding], troubled: bool) -> dict[str, Value]:
        """For each cause how many, and the first of them in its own words."""
        values: dict[str, Value] = {}
        issued = self.read.profile.issued if self.read.profile else ()
        untold = {one.code for one in issued if one.name in self.compared.not_told}
        for group in GROUPS:
            own = [one for one in findings if one.code == group.code]
            compared = group.prefix not in ("denied_", "expired_")
            if not own and compared and troubled and (group.code in untold or not issued):
                continue  # nobody can tell now: what was wrong may still be
            values[f"{group.prefix}count"] = len(own)
            if not own:
                continue
            args = {**self._known(), **own[0].args}
            values |= {f"{group.prefix}{name}": args[name] for name in group.args if args.get(name)}
        return values

    def _known(self) -> dict[str, str]:
        """What the texts of several causes name."""
        told = {word.name: str(word.value) for word in reversed(self.told)}
        return {name: told[name] for name in ("merchant_id", "terminal_id") if name in told}

    def _evidence(self, findings: Sequence[Finding], heard: Outcome | None) -> dict[str, str]:
        lines: dict[str, str] = {}
        for one in findings:
            name, number = one.setting, 1
            while name in lines:
                number += 1
                name = f"{one.setting} {number}"
            lines[name] = f"{one.code} ({STANDARD[one.code].severity}): {one.line}"
        for file in self.exports:
            lines[f"export {file.path}"] = file.what or _counted(file)
        if self.read.standing is not Standing.NONE:
            lines["profile"] = f"{self.path}: {self.read.standing} {self.read.what}".rstrip()
        if isinstance(heard, Unknown):
            lines["hook"] = heard.reason
        if self.compared.unclear:
            lines["unclear"] = ", ".join(self.compared.unclear)
        if self.compared.not_told:
            lines["not told"] = ", ".join(self.compared.not_told)
        lines = {**lines, **{f"right {path}": said for path, said in self.access.lines.items()}}
        lines |= {f"credential {path}": said for path, said in self.credentials.lines.items()}
        if len(lines) <= MOST_LINES:
            return lines
        kept = dict(list(lines.items())[:MOST_LINES])
        return {**kept, "more": str(len(lines) - MOST_LINES)}


def _counted(one: Export) -> str:
    said = f"{one.state}, {len(one.told)} settings"
    if one.twice:
        said += f"; given twice: {', '.join(one.twice)}"
    if one.absent:
        said += f"; not in it: {', '.join(one.absent)}"
    return said


def _of_hook(heard: Outcome | None) -> Iterator[Told]:
    if not isinstance(heard, Reading):
        return
    source = heard.evidence.get("source") or "hook"
    for name, value in heard.values.items():
        if value is not None:
            yield Told(name=name, value=value, source=source)


def _of_payments(payments: Payments | None) -> Iterator[Told]:
    """What the terminal really sends: no export knows better."""
    if payments is None or not payments.terminal_id:
        return
    yield Told(name="merchant_id", value=payments.merchant_id, source="payments")
    yield Told(name="terminal_id", value=payments.terminal_id, source="payments")


def _of_agent(config: Config) -> Iterator[Told]:
    """What the agent itself was told to hold payments against."""
    told = Told(name="", value="", source="posagent.toml")
    if config.check.merchant_ids:
        yield replace(told, name="check_merchant_ids", value=config.check.merchant_ids)
    if config.check.terminal_ids:
        yield replace(told, name="check_terminal_ids", value=config.check.terminal_ids)
    for limit in config.limit:
        currency = limit.currency.lower()
        for name in ("single_minor", "total_minor", "count"):
            value = getattr(limit, name)
            if value is not None and limit.posting != "request":
                short = name.removesuffix("_minor")
                yield replace(told, name=f"offline_{short}_{currency}", value=value)
    hosts = tuple(
        getattr(one, "url", "").partition("://")[2].partition("/")[0] or getattr(one, "host", "")
        for one in config.uplink
        if one.enabled
    )
    if hosts:
        yield replace(told, name="uplink_hosts", value=hosts)
