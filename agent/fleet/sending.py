"""Signed commands on their way: made, published at a bounded rate, followed to their results.

Decides form, pace and what counts as an answer; whether a terminal obeys is its own affair. A
publish that was not acknowledged goes out again with the same id: a terminal that has it answers
with what it stored. The caller brings time and connection. Called by the command line.
"""

from __future__ import annotations

import difflib
import re
import secrets
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Protocol

from agent.core.fleet.commands import MAX_LIFETIME_MS, OPS, Command
from agent.core.fleet.messages import topic
from agent.errors import OperatorError
from agent.fleet.reader import Reader
from agent.fleet.terminal import Result
from agent.record import dataclass
from agent.wire.command import command_bytes, command_in, enveloped, opened, to_sign
from agent.wire.signed import DocumentError

Value = bool | int | str


class Signer(Protocol):
    """Who signs (`agent.fleet.keys`)."""

    @property
    def key_id(self) -> str: ...
    def sign(self, message: bytes) -> bytes: ...
    def numbers(self, count: int, now_ms: int) -> int: ...


_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
#: MQTT 5: taken, but nobody subscribes; a terminal that comes later hears nothing of it.
NOBODY = 0x10


class Acknowledged(Protocol):
    """A publish under way (`agent.fleet.line.Sent`)."""

    code: int | None


class Publisher(Protocol):
    """Who publishes (`agent.fleet.line.Line`)."""

    @property
    def online(self) -> bool: ...
    def publish(
        self, topic: str, payload: bytes, *, retained: bool = False, expiry_s: int = 0
    ) -> Acknowledged | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be done, by whomever."""

    op: str
    args: Mapping[str, Value] = field(default_factory=dict)
    lifetime_ms: int = 900_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """One command for one terminal, ready to be sent."""

    cmd_id: str
    tenant: str
    device: str
    op: str
    expires_ts: int
    envelope: bytes


def order(op: str, args: Mapping[str, object], lifetime_ms: int = 900_000) -> Order:
    """An order of the closed list, arguments by name. Raises OperatorError saying what is wrong."""
    known = OPS.get(op)
    if known is None:
        near = difflib.get_close_matches(op, OPS, n=3, cutoff=0.6)
        raise OperatorError("fleet.op", f"no command {op!r}", " · ".join(near or OPS))
    told: dict[str, Value] = {}
    for name, value in args.items():
        wanted = known.args.get(name)
        if wanted is None:
            names = ", ".join(known.args) or "-"
            raise OperatorError("fleet.args", f"{op} takes no {name!r}", names)
        told[name] = _valued(name, value, wanted.kind)
    missing = [name for name, arg in known.args.items() if arg.required and name not in told]
    if missing:
        names = ", ".join(missing)
        hint = " ".join(f"--arg {name}=…" for name in missing)
        raise OperatorError("fleet.args", f"{op} needs {names}", hint)
    if known.one_of and sum(name in told for name in known.one_of) != 1:
        names = ", ".join(known.one_of)
        hint = " | ".join(f"--arg {name}=…" for name in known.one_of)
        raise OperatorError("fleet.args", f"{op} needs one of {names}", hint)
    if not 1_000 <= lifetime_ms <= MAX_LIFETIME_MS:
        raise OperatorError("fleet.expires", f"1 … {MAX_LIFETIME_MS // 1000} s")
    return Order(op=op, args=told, lifetime_ms=lifetime_ms)


def _valued(name: str, value: object, kind: type) -> Value:
    if kind is bool and isinstance(value, str) and value in ("true", "false"):
        return value == "true"
    if kind is int and isinstance(value, str) and value.lstrip("-").isdecimal():
        return int(value)
    if type(value) is not kind or not isinstance(value, bool | int | str):
        raise OperatorError("fleet.args", f"{name}: {value!r} is no {kind.__name__}")
    return value


def signed(asked: Order, tenant: str, device: str, signer: Signer, now_ms: int) -> Signed:
    """One command, with a number of its own. Raises OperatorError."""
    return signed_for(asked, [(tenant, device)], signer, now_ms)[0]


def signed_for(
    asked: Order, devices: Sequence[tuple[str, str]], signer: Signer, now_ms: int
) -> list[Signed]:
    """The same for many: a command each, as nobody may replay one terminal's at another."""
    for name in (name for pair in devices for name in pair):
        if not _NAME.fullmatch(name):
            raise OperatorError(
                "fleet.to", f"{name!r} is no device id", "letters, digits, _ and -, at most 64"
            )
    first = signer.numbers(len(devices), now_ms)
    made: list[Signed] = []
    for number, (tenant, device) in enumerate(devices, first):
        command = Command(
            cmd_id=secrets.token_urlsafe(12),
            tenant=tenant,
            device_id=device,
            op=asked.op,
            args=asked.args,
            issued_ts=now_ms,
            expires_ts=now_ms + asked.lifetime_ms,
            seq=number,
        )
        payload = command_bytes(command)
        try:
            command_in(payload)
        except DocumentError as error:
            raise OperatorError("fleet.form", f"{device}: {error}") from error
        envelope = enveloped(signer.key_id, signer.sign(to_sign(payload)), payload)
        made.append(_signed(command, envelope))
    return made


def read(envelope: bytes) -> Signed:
    """A command somebody signed elsewhere. Raises OperatorError; the terminal checks the key."""
    try:
        command = command_in(opened(envelope.strip()).payload)
    except DocumentError as error:
        raise OperatorError("fleet.envelope", str(error)) from error
    return _signed(command, envelope.strip())


def _signed(command: Command, envelope: bytes) -> Signed:
    return Signed(
        cmd_id=command.cmd_id,
        tenant=command.tenant,
        device=command.device_id,
        op=command.op,
        expires_ts=command.expires_ts,
        envelope=envelope,
    )


def publish(line: Publisher, one: Signed, now_ms: int) -> Acknowledged | None:
    """QoS 1, never retained; MQTT 5 brokers forget it when it expires. None: not now."""
    left_s = max(1, (one.expires_ts - now_ms) // 1000)
    name = topic(one.tenant, one.device, f"cmd/{one.cmd_id}")
    return line.publish(name, one.envelope, expiry_s=left_s)


@dataclass(slots=True)
class Case:
    """One command under way."""

    signed: Signed
    status: str = "waiting"  #: waiting, sent, then what the terminal says; or unanswered, refused
    result: Result | None = None
    sent: Acknowledged | None = None
    sent_at_ms: int = 0
    unheard: bool = False  #: the broker said that nobody listened

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.status in ("ok", "failed", "rejected", "expired", "unanswered", "refused")


#: Not acknowledged in this time, a publish is made again.
AGAIN_MS = 20_000
#: A terminal may say what became of a command a little after it expired.
GRACE_MS = 5_000


class Sending:
    """Some commands, followed to their ends."""

    def __init__(
        self, commands: Sequence[Signed], *, rate: float, patience_ms: int | None = None
    ) -> None:
        self.cases = [Case(signed=one) for one in commands]
        self._open = {(case.signed.tenant, case.signed.device, case.signed.cmd_id): case
                      for case in self.cases}  # fmt: skip
        self._queue = deque(self.cases)
        self._gap_ms = 1000 / rate
        self._due_ms = 0.0
        self._patience_ms = patience_ms

    @property
    def over(self) -> bool:
        """Whether all have come to an end."""
        return all(case.over for case in self.cases)

    def step(self, line: Publisher, now_ms: int) -> None:
        """Publish what the pace allows; note acknowledgements and deadlines."""
        self._due_ms = max(self._due_ms, now_ms - 1000.0)
        while self._queue and self._due_ms <= now_ms and line.online:
            case = self._queue[0]
            if now_ms < case.signed.expires_ts:
                sent = publish(line, case.signed, now_ms)
                if sent is None:
                    break  # the window is full
                case.sent, case.sent_at_ms = sent, now_ms
                self._due_ms += self._gap_ms
            self._queue.popleft()
        for case in self.cases:
            if not case.over:
                self._watch(case, line, now_ms)

    def _watch(self, case: Case, line: Publisher, now_ms: int) -> None:
        sent = case.sent
        if case.status == "waiting" and sent is not None:
            if sent.code is not None and sent.code < 0x80:
                case.status, case.unheard = "sent", sent.code == NOBODY
            elif sent.code is not None:
                # Not authorised, too large: the broker's word.
                case.status = "refused"
            elif now_ms - case.sent_at_ms > AGAIN_MS or not line.online:
                case.sent = None
                self._queue.append(case)
        last_ms = case.signed.expires_ts + GRACE_MS
        if self._patience_ms is not None and case.sent_at_ms:
            last_ms = min(last_ms, case.sent_at_ms + self._patience_ms)
        if now_ms >= last_ms and not case.over:
            case.status = "unanswered"

    def heard(self, reader: Reader, tenant: str, device: str) -> Case | None:
        """A terminal said something: the case it was about, if its status is new."""
        one = reader.get(tenant, device)
        if one is None or one.result is None:
            return None
        case = self._open.get((tenant, device, one.result.cmd_id))
        if case is None or case.result == one.result:
            return None
        case.result, case.status = one.result, one.result.status
        return case
