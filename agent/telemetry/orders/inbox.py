"""Takes what arrives on `cmd/…`: believed or not, answered or not, on disk before anything is done.

Cheap looks come first: a flood of forged commands costs a few signatures a minute and one line of
the trail an hour, and is never answered. What the rules are is `core.fleet.commands`; carrying out
is `running`. After a StoreError nothing was taken, and the broker sends it again.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable

from agent.core.audit import Deed
from agent.core.fleet import ledger
from agent.core.fleet.commands import (
    UNRECORDED,
    Command,
    Here,
    Kept,
    Key,
    Rates,
    Reason,
    Verdict,
    actor,
    addressed,
    judged,
    offered,
    sifted,
)
from agent.core.fleet.ledger import Order, Stage
from agent.core.fleet.messages import ResMessage
from agent.core.moment import BUILD_FLOOR_MS, Moment
from agent.crypt import signed_by
from agent.telemetry.orders.ports import Ports
from agent.wire.command import command_in, opened, to_sign
from agent.wire.signed import DocumentError, Envelope

log = logging.getLogger(__name__)

HOUR_MS = 3_600_000


class CommandInbox:
    """One terminal's. `accepted` hears of every command that is to be carried out."""

    def __init__(self, ports: Ports, accepted: Callable[[Order, Command], None]) -> None:
        self._ports = ports
        self._accepted = accepted
        self._rates = Rates(ports.per_hour)
        self.one = asyncio.Lock()  #: held while a command is being taken
        self._unheard = Unheard(ports)
        self._began_ms = ports.clock.now().boot_ms

    async def command(self, cmd_id: str, payload: bytes, *, retained: bool) -> None:
        """Returns when it is durably taken or refused. Raises StoreError."""
        now = self._ports.clock.now()
        believed = self._believed(cmd_id, payload, now, retained=retained)
        if isinstance(believed, Reason):
            await self._unheard.add(believed, cmd_id, now.boot_ms)
            return
        command, key, signed = believed
        async with self.one:
            await self._decide(command, key, _digest(key.key_id, signed), now)

    @property
    def offered(self) -> tuple[str, ...]:
        """What this terminal can have done."""
        return offered(self._ports.operations() | self._ports.own.keys())

    async def begin(self) -> bool:
        """Sequences are counted without a gap since we are here, if they are not yet longer.

        False while nobody can tell when that was. Raises StoreError.
        """
        now = self._ports.clock.now()
        if now.trusted:
            await self._ports.ledger.begin(now.wall_ms - max(0, now.boot_ms - self._began_ms))
        return now.trusted

    async def close(self) -> None:
        """Write down what was only counted so far."""
        await self._unheard.flush()

    def _believed(
        self, cmd_id: str, payload: bytes, now: Moment, *, retained: bool
    ) -> tuple[Command, Key, bytes] | Reason:
        reason = sifted(len(payload), retained=retained)
        if reason is not None:
            return reason
        try:
            envelope: Envelope = opened(payload)
            command = command_in(envelope.payload)
        except DocumentError as error:
            log.debug("event=command_malformed reason=%r", str(error)[:120])
            return Reason.MALFORMED
        keys = self._ports.keys
        key = keys.known(envelope.key_id)
        if key is None:
            return Reason.REVOKED_KEY if keys.revoked(envelope.key_id) else Reason.UNKNOWN_KEY
        reason = addressed(command, cmd_id, self._here(now, None))
        if reason is not None:
            return reason
        if not self._rates.check(key.key_id, now.boot_ms):
            return Reason.FLOODED
        if not signed_by(key.public, to_sign(envelope.payload), envelope.signature):
            return Reason.FORGED
        return command, key, envelope.payload

    async def _decide(self, command: Command, key: Key, digest: bytes, now: Moment) -> None:
        store = self._ports.ledger
        standing = await store.standing(command.cmd_id, key.key_id)
        if standing.since_ms is None and await self.begin():
            standing = await store.standing(command.cmd_id, key.key_id)
        kept = None if standing.kept is None else Kept(digest=standing.kept.digest)
        here = self._here(now, standing.since_ms)
        found = judged(command, digest, key, here, kept=kept, last_seq=standing.last_seq)
        order = ledger.taken(command, key.key_id, digest, now.wall_ms)
        reason = found.reason
        if found.verdict is Verdict.REPEAT and standing.kept is not None:
            log.info("event=command_repeated cmd_id=%s", command.cmd_id)
            if self._rates.answer(now.boot_ms):
                await self.tell(standing.kept)
            return
        if found.verdict is Verdict.OBEY and not self._rates.obey(key.key_id, now.boot_ms):
            reason = Reason.RATE_LIMITED
        if reason is None:
            await self._take(order, command, key)
        else:
            await self._refuse(ledger.refused(order, reason), reason, now)

    async def _take(self, order: Order, command: Command, key: Key) -> None:
        deed = Deed(actor=actor(key.key_id), op=f"command.{order.op}", target=order.target,
                    outcome="accepted")  # fmt: skip
        await self._ports.ledger.take(order, deed)
        now = self._ports.clock.now()
        if now.trusted:
            self._ports.clock.seen(now.wall_ms)
        log.info(
            "event=command_accepted cmd_id=%s op=%s key_id=%s", order.cmd_id, order.op, key.key_id
        )
        self._accepted(order, command)
        await self.tell(order)

    async def _refuse(self, order: Order, reason: Reason, now: Moment) -> None:
        if reason not in UNRECORDED and not self._rates.refuse(order.key_id, now.boot_ms):
            await self._unheard.add(Reason.FLOODED, order.cmd_id, now.boot_ms)
            return
        log.warning(
            "event=command_refused cmd_id=%s op=%s key_id=%s reason=%s",
            order.cmd_id, order.op, order.key_id, reason,
        )  # fmt: skip
        if reason in UNRECORDED:
            # Somebody replays: told a few times, counted after that.
            if self._rates.answer(now.boot_ms):
                await self.tell(order)
            await self._unheard.add(reason, order.cmd_id, now.boot_ms)
            return
        deed = Deed(actor=actor(order.key_id), op=f"command.{order.op}", target=order.target,
                    outcome=f"{order.status}:{reason}")  # fmt: skip
        await self._ports.ledger.take(order, deed)
        await self.tell(order)

    async def tell(self, order: Order, progress: int | None = None) -> None:
        """What has become of a command, to the fleet."""
        now = self._ports.clock.now()
        message = ResMessage(
            ts=now.wall_ms if order.ended_ms is None else order.ended_ms,
            clock_suspect=None if now.trusted else True,
            cmd_id=order.cmd_id,
            op=order.op,
            status=order.status,
            code=order.code or None,
            detail=order.detail or None,
            progress_percent=progress,
            result=order.result if order.stage is Stage.DONE else None,
        )
        if not await self._ports.tell(message):
            log.warning("event=result_not_kept cmd_id=%s status=%s", order.cmd_id, order.status)

    def _here(self, now: Moment, since_ms: int | None) -> Here:
        ports = self._ports
        return Here(
            tenant=ports.tenant,
            device_id=ports.device_id,
            now_ms=now.wall_ms,
            floor_ms=max(ports.clock.last_seen_ms, BUILD_FLOOR_MS),
            clock_trusted=now.trusted,
            counted_since_ms=since_ms,
            idle=ports.idle(),
            offered=self.offered,
        )


class Unheard:
    """What is not worth a line each: the first of a kind is written down, then one an hour."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._counts: dict[Reason, int] = {}
        self._written_ms: dict[Reason, int] = {}

    async def add(self, reason: Reason, cmd_id: str, now_ms: int) -> None:
        """One more."""
        count = self._counts.get(reason, 0) + 1
        self._counts[reason] = count
        self._ports.ignored(reason)
        last_ms = self._written_ms.get(reason)
        first = last_ms is None or now_ms - last_ms >= HOUR_MS
        log.log(
            logging.WARNING if first else logging.DEBUG,
            "event=command_ignored reason=%s cmd_id=%r count=%d", reason, cmd_id[:64], count,
        )  # fmt: skip
        if first:
            self._written_ms[reason] = now_ms
            await self._write(reason)

    async def flush(self) -> None:
        """Everything that is counted and not written."""
        for reason in [reason for reason, count in self._counts.items() if count]:
            await self._write(reason)

    async def _write(self, reason: Reason) -> None:
        count, self._counts[reason] = self._counts[reason], 0
        await self._ports.ledger.write(
            Deed(actor="unknown", op="command", outcome=f"ignored:{reason}", count=count)
        )


def _digest(key_id: str, signed: bytes) -> bytes:
    return hashlib.blake2b(key_id.encode() + b"\n" + signed, digest_size=16).digest()
