"""The hooks of the contract as a table, and the check of what they say.

Decides which file name is a hook, what it gets and what it may answer; refuses to know how it is
run. Messages are checked with the types of `agent.wire.hooks`, from which the schemas are printed
too, so both always agree. Called by `agent.hooks`, the push door, posagent-actions and
`posagent hooks check`.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct

from agent.record import dataclass
from agent.wire import hooks as contract


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """One kind of hook: how it is called, what it gets, what it gives."""

    name: str  #: as in the contract; `<…>` stands for a name
    pattern: str
    request: type[Struct]
    answer: Any  #: a message type or a union of them
    answer_schema: str  #: the schema's file name, without `.json`
    action: bool = False  #: run by posagent-actions, never by the agent
    secret: bool = False  #: what it answers is never logged or shown


def _action(name: str, request: type[Struct]) -> Hook:
    return Hook(
        name=name,
        pattern=re.escape(name),
        request=request,
        answer=contract.ActionAnswer,
        answer_schema="action.answer",
        action=True,
    )


HOOKS: tuple[Hook, ...] = (
    Hook(
        name="probe.<component>",
        pattern=r"probe\.[a-z][a-z0-9_]{0,39}",
        request=contract.ProbeRequest,
        answer=contract.AnyReading,
        answer_schema="reading",
    ),
    Hook(
        name="identity",
        pattern="identity",
        request=contract.IdentityRequest,
        answer=contract.IdentityAnswer,
        answer_schema="identity.answer",
    ),
    Hook(
        name="inventory",
        pattern="inventory",
        request=contract.InventoryRequest,
        answer=contract.InventoryAnswer,
        answer_schema="inventory.answer",
    ),
    Hook(
        name="key.unwrap",
        pattern=r"key\.unwrap",
        request=contract.KeyUnwrapRequest,
        answer=contract.KeyUnwrapAnswer,
        answer_schema="key.unwrap.answer",
        secret=True,
    ),
    Hook(
        name="event.<code>",
        pattern=r"event\.[a-z0-9_]+(\.[a-z0-9_]+)+",
        request=contract.EventRequest,
        answer=contract.EventAnswer,
        answer_schema="event.answer",
    ),
    _action("network.select", contract.NetworkSelect),
    _action("app.restart", contract.AppRestart),
    _action("print", contract.Print),
    _action("update.prepare", contract.UpdatePrepare),
    _action("update.apply", contract.UpdateApply),
    _action("update.commit", contract.UpdateCommit),
    _action("update.rollback", contract.UpdateRollback),
)


#: C0, DEL, C1 and the two line ends of Unicode; and the bytes such may come as.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_MAY_CONTROL = re.compile(rb"[\\\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]")


def hook_named(name: str) -> Hook | None:
    """The hook of the contract a file name stands for; None: the contract has none such."""
    return next((one for one in HOOKS if re.fullmatch(one.pattern, name)), None)


class _Named(Struct):
    """Of any request, which hook it is for."""

    hook: str


class ContractError(Exception):
    """A message is not as the contract says; the text names the place and what is wrong there."""

    def __init__(self, text: str, *, is_json: bool = True) -> None:
        super().__init__(text)
        self.is_json = is_json


def request_bytes(request: Struct) -> bytes:
    """A request as a hook reads it: one line."""
    return msgspec.json.encode(request) + b"\n"


def within(request: Struct, deadline_ms: int) -> Struct:
    """The same request with the time it really has."""
    return msgspec.structs.replace(request, deadline_ms=deadline_ms)


def hook_in(given: bytes) -> tuple[str, Hook | None]:
    """Which hook a request is for, and its row. Raises ContractError."""
    named: _Named = _decode(given, _Named)
    return named.hook[:80], hook_named(named.hook)


def request_from(hook: Hook, given: bytes) -> Struct:
    """A checked request. Raises ContractError."""
    decoded: Struct = _decode(given, hook.request)
    return decoded


def answer_from(hook: Hook, given: bytes) -> Any:
    """A checked answer: one of the types of `hook.answer`. Raises ContractError."""
    answer = _decode(given, hook.answer)
    if isinstance(answer, contract.HookReading):
        check_state(answer)
    return answer


def reading_from(given: bytes) -> contract.AnyReading:
    """A checked reading: one line of a stream hook. Raises ContractError."""
    reading: contract.AnyReading = _decode(given, contract.AnyReading)
    if isinstance(reading, contract.HookReading):
        check_state(reading)
    return reading


def check_state(reading: contract.HookReading) -> None:
    """Hold the state against the keys of its component. Raises ContractError."""
    shape = contract.STATES.get(reading.component)
    if shape is None:
        return
    try:
        msgspec.convert(reading.state, shape, strict=True)
    except msgspec.ValidationError as error:
        text = str(error)
        where = text.replace("`$", "`$.state") if "`$" in text else f"{text} - at `$.state`"
        raise ContractError(where) from None


def _decode(given: bytes, shape: Any) -> Any:
    try:
        decoded = msgspec.json.decode(given, type=shape, strict=True)
    except msgspec.ValidationError as error:
        raise ContractError(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ContractError(str(error), is_json=False) from None
    # `$` of a pattern lets a newline at the end pass; no text of the contract has any.
    if _MAY_CONTROL.search(given) and not _printable(msgspec.to_builtins(decoded)):
        raise ContractError("a text holds a control character")
    return decoded


def _printable(value: Any) -> bool:
    match value:
        case str():
            return not _CONTROL.search(value)
        case dict():
            return all(_printable(key) and _printable(inner) for key, inner in value.items())
        case list() | tuple():
            return all(_printable(inner) for inner in value)
    return True


def plain(message: Struct) -> dict[str, Any]:
    """A message as a dictionary, without what stands at its default."""
    given: dict[str, Any] = msgspec.to_builtins(message)
    defaults = {field.name: field.default for field in msgspec.structs.fields(message)}
    return {name: value for name, value in given.items() if value != defaults.get(name, ...)}
