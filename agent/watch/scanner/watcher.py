"""The scanner watcher: is it there, does it live, how does it read; and never what it read.

Decides how far the scanner may be looked at without coming between it and the payment app: where
another program holds the port, or may hold it unseen, nothing is opened and only what the kernel
and that program tell is said. Otherwise it is asked. The watcher runner calls `read` every
`period_s`; hooks and the payment app call `feed`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from agent.blocking import Blocking
from agent.clock import Clock
from agent.config.devices import Scanner
from agent.core.health.reading import NotObservable, Outcome, Reading, Unknown, Value
from agent.link.owners import owner_of, sees_everybody
from agent.record import dataclass
from agent.watch.drivers.scanning import About, Counts
from agent.watch.scanner import asking, line, presence
from agent.watch.scanner.line import Answer, NoAnswerError
from agent.watch.scanner.presence import Presence
from agent.watch.scanner.tally import Tally
from agent.watch.scanner.told import Told

LOOK_DEADLINE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the watcher looks at; tests hand in their own."""

    look: Callable[[str], Presence] = presence.look
    owner: Callable[[str], object | None] = owner_of
    sees_everybody: Callable[[], bool] = sees_everybody
    open_port: line.OpenPort = line.open_serial


@dataclass(frozen=True, slots=True)
class _Seen:
    presence: Presence
    owner: str


class ScannerWatcher:
    """Looks at one scanner."""

    def __init__(
        self,
        config: Scanner,
        blocking: Blocking,
        clock: Clock,
        around: Surroundings | None = None,
    ) -> None:
        self.component = "scanner"
        self.period_s = config.period_s
        self.deadline_s = LOOK_DEADLINE_S + asking.deadline_s(config)
        self._config = config
        self._blocking = blocking
        self._clock = clock
        self._around = around or Surroundings()
        self._tally = Tally(config)
        self._told = Told(self._tally, config.told_max_age_s, self._now_ms())
        self._asker = asking.Asker(
            config, blocking, self._around.open_port, self._now_ms, self._count
        )

    def feed(self, outcome: Outcome) -> None:
        """What a hook, vendor firmware or the payment app says of the scanner. Never a code."""
        self._told.feed(outcome, self._now_ms())

    async def read(self) -> Outcome:
        """How the scanner is now, or why that cannot be said."""
        if self._config.dialect == "hook":
            return self._as_told()
        try:
            seen = await self._look()
            if seen.presence.connected is False:
                await self._asker.close()
                raise self._gone()
            if self._config.dialect == "hid" or presence.USB_ID.match(self._config.device):
                return self._by_sight(seen.presence)
            if seen.owner or not self._may_open():
                await self._asker.close()
                return self._from_afar(seen)
            dialect, answer = await self._asker.ask(seen.presence)
        except NoAnswerError as nothing:
            return self._unknown(nothing)
        evidence = _evidence(self._config.device, dialect.name, seen.presence, answer)
        return self._reading(_answered(answer), evidence, seen.presence)

    async def close(self) -> None:
        """Let go of the port, if it is open."""
        await self._asker.close()

    async def _look(self) -> _Seen:
        device, around = self._config.device, self._around

        def look() -> _Seen:
            found = around.look(device)
            owner = around.owner(device) if found.connected is not False else None
            return _Seen(found, str(owner) if owner is not None else "")

        try:
            return await self._blocking.call("scanner.look", look, LOOK_DEADLINE_S)
        except TimeoutError:
            raise NoAnswerError("look_hangs", f"looking at {device} hangs") from None

    def _gone(self) -> NoAnswerError:
        self._asker.forget()
        return NoAnswerError(
            "missing",
            f"{self._config.device} does not exist: plug the scanner in again, and check that "
            "[scanner] device names the right one",
            line.GONE,
        )

    def _may_open(self) -> bool:
        match self._config.open:
            case "never":
                return False
            case "when_free":
                return self._around.sees_everybody()
            case _:
                return True

    def _by_sight(self, found: Presence) -> Outcome:
        """A keyboard scanner: there or not, with a driver or not. Its keys are not ours to read."""
        if found.usb is not None and not found.usb.bound:
            raise NoAnswerError(
                "no_driver",
                f"the scanner {found.usb.vendor}:{found.usb.product} is plugged in but no driver "
                "has taken it: check that the kernel has usbhid",
                "device.not_recognised",
            )
        evidence = _evidence(self._config.device, self._config.dialect, found)
        return self._reading({"connected": True}, evidence, found)

    def _from_afar(self, seen: _Seen) -> Outcome:
        """Somebody else's port: what the kernel and that program tell."""
        why = self._why_not_opened(seen.owner)
        trouble = self._told.trouble(self._now_ms())
        # Where the kernel sees the scanner, a report that merely failed takes nothing away.
        if trouble is not None and (trouble.code or seen.presence.connected is None):
            owner = {"in_use_by": seen.owner} if seen.owner else {}
            return replace(trouble, evidence={**trouble.evidence, **owner})
        if seen.presence.connected is None and self._told.reading(self._now_ms()) is None:
            return NotObservable(f"{why}; a fixed line does not tell whether a scanner is on it")
        values: dict[str, Value] = {"in_use": bool(seen.owner)}
        if seen.presence.connected:
            values["connected"] = True
        evidence = _evidence(self._config.device, self._config.dialect, seen.presence)
        if seen.owner:
            evidence["in_use_by"] = seen.owner
        return self._reading(values, {**evidence, "not_asked": why}, seen.presence)

    def _why_not_opened(self, owner: str) -> str:
        if owner:
            return f"{self._config.device} is in use by {owner}"
        if self._config.open == "never":
            return "[scanner] open says never"
        return (
            "this agent cannot see whether another user's program holds the port; where none "
            'does, set [scanner] open = "always"'
        )

    def _as_told(self) -> Outcome:
        """A built-in scanner: nobody but its firmware knows."""
        outcome = self._told.outcome(self._now_ms())
        if not isinstance(outcome, Reading):
            return outcome
        if outcome.values.get("connected") is False:
            return Unknown("the firmware says the scanner is not there", line.GONE)
        return self._reading({}, {}, Presence(connected=None))

    def _count(self, counts: Counts) -> None:
        self._tally.count(counts.reads, counts.no_reads, self._now_ms())

    def _reading(
        self, values: dict[str, Value], evidence: dict[str, str], found: Presence
    ) -> Reading:
        """With what others told and what was counted; the scanner's own word comes first."""
        now_ms = self._now_ms()
        told = self._told.reading(now_ms) or Reading({})
        merged: dict[str, Value] = {
            **told.values,
            **_kernels_battery(found),
            **values,
            **self._tally.values(now_ms),
            "battery_limit_percent": self._config.battery_low_percent,
        }
        shown = {**told.evidence, **evidence}
        percent = merged.get("battery_percent")
        if percent is not None:
            shown["percent"] = str(percent)
        rate = self._tally.rate()
        if rate:
            shown["rate"] = rate
        return Reading(merged, shown)

    def _unknown(self, nothing: NoAnswerError) -> Unknown:
        evidence = {"device": self._config.device, "finding": nothing.finding}
        if nothing.received_bytes:
            # How much, never what.
            evidence["received_bytes"] = str(nothing.received_bytes)
        return Unknown(reason=nothing.reason, code=nothing.code, evidence=evidence)

    def _now_ms(self) -> int:
        return self._clock.now().boot_ms


def _answered(answer: Answer) -> dict[str, Value]:
    values: dict[str, Value] = {"connected": True, "answers": True, "in_use": False}
    if answer.about.battery_percent is not None:
        values["battery_percent"] = answer.about.battery_percent
    if answer.about.tested:
        values["sensor_fault"] = bool(answer.about.failed)
    return values


def _kernels_battery(found: Presence) -> dict[str, Value]:
    values: dict[str, Value] = {}
    if found.usb is not None and found.usb.battery_percent is not None:
        values["battery_percent"] = found.usb.battery_percent
        if found.usb.battery_charging is not None:
            values["battery_charging"] = found.usb.battery_charging
    return values


def _evidence(
    device: str, dialect: str, found: Presence, answer: Answer | None = None
) -> dict[str, str]:
    """Identity, the scanner's own word first; only what is known."""
    usb = found.usb or presence.Usb(vendor="", product="")
    said = answer.about if answer is not None else About()
    evidence = {
        "device": device,
        "dialect": dialect,
        "interface": f"usb {usb.vendor}:{usb.product}" if usb.vendor else "",
        "driver": usb.driver,
        "make": usb.make,
        "model": said.model or usb.model,
        "firmware": said.firmware or usb.firmware,
        "serial": said.serial or usb.serial,
        "error": ", ".join(said.failed),
        "query": "refused" if answer is not None and answer.refused else "",
    }
    return {name: word for name, word in evidence.items() if word}
