"""`posagent fleet send`: a signed command to some terminals, followed until each has answered.

Asks before anything disruptive, tells how many it is about, and its exit code says whether all
went well: 0 all done, 6 some terminal or the broker said no, 3 some terminal did not answer.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from agent.cli.fleet import CONNECT_S, access, content
from agent.cli.fleet_key import signer
from agent.cli.fleet_result import show, why_not
from agent.cli.fleet_sign import ordered
from agent.cli.fleet_watch import listen, news, now_ms
from agent.cli.session import Exit, Session
from agent.core.fleet.commands import OPS
from agent.core.fleet.messages import CONTRACT
from agent.errors import OperatorError
from agent.fleet import filters, sending
from agent.fleet.line import Line
from agent.fleet.reader import Reader
from agent.fleet.reader import filters as topics
from agent.fleet.sending import Case, Sending, Signed
from agent.fleet.view import rows

#: So many terminals are subscribed to by name; more than that by the tenant.
BY_NAME = 50
STEP_S = 0.25


def send(session: Session) -> int:
    """Sign and send, or send what was signed elsewhere."""
    args = session.args
    commands = _made(session)
    line = Line(access(session), _answers(commands), qos=1)
    reader = Reader(started_ms=now_ms())
    work = Sending(
        commands,
        rate=args.rate,
        patience_ms=None if args.patience is None else round(args.patience * 1000),
    )
    line.start()
    try:
        line.until_online(CONNECT_S)
        _follow(session, line, reader, work)
    finally:
        line.close()
        if session.json:
            session.print_json([_plain(case) for case in work.cases])
        else:
            _summary(session, work)
    return _code(work)


def _made(session: Session) -> list[Signed]:
    args, t = session.args, session.words
    if args.envelope:
        commands = [_read(Path(file)) for file in args.envelope]
        _confirm(session, commands[0].op, [one.device for one in commands])
        return commands
    order, devices, tenant = ordered(session)
    meant = [(tenant, device) for device in devices]
    if args.where:
        meant += _looked_up(session, tenant)
    meant = list(dict.fromkeys(meant))
    if not meant:
        raise OperatorError("fleet.to", t("fleet.nobody"), "--to DEVICE, --to-file, --where")
    key = signer(session)
    _confirm(session, order.op, [device for _, device in meant])
    return sending.signed_for(order, meant, key, now_ms())


def _read(file: Path) -> Signed:
    raw = content(file)
    try:
        return sending.read(raw)
    except OperatorError as error:
        what = f"{file} is no signed command"
        raise OperatorError(error.code, what, "made by `posagent fleet sign`") from error


def _looked_up(session: Session, tenant: str) -> list[tuple[str, str]]:
    """The terminals that fit `--where`, after a look at the fleet."""
    chosen = filters.read(session.args.where)
    reader = Reader(started_ms=now_ms())
    reader.keep(chosen.fields)
    line = Line(access(session), topics(tenant or "+"))
    line.start()
    try:
        listen(line, reader, session.args.wait)
    finally:
        line.close()
    found = chosen.chosen(rows(reader, now_ms()))
    return sorted((row.one.tenant, row.one.device) for row in found)


def _confirm(session: Session, op: str, devices: list[str]) -> None:
    """A question with the number, before anything that disturbs or that many terminals do."""
    known, t = OPS.get(op), session.words
    harmless = known is not None and not known.disruptive and (known.reads or len(devices) == 1)
    if session.args.yes or harmless:
        return
    if not sys.stdin.isatty():
        raise OperatorError("fleet.confirm", t("fleet.confirm.tty", op=op), "--yes")
    shown = ", ".join(devices[:5]) + (" …" if len(devices) > 5 else "")
    name = "fleet.confirm.disruptive" if known is None or known.disruptive else "fleet.confirm"
    print(t(name, op=op, count=len(devices), devices=shown), file=sys.stderr)
    print(t("fleet.confirm.type", count=len(devices)), end=" ", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != str(len(devices)):
        raise OperatorError("fleet.confirm", t("fleet.confirm.no"))


def _answers(commands: list[Signed]) -> list[str]:
    """Where the results come in."""
    if len(commands) <= BY_NAME:
        pairs = dict.fromkeys((one.tenant, one.device) for one in commands)
        return [f"pos/{CONTRACT}/{tenant}/{device}/res/+" for tenant, device in pairs]
    tenants = dict.fromkeys(one.tenant for one in commands)
    return [f"pos/{CONTRACT}/{tenant}/+/res/+" for tenant in tenants]


def _follow(session: Session, line: Line, reader: Reader, work: Sending) -> None:
    told: dict[str, str] = {}
    loud = len(work.cases) <= BY_NAME
    while True:
        work.step(line, now_ms())
        line.wait(STEP_S if line.online else 1.0)
        for one in news(line, reader):  # one by one: only the last result of each is kept
            work.heard(reader, one.tenant, one.device)
        if line.final:
            line.until_online(0)
        for case in work.cases:
            told_now = f"{case.status} {case.result.percent if case.result else ''}"
            if told.get(case.signed.cmd_id) != told_now:
                told[case.signed.cmd_id] = told_now
                bad = case.over and case.status != "ok"
                if not session.json and case.status != "waiting" and (loud or bad):
                    _tell(session, case)
        if not loud and session.screen.tty and not session.json:
            session.screen.line(_counts(session, work), "dim")
        if work.over:
            return


def _tell(session: Session, case: Case) -> None:
    t, result = session.words, case.result
    parts = [case.signed.device, t.word("fleetcmd", case.status)]
    if result is not None:
        parts += [f"{result.percent} %"] if result.percent is not None and not case.over else []
        parts.append(why_not(result.code, result.detail, t))
    elif case.status in ("sent", "unanswered") and case.unheard:
        parts.append(t("fleetres.nobody"))
    elif case.status == "refused" and case.sent is not None and case.sent.code:
        parts.append(f"0x{case.sent.code:02x}")
    style = {"ok": "good"}.get(case.status, "bad" if case.over else "")
    session.screen.text("  ".join(part for part in parts if part), style=style)
    if case.status == "ok" and result is not None and result.result is not None:
        show(session, case.signed.op, result.result)


def _counts(session: Session, work: Sending) -> str:
    counted = Counter(case.status for case in work.cases)
    words = session.words
    return " · ".join(f"{words.word('fleetcmd', name)} {n}" for name, n in counted.most_common())


def _summary(session: Session, work: Sending) -> None:
    if len(work.cases) > 1:
        session.screen.text(_counts(session, work), style="bold")


def _plain(case: Case) -> dict[str, object]:
    told: dict[str, object] = {
        "tenant": case.signed.tenant,
        "device_id": case.signed.device,
        "cmd_id": case.signed.cmd_id,
        "op": case.signed.op,
        "status": case.status,
    }
    if case.result is not None:
        told |= {"code": case.result.code or None, "detail": case.result.detail or None}
        told["result"] = case.result.result
    return told


def _code(work: Sending) -> int:
    left = {case.status for case in work.cases} - {"ok"}
    if not left:
        return Exit.OK
    return Exit.UNREACHABLE if left <= {"unanswered", "sent", "waiting"} else Exit.REFUSED
