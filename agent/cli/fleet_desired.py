"""`posagent fleet desired`: a release to a group's terminals, stage by stage, watched all the time.

Publishes one signed statement per stage, retained, on each member's `desired` topic, and a halting
one when more than `--stop-at` of those reached say no. Exit code 0: all stages passed; 6: halted.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from agent.cli.fleet import CONNECT_S, access, content, names
from agent.cli.fleet_key import signer
from agent.cli.fleet_sign import table
from agent.cli.fleet_watch import now_ms, swallow
from agent.cli.session import Exit, Session
from agent.core.fleet.messages import topic
from agent.errors import OperatorError
from agent.fleet.line import Line, Sent
from agent.fleet.reader import Reader
from agent.fleet.reader import filters as topics
from agent.fleet.rollout import (
    FIELDS,
    Phase,
    Rollout,
    Standing,
    Statement,
    sealed,
    standing,
    statement,
)
from agent.fleet.view import Row
from agent.wire.desired import DesiredIn

STEP_S = 0.25
AGAIN_S = 20.0
TELL_S = 10.0
#: Clocks of terminals may be behind ours by this much.
CLOCKS_MS = 60_000
REFUSED = 0x80
#: So many of those that said no are named.
NAMED = 20


def desired(session: Session) -> int:
    """All stages, or the halt."""
    args, t = session.args, session.words
    members = names(args.members)
    if not members:
        raise OperatorError("fleet.to", t("fleet.nobody"), "--members FILE")
    given = content(args.file)
    ready = sealed(given)
    if ready is not None:
        return _as_it_is(session, given.strip(), ready, members)
    said = statement(table(args.file))
    key = signer(session)
    said.signed(key)  # what no terminal would take is known before the question
    _confirm(session, said.group, said.version, len(members), args.stages)
    if args.soak < said.said.trial.seconds:
        told = t("fleet.rollout.soak", soak=round(args.soak), trial=said.said.trial.seconds)
        print(told, file=sys.stderr)
    rollout = Rollout(
        said,
        members,
        stages=args.stages,
        stop_at_percent=args.stop_at,
        soak_ms=round(args.soak * 1000),
    )
    reader = Reader(started_ms=now_ms())
    reader.keep(FIELDS)
    line = Line(access(session), topics(said.said.tenant))
    line.start()
    try:
        line.until_online(CONNECT_S)
        work = _Work(session, line, reader, rollout)
        while rollout.phase is not Phase.DONE:
            envelope, phase = rollout.statement.signed(key), rollout.phase
            targets = rollout.targets
            work.tell()
            whole = work.publish(envelope, targets, watching=phase is Phase.PUBLISHING)
            if phase is Phase.HALTED:
                return work.end()
            if whole:
                rollout.published(now_ms(), targets)
                work.watch()
        return work.end()
    finally:
        line.close()


def _as_it_is(session: Session, envelope: bytes, said: DesiredIn, members: list[str]) -> int:
    """What `fleet sign --desired` made: to all members at once; its stage is in it."""
    _confirm(session, said.group, said.version, len(members), (said.stage.percent,))
    rollout = Rollout(Statement({}, said), members, stages=(100,), stop_at_percent=100, soak_ms=0)
    line = Line(access(session))
    line.start()
    try:
        line.until_online(CONNECT_S)
        _Work(session, line, Reader(started_ms=now_ms()), rollout).publish(
            envelope, members, watching=False
        )
    finally:
        line.close()
    told = session.words("fleet.rollout.published", version=said.version, count=len(members))
    if session.json:
        session.print_json({"version": said.version, "reached": len(members)})
    else:
        session.screen.text(told)
    return Exit.OK


def _confirm(
    session: Session, group: str, version: int, count: int, percents: Sequence[int]
) -> None:
    if session.args.yes:
        return
    t = session.words
    if not sys.stdin.isatty():
        raise OperatorError("fleet.confirm", t("fleet.confirm.tty", op="desired"), "--yes")
    stages = " → ".join(f"{each} %" for each in percents)
    asked = t("fleet.rollout.ask", group=group, version=version, count=count, stages=stages)
    print(asked, file=sys.stderr)
    print(t("fleet.confirm.type", count=count), end=" ", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != str(count):
        raise OperatorError("fleet.confirm", t("fleet.confirm.no"))


class _Work:
    """One release under way."""

    def __init__(self, session: Session, line: Line, reader: Reader, rollout: Rollout) -> None:
        self._session = session
        self._line = line
        self._reader = reader
        self._rollout = rollout
        self._tenant = rollout.base.said.tenant
        self._since_ms = now_ms() - CLOCKS_MS
        self._told_s = 0.0
        self._said_no: dict[str, None] = {}

    def publish(self, envelope: bytes, targets: Sequence[str], *, watching: bool) -> bool:
        """To all of them, retained; False when it had to halt meanwhile."""
        gap_s = 1.0 / self._session.args.rate
        waiting = list(reversed(targets))
        under_way: dict[str, tuple[Sent, float]] = {}
        due_s = time.monotonic()
        while waiting or under_way:
            now_s = time.monotonic()
            while waiting and due_s <= now_s:
                sent = self._line.publish(
                    topic(self._tenant, waiting[-1], "desired"), envelope, retained=True
                )
                if sent is None:
                    break
                under_way[waiting.pop()] = (sent, now_s)
                due_s = max(due_s, now_s - 1.0) + gap_s
            for name, (sent, at_s) in list(under_way.items()):
                if sent.code is not None and sent.code >= REFUSED:
                    raise OperatorError("fleet.refused", f"{name}: 0x{sent.code:02x}")
                if sent.code is not None:
                    self._rollout.reached(name)
                    del under_way[name]
                elif not self._line.online or now_s - at_s > AGAIN_S:
                    waiting.append(name)
                    del under_way[name]
            if self._look(min(STEP_S, gap_s)) is Phase.HALTED and watching:
                return False
        return True

    def watch(self) -> None:
        """Until the stage has passed or is halted."""
        while self._look(STEP_S) is Phase.WATCHING:
            if time.monotonic() - self._told_s > TELL_S:
                self.tell()

    def _look(self, wait_s: float) -> Phase:
        self._line.wait(wait_s)
        if self._line.final:
            self._line.until_online(0)
        swallow(self._line, self._reader)
        now = now_ms()
        version = self._rollout.base.version
        stands = {
            one.device: standing(Row(one, self._reader, now), version, self._since_ms)
            for one in self._reader
        }
        self._said_no |= {
            name: None
            for name, one in sorted(stands.items())
            if one is Standing.REJECTED and self._rollout.has(name)
        }
        return self._rollout.judge(stands, now)

    def tell(self) -> None:
        """Where it is, in a line."""
        self._told_s = time.monotonic()
        if self._session.json:
            return
        rollout, t = self._rollout, self._session.words
        counts = rollout.counts
        said = t(
            "fleet.rollout.stage",
            percent=rollout.percent,
            version=rollout.version,
            reached=counts.reached,
            well=counts.well,
            rejected=counts.rejected,
        )
        self._session.screen.text(said)

    def end(self) -> int:
        """What became of it."""
        rollout, t, session = self._rollout, self._session.words, self._session
        halted, counts = rollout.phase is Phase.HALTED, rollout.counts
        if session.json:
            session.print_json(
                {
                    "phase": str(rollout.phase),
                    "version": rollout.version,
                    "percent": rollout.percent,
                    "reached": counts.reached,
                    "well": counts.well,
                    "rejected": counts.rejected,
                    "rejected_terminals": list(self._said_no),
                }
            )
        else:
            name = "fleet.rollout.halted" if halted else "fleet.rollout.done"
            said = t(
                name,
                percent=f"{counts.percent:.1f}",
                rejected=counts.rejected,
                reached=counts.reached,
                version=rollout.version,
            )
            session.screen.text(said, style="bad" if halted else "good")
            if self._said_no:
                names = list(self._said_no)
                shown = ", ".join(names[:NAMED]) + (" …" if len(names) > NAMED else "")
                session.screen.text(t("fleet.rollout.who", devices=shown), indent="  ")
        return Exit.REFUSED if halted else Exit.OK
