"""The contract with vendor firmware, version 1: every message a hook gets or gives.

Decides form only: which keys there are, their types and bounds. What a reading is worth is the
watchers' business, what a hook may do at all that of `agent.hooks`. The types below are the only
source: the schemas in firmware_hooks/contract/ are printed from them by `agent.wire.hook_schemas`
and a test says when those are stale. Called by the hook runner, the push door and `hooks check`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

#: Raised when a key changes its meaning or goes away; new optional keys do not raise it.
VERSION = 1

Contract = Annotated[Literal[1], Meta(description="Version of this contract.")]
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Word = Annotated[str, Meta(min_length=1, max_length=64)]
Line = Annotated[str, Meta(max_length=200)]
Reason = Annotated[str, Meta(min_length=1, max_length=300)]
CauseCode = Annotated[str, Meta(pattern=r"^([a-z0-9_]+(\.[a-z0-9_]+)+)?$", max_length=64)]
Count = Annotated[int, Meta(ge=0, le=9_007_199_254_740_992)]
Percent = Annotated[float, Meta(ge=0, le=100)]
Celsius = Annotated[float, Meta(ge=-60, le=200)]
#: What every reader of JSON, and every arithmetic behind it, holds without loss.
Whole = Annotated[int, Meta(ge=-9_007_199_254_740_992, le=9_007_199_254_740_992)]
StateValue = Annotated[str, Meta(max_length=200)] | Whole | float | bool | None
Raw = Annotated[str, Meta(max_length=500)] | Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None
DeadlineMs = Annotated[int, Meta(ge=50, le=600_000)]

Confidence = Literal["documented", "observed", "reported", "deduced"]


class Message(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all: an unknown key is an error, because it is mostly a misspelt one."""

    contract: Contract


# --- what a component is like: a key that is left out, or null, cannot be told now -------------


class PrinterState(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """State of component `printer`. true: so now; false: surely not; left out: cannot be told."""

    paper_out: bool | None = None
    paper_low: bool | None = None
    paper_jam: bool | None = None
    cover_open: bool | None = None
    cutter_fault: bool | None = None
    overheated: bool | None = None
    """Waits to cool down; ends by itself."""
    hardware_fault: bool | None = None
    """Head, motor, sensor, fuse, firmware: a person must look at it."""
    low_voltage: bool | None = None
    """Too little power to print: battery or supply."""
    ink_out: bool | None = None
    """Ribbon or ink, where the printer has one."""
    offline: bool | None = None
    """Does not print now, for whatever reason."""
    busy: bool | None = None
    """Printing or warming up: not a fault."""
    error: Line | None = None
    """What the vendor's service asks for: the native error as people call it."""
    offline_reason: Line | None = None
    head_temperature_c: Celsius | None = None
    printed_mm: Count | None = None
    """Paper printed since it was counted."""
    cuts: Count | None = None


class ScannerState(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """State of component `scanner`."""

    connected: bool | None = None
    sensor_fault: bool | None = None
    battery_percent: Percent | None = None
    battery_charging: bool | None = None
    battery_low: bool | None = None
    """Where the device says so without a figure."""
    good_read_age_s: Annotated[float, Meta(ge=0)] | None = None
    """Since the last code that was read."""
    reads: Count | None = None
    """Good reads since counted."""
    no_reads: Count | None = None
    """Tries without a code since counted."""
    error: Line | None = None


class KeypadState(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """State of component `keypad`: classes and counts, never which key."""

    connected: bool | None = None
    stuck_keys: Count | None = None
    dead_keys: Count | None = None
    chatter_keys: Count | None = None
    tampered: bool | None = None
    error: Line | None = None


#: Components whose keys are closed. Any other component has flat names with units of its own.
STATES: dict[str, type[Struct]] = {
    "printer": PrinterState,
    "scanner": ScannerState,
    "keypad": KeypadState,
}


class About(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the device is."""

    make: Line = ""
    model: Line = ""
    firmware: Line = ""
    serial: Line = ""
    interface: Line = ""
    """How it is attached: built-in, usb, serial, bluetooth, network."""
    driver: Line = ""


class _OfComponent(Message, frozen=True, kw_only=True, forbid_unknown_fields=True,
                   tag_field="outcome"):  # fmt: skip
    component: Name
    source: Line = ""
    """What was asked: the API call, file or command. Shown beside the finding."""
    raw: Raw = None
    """The native value, untouched: what the vendor's service asks for."""
    about: About | None = None
    age_s: Annotated[float, Meta(ge=0, le=31_536_000)] = 0.0
    """How old this is, if it was not measured just now."""


class HookReading(
    _OfComponent, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="reading"
):
    """The component answered."""

    state: Annotated[dict[Name, StateValue], Meta(max_length=64)]
    """Canonical keys of the component; what is left out or null cannot be told now."""
    confidence: Confidence = "documented"
    """How sure it is that `raw` means `state`: the maker's documentation or source; seen on a
    device; reported by others (their code, a forum); deduced."""
    facts: Annotated[dict[Name, Line], Meta(max_length=32)] = {}
    """Evidence worth showing beside a finding; never judged."""


class HookUnknown(
    _OfComponent, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="unknown"
):
    """It should have answered and did not, or said what nobody knows. Never a fault by itself."""

    reason: Reason
    """A sentence for a technician: what was tried, what came, what to check."""
    code: CauseCode = ""
    """The cause, if it is known: printer.not_answering, device.interface_mismatch..."""


class HookNotFitted(
    _OfComponent, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="not_fitted"
):
    """This terminal has no such component. Never alarms."""


class HookNotObservable(
    _OfComponent, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="not_observable"
):
    """It exists, but this firmware has no way to see it. Permanent, never alarms."""

    reason: Reason


#: Answer of probe.<component>, line of a stream hook, and what is pushed.
AnyReading = HookReading | HookUnknown | HookNotFitted | HookNotObservable


class ReadingsIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of POST /v1/readings."""

    readings: Annotated[tuple[AnyReading, ...], Meta(min_length=1, max_length=16)]


class ReadingsOut(Struct, frozen=True, kw_only=True):
    """What was taken."""

    taken: list[str]
    """The components whose reading is in force now."""


# --- pull hooks: one JSON object on stdin, one on stdout ---------------------------------------


class Request(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every request has."""

    agent_version: Word
    deadline_ms: DeadlineMs
    """The whole process group is killed this long after its start."""


class ProbeRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How is this component now?"""

    hook: Annotated[str, Meta(pattern=r"^probe\.[a-z][a-z0-9_]{0,39}$")]
    component: Name


class IdentityRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What terminal is this?"""

    hook: Literal["identity"]


class InventoryRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is built in or attached, and what software is on it?"""

    hook: Literal["inventory"]


class KeyUnwrapRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Unwrap a key with the terminal's security element."""

    hook: Literal["key.unwrap"]
    key_id: Word
    wrapped: Annotated[str, Meta(max_length=8_192)]
    """base64."""


class EventRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A condition began, showed or cleared. Nothing depends on the answer."""

    hook: Annotated[str, Meta(pattern=r"^event\.[a-z0-9_]+(\.[a-z0-9_]+)+$", max_length=80)]
    code: CauseCode
    what: Literal["began", "shown", "cleared", "ended"]
    component: Name
    severity: Literal["critical", "major", "minor", "warning"]
    at: Word
    """RFC 3339, UTC."""


class _Answer(Message, frozen=True, kw_only=True, forbid_unknown_fields=True,
              tag_field="outcome"):  # fmt: skip
    pass


class Unavailable(_Answer, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="unknown"):
    """This hook cannot tell now."""

    reason: Reason
    code: CauseCode = ""


class Identity(_Answer, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="told"):
    """The terminal itself. What is left empty is not known."""

    make: Line = ""
    model: Line = ""
    serial: Line = ""
    firmware: Line = ""
    os: Line = ""
    board: Line = ""
    source: Line = ""


class Item(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One device or piece of software."""

    kind: Literal["device", "software"]
    name: Word
    """A component (printer, scanner...) or a package name."""
    version: Line = ""
    make: Line = ""
    model: Line = ""
    firmware: Line = ""
    serial: Line = ""
    interface: Line = ""
    driver: Line = ""


class Inventory(_Answer, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="told"):
    """Everything this firmware knows to be there."""

    items: Annotated[tuple[Item, ...], Meta(max_length=256)]
    source: Line = ""


class KeyUnwrapped(_Answer, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="told"):
    """The key in clear: on a pipe between two processes, never stored, never logged."""

    key: Annotated[str, Meta(min_length=4, max_length=4_096)]
    """base64."""


class Noted(_Answer, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="done"):
    """The event was taken."""

    note: Line = ""


# --- actions: run by posagent-actions, with rights the agent does not have ----------------------


class NetworkSelect(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Use this channel for outgoing connections."""

    hook: Literal["network.select"]
    channel: Name
    """`ethernet`, `wifi`, `cellular`, or a name agreed with the vendor; `auto`: as the firmware
    likes."""


class AppRestart(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Restart the payment app. The agent asks only when no payment is under way."""

    hook: Literal["app.restart"]
    app: Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9._-]{0,127}$")]
    """Package or unit name."""


PrintLine = Annotated[str, Meta(max_length=96)]


class Print(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Print this text with the terminal's own printing service."""

    hook: Literal["print"]
    lines: Annotated[tuple[PrintLine, ...], Meta(min_length=1, max_length=400)]
    columns: Annotated[int, Meta(ge=16, le=96)] = 32
    """Width the lines were laid out for; a Chinese character takes two."""
    cut: bool = True


UpdateId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class UpdatePrepare(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Check and unpack an update; change nothing that runs."""

    hook: Literal["update.prepare"]
    update: UpdateId
    package: Word
    """What it replaces: `firmware`, `os`, a package name."""
    version: Word
    file: Annotated[str, Meta(pattern=r"^/[^\0]*$", max_length=300)]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    size_bytes: Count


class UpdateApply(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Put the prepared update in force; the terminal may restart. Can still be rolled back."""

    hook: Literal["update.apply"]
    update: UpdateId


class UpdateCommit(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The new version proved itself: keep it."""

    hook: Literal["update.commit"]
    update: UpdateId


class UpdateRollback(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Go back to what ran before."""

    hook: Literal["update.rollback"]
    update: UpdateId


class ActionDone(_Answer, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="done"):
    """It was done; repeating the same request is harmless."""

    note: Line = ""
    restart: bool = False
    """The terminal restarts by itself shortly."""


class ActionRefused(_Answer, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="refused"):
    """Not done, and nothing was changed."""

    reason: Reason


class ActionFailed(_Answer, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="failed"):
    """Begun and not finished."""

    reason: Reason
    changed: bool = True
    """Whether something may have been changed."""


IdentityAnswer = Identity | Unavailable
InventoryAnswer = Inventory | Unavailable
KeyUnwrapAnswer = KeyUnwrapped | Unavailable
EventAnswer = Noted | Unavailable
ActionAnswer = ActionDone | ActionRefused | ActionFailed
